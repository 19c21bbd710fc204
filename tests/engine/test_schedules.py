"""The engine under orders of tasks that a real event loop hardly ever shows: each scenario under hundreds of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from fanfold.engine import (
    BranchCancelled,
    BranchNotStarted,
    DeadlineExceeded,
    Done,
    Failed,
    FanOutError,
    Limit,
    Outcome,
    fan_out,
    stream,
    yield_slot,
)
from fanfold.engine.caching import CacheKey, MemoryStore, run_once
from fanfold.engine.events import BranchFinished, BranchQueued, BranchStarted, Event
from fanfold.engine.merge import first_success
from fanfold.testing.schedules import explore, randomness

SCHEDULES = 150
TIMES_S = (0, 0, 0.5, 1, 1, 2)


class Spy:
    """How many work at once; those that were cancelled tidy up beyond the limit, so they are out at once."""

    def __init__(self) -> None:
        self.working = self.peak = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self.working += 1
        self.peak = max(self.peak, self.working)
        try:
            yield
        finally:
            self.working -= 1


async def some_time() -> None:
    for _ in range(randomness().randint(1, 2)):
        await asyncio.sleep(randomness().choice(TIMES_S))


def values(outcomes: list[Outcome[Any]]) -> list[Any]:
    return [outcome.value if isinstance(outcome, Done) else type(outcome.error) for outcome in outcomes]


def indexes(outcomes: list[Outcome[Any]]) -> list[int]:
    return [outcome.index for outcome in outcomes]


async def flat() -> None:
    spy, limit, events = Spy(), Limit(3), list[Event]()

    async def branch(item: int) -> int:
        with spy.at_work():
            await some_time()
            assert limit.running <= 3
        return item * 2

    outcomes = await fan_out(branch, range(10), limit=limit, on_event=events.append)
    assert values(outcomes) == [item * 2 for item in range(10)]
    assert indexes(outcomes) == list(range(10))
    assert spy.peak == 3
    assert limit.running == 0
    for kind in (BranchQueued, BranchStarted, BranchFinished):
        assert sum(isinstance(event, kind) for event in events) == 10
    for key in map(str, range(10)):
        kinds = [type(event) for event in events if getattr(event, "key", None) == key]
        assert kinds == [BranchQueued, BranchStarted, BranchFinished]


async def nested() -> None:
    """Leaves at two depths under one limit, and inner limits of their own."""
    spy, limit = Spy(), Limit(3)

    async def leaf(item: int) -> int:
        with spy.at_work():
            await some_time()
        return item

    async def inner(_: int) -> list[Any]:
        with spy.at_work():
            await some_time()
        return values(await fan_out(leaf, range(3), limit=randomness().choice([limit, 1, 2, None])))

    async def outer(_: int) -> list[Any]:
        return values(await fan_out(inner, range(2), limit=2))

    outcomes = await fan_out(outer, range(3), limit=limit)
    assert values(outcomes) == [[[0, 1, 2]] * 2] * 3
    assert spy.peak == 3
    assert limit.running == 0


async def side_by_side() -> None:
    """Two fan-outs share a limit, which grows and shrinks meanwhile."""
    spy, limit = Spy(), Limit(2)
    running = ended = 0

    async def branch(item: int) -> int:
        # Slots beyond a limit that shrank are taken away as branches end.
        assert limit.running <= max(limit.most or 0, running - ended)
        with spy.at_work():
            await some_time()
        return item

    def count(event: Event) -> None:
        nonlocal ended
        ended += isinstance(event, BranchFinished)

    async def resize() -> None:
        nonlocal running, ended
        await some_time()
        limit.resize(4)
        await some_time()
        limit.resize(1)
        running, ended = limit.running, 0

    one, other, _ = await asyncio.gather(
        fan_out(branch, range(6), limit=limit, on_event=count),
        fan_out(branch, range(6), limit=limit, on_event=count),
        resize(),
    )
    assert values(one) == values(other) == list(range(6))
    assert 2 <= spy.peak <= 4
    assert limit.running == 0


async def widened() -> None:
    """Branches that wait for each other, which takes more slots than there are at first."""
    limit, met = Limit(1), asyncio.Barrier(3)

    async def branch(item: int) -> int:
        await met.wait()
        return item

    fanned = asyncio.create_task(fan_out(branch, range(3), limit=limit))
    await some_time()
    limit.resize(3)
    assert values(await fanned) == [0, 1, 2]


async def going_on() -> None:
    """A branch that wants its slot back is served before others start."""
    limit, begun = Limit(2), 0

    async def branch(item: int) -> int:
        nonlocal begun
        begun += 1
        if item == 0:
            async with yield_slot():
                await some_time()
                before = begun
            assert begun <= before + 6  # which had their slots by then, or got other ones until this task came on
        await some_time()
        return item

    assert values(await fan_out(branch, range(30), limit=limit)) == list(range(30))


async def fail_fast() -> None:
    limit, failed = Limit(3), list[int]()

    async def branch(item: int) -> int:
        await some_time()
        if item in (2, 5):
            failed.append(item)
            raise OSError(str(item))
        return item

    with pytest.raises(FanOutError) as caught:
        await fan_out(branch, range(8), limit=limit, mode="fail_fast")
    outcomes = caught.value.outcomes
    assert indexes(outcomes) == list(range(8))
    assert str(caught.value.__cause__) == str(failed[0])
    for item, came_to in enumerate(values(outcomes)):
        expected = {item, BranchCancelled, BranchNotStarted} if item not in failed else {OSError, BranchCancelled}
        assert came_to in expected
    assert values(outcomes)[failed[0]] is OSError
    assert limit.running == 0


async def cancelled() -> None:
    """The caller is cancelled at some time, once or twice; the second time nothing more is delivered."""
    spy, limit, delivered = Spy(), Limit(2), list[Outcome[int]]()
    twice = randomness().random() < 0.5

    async def branch(item: int) -> int:
        with spy.at_work():
            await some_time()
        return item

    async def deliver(outcome: Outcome[int]) -> None:
        await asyncio.sleep(1e6 if twice and outcome.index == 3 else randomness().choice(TIMES_S))
        delivered.append(outcome)

    caller = asyncio.create_task(fan_out(branch, range(8), limit=limit, on_outcome=deliver))
    await some_time()
    caller.cancel()
    if twice:
        await asyncio.sleep(0.5)
        caller.cancel()
    await asyncio.wait([caller])
    assert asyncio.get_running_loop().time() < 1_000
    if not caller.cancelled():
        assert values(caller.result()) == list(range(8))
    assert all(isinstance(outcome, Done) for outcome in delivered)
    assert len({outcome.key for outcome in delivered}) == len(delivered)
    assert spy.working == limit.running == 0
    assert spy.peak <= 2


async def deadlines() -> None:
    limit = Limit(3)

    async def branch(item: int) -> int:
        if item % 2:
            await asyncio.sleep(item)
        else:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(item)
        return item

    outcomes = await fan_out(branch, range(6), limit=limit, deadline_s=3)
    assert values(outcomes)[:3] == [0, 1, 2]
    assert values(outcomes)[3:] == [DeadlineExceeded] * 3
    assert all(outcome.elapsed_s == 3 for outcome in outcomes[3:])
    assert limit.running == 0


async def total_deadline() -> None:
    limit = Limit(2)
    outcomes = await fan_out(nap, [1, 1, 1, 5, 1, 1], limit=limit, total_deadline_s=3, key=keys())
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            assert isinstance(outcome.error, DeadlineExceeded | BranchNotStarted)
        else:
            assert outcome.started_s + outcome.elapsed_s <= 3
    assert isinstance(outcomes[3], Failed)
    assert indexes(outcomes) == list(range(6))
    assert limit.running == 0


async def nap(time_s: float) -> float:
    await asyncio.sleep(time_s)
    return time_s


def keys() -> Callable[[Any], str]:
    numbers = itertools.count()
    return lambda _: str(next(numbers))


async def yielding() -> None:
    """Branches that only wait give up their slots, in several tasks of a branch at once too."""
    spy, limit = Spy(), Limit(2)

    async def wait() -> None:
        async with yield_slot():
            await some_time()

    async def branch(item: int) -> int:
        for _ in range(2):
            with spy.at_work():
                await some_time()
            if item % 2:
                await wait()
            else:
                await asyncio.gather(wait(), wait())
        with spy.at_work():
            await some_time()
        return item

    deadline_s = randomness().choice([None, 2])
    outcomes = await fan_out(branch, range(6), limit=limit, deadline_s=deadline_s)
    assert all(
        came_to == item or (deadline_s and came_to is DeadlineExceeded) for item, came_to in enumerate(values(outcomes))
    )
    assert spy.peak <= 2
    assert deadline_s or spy.peak == 2
    assert limit.running == 0


async def streaming() -> None:
    spy, limit, got = Spy(), Limit(3), list[Outcome[int]]()
    enough = randomness().randint(1, 13)

    begun = 0

    async def branch(item: int) -> int:
        nonlocal begun
        begun += 1
        assert begun <= len(got) + 3 + 3  # as many as the limit run, and as many wait to be fetched
        with spy.at_work():
            await some_time()
        return item

    async with stream(branch, range(12), limit=limit) as outcomes:
        async for outcome in outcomes:
            got.append(outcome)
            if len(got) == enough:
                break
            if randomness().random() < 0.5:
                await asyncio.sleep(3)
    assert len(got) == min(enough, 12)
    assert values(got) == indexes(got)
    assert len({outcome.key for outcome in got}) == len(got)
    assert spy.peak <= 3
    assert spy.working == limit.running == 0


async def delivering() -> None:
    """Outcomes are delivered once each, one at a time; what goes wrong there ends the fan-out."""
    limit, delivered = Limit(3), list[int]()
    delivering = Spy()
    fails_at = randomness().choice([None, 0, 3, 7])

    async def branch(item: int) -> int:
        await some_time()
        return item

    async def deliver(outcome: Outcome[int]) -> None:
        with delivering.at_work():
            await some_time()
        if outcome.index == fails_at:
            raise OSError
        delivered.append(outcome.index)

    try:
        outcomes = await fan_out(branch, range(8), limit=limit, on_outcome=deliver)
    except OSError:
        assert fails_at is not None
        assert fails_at not in delivered
    else:
        assert fails_at is None
        assert indexes(outcomes) == sorted(delivered) == list(range(8))
    assert len(set(delivered)) == len(delivered)
    assert delivering.peak == 1
    assert limit.running == 0


async def coming_one_by_one() -> None:
    """Items come from a generator, which is never far ahead and is closed in the end."""
    spy, limit = Spy(), Limit(2)
    pulled = finished = 0
    closed = False
    breaks_at = randomness().choice([None, 4])

    async def items() -> AsyncIterator[int]:
        nonlocal pulled, closed
        try:
            for item in range(8):
                if item == breaks_at:
                    raise OSError
                pulled += 1
                assert pulled <= finished + 3
                yield item
                await asyncio.sleep(randomness().choice(TIMES_S))
        finally:
            closed = True

    async def branch(item: int) -> int:
        nonlocal finished
        with spy.at_work():
            await some_time()
        finished += 1
        return item

    try:
        outcomes = await fan_out(branch, items(), limit=limit)
    except FanOutError as error:
        assert breaks_at == 4
        outcomes = error.outcomes
    assert values(outcomes) == list(range(breaks_at or 8))
    assert closed
    assert spy.peak <= 2
    assert limit.running == 0


async def first_of_all() -> None:
    limit, ended = Limit(3), list[int]()

    async def branch(item: int) -> int:
        try:
            await some_time()
            if item < 3:
                raise OSError
            return item
        finally:
            ended.append(item)

    merged = await first_success(branch, range(7), limit=limit)
    assert merged.value in ended
    assert merged.keys == (str(merged.value),)
    assert merged.value >= 3
    assert limit.running == 0


async def cancelling_from_within() -> None:
    """A branch that cancels itself, or another one, is an outcome like others."""
    limit, tasks = Limit(3), dict[int, asyncio.Task[Any]]()

    async def branch(item: int) -> int:
        me = asyncio.current_task()
        assert me is not None
        tasks[item] = me
        await some_time()
        other = tasks.get(item + 1)
        if item % 3 == 0 and other is not None:
            other.cancel()
        if item == 5:
            me.cancel()
            await asyncio.sleep(0)
        await some_time()
        return item

    outcomes = await fan_out(branch, range(8), limit=limit)
    assert indexes(outcomes) == list(range(8))
    for item, came_to in enumerate(values(outcomes)):
        assert came_to == item or (item in (1, 4, 5, 7) and came_to is BranchCancelled)
    assert values(outcomes)[5] is BranchCancelled
    assert limit.running == 0


async def sharing_runs() -> None:
    """Equal calls share a run, whichever of them are cancelled or out of time, while others want their slots."""
    store, spy, limit = MemoryStore(), Spy(), Limit(2)

    async def run() -> str:
        with spy.at_work():
            await some_time()
        return "made"

    async def branch(item: int) -> str:
        if item > 5:
            await some_time()
            return "other"
        async with asyncio.timeout(randomness().choice([0.5, 1, 2, 9])):
            return await run_once(store, CacheKey.of("run", "1", None), run)

    outcomes = await fan_out(branch, range(12), limit=limit, deadline_s=randomness().choice([None, 1]))
    assert spy.peak == 1
    assert set(values(outcomes)) <= {"made", "other", TimeoutError, DeadlineExceeded}
    assert limit.running == spy.working == 0
    assert await run_once(store, CacheKey.of("run", "1", None), run) == "made"


async def waiting_twice() -> None:
    """A branch runs two fan-outs at once: the one that ends first must leave the other one the slot."""
    limit = Limit(1)

    async def branch(_: int) -> list[list[Any]]:
        both = await asyncio.gather(fan_out(nap, [1], limit=None), fan_out(nap, [2, 3], limit=None))
        return [values(outcomes) for outcomes in both]

    assert values(await fan_out(branch, range(2), limit=limit)) == [[[1], [2, 3]]] * 2
    assert limit.running == 0


async def timed_out_while_it_wanted_its_slot() -> None:
    """A branch that stops waiting for its slot, and goes on all the same, must not work without one."""
    spy, limit = Spy(), Limit(1)

    async def branch(item: int) -> None:
        if item == 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(2), yield_slot():
                    await asyncio.sleep(1)
        with spy.at_work():
            await asyncio.sleep(5)

    outcomes = await fan_out(branch, range(2), limit=limit)
    assert values(outcomes) == [None, None]
    assert spy.peak == 1
    assert limit.running == 0


async def cancelled_twice_while_branches_end() -> None:
    """The second cancellation of the caller ends delivery, also where branches still tidy up after the first."""

    async def branch(item: int) -> None:
        try:
            await asyncio.sleep(item)
        finally:
            await asyncio.sleep(item)

    caller = asyncio.create_task(fan_out(branch, [0, 3], limit=2, on_outcome=lambda _: asyncio.sleep(1_000)))
    for wait_s in (1, randomness().choice([1, 2, 4])):
        await asyncio.sleep(wait_s)
        caller.cancel()
    await asyncio.wait([caller])
    assert asyncio.get_running_loop().time() < 1_000


SCENARIOS = [
    *(flat, nested, side_by_side, widened, going_on, fail_fast, cancelled, deadlines, total_deadline, yielding),
    *(streaming, delivering, coming_one_by_one, first_of_all, cancelling_from_within, sharing_runs),
    *(waiting_twice, timed_out_while_it_wanted_its_slot, cancelled_twice_while_branches_end),
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_holds_in_every_order(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    explore(scenario, schedules=SCHEDULES)


@pytest.mark.soak
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_holds_in_very_many_orders(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    explore(scenario, schedules=10_000, seed=SCHEDULES)
