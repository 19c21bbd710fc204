"""The flow under the names of Resync: one call, and the graph behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from fanfold.engine import Event
from fanfold.runtimes import Native, Runtime
from fanfold.runtimes.choice import chosen, runtime_for
from fanfold.troubleshoot.arrivals import Arrivals
from fanfold.troubleshoot.desk import Desk, Writer
from fanfold.troubleshoot.flow import troubleshoot_flow
from fanfold.troubleshoot.route import route_of_trouble
from fanfold.troubleshoot.run import asked
from fanfold.troubleshoot.settings import ParallelConfig
from fanfold.troubleshoot.sources.protocol import Source
from fanfold.troubleshoot.state import ParallelState


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
        config: None = that of the project's files.
        sources: by name; None = those that the configuration has.
        writer: a language model that writes the answer; None = the one of the configuration, else rules alone.
    Returns:
        The final state: `response`, `parallel_latency_ms`, `total_latency_ms`, `errors`, `metadata` with
        `speedup_factor`, and the rest.
    Raises:
        ConfigError, SourceError: a setting is unknown or wrong.
    """
    graph = await create_parallel_troubleshoot_graph(config, sources=sources, writer=writer)
    jobs, read = [job_name] if job_name else [], route_of_trouble(message)
    return await graph.ainvoke(asked(message, jobs=jobs, instance=tws_instance_id, read=read))


async def create_parallel_troubleshoot_graph(
    config: ParallelConfig | None = None,
    *,
    sources: Mapping[str, Source] | None = None,
    writer: Writer | None = None,
) -> ParallelGraph:
    """The graph that asks all sources at once: LangGraph's where that is installed, else the fallback.

    Raises:
        ConfigError, SourceError: a setting is unknown or wrong.
    """
    kind = ParallelGraph if chosen("auto") == "langgraph" else FallbackParallelGraph
    return await asyncio.to_thread(lambda: kind(config, sources=sources, writer=writer))


class ParallelGraph:
    """Asks all sources at once, aggregates, answers; on LangGraph.

    Args:
        config: None = that of the project's files.
        sources: by name; None = those that the configuration has.
        writer: a language model that writes the answer; None = the one of the configuration, else rules alone.
    """

    def __init__(
        self,
        config: ParallelConfig | None = None,
        *,
        sources: Mapping[str, Source] | None = None,
        writer: Writer | None = None,
    ) -> None:
        if sources is None:
            configured = Desk.configured(config)
            config, sources = configured.config, configured.sources
        self._desk = Desk(config=config or ParallelConfig(), sources=sources, writer=writer)
        self._flow = troubleshoot_flow(self.config)

    @property
    def config(self) -> ParallelConfig:
        """What it was told."""
        return self._desk.config

    @property
    def graph(self) -> Any:
        """The compiled graph, to be drawn, invoked, or put into another; it opens each source when it asks it."""
        return self._flow.to_langgraph(context=self._desk)

    async def ainvoke(self, state: ParallelState, *, on_event: Callable[[Event], None] | None = None) -> ParallelState:
        """Run it to its end; the final state."""
        async with self._desk.opened() as desk:
            result = await self._flow.run(state, context=desk, runtime=self._runtime(), on_event=on_event)
        return result.state

    async def astream(self, state: ParallelState) -> AsyncIterator[ParallelState]:
        """What each source adds, as it arrives, then the final state."""
        arrived: asyncio.Queue[ParallelState | None] = asyncio.Queue()

        take = Arrivals(on_asked=lambda _: None, on_answered=lambda _, update, __: arrived.put_nowait(update))
        running = asyncio.create_task(self.ainvoke(state, on_event=take))
        running.add_done_callback(lambda _: arrived.put_nowait(None))
        try:
            while (update := await arrived.get()) is not None:
                yield update
            yield await running
        finally:
            running.cancel()
            await asyncio.wait([running])

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
