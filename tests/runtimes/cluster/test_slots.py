"""Limits that follow the workers, without any worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.engine import Limit, fan_out, values, yield_slot
from fanfold.runtimes.cluster.roomy import Roomy


class Spy:
    """Branches that say how many of them run."""

    def __init__(self) -> None:
        self.running = self.peak = 0

    async def work(self, turns: int) -> int:
        self.running += 1
        self.peak = max(self.peak, self.running)
        for _ in range(turns):
            await asyncio.sleep(0)
        self.running -= 1
        return turns


@pytest.mark.parametrize(("given_most", "room", "most"), [(5, 2, 2), (2, 5, 2), (None, 3, 3), (3, None, 3)])
async def test_as_many_run_as_both_allow(given_most: int | None, room: int | None, most: int) -> None:
    limit, spy = Limit(given_most), Spy()
    roomy = Roomy(limit)
    roomy.resize(room)
    assert values(await fan_out(spy.work, [3] * 20, limit=roomy)) == [3] * 20
    assert (spy.peak, roomy.most, limit.running, roomy.running) == (most, most, 0, 0)


async def test_more_run_when_there_is_more_room() -> None:
    limit, spy = Limit(4), Spy()
    roomy = Roomy(limit)
    roomy.resize(1)

    async def work(number: int) -> int:
        if number == 5:
            assert spy.peak == 1
            roomy.resize(9)
        return await spy.work(3)

    await fan_out(work, range(20), limit=roomy)
    assert spy.peak == 4


async def test_who_waits_at_the_given_limit_is_served_too() -> None:
    limit, order = Limit(1), list[str]()
    roomy = Roomy(limit)

    def named(name: str) -> Callable[[int], Awaitable[None]]:
        async def work(_: int) -> None:
            order.append(name)
            await asyncio.sleep(0)

        return work

    await asyncio.gather(
        fan_out(named("on workers"), range(20), limit=roomy), fan_out(named("here"), range(3), limit=limit)
    )
    assert "here" in order[:3], "one that shares the limit doesn't wait for the other's end"
    assert limit.running == 0


@given(
    most=st.one_of(st.none(), st.integers(1, 4)),
    room=st.integers(1, 4),
    later=st.integers(1, 4),
    turns=st.lists(st.integers(0, 4), max_size=12),
)
def test_nested_and_waiting_branches_come_to_an_end(most: int | None, room: int, later: int, turns: list[int]) -> None:
    async def main() -> None:
        limit, spy = Limit(most), Spy()
        roomy = Roomy(limit)
        roomy.resize(room)

        async def outer(turn: int) -> int:
            if turn == 2:
                roomy.resize(later)
            if turn % 2:
                async with yield_slot():
                    await asyncio.sleep(0)
            inner = await fan_out(spy.work, [turn, 1], limit=None)
            return len(inner)

        both = asyncio.gather(fan_out(outer, turns, limit=roomy), fan_out(spy.work, turns, limit=limit))
        one, other = await asyncio.wait_for(both, 10)
        assert (len(one), len(other)) == (len(turns), len(turns))
        assert (limit.running, roomy.running) == (0, 0)
        assert most is None or spy.peak <= most

    asyncio.run(main())
