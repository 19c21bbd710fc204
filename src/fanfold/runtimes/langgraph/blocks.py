"""Building blocks for LangGraph graphs of one's own: each is a decorator for a node."""

from __future__ import annotations

from fanfold.runtimes.langgraph.isolated import SendError, isolated
from fanfold.runtimes.langgraph.journaled import journaled
from fanfold.runtimes.langgraph.place import NotInGraph
from fanfold.runtimes.langgraph.threads import ThreadJournals
from fanfold.runtimes.langgraph.updates import updates_only

__all__ = ["NotInGraph", "SendError", "ThreadJournals", "isolated", "journaled", "updates_only"]
