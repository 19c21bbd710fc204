"""aiometer: `run_all`, its form that returns results in order."""

from __future__ import annotations

import functools
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine_peers.case import WORKS, Case, Run, items_of, make_state

aiometer = importlib.import_module("aiometer")


@asynccontextmanager
async def probe(_: str, case: Case) -> AsyncIterator[Run]:
    """Set up one run."""
    items, work, state = items_of(case), WORKS[case.work], make_state(case.state_bytes)

    async def call() -> list[int]:
        calls = [functools.partial(work, item, state) for item in items]
        results: list[int] = await aiometer.run_all(calls, max_at_once=case.limit)
        return results

    yield Run(call)
