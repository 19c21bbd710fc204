"""Fanfold: `fan_out` over isolated items and state."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from engine_peers.case import WORKS, Case, Run, items_of, make_state
from engine_peers.model import as_model
from engine_peers.plain import GROUP, Spy
from fanfold.engine import Done, Failed, Outcome, fan_out

_runs = itertools.count()


@asynccontextmanager
async def probe(_: str, case: Case) -> AsyncIterator[Run]:
    """Set up one run."""
    if case.section == "nested":
        spy = Spy()
        yield Run(lambda: _nested(spy, case), _values, spy.seen)
    elif case.section == "journal":
        async with _journaled(case) as run:
            yield run
    else:
        items, work, state = items_of(case), WORKS[case.work], _state(case)
        yield Run(lambda: fan_out(work, items, limit=case.limit, state=state), _reader(case))


def _state(case: Case) -> Any:
    """What the branches share; "frozen" has been frozen before the clock starts."""
    state = as_model(case.state_bytes) if "model" in case.variant else make_state(case.state_bytes)
    if "frozen" in case.variant:
        from fanfold.engine.isolate import freeze  # noqa: PLC0415 only this variant needs it

        return freeze(state).view()
    return state


def _reader(case: Case) -> Callable[[list[Outcome[int]]], list[int]]:
    return _failures if case.work == "fail" else _values


def _values(outcomes: list[Outcome[int]]) -> list[int]:
    return [outcome.value for outcome in outcomes if isinstance(outcome, Done)]


def _failures(outcomes: list[Outcome[int]]) -> list[int]:
    return [int(outcome.error.args[0]) * 2 + 1 for outcome in outcomes if isinstance(outcome, Failed)]


async def _nested(spy: Spy, case: Case) -> list[Outcome[int]]:
    async def group(first: int) -> list[Outcome[int]]:
        return await fan_out(spy.leaf, range(first, first + GROUP), limit=case.limit)

    groups = await fan_out(group, range(0, case.n, GROUP), limit=case.limit)
    return [leaf for outcome in groups if isinstance(outcome, Done) for leaf in outcome.value]


@asynccontextmanager
async def _journaled(case: Case) -> AsyncIterator[Run]:
    """A run whose outcomes are kept; "ends" tells also how long after its end each branch was durable."""
    from fanfold.engine.journal import Journal  # noqa: PLC0415 only this section needs it

    ended, durable = [0.0] * case.n, [0.0] * case.n
    work, state, extra = WORKS[case.work], make_state(case.state_bytes), dict[str, float]()

    async def branch(number: int, shared: Any) -> int:
        value = await work(number, shared)
        ended[number] = time.perf_counter()
        return value

    def kept(branch: Callable[[int, Any], Awaitable[int]]) -> Callable[[int, Any], Awaitable[int]]:
        async def timed(number: int, shared: Any) -> int:
            value = await branch(number, shared)
            durable[number] = time.perf_counter()
            return value

        return timed

    def read(outcomes: list[Outcome[int]]) -> list[int]:
        waits = sorted((after - before) * 1000 for before, after in zip(ended, durable, strict=True))
        extra.update(p50_ms=waits[len(waits) // 2], p99_ms=waits[len(waits) * 99 // 100], most_ms=waits[-1])
        return _values(outcomes)

    with tempfile.TemporaryDirectory(prefix="bench-engine-") as folder:
        synchronous: Literal["NORMAL", "FULL"] = "FULL" if case.variant == "FULL" else "NORMAL"
        path, run = Path(folder) / "journal.db", f"run-{next(_runs)}"
        async with Journal.open(path, run=run, version="1", synchronous=synchronous) as journal:
            wrapped = kept(journal.wrap(branch))
            yield Run(lambda: fan_out(wrapped, range(case.n), limit=case.limit, state=state), read, extra)
