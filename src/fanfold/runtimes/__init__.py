"""Declare a flow once; run it on asyncio, as a LangGraph graph, or on a cluster, with the same answer."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fanfold.runtimes.asking import Answer, Coordinator, NoCoordinator, coordinated, coordinator
from fanfold.runtimes.flow import Flow, FlowError, Update
from fanfold.runtimes.native import Native
from fanfold.runtimes.run import NoContext, Options, Result, Runtime, get_context

if TYPE_CHECKING:
    from fanfold.runtimes.cluster import Cluster
    from fanfold.runtimes.langgraph import LangGraph

__all__ = [
    "Answer",
    "Cluster",
    "Coordinator",
    "Flow",
    "FlowError",
    "LangGraph",
    "Native",
    "NoContext",
    "NoCoordinator",
    "Options",
    "Result",
    "Runtime",
    "Update",
    "coordinated",
    "coordinator",
    "get_context",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'fanfold.runtimes' has no attribute {name!r}")
    return getattr(importlib.import_module(f"fanfold.runtimes.{name.lower()}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
