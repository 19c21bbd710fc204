"""The flow under the names of Resync: one call, its graph, its nodes, and a graph for every kind of message."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from fanfold.runtimes import Native, NoContext, Runtime, get_context
from fanfold.runtimes.choice import chosen, runtime_for
from fanfold.troubleshoot.ask import ask
from fanfold.troubleshoot.flow import Desk, Writer, incident_of, troubleshoot_flow, understood, update_with
from fanfold.troubleshoot.run import opened
from fanfold.troubleshoot.settings import ParallelConfig
from fanfold.troubleshoot.sources import Source, SourceError
from fanfold.troubleshoot.sources.registry import sources_for
from fanfold.troubleshoot.state import ParallelState

CAN_DO = {
    "en": "I can find out why a job failed: say which one, and what you saw. For anything else I am of no use.",
    "pt": "Posso descobrir por que um job falhou: diga qual é e o que você viu. Para outras coisas não sirvo.",
}


async def parallel_troubleshoot(
    message: str,
    job_name: str | None = None,
    tws_instance_id: str | None = None,
    *,
    config: ParallelConfig | None = None,
    sources: Mapping[str, Source] | None = None,
    writer: Writer | None = None,
) -> ParallelState:
    """Find out why a job failed, from all sources at once.

    Args:
        message: what went wrong, in English or Portuguese.
        job_name, tws_instance_id: None = what the message names.
        config: None = the defaults.
        sources: by name; None = those that the configuration has.
        writer: a language model that writes the answer; None = rules alone.
    Returns:
        The final state: `response`, `parallel_latency_ms`, `total_latency_ms`, `errors`, `metadata` with
        `speedup_factor`, and the rest.
    """
    graph = await create_parallel_troubleshoot_graph(config, sources=sources, writer=writer)
    asked: ParallelState = {"message": message, "job_name": job_name, "tws_instance_id": tws_instance_id}
    return await graph.ainvoke(asked)


async def create_parallel_troubleshoot_graph(
    config: ParallelConfig | None = None,
    *,
    sources: Mapping[str, Source] | None = None,
    writer: Writer | None = None,
) -> ParallelGraph:
    """The graph that asks all sources at once: LangGraph's where that is installed, else the fallback.

    Raises:
        SourceError: a source can't work with its settings.
    """
    config = config or ParallelConfig()
    held = sources_for(config.sources, Path.cwd()) if sources is None else sources
    kind = ParallelGraph if chosen("auto") == "langgraph" else FallbackParallelGraph
    return kind(config, sources=held, writer=writer)


class ParallelGraph:
    """Asks all sources at once, aggregates, answers; on LangGraph.

    Attributes:
        graph: LangGraph's own, to be drawn or put into another; invoked by itself it needs `context=Desk(...)`.
    """

    def __init__(
        self, config: ParallelConfig | None = None, *, sources: Mapping[str, Source], writer: Writer | None = None
    ) -> None:
        self.config = config or ParallelConfig()
        self._sources = sources
        self._writer = writer
        self._flow = troubleshoot_flow(self.config)

    @property
    def graph(self) -> Any:
        """The compiled graph."""
        return self._flow.to_langgraph()

    async def ainvoke(self, state: ParallelState) -> ParallelState:
        """Run it to its end; the final state."""
        async with opened(self._sources) as held:
            desk = Desk(self.config, held, self._writer)
            result = await self._flow.run(state, context=desk, runtime=self._runtime())
        return result.state

    def _runtime(self) -> Runtime:
        return runtime_for("langgraph")


class FallbackParallelGraph(ParallelGraph):
    """The same without LangGraph, with the same answer."""

    @property
    def graph(self) -> Any:
        """None: there is no graph of LangGraph's."""
        return None

    def _runtime(self) -> Runtime:
        return Native()


async def tws_status_node(state: ParallelState) -> ParallelState:
    """What the scheduler says, as a node of any graph over this state."""
    return await _node("tws_status", state)


async def rag_search_node(state: ParallelState) -> ParallelState:
    """What runbooks and past incidents say, as a node of any graph over this state."""
    return await _node("rag_search", state)


async def log_cache_node(state: ParallelState) -> ParallelState:
    """What logs say, as a node of any graph over this state."""
    return await _node("log_cache", state)


async def metrics_node(state: ParallelState) -> ParallelState:
    """What metrics say, as a node of any graph over this state."""
    return await _node("metrics", state)


async def _node(name: str, state: ParallelState) -> ParallelState:
    read = cast("ParallelState", {**understood(state), **state}) if "entities" not in state else state
    async with _desk() as desk:
        if name not in desk.sources:
            raise SourceError(f"the source {name} is not configured", hint=f"configure [troubleshoot.sources.{name}]")
        incident = incident_of(read, desk.config)
        return update_with(await ask(desk.sources[name], incident, timeout_s=desk.config.node_timeout_seconds))


@asynccontextmanager
async def _desk() -> AsyncIterator[Desk]:
    """That of the run around, else one with what is configured here."""
    try:
        desk = get_context(Desk)
    except NoContext:
        config = ParallelConfig()
        async with opened(sources_for(config.sources, Path.cwd())) as held:
            yield Desk(config, held)
    else:
        yield desk


async def troubleshoot_handler_node(state: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a message about a failure; a node of the agent's graph."""
    graph = await create_parallel_troubleshoot_graph()
    asked = {name: state[name] for name in ParallelState.__annotations__ if name in state}
    return dict(await graph.ainvoke(cast("ParallelState", asked)))


async def other_handler_node(state: Mapping[str, Any]) -> dict[str, Any]:
    """Say what this agent can do; a node of the agent's graph."""
    return {"response": CAN_DO[understood({"message": state["message"]})["entities"]["language"]]}


async def router_node(state: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a message asks for; a node of the agent's graph."""
    return dict(understood(cast("ParallelState", dict(state))))


class AgentGraph:
    """Takes any message: those about failures are looked into, others are told what it can do.

    Attributes:
        graph: LangGraph's own; None where that isn't installed.
    """

    def __init__(self) -> None:
        self.graph = _agent_graph() if chosen("auto") == "langgraph" else None

    async def invoke(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The final state; `response` is what to tell the user."""
        if self.graph is not None:
            return dict(await self.graph.ainvoke(dict(state)))
        read = {**state, **await router_node(state)}
        return {**read, **await _handler(read)(read)}


async def create_tws_agent_graph() -> AgentGraph:
    """The graph of the agent: router, then the handler of what is wanted."""
    return AgentGraph()


def _handler(state: Mapping[str, Any]) -> Any:
    return troubleshoot_handler_node if state["intent"] in ("troubleshoot", "status", "how_to") else other_handler_node


def _agent_graph() -> Any:
    from langgraph.graph import END, START, StateGraph  # noqa: PLC0415 an extra

    builder = StateGraph(ParallelState)
    for node in (router_node, troubleshoot_handler_node, other_handler_node):
        builder.add_node(node.__name__, cast("Any", node))
    builder.add_edge(START, router_node.__name__)
    builder.add_conditional_edges(
        router_node.__name__,
        lambda state: _handler(state).__name__,
        [troubleshoot_handler_node.__name__, other_handler_node.__name__],
    )
    builder.add_edge(troubleshoot_handler_node.__name__, END)
    builder.add_edge(other_handler_node.__name__, END)
    return builder.compile()
