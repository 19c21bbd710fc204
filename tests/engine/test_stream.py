from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from fanfold.engine import BranchNotStarted, Done, Event, Failed, FanOutError, Outcome, fan_out, stream
from fanfold.testing.clock import run, virtual_time


async def wait(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def now() -> float:
    return asyncio.get_running_loop().time()


def other_tasks() -> set[asyncio.Task[object]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


def values(outcomes: list[Outcome[float]]) -> list[float]:
    return [outcome.value for outcome in outcomes if isinstance(outcome, Done)]


@dataclass
class Endless:
    """Items without end, that count how many were asked for."""

    given: int = 0
    closed: bool = False

    async def items(self) -> AsyncIterator[int]:
        try:
            while True:
                self.given += 1
                yield self.given
        finally:
            self.closed = True


@virtual_time
async def test_outcomes_come_as_branches_finish() -> None:
    seen: list[tuple[float, float]] = []
    async with stream(wait, [3.0, 1.0, 2.0], limit=3) as outcomes:
        async for outcome in outcomes:
            assert isinstance(outcome, Done)
            seen.append((outcome.value, now()))
    assert seen == [(1, 1), (2, 2), (3, 3)]


@virtual_time
async def test_outcomes_tell_the_position_of_their_items() -> None:
    async with stream(wait, [3.0, 1.0, 2.0], limit=3) as outcomes:
        assert [outcome.index async for outcome in outcomes] == [1, 2, 0]


@virtual_time
async def test_leaving_early_cancels_what_runs_and_starts_nothing_more() -> None:
    started, tidied = [], []

    async def branch(seconds: float) -> float:
        started.append(seconds)
        try:
            return await wait(seconds)
        finally:
            tidied.append(seconds)

    async with stream(branch, [1.0, 50.0, 60.0, 70.0], limit=2) as outcomes:
        async for _ in outcomes:
            break
    assert now() == 1
    assert started == tidied
    assert not other_tasks()


@virtual_time
async def test_error_in_the_block_passes_when_the_branches_have_ended() -> None:
    async def consume() -> None:
        async with stream(wait, [1.0, 50.0], limit=2) as outcomes:
            async for _ in outcomes:
                raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        await consume()
    assert now() == 1
    assert not other_tasks()


@virtual_time
async def test_cancelled_consumer_leaves_no_branch_behind() -> None:
    async def consume() -> None:
        async with stream(wait, [50.0, 60.0], limit=2) as outcomes:
            async for _ in outcomes:
                pass

    task = asyncio.create_task(consume())
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not other_tasks()


@virtual_time
async def test_slow_consumer_holds_up_the_start_of_more_branches() -> None:
    started: list[int] = []

    async def branch(number: int) -> int:
        started.append(number)
        return number

    async with stream(branch, range(100), limit=3) as outcomes:
        await asyncio.sleep(10)
        assert len(started) <= 2 * 3
        assert [outcome.index async for outcome in outcomes] == list(range(100))


@virtual_time
async def test_values_that_were_fetched_are_kept_by_nobody() -> None:
    class Large:
        pass

    left: list[weakref.ref[Large]] = []

    async def branch(_: int) -> Large:
        value = Large()
        left.append(weakref.ref(value))
        return value

    alive = 0
    async with stream(branch, Endless().items(), limit=3) as outcomes:
        async for outcome in outcomes:
            alive = max(alive, sum(ref() is not None for ref in left))
            if outcome.index == 100:
                break
    assert alive < 20


@virtual_time
async def test_nothing_to_do_is_no_outcome() -> None:
    empty: list[float] = []
    async with stream(wait, empty, limit=3) as outcomes:
        assert [outcome async for outcome in outcomes] == []


@virtual_time
async def test_fail_fast_gives_what_arrived_and_then_raises() -> None:
    async def branch(seconds: float) -> float:
        await asyncio.sleep(seconds)
        if seconds == 2:
            raise LookupError("no such thing")
        return seconds

    seen: list[int] = []

    async def consume() -> None:
        async with stream(branch, [1.0, 2.0, 50.0], limit=3, mode="fail_fast") as outcomes:
            async for outcome in outcomes:
                seen.append(outcome.index)  # noqa: PERF401 what arrived before the error counts

    with pytest.raises(FanOutError, match="1 failed: LookupError: no such thing") as caught:
        await consume()
    assert seen == [0, 1, 2]
    assert [outcome.index for outcome in caught.value.outcomes] == [1, 2], "what came with the failure and after it"


@virtual_time
async def test_error_of_on_event_ends_it_and_is_raised_in_the_block() -> None:
    def on_event(_: Event) -> None:
        raise LookupError("ours")

    async def consume() -> None:
        async with stream(wait, [1.0], limit=3, on_event=on_event) as outcomes:
            async for _ in outcomes:
                pass

    with pytest.raises(LookupError, match="ours"):
        await consume()
    assert not other_tasks()


def test_interrupt_in_a_branch_is_raised_in_the_block() -> None:
    async def branch(seconds: float) -> float:
        await asyncio.sleep(seconds)
        raise KeyboardInterrupt

    async def scenario() -> None:
        async with stream(branch, [1.0, 50.0], limit=3) as outcomes:
            async for _ in outcomes:
                pass

    with pytest.raises(KeyboardInterrupt):
        run(scenario())


class TestItemsThatComeOneByOne:
    @virtual_time
    async def test_all_are_worked_on_in_order(self) -> None:
        async def items() -> AsyncIterator[float]:
            for number in range(20):
                await asyncio.sleep(0.1)
                yield number % 3

        outcomes = await fan_out(wait, items(), limit=4)
        assert values(outcomes) == [number % 3 for number in range(20)]
        assert [outcome.key for outcome in outcomes] == [str(number) for number in range(20)]

    @virtual_time
    async def test_next_one_is_asked_for_when_there_is_a_slot_for_it(self) -> None:
        endless = Endless()

        async def branch(number: int) -> int:
            await asyncio.sleep(1)
            return number

        async with stream(branch, endless.items(), limit=3) as outcomes:
            async for outcome in outcomes:
                assert endless.given <= outcome.index + 1 + 3 + 3 + 1, "running, unfetched, and the one that waits"
                if outcome.index == 30:
                    break
        assert endless.closed
        assert not other_tasks()

    @virtual_time
    async def test_wait_for_the_next_one_holds_no_slot(self) -> None:
        async def items() -> AsyncIterator[float]:
            yield 1
            await asyncio.sleep(5)
            yield 1

        started_s = [outcome.started_s for outcome in await fan_out(wait, items(), limit=1)]
        assert started_s == [0, 5]

    @virtual_time
    async def test_error_among_them_loses_nothing_that_had_started(self) -> None:
        async def items() -> AsyncIterator[float]:
            yield 1
            yield 5
            raise LookupError("the queue is gone")

        with pytest.raises(FanOutError, match="the queue is gone") as caught:
            await fan_out(wait, items(), limit=2)
        assert values(caught.value.outcomes) == [1, 5]
        assert isinstance(caught.value.__cause__, LookupError)

    @virtual_time
    async def test_second_one_with_a_key_ends_them_and_loses_nothing(self) -> None:
        async def items() -> AsyncIterator[str]:
            for name in ("a", "b", "a", "c"):
                yield name

        async def branch(name: str) -> str:
            await asyncio.sleep(1)
            return name

        with pytest.raises(FanOutError, match="two items have the key 'a'") as caught:
            await fan_out(branch, items(), limit=2)
        assert [outcome.key for outcome in caught.value.outcomes] == ["a", "b"]

    @virtual_time
    async def test_cancelled_fan_out_closes_them(self) -> None:
        endless = Endless()
        task = asyncio.create_task(fan_out(wait, endless.items(), limit=2))
        await asyncio.sleep(1.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert endless.closed
        assert not other_tasks()

    @virtual_time
    async def test_total_deadline_ends_a_wait_for_them(self) -> None:
        async def items() -> AsyncIterator[float]:
            yield 1
            await asyncio.sleep(1000)

        outcomes = await fan_out(wait, items(), limit=2, total_deadline_s=10)
        assert values(outcomes) == [1]
        assert now() == 10

    @virtual_time
    async def test_interrupt_among_them_passes_through(self) -> None:
        async def items() -> AsyncIterator[float]:
            yield 1
            raise SystemExit(3)

        with pytest.raises(SystemExit):
            await fan_out(wait, items(), limit=2)
        assert not other_tasks()

    @virtual_time
    async def test_priority_among_them_is_refused(self) -> None:
        with pytest.raises(ValueError, match="priority"):
            await fan_out(wait, Endless().items(), limit=2, priority=float)


class TestPriority:
    @virtual_time
    async def test_higher_ones_start_first_and_outcomes_stay_in_item_order(self) -> None:
        started: list[float] = []

        async def branch(number: float) -> float:
            started.append(number)
            return await wait(number)

        outcomes = await fan_out(branch, [1.0, 3.0, 2.0, 3.5], limit=1, priority=lambda number: number // 1)
        assert started == [3.0, 3.5, 2.0, 1.0]
        assert values(outcomes) == [1.0, 3.0, 2.0, 3.5]

    @virtual_time
    async def test_queued_events_are_in_item_order(self) -> None:
        queued: list[str] = []

        def on_event(event: Event) -> None:
            if type(event).__name__ == "BranchQueued":
                queued.append(getattr(event, "key", ""))

        await fan_out(wait, [1.0, 2.0, 3.0], limit=1, priority=float, on_event=on_event)
        assert queued == ["0", "1", "2"]


class TestTotalDeadline:
    @virtual_time
    async def test_cuts_off_what_runs_and_starts_nothing_more(self) -> None:
        outcomes = await fan_out(wait, [1.0, 50.0, 60.0, 2.0], limit=2, total_deadline_s=10)
        assert now() == 10
        assert values(outcomes) == [1]
        kinds = [type(outcome.error).__name__ for outcome in outcomes if isinstance(outcome, Failed)]
        assert kinds == ["DeadlineExceeded", "DeadlineExceeded", "BranchNotStarted"]

    @virtual_time
    async def test_is_no_error_when_all_have_finished(self) -> None:
        assert values(await fan_out(wait, [1.0, 2.0], limit=2, total_deadline_s=2.5)) == [1, 2]
        await asyncio.sleep(10)

    @virtual_time
    async def test_unstarted_branches_reach_on_outcome_too(self) -> None:
        got: list[Outcome[float]] = []

        async def on_outcome(outcome: Outcome[float]) -> None:
            got.append(outcome)

        outcomes = await fan_out(wait, [50.0, 1.0], limit=1, total_deadline_s=10, on_outcome=on_outcome)
        assert got == outcomes
        assert isinstance(got[1], Failed)
        assert isinstance(got[1].error, BranchNotStarted)


class TestFailFast:
    @virtual_time
    async def test_first_failure_cancels_the_rest_and_keeps_what_was_finished(self) -> None:
        async def branch(seconds: float) -> float:
            await asyncio.sleep(seconds)
            if seconds == 2:
                raise LookupError("no such thing")
            return seconds

        with pytest.raises(FanOutError, match="LookupError: no such thing") as caught:
            await fan_out(branch, [1.0, 2.0, 50.0, 60.0], limit=3, mode="fail_fast")
        assert now() == 2
        assert isinstance(caught.value.__cause__, LookupError)
        kinds = [type(one.error).__name__ if isinstance(one, Failed) else "" for one in caught.value.outcomes]
        assert kinds in (
            ["", "LookupError", "BranchCancelled", "BranchNotStarted"],
            ["", "LookupError", "BranchCancelled", "BranchCancelled"],
        )
        assert not other_tasks()

    @virtual_time
    async def test_without_a_failure_it_is_as_ever(self) -> None:
        assert values(await fan_out(wait, [1.0, 2.0], limit=3, mode="fail_fast")) == [1, 2]

    @virtual_time
    async def test_unknown_mode_is_refused(self) -> None:
        with pytest.raises(ValueError, match="fail_slow"):
            await fan_out(wait, [1.0], limit=1, mode="fail_slow")  # type: ignore[call-overload]
