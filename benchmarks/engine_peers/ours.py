"""Fanfold: `fan_out` over isolated items and state."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from engine_peers.case import WORKS, Case, Files, Run, items_of, make_state
from engine_peers.model import as_model
from engine_peers.plain import GROUP, Spy
from fanfold.engine import Done, Failed, Outcome, fan_out
from fanfold.engine.fold import fold
from fanfold.engine.isolate import freeze, read_only
from fanfold.engine.reducers import concat, merge_dicts

REPEATED = 100

_runs = itertools.count()


class ReadOnly(TypedDict):
    """The shared state of `case.make_state`, of which branches only read the records."""

    offset: int
    files: Annotated[Files, read_only]


class Folded(TypedDict):
    """What the branches of `_in_any_order` add up to."""

    found: Annotated[list[int], concat]
    by_digit: Annotated[dict[str, int], merge_dicts]


@asynccontextmanager
async def probe(_: str, case: Case) -> AsyncIterator[Run]:
    """Set up one run."""
    if case.section == "nested":
        spy = Spy()
        yield Run(lambda: _nested(spy, case), _values, spy.seen)
    elif case.section == "journal" and case.variant != "off":
        async with _journaled(case) as run:
            yield run
    elif case.section == "order":
        figures: dict[str, float] = {}
        yield Run(lambda: _in_any_order(case, figures), extra=figures)
    else:
        items, work, state = items_of(case), WORKS[case.work], _state(case)
        schema = _schema(case)
        yield Run(lambda: fan_out(work, items, limit=case.limit, state=state, schema=schema), _reader(case))


def _state(case: Case) -> Any:
    """What the branches share; "frozen" has been frozen before the clock starts."""
    is_flat = case.work == "read one of a list"
    state = as_model(case.state_bytes) if "model" in case.variant else make_state(case.state_bytes, is_flat=is_flat)
    return freeze(state, as_type=_schema(case)).view() if "frozen" in case.variant else state


def _schema(case: Case) -> type | None:
    return ReadOnly if "read only" in case.variant else None


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


async def _in_any_order(case: Case, figures: dict[str, float]) -> list[int]:
    """Fan out and fold over and over, branches finishing in another order each time; count the different states."""
    chance, states = random.Random(case.n), set[bytes]()

    async def branch(number: int) -> dict[str, Any]:
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        return {"found": [number * 2 + 1], "by_digit": {str(number % 10): number}}

    for _ in range(REPEATED):
        outcomes = await fan_out(branch, range(case.n), limit=case.limit)
        folded: dict[str, Any] = fold({"found": [], "by_digit": {}}, outcomes, schema=Folded)
        states.add(pickle.dumps(folded))
    figures["states"] = len(states)
    found: list[int] = folded["found"]
    return found


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
            wrapped = kept(journal.wrap(branch, name="branch"))
            yield Run(lambda: fan_out(wrapped, range(case.n), limit=case.limit, state=state), read, extra)
