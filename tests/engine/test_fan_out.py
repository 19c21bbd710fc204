from __future__ import annotations

import asyncio
import contextvars
import gc
import heapq
import subprocess
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.engine import (
    BranchCancelled,
    BranchFinished,
    BranchQueued,
    BranchStarted,
    DeadlineExceeded,
    Done,
    DuplicateKeyError,
    Event,
    Failed,
    FanOutError,
    FrozenError,
    IsolationError,
    Outcome,
    failures,
    fan_out,
    read_only,
)
from fanfold.engine import values as engine_values
from fanfold.engine.outcome import done
from fanfold.testing.clock import run, virtual_time


@dataclass
class Item:
    key: str
    wait_s: float = 0.0
    data: list[Any] = field(default_factory=list)


def items(*waits_s: float) -> list[Item]:
    return [Item(f"k{number}", wait_s) for number, wait_s in enumerate(waits_s)]


async def wait(item: Item) -> str:
    await asyncio.sleep(item.wait_s)
    return item.key.upper()


def now() -> float:
    return asyncio.get_running_loop().time()


def other_tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


def values(outcomes: list[Outcome[str]]) -> list[str]:
    assert all(isinstance(outcome, Done) for outcome in outcomes), outcomes
    return [outcome.value for outcome in outcomes if isinstance(outcome, Done)]


def failed(outcome: Outcome[Any]) -> Failed:
    assert isinstance(outcome, Failed)
    return outcome


class Spy:
    """Counts what runs together."""

    def __init__(self) -> None:
        self.running = 0
        self.peak = 0
        self.seen: list[str] = []

    @asynccontextmanager
    async def watching(self, key: str) -> AsyncIterator[None]:
        self.seen.append(key)
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            yield
        finally:
            self.running -= 1

    async def branch(self, item: Item) -> str:
        async with self.watching(item.key):
            return await wait(item)

    async def on_outcome(self, outcome: Outcome[str]) -> None:
        async with self.watching(outcome.key):
            await asyncio.sleep(1)


@virtual_time
async def test_outcomes_are_in_item_order_whatever_order_they_finish_in() -> None:
    outcomes = await fan_out(wait, items(3, 1, 2), limit=3)
    assert values(outcomes) == ["K0", "K1", "K2"]
    assert [outcome.key for outcome in outcomes] == ["k0", "k1", "k2"]
    assert now() == 3


@pytest.mark.parametrize("limit", [1, 2, 5, 64])
@virtual_time
async def test_as_many_branches_run_together_as_the_limit_says(limit: int) -> None:
    spy = Spy()
    await fan_out(spy.branch, items(*[1] * 64), limit=limit)
    assert spy.peak == limit
    assert len(spy.seen) == 64


@virtual_time
async def test_limit_above_the_number_of_items_runs_all_at_once() -> None:
    spy = Spy()
    await fan_out(spy.branch, items(1, 1, 1), limit=1000)
    assert spy.peak == 3
    assert now() == 1


@virtual_time
async def test_branches_start_in_item_order() -> None:
    spy = Spy()
    await fan_out(spy.branch, items(5, 1, 1, 1, 1, 1), limit=2)
    assert spy.seen == ["k0", "k1", "k2", "k3", "k4", "k5"]


@virtual_time
async def test_nothing_to_do_is_no_outcome() -> None:
    delivered = Spy()
    assert await fan_out(wait, iter(()), limit=2, on_outcome=delivered.on_outcome) == []
    assert not delivered.seen


@given(
    waits_s=st.lists(st.integers(0, 9), max_size=20),
    limit=st.integers(1, 6),
    failing=st.sets(st.integers(0, 19)),
)
def test_scheduling_is_greedy_and_always_the_same(waits_s: list[int], limit: int, failing: set[int]) -> None:
    async def branch(item: Item) -> str:
        await asyncio.sleep(item.wait_s)
        if int(item.key[1:]) in failing:
            raise LookupError(item.key)
        return item.key

    async def scenario() -> tuple[list[object], list[str], float]:
        arrived: list[str] = []

        async def on_outcome(outcome: Outcome[str]) -> None:
            arrived.append(outcome.key)

        outcomes = await fan_out(branch, items(*waits_s), limit=limit, on_outcome=on_outcome)
        flat = [(one.key, type(one).__name__, one.started_s, one.elapsed_s) for one in outcomes]
        return list(flat), arrived, now()

    first = run(scenario())
    slots = [0.0] * limit
    for number, wait_s in enumerate(waits_s):
        started_s = heapq.heappop(slots)
        heapq.heappush(slots, started_s + wait_s)
        assert first[0][number] == (f"k{number}", "Failed" if number in failing else "Done", started_s, wait_s)
    assert first[2] == max(slots)
    assert sorted(first[1]) == sorted(f"k{number}" for number in range(len(waits_s)))
    assert run(scenario()) == first


@virtual_time
async def test_failing_branch_is_an_outcome_and_the_others_go_on() -> None:
    error = LookupError("no such thing")

    async def branch(item: Item) -> str:
        if item.key == "k1":
            raise error
        return await wait(item)

    outcomes = await fan_out(branch, items(1, 0, 1), limit=2)
    assert values([outcomes[0], outcomes[2]]) == ["K0", "K2"]
    assert failed(outcomes[1]).error is error


@virtual_time
async def test_failure_keeps_the_text_of_its_traceback() -> None:
    def deep_inside() -> NoReturn:
        raise LookupError("no such thing")

    async def branch(_: Item) -> str:
        deep_inside()

    (outcome,) = await fan_out(branch, items(1), limit=1)
    assert "in deep_inside" in failed(outcome).traceback
    assert "LookupError: no such thing" in failed(outcome).traceback


@virtual_time
async def test_branch_that_fails_before_it_is_awaited_is_an_outcome_too() -> None:
    def branch(item: Item) -> Awaitable[str]:
        raise LookupError(item.key)

    (outcome,) = await fan_out(branch, items(1), limit=1)
    assert isinstance(failed(outcome).error, LookupError)


@virtual_time
async def test_times_count_from_the_start_of_the_fan_out_and_of_the_branch() -> None:
    await asyncio.sleep(7)
    outcomes = await fan_out(wait, items(2, 3, 4), limit=1)
    assert [(one.started_s, one.elapsed_s) for one in outcomes] == [(0, 2), (2, 3), (5, 4)]
    assert [one.attempts for one in outcomes] == [1, 1, 1]


@virtual_time
async def test_no_one_else_sees_what_a_branch_does_to_its_item() -> None:
    shared = [["nested"]]
    given_items = [Item("a", data=shared), Item("b", data=shared)]

    async def branch(item: Item) -> list[Any]:
        item.data[0].append(item.key)
        await asyncio.sleep(1)
        return item.data

    outcomes = await fan_out(branch, given_items, limit=2)
    assert [one.value for one in outcomes if isinstance(one, Done)] == [[["nested", "a"]], [["nested", "b"]]]
    assert shared == [["nested"]]


@virtual_time
async def test_what_the_caller_does_to_its_items_meanwhile_reaches_no_branch() -> None:
    given_items = items(1, 1)

    async def branch(item: Item) -> str:
        given_items[1].data.append("late")
        await asyncio.sleep(1)
        return f"{item.data}"

    assert values(await fan_out(branch, given_items, limit=1)) == ["[]", "[]"]


@virtual_time
async def test_item_that_cannot_be_copied_is_refused_before_anything_starts() -> None:
    spy = Spy()
    uncopyable = [Item("fine"), Item("with a lock", data=[threading.Lock()])]
    with pytest.raises(IsolationError, match=r"item 'with a lock': \.data\[0\] can't be copied: ") as caught:
        await fan_out(spy.branch, uncopyable, limit=2)
    assert caught.value.hint is not None
    assert not spy.seen


@virtual_time
async def test_two_items_with_one_key_are_refused_before_anything_starts() -> None:
    spy = Spy()
    with pytest.raises(DuplicateKeyError, match="'same'"):
        await fan_out(spy.branch, [Item("same"), Item("other"), Item("same")], limit=2)
    assert not spy.seen


@pytest.mark.parametrize(
    ("limit", "deadline_s", "word"), [(0, None, "limit"), (1, 0.0, "deadline_s"), (1, float("nan"), "deadline_s")]
)
@virtual_time
async def test_senseless_limits_are_refused(limit: int, deadline_s: float | None, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        await fan_out(wait, items(1), limit=limit, deadline_s=deadline_s)


@virtual_time
async def test_context_variables_of_a_branch_stay_in_it() -> None:
    name = contextvars.ContextVar("name", default="nobody")
    name.set("caller")

    async def branch(item: Item) -> str:
        before = name.get()
        name.set(item.key)
        await asyncio.sleep(1)
        return f"{before} {name.get()}"

    assert values(await fan_out(branch, items(1, 1, 1), limit=1)) == ["caller k0", "caller k1", "caller k2"]
    assert name.get() == "caller"


class TestDeadline:
    @virtual_time
    async def test_ends_only_the_branch_that_exceeds_it(self) -> None:
        outcomes = await fan_out(wait, items(1, 100, 2), limit=3, deadline_s=10)
        late = failed(outcomes[1])
        assert isinstance(late.error, DeadlineExceeded)
        assert "k1" in str(late.error)
        assert late.elapsed_s == 10
        assert values([outcomes[0], outcomes[2]]) == ["K0", "K2"]

    @virtual_time
    async def test_counts_from_the_branchs_own_start(self) -> None:
        assert values(await fan_out(wait, items(8, 8, 8), limit=1, deadline_s=10)) == ["K0", "K1", "K2"]

    @virtual_time
    async def test_traceback_shows_where_the_branch_was(self) -> None:
        async def waiting_for_godot() -> None:
            await asyncio.sleep(100)

        async def branch(_: Item) -> None:
            await waiting_for_godot()

        (outcome,) = await fan_out(branch, items(1), limit=1, deadline_s=1)
        assert "in waiting_for_godot" in failed(outcome).traceback

    @virtual_time
    async def test_branchs_own_timeout_is_not_taken_for_it(self) -> None:
        async def branch(item: Item) -> str:
            async with asyncio.timeout(1):
                return await wait(item)

        (outcome,) = await fan_out(branch, items(5), limit=1, deadline_s=10)
        assert type(failed(outcome).error) is TimeoutError

    @virtual_time
    async def test_value_that_comes_after_it_does_not_count(self) -> None:
        async def branch(item: Item) -> str:
            try:
                return await wait(item)
            except asyncio.CancelledError:
                return "too late"

        (outcome,) = await fan_out(branch, items(5), limit=1, deadline_s=1)
        assert isinstance(failed(outcome).error, DeadlineExceeded)

    @virtual_time
    async def test_error_while_tidying_up_is_its_cause(self) -> None:
        error = LookupError("while tidying up")

        async def branch(item: Item) -> None:
            try:
                await wait(item)
            finally:
                raise error

        (outcome,) = await fan_out(branch, items(5), limit=1, deadline_s=1)
        assert isinstance(failed(outcome).error, DeadlineExceeded)
        assert failed(outcome).error.__cause__ is error

    @virtual_time
    async def test_slot_is_free_only_when_the_branch_has_tidied_up(self) -> None:
        spy = Spy()

        async def branch(item: Item) -> None:
            async with spy.watching(item.key):
                try:
                    await wait(item)
                finally:
                    await asyncio.sleep(3)

        outcomes = await fan_out(branch, items(100, 100), limit=1, deadline_s=1)
        assert spy.peak == 1
        assert [one.elapsed_s for one in outcomes] == [4, 4]


class TestCancelledFromWithin:
    @virtual_time
    async def test_branch_that_cancels_itself_is_an_outcome_and_the_others_go_on(self) -> None:
        async def branch(item: Item) -> str:
            if item.key == "k0":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            return await wait(item)

        outcomes = await fan_out(branch, items(1, 1, 1), limit=1)
        assert isinstance(failed(outcomes[0]).error, BranchCancelled)
        assert values(outcomes[1:]) == ["K1", "K2"]

    @virtual_time
    async def test_branch_that_waits_for_something_cancelled_is_an_outcome(self) -> None:
        async def branch(item: Item) -> None:
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(item.wait_s, future.cancel)
            await future

        (outcome,) = await fan_out(branch, items(1), limit=1, deadline_s=10)
        assert isinstance(failed(outcome).error, BranchCancelled)
        assert "in branch" in failed(outcome).traceback


@virtual_time
async def test_fan_out_inside_a_branch_works() -> None:
    async def outer(item: Item) -> str:
        return "+".join(values(await fan_out(wait, items(item.wait_s, 1), limit=2)))

    assert values(await fan_out(outer, items(1, 2), limit=1)) == ["K0+K1", "K0+K1"]


class TestOnOutcome:
    @virtual_time
    async def test_sees_each_outcome_once_in_order_of_arrival_one_at_a_time(self) -> None:
        spy = Spy()
        await fan_out(wait, items(3, 1, 2, 0.5), limit=4, on_outcome=spy.on_outcome)
        assert spy.seen == ["k3", "k1", "k2", "k0"]
        assert spy.peak == 1

    @virtual_time
    async def test_is_called_while_other_branches_run(self) -> None:
        times_s: list[float] = []

        async def on_outcome(_: Outcome[str]) -> None:
            times_s.append(now())

        await fan_out(wait, items(1, 50), limit=2, on_outcome=on_outcome)
        assert times_s == [1, 50]

    @virtual_time
    async def test_slow_one_holds_up_no_branch(self) -> None:
        async def on_outcome(_: Outcome[str]) -> None:
            await asyncio.sleep(100)

        outcomes = await fan_out(wait, items(1, 1, 1), limit=1, on_outcome=on_outcome)
        assert [one.started_s for one in outcomes] == [0, 1, 2]
        assert now() == 301, "all were delivered before fan_out returned"

    @virtual_time
    async def test_gets_failures_too(self) -> None:
        got: list[Outcome[str]] = []

        async def on_outcome(outcome: Outcome[str]) -> None:
            got.append(outcome)

        outcomes = await fan_out(wait, items(1, 100), limit=2, deadline_s=10, on_outcome=on_outcome)
        assert got == outcomes

    @pytest.mark.parametrize(
        "error", [LookupError("ours"), ExceptionGroup("ours", [LookupError("one")]), SystemExit(3)], ids=repr
    )
    @virtual_time
    async def test_its_error_cancels_the_branches_and_is_raised(self, error: BaseException) -> None:
        spy = Spy()

        async def on_outcome(_: Outcome[str]) -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            await fan_out(spy.branch, items(1, 50, 50, 50), limit=2, on_outcome=on_outcome)
        assert caught.value is error
        assert now() == 1
        assert (spy.running, spy.seen) == (0, ["k0", "k1"])
        assert not other_tasks()

    @virtual_time
    async def test_its_error_leaves_the_callers_task_uncancelled(self) -> None:
        async def on_outcome(_: Outcome[str]) -> None:
            raise LookupError

        for _ in range(2):
            with pytest.raises(LookupError):
                await fan_out(wait, items(1), limit=2, on_outcome=on_outcome)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.sleep(2)


class TestOnEvent:
    @virtual_time
    async def test_tells_the_whole_story(self) -> None:
        events: list[Event] = []
        outcomes = await fan_out(wait, items(1, 2), limit=1, on_event=events.append)
        assert events == [
            BranchQueued("k0", ("k0",)),
            BranchQueued("k1", ("k1",)),
            BranchStarted("k0", ("k0",), 0),
            BranchFinished("k0", ("k0",), outcomes[0], 1),
            BranchStarted("k1", ("k1",), 1),
            BranchFinished("k1", ("k1",), outcomes[1], 3),
        ]

    @pytest.mark.parametrize("kind", [BranchQueued, BranchStarted, BranchFinished])
    @virtual_time
    async def test_its_error_cancels_the_branches_and_is_raised(
        self, kind: type[BranchQueued | BranchStarted | BranchFinished]
    ) -> None:
        spy = Spy()

        def on_event(event: Event) -> None:
            if isinstance(event, kind) and event.key == "k1":
                raise LookupError(event.key)

        with pytest.raises(LookupError, match="k1"):
            await fan_out(spy.branch, items(9, 1, 1), limit=2, on_event=on_event)
        assert spy.running == 0
        assert now() <= 1
        assert not other_tasks()


class TestCancellation:
    """What happens to a fan-out whose caller is cancelled."""

    @staticmethod
    async def cancelled_at(
        *times_s: float,
        branch: Callable[[Item], Awaitable[str]],
        work: list[Item],
        on_outcome: Callable[[Outcome[str]], Awaitable[None]] | None = None,
    ) -> None:
        task = asyncio.create_task(fan_out(branch, work, limit=2, on_outcome=on_outcome))
        for at_s in times_s:
            asyncio.get_running_loop().call_at(at_s, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not other_tasks()

    @virtual_time
    async def test_cancels_and_awaits_the_branches_and_starts_no_others(self) -> None:
        tidied: list[str] = []

        async def branch(item: Item) -> str:
            try:
                return await wait(item)
            finally:
                await asyncio.sleep(1)
                tidied.append(item.key)

        await self.cancelled_at(5, branch=branch, work=items(50, 60, 70))
        assert tidied == ["k0", "k1"]
        assert now() == 6

    @virtual_time
    async def test_delivers_what_was_finished_and_not_what_was_cut_off(self) -> None:
        delivered: list[tuple[str, float]] = []

        async def on_outcome(outcome: Outcome[str]) -> None:
            await asyncio.sleep(4)
            delivered.append((outcome.key, now()))

        await self.cancelled_at(3, branch=wait, work=items(1, 2, 50, 50), on_outcome=on_outcome)
        assert delivered == [("k0", 5), ("k1", 9)]

    @virtual_time
    async def test_delivers_everything_when_only_delivery_was_left(self) -> None:
        spy = Spy()
        await self.cancelled_at(2.5, branch=wait, work=items(1, 1, 1, 1), on_outcome=spy.on_outcome)
        assert spy.seen == ["k0", "k1", "k2", "k3"]
        assert now() == 5

    @virtual_time
    async def test_second_one_ends_delivery_too(self) -> None:
        delivered: list[str] = []

        async def on_outcome(outcome: Outcome[str]) -> None:
            await asyncio.sleep(100)
            delivered.append(outcome.key)

        await self.cancelled_at(3, 4, branch=wait, work=items(1, 2, 50), on_outcome=on_outcome)
        assert delivered == []
        assert now() == 4

    @virtual_time
    async def test_second_one_reaches_a_branch_that_is_slow_to_end(self) -> None:
        async def branch(item: Item) -> str:
            try:
                return await wait(item)
            finally:
                await asyncio.sleep(100)

        await self.cancelled_at(3, 4, branch=branch, work=items(50))
        assert now() == 4

    @virtual_time
    async def test_value_in_answer_to_it_is_delivered_an_error_is_not(self) -> None:
        delivered: list[str] = []

        async def branch(item: Item) -> str:
            try:
                return await wait(item)
            except asyncio.CancelledError:
                if item.key == "k0":
                    return "just done"
                raise LookupError from None

        async def on_outcome(outcome: Outcome[str]) -> None:
            delivered.append(outcome.key)

        await self.cancelled_at(3, branch=branch, work=items(50, 50, 50), on_outcome=on_outcome)
        assert delivered == ["k0"]

    @virtual_time
    async def test_before_anything_has_run_leaves_nothing_behind(self) -> None:
        spy = Spy()
        await self.cancelled_at(0, branch=spy.branch, work=items(1, 2), on_outcome=spy.on_outcome)
        assert spy.running == 0

    @virtual_time
    async def test_failing_delivery_does_not_hide_it(self) -> None:
        async def on_outcome(_: Outcome[str]) -> None:
            await asyncio.sleep(5)
            raise LookupError

        await self.cancelled_at(3, branch=wait, work=items(1, 50), on_outcome=on_outcome)

    @virtual_time
    async def test_of_its_siblings_by_a_branch_ends_these_and_no_others(self) -> None:
        caller = asyncio.current_task()

        async def branch(item: Item) -> str:
            if item.key == "k1":
                for task in other_tasks() - {caller}:
                    task.cancel()
            return await wait(item)

        outcomes = await fan_out(branch, items(50, 1, 50, 1), limit=3)
        assert isinstance(failed(outcomes[0]).error, BranchCancelled), "had begun"
        assert isinstance(failed(outcomes[2]).error, BranchCancelled), "had not begun"
        assert values([outcomes[1], outcomes[3]]) == ["K1", "K3"]
        assert not other_tasks()

    @virtual_time
    async def test_by_a_timeout_is_that_timeouts(self) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await fan_out(wait, items(1, 50), limit=2)
        assert not other_tasks()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_interrupts_pass_through_when_the_siblings_have_ended(error: BaseException) -> None:
    spy = Spy()

    async def branch(item: Item) -> str:
        if item.key == "k1":
            await asyncio.sleep(1)
            raise error
        return await spy.branch(item)

    async def scenario() -> None:
        try:
            await fan_out(branch, items(50, 1, 50), limit=2)
        finally:
            assert spy.running == 0
            assert not other_tasks()

    with pytest.raises(type(error)) as caught:
        run(scenario())
    assert caught.value is error


def test_interrupt_passes_through_nested_fan_outs() -> None:
    async def inner(_: Item) -> str:
        raise KeyboardInterrupt

    async def outer(_: Item) -> str:
        return "".join(values(await fan_out(inner, items(1), limit=1)))

    with pytest.raises(KeyboardInterrupt):
        run(fan_out(outer, items(1, 1), limit=2))


def test_importing_the_engine_imports_nothing_heavy() -> None:
    code = "import sys, fanfold.engine; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(printed.split())
    heavy = {"cachetools", "dspy", "opentelemetry", "pydantic", "rich", "sqlite3", "structlog", "tenacity", "typer"}
    assert not heavy & loaded
    ours = {name for name in loaded if name.startswith("fanfold.")}
    assert {name for name in ours if not name.startswith("fanfold.engine")} == {"fanfold.errors"}


@virtual_time
async def test_events_of_a_nested_fan_out_reach_the_listeners_around_it_with_their_path() -> None:
    outer_events: list[Event] = []
    inner_events: list[Event] = []

    async def outer(item: Item) -> None:
        await fan_out(wait, items(1), limit=1, on_event=inner_events.append if item.key == "k1" else None)

    await fan_out(outer, items(0, 0), limit=1, on_event=outer_events.append)
    finished = [event.path for event in outer_events if isinstance(event, BranchFinished)]
    assert finished == [("k0", "k0"), ("k0",), ("k1", "k0"), ("k1",)]
    assert [event.path for event in inner_events if isinstance(event, BranchFinished)] == [("k1", "k0")]


@virtual_time
async def test_error_of_an_outer_listener_ends_the_outer_fan_out() -> None:
    def on_event(event: Event) -> None:
        if isinstance(event, BranchFinished) and len(event.path) == 2:
            raise LookupError("ours")

    async def outer(_: Item) -> None:
        await fan_out(wait, items(1, 50), limit=2)

    with pytest.raises(LookupError, match="ours"):
        await fan_out(outer, items(0, 0), limit=2, on_event=on_event)
    assert now() == 1
    assert not other_tasks()


class TestKeys:
    @staticmethod
    async def keys_of(given_items: list[Any], **options: Any) -> list[str]:
        async def branch(_: Any) -> None: ...

        return [outcome.key for outcome in await fan_out(branch, given_items, limit=1, **options)]

    @virtual_time
    async def test_are_the_items_own_or_their_positions(self) -> None:
        assert await self.keys_of([Item("mine"), "text", Path("a/b.py"), 7, {"x": 1}]) == [
            "mine",
            "text",
            "a/b.py",
            "3",
            "4",
        ]

    @virtual_time
    async def test_are_what_a_function_says(self) -> None:
        assert await self.keys_of([{"id": "x"}, {"id": "y"}], key=lambda item: item["id"]) == ["x", "y"]

    @virtual_time
    async def test_that_are_no_strings_are_refused(self) -> None:
        with pytest.raises(TypeError, match="a key is a string, not 7"):
            await self.keys_of([7], key=lambda item: item)


class TestState:
    @virtual_time
    async def test_each_branch_has_a_view_of_its_own(self) -> None:
        state = {"seen": [["nobody"]]}

        async def branch(name: str, state: dict[str, list[list[str]]]) -> list[list[str]]:
            state["seen"][0].append(name)
            await asyncio.sleep(1)
            return state["seen"]

        outcomes = await fan_out(branch, ["a", "b"], limit=2, state=state)
        assert engine_values(outcomes) == [[["nobody", "a"]], [["nobody", "b"]]]
        assert state == {"seen": [["nobody"]]}

    @virtual_time
    async def test_read_only_fields_of_its_schema_are_handed_out_frozen(self) -> None:
        class Shared(TypedDict):
            rules: Annotated[list[str], read_only]

        async def branch(_: str, state: Shared) -> None:
            state["rules"].append("mine")

        given_state: Shared = {"rules": ["theirs"]}
        (outcome,) = await fan_out(branch, ["a"], limit=1, state=given_state, schema=Shared)
        assert isinstance(failed(outcome).error, FrozenError)

    @virtual_time
    async def test_that_cannot_be_copied_is_refused(self) -> None:
        async def branch(_: str, state: dict[str, Any]) -> None: ...

        with pytest.raises(IsolationError, match=r"the state: \['lock'\]"):
            await fan_out(branch, ["a"], limit=1, state={"lock": threading.Lock()})

    @virtual_time
    async def test_schema_without_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no state"):
            await fan_out(wait, items(1), limit=1, schema=dict)  # type: ignore[call-overload]


class TestValues:
    @virtual_time
    async def test_are_those_of_all_branches_in_order(self) -> None:
        assert engine_values(await fan_out(wait, items(2, 1), limit=2)) == ["K0", "K1"]

    @virtual_time
    async def test_of_branches_that_failed_are_an_error_that_keeps_the_others(self) -> None:
        async def branch(item: Item) -> str:
            if item.key == "k1":
                raise LookupError("no such thing")
            return item.key

        outcomes = await fan_out(branch, items(1, 1, 1), limit=2)
        with pytest.raises(FanOutError, match="1 of 3 branches failed, k1 with LookupError: no such thing") as caught:
            engine_values(outcomes)
        assert caught.value.outcomes == outcomes
        assert failures(outcomes) == [outcomes[1]]


def test_outcome_says_all_that_its_twin_was_given() -> None:
    made = done("a", [1], 0.5, 1.5, 2, 3)
    assert made == Done("a", [1], 0.5, 1.5, 2, 3)
    assert type(made) is Done
    with pytest.raises(AttributeError):
        made.key = "b"  # type: ignore[misc]


@pytest.mark.parametrize("given_items", [["a", "b", "a"], [Path("a"), Path("b"), Path("a")], ["1", 5]], ids=repr)
@virtual_time
async def test_items_that_name_themselves_alike_are_refused(given_items: list[Any]) -> None:
    async def branch(_: Any) -> None: ...

    with pytest.raises(DuplicateKeyError):
        await fan_out(branch, given_items, limit=1)


@pytest.mark.parametrize("given_items", [[3, 1, 2], ["c", "a", "b"], [0.5, 2, 1.5], [True, 1, False]], ids=repr)
@virtual_time
async def test_plain_items_keep_their_order_and_may_have_priorities(given_items: list[Any]) -> None:
    started: list[Any] = []

    async def branch(item: Any) -> Any:
        started.append(item)
        return item

    assert engine_values(await fan_out(branch, given_items, limit=1)) == given_items
    assert started == given_items
    started.clear()
    await fan_out(branch, given_items, limit=1, priority=given_items.index)
    assert started == sorted(given_items, key=given_items.index, reverse=True)


@pytest.mark.parametrize(
    ("branch", "given_items", "limit", "message"),
    [
        (wait, [Item("a")], "4", "a limit is a whole number, a Limit or None, not '4'"),
        (wait, [Item("a")], 2.5, "not 2.5"),
        (wait, [Item("a")], True, "not True"),
        (None, [Item("a")], 4, "a branch is an async function, not None"),
        (wait, 5, 4, "'int' object is not iterable"),
    ],
)
@virtual_time
async def test_arguments_of_another_type_are_refused(branch: Any, given_items: Any, limit: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        await fan_out(branch, given_items, limit=limit)


class TestErrorsOfAnyKind:
    """Whatever a branch raises, it has an outcome, and so the fan-out ends."""

    @virtual_time
    async def test_that_refuse_attributes(self) -> None:
        @dataclass(frozen=True)
        class FrozenFailure(Exception):
            code: int

        async def branch(code: int) -> None:
            raise FrozenFailure(code)

        (outcome,) = await fan_out(branch, [7], limit=1)
        assert failed(outcome).error == FrozenFailure(7)

    @virtual_time
    async def test_that_cannot_be_printed(self) -> None:
        class Unprintable(Exception):
            def __str__(self) -> str:
                raise AttributeError("response")

        async def branch(_: int) -> None:
            raise Unprintable

        outcomes = await fan_out(branch, [7], limit=1)
        assert isinstance(failed(outcomes[0]).error, Unprintable)
        assert "Unprintable" in failed(outcomes[0]).traceback
        with pytest.raises(FanOutError, match="can't be rendered"):
            engine_values(outcomes)
        with pytest.raises(FanOutError, match="can't be rendered") as caught:
            await fan_out(branch, [7], limit=1, mode="fail_fast")
        assert len(caught.value.outcomes) == 1

    @pytest.mark.parametrize("kind", [GeneratorExit, type("Stop", (BaseException,), {})])
    @virtual_time
    async def test_that_are_no_exceptions_end_the_fan_out_and_are_raised(self, kind: type[BaseException]) -> None:
        async def branch(item: Item) -> str:
            if item.key == "k1":
                raise kind
            return await wait(item)

        with pytest.raises(kind):
            await fan_out(branch, items(50, 1, 1), limit=2)
        assert now() == 0
        assert not other_tasks()

    @virtual_time
    async def test_keep_no_frame_of_the_engine_and_so_no_cycle(self) -> None:
        class Seen(Exception):
            pass

        async def branch(_: int) -> None:
            raise Seen

        gc.disable()
        try:
            (outcome,) = await fan_out(branch, [7], limit=1)
            gone = weakref.ref(failed(outcome).error)
            del outcome
            assert gone() is None
        finally:
            gc.enable()


@virtual_time
async def test_values_are_gone_with_their_outcomes() -> None:
    class Large:
        pass

    async def branch(_: int) -> Large:
        return Large()

    gc.disable()
    try:
        outcomes = await fan_out(branch, [1, 2], limit=1)
        gone = [weakref.ref(value) for value in engine_values(outcomes)]
        del outcomes
        assert [ref() for ref in gone] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("branch", "kind"), [(lambda item: item, "Item"), (lambda _: None, "NoneType"), (iter, "list_iterator")]
)
@virtual_time
async def test_function_that_is_not_async_is_refused_when_it_is_called(branch: Any, kind: str) -> None:
    given_items = [[1]] if branch is iter else items(1, 1)
    with pytest.raises(TypeError, match=f"a branch is an async function, and this one returned {kind}"):
        await fan_out(branch, given_items, limit=1)


@virtual_time
async def test_item_whose_key_is_a_number_is_refused() -> None:
    class Row:
        key = 7

    with pytest.raises(TypeError, match=r"that of item 0 is 7: name items with key="):
        await fan_out(wait, [Row()], limit=1)  # type: ignore[arg-type]
