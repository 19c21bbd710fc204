"""The engine running programs that are drawn at random, each under an order of tasks that is drawn too."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from fanfold.engine import FanOutError, Limit, current_branch, fan_out, stream, yield_slot
from fanfold.testing.schedules import explore, randomness

KINDS = ("work", "work", "work", "wait", "nest", "nest", "flow", "fail", "cancel")
TIMES_S = (0, 0, 0.5, 1, 1, 2)
ITEMS = 3
DEPTH = 3


class Program:
    """Branches that do whatever is drawn: work, wait, start others, fail, cancel themselves.

    What holds for every program: never do more branches work than the limit allows, all branches have an outcome,
    none is left when the outermost fan-out has ended, and all slots are given back.
    """

    def __init__(self) -> None:
        self.draw = randomness()
        self.limit = Limit(self.draw.randint(1, 3))
        self.working = self.peak = 0

    async def run(self) -> None:
        deadline_s = self.draw.choice([None, 4])
        outcomes = await fan_out(self.act, [DEPTH] * ITEMS, limit=self.limit, key=numbers(), deadline_s=deadline_s)
        assert [outcome.index for outcome in outcomes] == list(range(ITEMS))
        assert self.limit.most is not None
        assert self.peak <= self.limit.most
        assert self.working == self.limit.running == 0
        await asyncio.sleep(9)  # no cancellation that is still due may reach this task

    async def act(self, depth: int) -> int:
        branch = current_branch()
        assert branch is not None
        assert len(branch.path) == 1 + DEPTH - depth
        for _ in range(self.draw.randint(1, 2)):
            await getattr(self, self.draw.choice(KINDS))(depth)
        return depth

    async def work(self, _: int) -> None:
        with self.at_work():
            await self.some_time()

    async def wait(self, _: int) -> None:
        async with yield_slot():
            await self.some_time()

    async def nest(self, depth: int) -> None:
        if depth > 1:
            with suppress(FanOutError):
                outcomes = await fan_out(self.act, [depth - 1] * ITEMS, **self.options())
                assert [outcome.index for outcome in outcomes] == list(range(ITEMS))

    async def flow(self, depth: int) -> None:
        if depth > 1:
            with suppress(FanOutError):
                async with stream(self.act, [depth - 1] * ITEMS, **self.options()) as outcomes:
                    async for _ in outcomes:
                        if self.draw.random() < 0.3:
                            break

    async def fail(self, _: int) -> None:
        if self.draw.random() < 0.3:
            raise OSError

    async def cancel(self, _: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self.draw.random() < 0.3:
            asyncio.get_running_loop().call_later(self.draw.choice(TIMES_S), task.cancel)

    async def some_time(self) -> None:
        for _ in range(self.draw.randint(1, 2)):
            await asyncio.sleep(self.draw.choice(TIMES_S))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self.working += 1
        self.peak = max(self.peak, self.working)
        try:
            yield
        finally:
            self.working -= 1

    def options(self) -> dict[str, Any]:
        return {
            "limit": self.draw.choice([self.limit, self.limit, 2, None]),
            "deadline_s": self.draw.choice([None, None, 1, 2]),
            "total_deadline_s": self.draw.choice([None, None, None, 3]),
            "mode": self.draw.choice(["collect", "collect", "fail_fast"]),
            "key": numbers(),
        }


def numbers() -> Any:
    counted = itertools.count()
    return lambda _: str(next(counted))


async def any_program() -> None:
    await Program().run()


def test_any_program_ends_within_its_limits() -> None:
    explore(any_program, schedules=2_000)


@pytest.mark.soak
def test_very_many_programs_end_within_their_limits() -> None:
    explore(any_program, schedules=50_000, seed=2_000)
