"""dspy.Parallel: plain functions in threads, over pairs of a function and its arguments."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine_peers.case import Case, Run, in_thread, items_of, make_state

dspy = importlib.import_module("dspy")


@asynccontextmanager
async def probe(_: str, case: Case) -> AsyncIterator[Run]:
    """Set up one run; a limit of None is a thread for each branch."""
    items, state = items_of(case), make_state(case.state_bytes)

    async def call() -> list[int]:
        parallel = dspy.Parallel(num_threads=case.limit or case.n, disable_progress_bar=True)
        results: list[int] = parallel([(in_thread, (case.work, item, state)) for item in items])
        return results

    yield Run(call)
