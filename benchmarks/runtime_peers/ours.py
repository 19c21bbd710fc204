"""Fanfold's runtimes: one flow on each, with a journal or without."""

from __future__ import annotations

import importlib
import itertools
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from engine_peers.case import Case, Run, make_state
from engine_peers.savers import bytes_in, opened_saver
from fanfold.engine import Journal
from fanfold.runtimes import Native, Result, Runtime
from runtime_peers.flows import FLOWS

_runs = itertools.count()


@asynccontextmanager
async def probe(peer: str, case: Case) -> AsyncIterator[Run]:
    """Set up one run; opening the cluster, the journal and the saver isn't timed."""
    figures: dict[str, float] = {}
    state = {"items": list(range(case.n)), "shared": make_state(case.state_bytes), "results": []}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-runtimes-")))
        workers = int(case.variant) if case.variant.isdecimal() else 2
        began_s = time.perf_counter()
        runtime = await stack.enter_async_context(opened(peer, folder, workers=workers))
        figures["opened_s"] = time.perf_counter() - began_s
        journal = None
        if "journal" in peer:
            made = Journal.open(folder / "journal.db", run=f"run-{next(_runs)}", version="1")
            journal = await stack.enter_async_context(made)
        before_s = children_cpu_s() if peer.startswith("cluster") else None

        async def call() -> Result[Any]:
            return await FLOWS[case.work].run(state, limit=case.limit, runtime=runtime, journal=journal)

        def read(result: Result[Any]) -> list[int]:
            figures["disk_bytes"] = bytes_in(folder)
            if before_s is not None:
                figures["workers_cpu_us"] = (children_cpu_s() - before_s) / case.n * 1e6
            results: list[int] = result.state["results"]
            return results

        yield Run(call, read, figures)


@asynccontextmanager
async def opened(peer: str, folder: Path, *, workers: int = 2) -> AsyncIterator[Runtime]:
    """The runtime that a peer's name begins with; its saver's database is in the folder."""
    if peer.startswith("native"):
        yield Native()
    elif peer.startswith("cluster"):
        from fanfold.runtimes import Cluster  # noqa: PLC0415 it needs Dask

        async with Cluster(workers=workers) as cluster:
            yield cluster
    elif peer.endswith("-saver"):
        from fanfold.runtimes import LangGraph  # noqa: PLC0415 it needs LangGraph

        async with opened_saver(folder, "FULL") as saver:
            yield LangGraph(checkpointer=saver)
    else:
        from fanfold.runtimes import LangGraph  # noqa: PLC0415 it needs LangGraph

        yield LangGraph()


def children_cpu_s() -> float:
    """CPU of the processes that this one has started, as far as they live."""
    psutil: Any = importlib.import_module("psutil")  # it comes with Dask
    spent = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return float(sum(times.user + times.system for times in spent))
