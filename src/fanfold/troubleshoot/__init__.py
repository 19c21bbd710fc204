"""Find out why a batch job failed: ask several sources at once, fold what they say, answer with the evidence.

The names of Resync's document are here, and are imported when they are first used:

    result = await parallel_troubleshoot("Job BATCH001 falhou com ABEND S0C7", "BATCH001", "TWS-PROD-01")
    print(result["response"])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanfold.troubleshoot.agent import AgentGraph, create_tws_agent_graph, troubleshoot_handler_node
    from fanfold.troubleshoot.answer import Answer, Claim, Hypothesis
    from fanfold.troubleshoot.bundle import Bundle, BundleError
    from fanfold.troubleshoot.evidence import Answered, Evidence
    from fanfold.troubleshoot.flow import aggregator_node, response_generator_node, troubleshoot_flow
    from fanfold.troubleshoot.graphs import (
        FallbackParallelGraph,
        ParallelGraph,
        create_parallel_troubleshoot_graph,
        parallel_troubleshoot,
    )
    from fanfold.troubleshoot.incident import Incident
    from fanfold.troubleshoot.nodes import log_cache_node, metrics_node, rag_search_node, tws_status_node
    from fanfold.troubleshoot.prompts import PromptType
    from fanfold.troubleshoot.run import troubleshoot
    from fanfold.troubleshoot.settings import ParallelConfig, load_config, sources_of
    from fanfold.troubleshoot.sources import Source, SourceError
    from fanfold.troubleshoot.state import DataSourceResult, ParallelState

__all__ = [
    "AgentGraph",
    "Answer",
    "Answered",
    "Bundle",
    "BundleError",
    "Claim",
    "DataSourceResult",
    "Evidence",
    "FallbackParallelGraph",
    "Hypothesis",
    "Incident",
    "ParallelConfig",
    "ParallelGraph",
    "ParallelState",
    "PromptType",
    "Source",
    "SourceError",
    "aggregator_node",
    "create_parallel_troubleshoot_graph",
    "create_tws_agent_graph",
    "load_config",
    "log_cache_node",
    "metrics_node",
    "parallel_troubleshoot",
    "rag_search_node",
    "response_generator_node",
    "sources_of",
    "troubleshoot",
    "troubleshoot_flow",
    "troubleshoot_handler_node",
    "tws_status_node",
]

_HOMES = {
    "agent": ("AgentGraph", "create_tws_agent_graph", "troubleshoot_handler_node"),
    "answer": ("Answer", "Claim", "Hypothesis"),
    "bundle": ("Bundle", "BundleError"),
    "evidence": ("Answered", "Evidence"),
    "flow": ("aggregator_node", "response_generator_node", "troubleshoot_flow"),
    "graphs": ("FallbackParallelGraph", "ParallelGraph", "create_parallel_troubleshoot_graph", "parallel_troubleshoot"),
    "incident": ("Incident",),
    "nodes": ("log_cache_node", "metrics_node", "rag_search_node", "tws_status_node"),
    "prompts": ("PromptType",),
    "run": ("troubleshoot",),
    "settings": ("ParallelConfig", "load_config", "sources_of"),
    "sources": ("Source", "SourceError"),
    "state": ("DataSourceResult", "ParallelState"),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
