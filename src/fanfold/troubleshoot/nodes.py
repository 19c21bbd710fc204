"""The four sources of Resync as nodes of any graph over `ParallelState`."""

from __future__ import annotations

from typing import cast

from fanfold.troubleshoot.ask import title
from fanfold.troubleshoot.desk import desk_here
from fanfold.troubleshoot.evidence import Answered
from fanfold.troubleshoot.flow import answered, incident_of, understood, update_with
from fanfold.troubleshoot.state import ParallelState


async def tws_status_node(state: ParallelState) -> ParallelState:
    """What the scheduler says.

    As the others it asks with the sources of the run around it, else with those that the project's files configure;
    that a source isn't among them is a result, too, so that a graph goes on with the others.
    """
    return await _node("tws_status", state)


async def rag_search_node(state: ParallelState) -> ParallelState:
    """What runbooks and past incidents say."""
    return await _node("rag_search", state)


async def log_cache_node(state: ParallelState) -> ParallelState:
    """What logs say."""
    return await _node("log_cache", state)


async def metrics_node(state: ParallelState) -> ParallelState:
    """What metrics say."""
    return await _node("metrics", state)


async def _node(name: str, state: ParallelState) -> ParallelState:
    read = state if "entities" in state else cast("ParallelState", {**state, **understood(state)})
    desk = await desk_here()
    if name not in desk.sources:
        why = f"{title(name)} is not configured: write [troubleshoot.sources.{name}]"
        return update_with(Answered(source=name, error=why))
    return update_with(await answered(desk, name, incident_of(read, desk.config)))
