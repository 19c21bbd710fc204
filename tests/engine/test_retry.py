from __future__ import annotations

import asyncio
import copy
import functools
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from threading import Lock
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.engine import BranchCancelled, BranchRetried, Done, Event, Failed, IsolationError, current_branch, fan_out
from fanfold.engine.breaker import BreakerOpen
from fanfold.engine.rate_limiter import RequestTooLarge
from fanfold.engine.retry import earlier_errors, retry
from fanfold.testing.clock import run, virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


class Busy(Exception):
    """Asks to be left alone for a while."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("busy")
        self.retry_after_s = retry_after_s


@dataclass
class Script:
    """Raises one error after another, then returns how often it was called; notes when."""

    errors: list[BaseException]
    at_s: list[float] = field(default_factory=list)

    async def __call__(self) -> int:
        self.at_s.append(now())
        if len(self.at_s) <= len(self.errors):
            raise self.errors[len(self.at_s) - 1]
        return len(self.at_s)

    def waits_s(self) -> list[float]:
        return [after - before for before, after in zip(self.at_s, self.at_s[1:], strict=False)]


class Longest(Random):
    """Always chooses the largest number."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


@virtual_time
async def test_what_fails_is_called_again_until_it_returns() -> None:
    script = Script([ValueError("one"), OSError("two")])
    assert await retry(3)(script)() == 3


@virtual_time
async def test_a_call_that_succeeds_is_made_once_and_waits_for_nothing() -> None:
    script = Script([])
    assert await retry(3)(script)() == 1
    assert now() == 0


@virtual_time
async def test_the_last_error_is_raised_as_it_was_and_tells_of_those_before() -> None:
    errors = [ValueError("one"), OSError("two"), KeyError("three")]
    with pytest.raises(KeyError) as raised:
        await retry(3)(Script(list(errors)))()
    assert raised.value is errors[2]
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None
    assert earlier_errors(raised.value) == (errors[0], errors[1])
    assert raised.value.__notes__ == [
        "attempt 1 failed before: ValueError: one",
        "attempt 2 failed before: OSError: two",
    ]


@virtual_time
async def test_the_traceback_shows_what_failed_and_nothing_of_tenacity() -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as raised:
        await retry(3)(fail)()
    frames = traceback.extract_tb(raised.value.__traceback__)
    assert frames[-1].name == "fail"
    assert not [frame.filename for frame in frames if "tenacity" in frame.filename]


@dataclass(frozen=True)
class FrozenFailure(Exception):
    """Refuses every assignment, `add_note` included."""

    reason: str


@virtual_time
async def test_an_error_that_refuses_assignment_is_raised_as_it_was_too() -> None:
    last = FrozenFailure("last")
    with pytest.raises(FrozenFailure) as raised:
        await retry(2)(Script([FrozenFailure("first"), last]))()
    assert raised.value is last
    assert [str(error) for error in earlier_errors(last)] == ["first"]
    assert len(last.__notes__) == 1


@virtual_time
async def test_a_retry_around_a_retry_tells_of_all_errors_in_order() -> None:
    script = Script([ValueError(str(number)) for number in range(4)])
    with pytest.raises(ValueError, match="3") as raised:
        await retry(2)(retry(2)(script))()
    assert [str(error) for error in earlier_errors(raised.value)] == ["1", "2"]
    assert len(raised.value.__notes__) == 2


@virtual_time
async def test_an_error_that_comes_again_and_again_does_not_tell_of_itself() -> None:
    error = ValueError("always the same")
    with pytest.raises(ValueError, match="always the same") as raised:
        await retry(5)(Script([error] * 5))()
    assert earlier_errors(raised.value) == ()
    assert not hasattr(raised.value, "__notes__")


@virtual_time
async def test_an_error_with_earlier_ones_can_be_pickled_and_copied_whatever_they_hold() -> None:
    stubborn = ValueError(Lock())
    with pytest.raises(KeyError) as raised:
        await retry(2)(Script([stubborn, KeyError("last")]))()
    for copied in (pickle.loads(pickle.dumps(raised.value)), copy.deepcopy(raised.value)):
        assert copied.args == ("last",)
        assert len(copied.__notes__) == 1
        assert earlier_errors(copied) == ()


def test_an_error_that_was_never_retried_has_none_before() -> None:
    assert earlier_errors(ValueError()) == ()


@virtual_time
async def test_errors_that_it_is_not_for_are_raised_at_once() -> None:
    script = Script([OSError("again"), ValueError("not again")])
    with pytest.raises(ValueError, match="not again") as raised:
        await retry(5, on=OSError)(script)()
    assert len(script.at_s) == 2
    assert [str(error) for error in earlier_errors(raised.value)] == ["again"]

    script = Script([ValueError("busy"), ValueError("wrong")])
    with pytest.raises(ValueError, match="wrong"):
        await retry(5, on=lambda error: "busy" in str(error))(script)()
    assert len(script.at_s) == 2


@virtual_time
async def test_each_error_is_judged_once() -> None:
    judged: list[str] = []

    def is_wanted(error: Exception) -> bool:
        judged.append(str(error))
        return True

    with pytest.raises(ValueError, match="3"):
        await retry(3, on=is_wanted)(Script([ValueError(str(number)) for number in (1, 2, 3)]))()
    assert judged == ["1", "2", "3"]


@pytest.mark.parametrize("error", [BranchCancelled("over"), RequestTooLarge("never"), IsolationError("a lock")])
@virtual_time
async def test_what_no_second_try_can_change_is_not_tried_again(error: Exception) -> None:
    script = Script([error] * 3)
    with pytest.raises(type(error)):
        await retry(3)(script)()
    assert len(script.at_s) == 1


@virtual_time
async def test_a_cancelled_call_is_not_tried_again() -> None:
    script = Script([ValueError("first"), asyncio.CancelledError("second")])
    with pytest.raises(asyncio.CancelledError, match="second"):
        await retry(5)(script)()
    assert len(script.at_s) == 2


@virtual_time
async def test_a_cancellation_while_it_waits_ends_it() -> None:
    script = Script([Busy(100)] * 9)
    task = asyncio.ensure_future(retry(9)(script)())
    await asyncio.sleep(10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(script.at_s) == 1
    assert now() == 10


@virtual_time
async def test_waits_double_up_to_the_longest() -> None:
    script = Script([ValueError()] * 7)
    await retry(8, wait_initial_s=0.5, wait_max_s=10, random=Longest())(script)()
    assert script.waits_s() == [0.5, 1, 2, 4, 8, 10, 10]


@virtual_time
async def test_thousands_of_attempts_overflow_nothing() -> None:
    script = Script([ValueError()] * 3000)
    assert await retry(3001, wait_max_s=1, random=Longest())(script)() == 3001


@given(st.integers(0, 2**32), st.floats(0, 5), st.floats(0, 20), st.integers(1, 8))
def test_every_wait_is_within_bounds_and_the_same_seed_waits_the_same(
    seed: int, wait_initial_s: float, wait_max_s: float, attempts: int
) -> None:
    async def waits_s() -> list[float]:
        script = Script([ValueError()] * (attempts - 1))
        options = {"wait_initial_s": wait_initial_s, "wait_max_s": wait_max_s, "random": Random(seed)}
        await retry(attempts, **options)(script)()  # type: ignore[arg-type]
        return script.waits_s()

    once = run(waits_s())
    assert once == run(waits_s())
    for number, wait_s in enumerate(once):
        assert 0 <= wait_s <= min(wait_max_s, wait_initial_s * 2**number) + 1e-6


@virtual_time
async def test_jitter_spreads_calls_over_the_whole_wait() -> None:
    scripts = [Script([ValueError()]) for _ in range(200)]
    wrapper = retry(2, wait_initial_s=10, random=Random(7))
    await asyncio.gather(*(wrapper(script)() for script in scripts))
    waits_s = sorted(script.waits_s()[0] for script in scripts)
    assert waits_s[0] < 1
    assert waits_s[-1] > 9
    assert 4 < waits_s[100] < 6


@virtual_time
async def test_a_wait_that_the_error_asks_for_comes_before_the_chosen_one() -> None:
    script = Script([Busy(20), Busy(0)])
    await retry(3, wait_initial_s=1, wait_max_s=1, random=Longest())(script)()
    assert script.waits_s() == [21, 1]


@virtual_time
async def test_an_open_breaker_is_waited_for() -> None:
    script = Script([BreakerOpen("search was not called", retry_after_s=12)])
    await retry(2, wait_initial_s=0)(script)()
    assert script.waits_s() == [12]


@virtual_time
async def test_it_gives_up_at_once_where_the_error_asks_for_too_long_a_wait() -> None:
    script = Script([Busy(301)] * 3)
    with pytest.raises(Busy):
        await retry(3)(script)()
    assert now() == 0
    script = Script([Busy(3600)])
    assert await retry(3, retry_after_max_s=3600)(script)() == 2


@virtual_time
async def test_no_attempt_begins_after_the_budget() -> None:
    script = Script([Busy(10)] * 9)
    with pytest.raises(Busy):
        await retry(9, wait_initial_s=0, budget_s=35)(script)()
    assert script.at_s == [0, 10, 20, 30]
    assert now() == 30


@virtual_time
async def test_the_budget_counts_the_attempts_too() -> None:
    calls: list[float] = []

    async def slow() -> None:
        calls.append(now())
        await asyncio.sleep(30)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 it has no message
        await retry(9, wait_initial_s=0, budget_s=65)(slow)()
    assert calls == [0, 30, 60]


@virtual_time
async def test_each_attempt_starts_from_the_arguments_as_they_were() -> None:
    seen: list[tuple[list[int], dict[str, list[int]]]] = []
    given = [1, 2]
    shared = {"shared": given}

    @retry(3)
    async def spoil(numbers: list[int], *, more: dict[str, list[int]]) -> list[int]:
        seen.append((list(numbers), {key: list(value) for key, value in more.items()}))
        numbers.append(99)
        # The same list twice stays one list.
        assert more["shared"][-1] == 99
        more["new"] = []
        if len(seen) < 3:
            raise ValueError
        return numbers

    assert await spoil(given, more=shared) == [1, 2, 99]
    assert seen == [([1, 2], {"shared": [1, 2]})] * 3
    assert given == [1, 2]
    assert shared == {"shared": [1, 2]}


@virtual_time
async def test_changes_to_the_arguments_after_the_call_reach_no_attempt() -> None:
    seen: list[list[int]] = []

    @retry(2, wait_initial_s=0)
    async def look(numbers: list[int]) -> None:
        seen.append(list(numbers))
        await asyncio.sleep(10)
        if len(seen) < 2:
            raise ValueError

    given = [1]
    task = asyncio.create_task(look(given))
    await asyncio.sleep(5)
    given.append(2)
    await task
    assert seen == [[1], [1]]


class Client:
    """Holds what can't be copied."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.calls = 0

    @retry(3)
    async def ask(self, question: list[str]) -> list[str]:
        self.calls += 1
        question.append("?")
        if self.calls < 3:
            raise ConnectionError
        return question

    async def plain(self, question: list[str]) -> list[str]:
        return await Client.ask(self, question)


@virtual_time
async def test_the_object_of_a_method_is_passed_as_it_is() -> None:
    client = Client()
    assert await client.ask(["why"]) == ["why", "?"]
    assert client.calls == 3
    client.calls = 0
    assert await retry(2)(client.plain)(["why"]) == ["why", "?"]


@virtual_time
async def test_what_cannot_be_copied_is_refused_unless_told_to_pass_it_as_it_is() -> None:
    async def use(client: Client, question: list[str]) -> list[str]:
        return await client.plain(question)

    client = Client()
    with pytest.raises(IsolationError) as raised:
        await retry(3)(use)(client, ["why"])
    assert raised.value.hint
    assert "isolate=False" in raised.value.hint
    assert client.calls == 0
    assert await retry(3, isolate=False)(use)(client, ["why"]) == ["why", "?"]


@virtual_time
async def test_a_single_attempt_gets_the_arguments_themselves() -> None:
    async def same(numbers: list[int]) -> list[int]:
        return numbers

    given = [1]
    assert await retry(1)(same)(given) is given
    with pytest.raises(ValueError, match="once"):
        await retry(1)(Script([ValueError("once")]))()


@virtual_time
async def test_a_branch_counts_its_attempts_and_tells_of_each_retry() -> None:
    events: list[Event] = []
    attempts: list[int] = []

    @retry(3, wait_initial_s=1, random=Longest())
    async def branch(item: str) -> str:
        running = current_branch()
        assert running
        attempts.append(running.attempt)
        if len(attempts) < 3:
            raise ConnectionError(f"{item} {len(attempts)}")
        return item

    [outcome] = await fan_out(branch, ["a"], limit=1, on_event=events.append)
    assert isinstance(outcome, Done)
    assert (outcome.value, outcome.attempts) == ("a", 3)
    assert attempts == [1, 2, 3]
    retries = [(one.path, one.attempt, str(one.error), one.wait_s) for one in events if isinstance(one, BranchRetried)]
    assert retries == [(("a",), 1, "a 1", 1), (("a",), 2, "a 2", 2)]


@virtual_time
async def test_a_branch_that_fails_for_good_is_one_failure_with_all_its_attempts() -> None:
    @retry(4, wait_initial_s=0)
    async def branch(item: str) -> str:
        raise ConnectionError(item)

    [outcome] = await fan_out(branch, ["a"], limit=1)
    assert isinstance(outcome, Failed)
    assert outcome.attempts == 4
    assert len(earlier_errors(outcome.error)) == 3
    assert outcome.traceback.count("failed before: ConnectionError: a") == 3


@virtual_time
async def test_a_branch_that_waits_gives_its_slot_to_others() -> None:
    began: list[tuple[str, float]] = []

    @retry(2, wait_initial_s=0)
    async def branch(item: str) -> None:
        began.append((item, now()))
        await asyncio.sleep(1)
        if item == "a" and len(began) == 1:
            raise Busy(10)

    await fan_out(branch, ["a", "b", "c"], limit=1)
    assert began == [("a", 0), ("b", 1), ("c", 2), ("a", 11)]


@virtual_time
async def test_a_retry_in_a_branch_starts_from_the_item_as_the_call_got_it() -> None:
    seen: list[dict[str, list[int]]] = []

    @retry(3, wait_initial_s=0)
    async def inner(item: dict[str, list[int]]) -> None:
        seen.append({key: list(value) for key, value in item.items()})
        item["numbers"].append(len(seen))
        if len(seen) < 3:
            raise ValueError

    async def branch(item: dict[str, list[int]]) -> list[int]:
        item["numbers"].append(0)
        await inner(item)
        return item["numbers"]

    [outcome] = await fan_out(branch, [{"numbers": [7]}], limit=1)
    assert isinstance(outcome, Done)
    assert outcome.value == [7, 0]
    assert seen == [{"numbers": [7, 0]}] * 3


@virtual_time
async def test_calls_at_the_same_time_are_counted_apart() -> None:
    scripts = [Script([ValueError()] * number) for number in range(5)]
    wrapper = retry(5, wait_initial_s=3)
    assert await asyncio.gather(*(wrapper(script)() for script in scripts)) == [1, 2, 3, 4, 5]


@virtual_time
async def test_partials_and_callable_objects_can_be_wrapped() -> None:
    async def add(left: int, right: int) -> int:
        return left + right

    assert await retry(2)(functools.partial(add, 1))(2) == 3
    assert retry(2)(add).__name__ == "add"


def test_tenacity_is_imported_for_the_first_error_and_not_before() -> None:
    code = """
import asyncio, sys
from fanfold.engine.retry import retry

@retry(2, wait_initial_s=0)
async def call(fail):
    if fail and not failed:
        failed.append(1)
        raise ValueError

failed = []
asyncio.run(call(False))
print("tenacity" in sys.modules)
asyncio.run(call(True))
print("tenacity" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    "options",
    [{"attempts": 0}, {"wait_initial_s": -1}, {"wait_max_s": -1}, {"budget_s": -1}, {"retry_after_max_s": -1}],
)
def test_numbers_out_of_range_are_refused(options: dict[str, Any]) -> None:
    wrap: Callable[..., object] = retry
    with pytest.raises(ValueError, match="at least"):
        wrap(**options)


@pytest.mark.parametrize(
    "options",
    [{"attempts": 1.5}, {"attempts": "3"}, {"attempts": True}, {"wait_max_s": "30"}, {"budget_s": True}],
    ids=str,
)
def test_what_is_no_number_is_refused_by_name(options: Any) -> None:
    (name,) = options
    with pytest.raises(TypeError, match=f"{name} is a .*number"):
        retry(**options)
