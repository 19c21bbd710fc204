"""Fanfold's runtimes: one flow on each, with a journal or without."""

from __future__ import annotations

import importlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

from engine_peers.case import Case, Run, make_state
from engine_peers.savers import bytes_in, opened_saver
from fanfold.engine import Journal
from fanfold.runtimes import Flow, Native, Runtime
from runtime_peers.flows import FLOWS

_runs = itertools.count()

Runner: TypeAlias = Callable[[dict[str, Any]], Awaitable[list[int]]]
"""Runs a flow, or goes on with its run, and returns the `results` of its final state."""


@asynccontextmanager
async def probe(peer: str, case: Case) -> AsyncIterator[Run]:
    """Set up one run; opening the cluster, its first run, the journal and the saver aren't timed."""
    figures: dict[str, float] = {}
    state = {"items": list(range(case.n)), "shared": make_state(case.state_bytes), "results": []}
    workers = int(case.variant) if case.variant.isdecimal() else 2
    with tempfile.TemporaryDirectory(prefix="bench-runtimes-") as name:
        folder, run = Path(name), f"run-{next(_runs)}"
        async with runner(peer, FLOWS[case.work], folder, run, limit=case.limit, workers=workers) as going:
            before_s = None
            if peer.startswith("cluster"):
                await going({**state, "items": [-1, -2]})  # the workers import the flow
                before_s = children_cpu_s()

            def read(results: list[int]) -> list[int]:
                figures["disk_bytes"] = bytes_in(folder)
                if before_s is not None:
                    figures["workers_cpu_us"] = (children_cpu_s() - before_s) / case.n * 1e6
                return results

            yield Run(lambda: going(state), read, figures)


@asynccontextmanager
async def runner(
    peer: str,
    flow: Flow[Any],
    folder: Path,
    run: str,
    *,
    limit: int | None,
    workers: int = 2,
    context: Any = None,
) -> AsyncIterator[Runner]:
    """Runs a flow as the peer's name says; its databases are in the folder, where a resumed run finds them."""
    async with AsyncExitStack() as stack:
        if peer.endswith("-saver"):
            saver = await stack.enter_async_context(opened_saver(folder, "NORMAL"))
            config: dict[str, Any] = {"configurable": {"thread_id": run}}
            journaled = folder / "journal.db"
            graph = flow.to_langgraph(checkpointer=saver, limit=limit, context=context, journal=journaled)

            async def invoke(state: dict[str, Any]) -> list[int]:
                is_resumed = await saver.aget_tuple(config) is not None
                final: Any = await graph.ainvoke(None if is_resumed else state, config)  # type: ignore[call-overload]
                results: list[int] = final["results"]
                return results

            yield invoke
            return
        runtime = await stack.enter_async_context(_opened(peer, workers))
        journal: Journal | None = None
        if peer.endswith("-journal"):
            opened = Journal.open(folder / "journal.db", run=run, version="1")
            journal = await stack.enter_async_context(opened)

        async def call(state: dict[str, Any]) -> list[int]:
            result = await flow.run(state, limit=limit, runtime=runtime, journal=journal, context=context)
            results: list[int] = result.state["results"]
            return results

        yield call


@asynccontextmanager
async def _opened(peer: str, workers: int) -> AsyncIterator[Runtime]:
    """The runtime that a peer's name begins with."""
    if peer.startswith("cluster"):
        from fanfold.runtimes import Cluster  # noqa: PLC0415 it needs Dask

        async with Cluster(workers=workers) as cluster:
            yield cluster
    elif peer.startswith("langgraph"):
        from fanfold.runtimes import LangGraph  # noqa: PLC0415 it needs LangGraph

        yield LangGraph()
    else:
        yield Native()


def children_cpu_s() -> float:
    """CPU of the processes that this one has started, as far as they live."""
    psutil: Any = importlib.import_module("psutil")  # it comes with Dask
    spent = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return float(sum(times.user + times.system for times in spent))
