"""The engine running programs that are drawn at random, each under an order of tasks that is drawn too."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from fanfold.engine import FanOutError, Limit, Outcome, current_branch, fan_out, stream, yield_slot
from fanfold.testing.schedules import explore, randomness

KINDS = ("work", "work", "work", "wait", "nest", "nest", "flow", "fail", "cancel", "resize")
TANGLED = (*KINDS, "begin_and_cancel", "impatient", "nest_twice", "nest_twice")
TIMES_S = (0, 0, 0.5, 1, 1, 2)
ITEMS = 3
DEPTH = 3


class Program:
    """Branches that do whatever is drawn: work, wait, start others, fail, cancel themselves.

    What holds for every program: never do more branches work than the limit allows, all branches have an outcome,
    none is left when the outermost fan-out has ended, and all slots are given back.
    """

    def __init__(self, kinds: Sequence[str]) -> None:
        self.kinds = kinds
        self.draw = randomness()
        self.most = self.draw.randint(1, 3)
        self.limit = Limit(self.most)
        self.working = self.peak = 0
        self.broken: list[AssertionError] = []

    async def run(self) -> None:
        deadline_s = self.draw.choice([None, 4])
        outcomes = await fan_out(self.act, [DEPTH] * ITEMS, limit=self.limit, key=numbers(), deadline_s=deadline_s)
        assert [outcome.index for outcome in outcomes] == list(range(ITEMS))
        assert self.peak <= self.most
        assert self.working == self.limit.running == 0
        assert not self.broken
        await asyncio.sleep(9)  # no cancellation that is still due may reach this task

    async def act(self, depth: int) -> int:
        branch = current_branch()
        assert branch is not None
        assert len(branch.path) == 1 + DEPTH - depth
        try:
            for _ in range(self.draw.randint(1, 2)):
                await getattr(self, self.draw.choice(self.kinds))(depth)
        except AssertionError as error:  # an outcome like any other, to the engine
            self.broken.append(error)
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
                items: Any = [depth - 1] * ITEMS
                items = self.draw.choice([items, self.coming(depth - 1)])
                deliver = self.draw.choice([None, self.deliver])
                outcomes = await fan_out(self.act, items, on_outcome=deliver, **self.options())
                assert [outcome.index for outcome in outcomes] == list(range(len(outcomes)))
                # Items that had still to come when the time was up are nowhere.
                assert len(outcomes) == ITEMS or not isinstance(items, list)

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

    async def resize(self, _: int) -> None:
        self.limit.resize(self.draw.randint(1, self.most))

    async def begin_and_cancel(self, depth: int) -> None:
        if depth > 1:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(self.nest(depth))
                await self.some_time()
                task.cancel()

    async def impatient(self, depth: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.draw.choice(TIMES_S)):
                await self.draw.choice([self.nest, self.wait])(depth)

    async def nest_twice(self, depth: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(self.nest(depth))

    async def coming(self, depth: int) -> AsyncIterator[int]:
        for _ in range(ITEMS):
            await self.some_time()
            yield depth

    async def deliver(self, outcome: Outcome[int]) -> None:
        assert outcome.index in range(ITEMS)
        await self.some_time()

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
    await Program(KINDS).run()


async def any_tangled_program() -> None:
    """Branches wait in several tasks at once, and stop waiting before they have their slots again."""
    await Program(TANGLED).run()


@pytest.mark.parametrize("program", [any_program, any_tangled_program])
def test_any_program_ends_within_its_limits(program: Callable[[], Coroutine[Any, Any, None]]) -> None:
    explore(program, schedules=500)


@pytest.mark.soak
@pytest.mark.parametrize("program", [any_program, any_tangled_program])
def test_very_many_programs_end_within_their_limits(program: Callable[[], Coroutine[Any, Any, None]]) -> None:
    explore(program, schedules=50_000, seed=500)
