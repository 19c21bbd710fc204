"""The agent: a router in front, which hands a message to whoever can answer it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, cast

from fanfold.runtimes.choice import chosen
from fanfold.troubleshoot.desk import Writer
from fanfold.troubleshoot.flow import CAN_DO, understood
from fanfold.troubleshoot.graphs import ParallelGraph, create_parallel_troubleshoot_graph
from fanfold.troubleshoot.settings import ParallelConfig
from fanfold.troubleshoot.sources.protocol import Source
from fanfold.troubleshoot.state import ParallelState

ASKED: Final = ("message", "job_name", "job_names", "tws_instance_id", "asked_at", "at", "intent", "confidence")
"""What of an agent's state is a question; the rest is answers, of this message or of earlier ones."""


async def troubleshoot_handler_node(state: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a message about a failure from all sources at once; a node of any graph over `ParallelState`."""
    return await _troubleshot(await create_parallel_troubleshoot_graph(), state)


async def other_handler_node(state: Mapping[str, Any]) -> dict[str, Any]:
    """Say what this agent can do; a node of the agent's graph."""
    return {"response": CAN_DO[understood({"message": state["message"]})["entities"]["language"]]}


async def router_node(state: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a message asks for; a node of the agent's graph."""
    return dict(understood(cast("ParallelState", dict(state))))


class AgentGraph:
    """Takes any message: those about failures are looked into, others are told what it can do.

    Args:
        troubleshooter: who looks into failures.
    Attributes:
        graph: LangGraph's own; None where that isn't installed.
    """

    def __init__(self, troubleshooter: ParallelGraph) -> None:
        self._troubleshooter = troubleshooter
        self.graph = self._compiled() if chosen("auto") == "langgraph" else None

    async def invoke(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The final state; `response` is what to tell the user."""
        if self.graph is not None:
            return dict(await self.graph.ainvoke(dict(state)))
        read = {**state, **await router_node(state)}
        handler = self._troubleshoot if _is_ours(read) else other_handler_node
        return {**read, **await handler(read)}

    async def _troubleshoot(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return await _troubleshot(self._troubleshooter, state)

    def _compiled(self) -> Any:
        from langgraph.graph import END, START, StateGraph  # noqa: PLC0415 an extra

        router, ours, other = "router_node", "troubleshoot_handler_node", "other_handler_node"
        builder = StateGraph(ParallelState)
        nodes: dict[str, Any] = {router: router_node, ours: self._troubleshoot, other: other_handler_node}
        for name, node in nodes.items():
            builder.add_node(name, node)
        builder.add_edge(START, router)
        builder.add_conditional_edges(router, lambda state: ours if _is_ours(state) else other, [ours, other])
        builder.add_edge(ours, END)
        builder.add_edge(other, END)
        return builder.compile()


async def create_tws_agent_graph(
    config: ParallelConfig | None = None,
    *,
    sources: Mapping[str, Source] | None = None,
    writer: Writer | None = None,
) -> AgentGraph:
    """The graph of the agent: router, then the handler of what is wanted; arguments as for the parallel graph."""
    troubleshooter = await create_parallel_troubleshoot_graph(config, sources=sources, writer=writer)
    return await asyncio.to_thread(AgentGraph, troubleshooter)


async def _troubleshot(graph: ParallelGraph, state: Mapping[str, Any]) -> dict[str, Any]:
    asked = {name: state[name] for name in ASKED if state.get(name) is not None}
    return dict(await graph.ainvoke(cast("ParallelState", asked)))


def _is_ours(state: Mapping[str, Any]) -> bool:
    return bool(state["intent"] != "other")
