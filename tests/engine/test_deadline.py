from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from fanfold.engine import DeadlineExceeded, Failed, fan_out
from fanfold.engine.deadline import deadline
from fanfold.testing.clock import virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


def other_tasks() -> int:
    return len(asyncio.all_tasks()) - 1


@virtual_time
async def test_a_call_that_ends_in_time_returns_its_value() -> None:
    @deadline(2)
    async def answer(number: int, *, double: bool) -> int:
        await asyncio.sleep(1)
        return number * 2 if double else number

    assert await answer(21, double=True) == 42


@virtual_time
async def test_a_call_that_takes_too_long_is_cancelled_and_the_error_names_the_function() -> None:
    @deadline(2)
    async def dawdle() -> None:
        await asyncio.sleep(60)

    with pytest.raises(DeadlineExceeded, match=r"dawdle was cancelled after 2 s, its deadline") as raised:
        await dawdle()
    assert now() == 2
    assert raised.value.hint
    assert isinstance(raised.value.__cause__, TimeoutError)


@virtual_time
async def test_in_a_branch_the_error_names_the_branch() -> None:
    @deadline(2, name="asking")
    async def dawdle(item: str) -> str:
        await asyncio.sleep(60)
        return item

    [failed] = await fan_out(dawdle, ["a.py"], limit=1)
    assert isinstance(failed, Failed)
    assert str(failed.error) == "asking in the branch a.py was cancelled after 2 s, its deadline"


@virtual_time
async def test_what_is_timed_out_is_awaited_until_it_has_ended() -> None:
    ended: list[float] = []

    @deadline(2)
    async def tidy() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(3)
            ended.append(now())

    with pytest.raises(DeadlineExceeded):
        await tidy()
    assert ended == [5]
    assert not other_tasks()


@virtual_time
async def test_a_value_or_error_after_the_deadline_does_not_count() -> None:
    @deadline(1)
    async def late_value() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "late"
        return "never"

    @deadline(1)
    async def late_error() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("while it tidied up")

    with pytest.raises(DeadlineExceeded):
        await late_value()
    with pytest.raises(DeadlineExceeded) as raised:
        await late_error()
    assert str(raised.value.__cause__) == "while it tidied up"


@virtual_time
async def test_an_error_in_time_is_raised_as_it_was() -> None:
    error = TimeoutError("the server's own")

    @deadline(1)
    async def fail() -> None:
        raise error

    with pytest.raises(TimeoutError) as raised:
        await fail()
    assert raised.value is error


@virtual_time
async def test_the_inner_deadline_does_not_pass_for_the_outer_one() -> None:
    @deadline(5, name="outer")
    @deadline(1, name="inner")
    async def dawdle() -> None:
        await asyncio.sleep(60)

    with pytest.raises(DeadlineExceeded, match=r"^inner was cancelled after 1 s"):
        await dawdle()


@pytest.mark.parametrize("cancelled_after_s", [1.0, 2.0, 2.5])
@virtual_time
async def test_a_cancelled_caller_gets_the_cancellation_and_no_error_of_the_deadline(cancelled_after_s: float) -> None:
    @deadline(2)
    async def stubborn() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
            raise
        return "never"

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(cancelled_after_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


@virtual_time
async def test_a_cancellation_that_is_swallowed_after_the_deadline_still_reaches_the_caller() -> None:
    @deadline(1)
    async def swallow() -> str:
        for _ in range(2):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
        return "swallowed"

    task = asyncio.create_task(swallow())
    await asyncio.sleep(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@virtual_time
async def test_what_runs_after_a_deadline_is_not_cancelled() -> None:
    @deadline(1)
    async def dawdle() -> None:
        await asyncio.sleep(60)

    with pytest.raises(DeadlineExceeded):
        await dawdle()
    await asyncio.sleep(10)
    task = asyncio.current_task()
    assert task
    assert task.cancelling() == 0


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_deadline_that_nothing_could_meet_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        deadline(seconds)


@pytest.mark.parametrize("seconds", ["3", None, True])
def test_a_deadline_that_is_no_number_is_refused(seconds: Any) -> None:
    with pytest.raises(TypeError, match="a deadline is a number of seconds, not "):
        deadline(seconds)
