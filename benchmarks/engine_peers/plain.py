"""asyncio alone: bare `gather`, and `gather` with a semaphore, with or without a copy of the state for each branch."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from engine_peers.case import WORKS, Case, Run, items_of, make_state
from engine_peers.model import as_model

Work = Callable[[Any, Any], Awaitable[int]]


@asynccontextmanager
async def probe(peer: str, case: Case) -> AsyncIterator[Run]:
    """Set up one run."""
    if case.section == "nested":
        spy = Spy()
        yield Run(lambda: _nested(spy, case), extra=spy.seen)
        return
    items, work = items_of(case), WORKS[case.work]
    is_flat = case.work == "read one of a list"
    state: Any = make_state(case.state_bytes, is_flat=is_flat)
    if peer == "model-copy":
        state = as_model(case.state_bytes)
    copied = COPIES.get(peer)
    if copied is not None:
        work = _copying(work, copied(state))
    if peer == "gather" or case.limit is None:
        yield Run(lambda: _gather(work, items, state), _values(case))
    else:
        limit = case.limit
        yield Run(lambda: _limited(work, items, state, limit), _values(case))


async def _gather(work: Work, items: list[Any], state: Any) -> list[Any]:
    return await asyncio.gather(*(work(item, state) for item in items), return_exceptions=True)


async def _limited(work: Work, items: list[Any], state: Any, limit: int) -> list[Any]:
    semaphore = asyncio.Semaphore(limit)

    async def one(item: Any) -> int:
        async with semaphore:
            return await work(item, state)

    return await asyncio.gather(*(one(item) for item in items), return_exceptions=True)


def _copying(work: Work, copied: Callable[[], Any]) -> Work:
    async def isolated(item: Any, _: Any) -> int:
        return await work(item, copied())

    return isolated


def _by_pickle(state: Any) -> Callable[[], Any]:
    data = pickle.dumps(state)
    return lambda: pickle.loads(data)


COPIES: dict[str, Callable[[Any], Callable[[], Any]]] = {
    "deepcopy": lambda state: lambda: copy.deepcopy(state),
    "pickle": _by_pickle,
    "model-copy": lambda state: lambda: state.model_copy(deep=True),
}


def _values(case: Case) -> Callable[[Any], list[int]]:
    return failed if case.work == "fail" else list


def failed(results: list[Any]) -> list[int]:
    """Values as expected of branches that raised their numbers."""
    return [int(result.args[0]) * 2 + 1 for result in results if isinstance(result, ValueError)]


class Spy:
    """Counts leaves that run at once."""

    def __init__(self) -> None:
        self.running = 0
        self.seen = {"peak": 0.0}

    async def leaf(self, number: int) -> int:
        """One leaf's work: it yields once."""
        self.running += 1
        self.seen["peak"] = max(self.seen["peak"], self.running)
        await asyncio.sleep(0)
        self.running -= 1
        return number * 2 + 1


GROUP = 10


async def _nested(spy: Spy, case: Case) -> list[int]:
    """Groups of ten under a semaphore, and a semaphore of each group's own: one for both levels would deadlock."""
    assert case.limit is not None
    groups, limit = asyncio.Semaphore(case.limit), case.limit

    async def one(number: int, leaves: asyncio.Semaphore) -> int:
        async with leaves:
            return await spy.leaf(number)

    async def group(first: int) -> list[int]:
        async with groups:
            leaves = asyncio.Semaphore(limit)
            return await asyncio.gather(*(one(number, leaves) for number in range(first, first + GROUP)))

    found = await asyncio.gather(*(group(first) for first in range(0, case.n, GROUP)))
    return [value for values in found for value in values]
