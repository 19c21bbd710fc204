"""Independent nodes of a graph, run together: H4's executor under its own names, on the engine.

Whatever nodes do to their state, neither each other nor the caller see it; what they came to is merged. Names are
loaded when they are first used: DSPy, Pydantic AI and pydantic are imported by what needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanfold.nodes.agent_node import from_pydantic_ai
    from fanfold.nodes.caching import NodeCache
    from fanfold.nodes.caching_executor import CachedParallelExecutor
    from fanfold.nodes.concurrency import (
        ConcurrencyModel,
        ProviderLimitsError,
        ProviderRateLimits,
        get_concurrency_model,
        load_provider_limits,
    )
    from fanfold.nodes.context import RunContext
    from fanfold.nodes.dependencies import CyclicPlan, Dependencies, NoProducer, PlanError, SeveralProducers
    from fanfold.nodes.determinism import DeterminismReport, validate_determinism
    from fanfold.nodes.dspy_node import ExtraMissing, from_dspy
    from fanfold.nodes.errors import MergeError, ParallelExecutionError
    from fanfold.nodes.executor import ParallelExecutor
    from fanfold.nodes.function_node import FunctionNode, from_function
    from fanfold.nodes.graph import Graph, GraphRun, TooManySteps, run_graph
    from fanfold.nodes.merge import MergeStrategy
    from fanfold.nodes.node import AbstractBaseNode, NodeIncomplete, UnexpectedOutput
    from fanfold.nodes.persistence import GraphState, StateTypeError
    from fanfold.nodes.planning import DependencyFailed, Plan, UndeclaredWrite, plan
    from fanfold.nodes.protocol import BaseNode, End, NextNode
    from fanfold.nodes.result import NodeResult, Statistics
    from fanfold.nodes.signature import NodeSignature, UndeclaredFields
    from fanfold.nodes.state import UnknownField
    from fanfold.nodes.streaming import NodeStream

__all__ = [
    "AbstractBaseNode",
    "BaseNode",
    "CachedParallelExecutor",
    "ConcurrencyModel",
    "CyclicPlan",
    "Dependencies",
    "DependencyFailed",
    "DeterminismReport",
    "End",
    "ExtraMissing",
    "FunctionNode",
    "Graph",
    "GraphRun",
    "GraphState",
    "MergeError",
    "MergeStrategy",
    "NextNode",
    "NoProducer",
    "NodeCache",
    "NodeIncomplete",
    "NodeResult",
    "NodeSignature",
    "NodeStream",
    "ParallelExecutionError",
    "ParallelExecutor",
    "Plan",
    "PlanError",
    "ProviderLimitsError",
    "ProviderRateLimits",
    "RunContext",
    "SeveralProducers",
    "StateTypeError",
    "Statistics",
    "TooManySteps",
    "UndeclaredFields",
    "UndeclaredWrite",
    "UnexpectedOutput",
    "UnknownField",
    "from_dspy",
    "from_function",
    "from_pydantic_ai",
    "get_concurrency_model",
    "load_provider_limits",
    "plan",
    "run_graph",
    "validate_determinism",
]

_HOMES = {
    "agent_node": ("from_pydantic_ai",),
    "caching": ("NodeCache",),
    "caching_executor": ("CachedParallelExecutor",),
    "concurrency": (
        "ConcurrencyModel",
        "ProviderLimitsError",
        "ProviderRateLimits",
        "get_concurrency_model",
        "load_provider_limits",
    ),
    "context": ("RunContext",),
    "dependencies": ("CyclicPlan", "Dependencies", "NoProducer", "PlanError", "SeveralProducers"),
    "determinism": ("DeterminismReport", "validate_determinism"),
    "dspy_node": ("ExtraMissing", "from_dspy"),
    "errors": ("MergeError", "ParallelExecutionError"),
    "executor": ("ParallelExecutor",),
    "function_node": ("FunctionNode", "from_function"),
    "graph": ("Graph", "GraphRun", "TooManySteps", "run_graph"),
    "merge": ("MergeStrategy",),
    "node": ("AbstractBaseNode", "NodeIncomplete", "UnexpectedOutput"),
    "persistence": ("GraphState", "StateTypeError"),
    "planning": ("DependencyFailed", "Plan", "UndeclaredWrite", "plan"),
    "protocol": ("BaseNode", "End", "NextNode"),
    "result": ("NodeResult", "Statistics"),
    "signature": ("NodeSignature", "UndeclaredFields"),
    "state": ("UnknownField",),
    "streaming": ("NodeStream",),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"fanfold.nodes.{home}"), name)
    raise AttributeError(f"module 'fanfold.nodes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
