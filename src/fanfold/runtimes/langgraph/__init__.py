"""Run a flow as a LangGraph graph, and put right inside what LangGraph gets wrong.

`to_langgraph` (or `flow.to_langgraph`) makes an ordinary graph of it, `LangGraph` is the runtime that runs one.
"""

from __future__ import annotations

from fanfold.errors import FanfoldError

__all__ = [
    "LangGraph",
    "LangGraphMissing",
    "NotInGraph",
    "SendError",
    "ThreadJournals",
    "isolated",
    "journaled",
    "to_langgraph",
    "updates_only",
]


class LangGraphMissing(FanfoldError, ImportError):
    """LangGraph isn't installed, or not whole."""


try:
    import langgraph.graph  # noqa: F401 whether it is there
except ImportError as error:
    is_there = getattr(error, "name", None) not in {"langgraph", "langgraph.graph"}
    what = f"LangGraph can't be imported: {error}" if is_there else "LangGraph isn't installed"
    raise LangGraphMissing(what, hint="pip install 'fanfold[langgraph]'") from error

from fanfold.runtimes.langgraph.blocks import (  # noqa: E402 what comes before says how to have it
    NotInGraph,
    SendError,
    ThreadJournals,
    isolated,
    journaled,
    updates_only,
)
from fanfold.runtimes.langgraph.compile import to_langgraph  # noqa: E402
from fanfold.runtimes.langgraph.runtime import LangGraph  # noqa: E402
