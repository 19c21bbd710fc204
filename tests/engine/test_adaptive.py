from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.engine import Limit, fan_out
from fanfold.engine.adaptive import AdaptiveLimit, adaptive
from fanfold.engine.deadline import deadline
from fanfold.engine.retry import retry
from fanfold.testing.clock import run, virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


class TooMany(Exception):
    status_code = 429


@dataclass
class Server:
    """Takes about a second for each call, and refuses those beyond its capacity."""

    capacity: Callable[[], int]
    random: Random = field(default_factory=lambda: Random(1))
    running: int = 0
    refused: int = 0
    answered: int = 0

    async def ask(self, item: int) -> int:
        if self.running >= self.capacity():
            await asyncio.sleep(0.05)
            self.refused += 1
            raise TooMany
        self.running += 1
        try:
            await asyncio.sleep(self.random.uniform(0.5, 1.5))
        finally:
            self.running -= 1
        self.answered += 1
        return item


@dataclass
class Record:
    """What the limit was, each second."""

    limit: AdaptiveLimit
    most: list[int] = field(default_factory=list)

    async def watch(self) -> None:
        while True:
            self.most.append(self.limit.most or 0)
            await asyncio.sleep(1)


async def drive(server: Server, limit: AdaptiveLimit, items: int) -> list[int]:
    """The limit over time, while a fan-out that is never short of items asks the server."""
    branch = retry(1000, on=TooMany, wait_initial_s=0.2, wait_max_s=1, random=Random(2))(adaptive(limit)(server.ask))
    record = Record(limit)
    watching = asyncio.create_task(record.watch())
    outcomes = await fan_out(branch, range(items), limit=limit)
    watching.cancel()
    assert len(outcomes) == items == server.answered
    return record.most


@pytest.mark.parametrize("capacity", [3, 10, 40])
def test_it_settles_near_what_the_server_bears(capacity: int) -> None:
    server = Server(lambda: capacity)
    limit = AdaptiveLimit(start=1, highest=200)
    most = run(drive(server, limit, 120 * capacity))
    settled = most[len(most) // 3 : -5]
    assert 0.6 * capacity <= mean(settled) <= capacity + 1
    assert max(settled) <= capacity + 2
    # Refused calls are few: about one for each time that it finds the edge again, which is far off in a large one.
    assert server.refused <= server.answered / capacity


def test_it_falls_from_far_above_within_a_few_seconds() -> None:
    server = Server(lambda: 5)
    most = run(drive(server, AdaptiveLimit(start=160, highest=200), 400))
    assert max(most[10:-5]) <= 7


def test_it_follows_when_the_capacity_changes() -> None:
    server = Server(lambda: 20 if now() < 100 or now() > 250 else 6)
    most = run(drive(server, AdaptiveLimit(start=10, highest=200), 4000))
    assert 12 <= mean(most[50:100]) <= 21
    assert 3 <= mean(most[120:250]) <= 7
    assert 12 <= mean(most[300:350]) <= 21


@virtual_time
async def test_calls_of_one_burst_that_fail_shrink_it_once() -> None:
    limit = AdaptiveLimit(start=64, highest=64)
    server = Server(lambda: 0)
    await fan_out(adaptive(limit)(server.ask), range(64), limit=limit)
    assert server.refused == 64
    assert limit.most == 32
    assert limit.decreases == 1


@virtual_time
async def test_successes_of_calls_that_began_before_it_shrank_do_not_make_it_grow() -> None:
    limit = AdaptiveLimit(start=8, highest=8)
    server = Server(lambda: 7)
    await fan_out(adaptive(limit)(server.ask), range(8), limit=limit)
    assert (server.answered, server.refused) == (7, 1)
    assert limit.most == 4


@virtual_time
async def test_calls_that_began_after_it_shrank_can_shrink_it_again() -> None:
    limit = AdaptiveLimit(start=8, highest=8)
    server = Server(lambda: 0)
    ask = adaptive(limit)(server.ask)
    for most in (4, 2, 1, 1):
        with pytest.raises(TooMany):
            await ask(0)
        assert limit.most == most
    assert limit.decreases == 3


@virtual_time
async def test_it_grows_by_one_for_as_many_successes_as_there_are_slots() -> None:
    limit = AdaptiveLimit(start=4, highest=6)
    server = Server(lambda: 100)
    sizes: list[int | None] = []

    async def branch(item: int) -> int:
        answer = await adaptive(limit)(server.ask)(item)
        sizes.append(limit.most)
        return answer

    await fan_out(branch, range(40), limit=limit)
    assert sizes[:4] == [4, 4, 4, 5]
    assert sizes[4:9] == [5, 5, 5, 5, 6]
    assert set(sizes[9:]) == {6}
    assert limit.increases == 2


@virtual_time
async def test_it_does_not_grow_while_its_slots_are_not_all_used() -> None:
    limit = AdaptiveLimit(start=4, highest=100)
    server = Server(lambda: 100)
    for _ in range(20):
        await fan_out(adaptive(limit)(server.ask), range(3), limit=limit)
    assert limit.most == 4


@virtual_time
async def test_a_deadline_inside_is_congestion_and_other_errors_are_nothing() -> None:
    limit = AdaptiveLimit(start=8, highest=8)

    async def slow(item: str) -> str:
        if item == "wrong":
            raise ValueError
        await asyncio.sleep(60)
        return item

    ask = adaptive(limit)(deadline(1)(slow))
    await fan_out(ask, ["wrong"], limit=limit)
    assert limit.most == 8
    await fan_out(ask, ["slow"], limit=limit)
    assert limit.most == 4


@virtual_time
async def test_what_congestion_is_can_be_chosen() -> None:
    limit = AdaptiveLimit(start=8, highest=8)

    async def fail(item: str) -> str:
        raise ConnectionError(item)

    with pytest.raises(ConnectionError):
        await adaptive(limit, on=ConnectionError)(fail)("a")
    assert limit.most == 4


@virtual_time
async def test_cancelled_calls_say_nothing() -> None:
    limit = AdaptiveLimit(start=8, highest=9)
    server = Server(lambda: 100)
    task = asyncio.ensure_future(adaptive(limit)(server.ask)(1))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.wait([task])
    assert (limit.most, limit.increases, limit.decreases) == (8, 0, 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=200), st.integers(1, 5), st.integers(0, 20))
def test_it_stays_within_its_bounds_whatever_happens(ends: list[tuple[bool, int]], lowest: int, more: int) -> None:
    limit = AdaptiveLimit(start=lowest + more // 2, lowest=lowest, highest=lowest + more, increase=1.7, decrease=0.3)
    for is_good, rounds_ago in ends:
        (limit.succeeded if is_good else limit.congested)(limit.round - rounds_ago)
        assert limit.most is not None
        assert lowest <= limit.most <= lowest + more


def test_it_is_a_limit_and_starts_at_the_lowest() -> None:
    limit = AdaptiveLimit(lowest=2, highest=8)
    assert isinstance(limit, Limit)
    assert limit.most == 2


@pytest.mark.parametrize(
    "numbers",
    [(0, 0, 8, 1, 0.5), (9, 1, 8, 1, 0.5), (1, 2, 8, 1, 0.5), (1, 1, 8, 0, 0.5), (1, 1, 8, 1, 1), (1, 1, 8, 1, 0)],
)
def test_numbers_out_of_range_are_refused(numbers: tuple[int, int, int, float, float]) -> None:
    start, lowest, highest, increase, decrease = numbers
    with pytest.raises(ValueError, match=r"hold|must be"):
        AdaptiveLimit(start, lowest=lowest, highest=highest, increase=increase, decrease=decrease)


def test_it_is_printed_with_its_bounds() -> None:
    assert repr(AdaptiveLimit(2, highest=8)) == "AdaptiveLimit(2, running=0, lowest=1, highest=8)"


def test_what_is_no_adaptive_limit_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="limit is an AdaptiveLimit, not 4"):
        adaptive(4)  # type: ignore[arg-type]
