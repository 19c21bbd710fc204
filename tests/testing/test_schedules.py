from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest

from fanfold.testing import clock
from fanfold.testing.schedules import explore, randomness, replay

FEW = 200


async def write_and_close() -> None:
    """Wrong where the file is closed before all is written, which the usual order never shows."""
    closed = False

    async def write() -> None:
        await asyncio.sleep(1)
        assert not closed

    async def close() -> None:
        nonlocal closed
        await asyncio.sleep(1)
        closed = True

    await asyncio.gather(write(), write(), close())


async def rare() -> None:
    """Wrong in one order of 120."""
    order: list[int] = []

    async def work(number: int) -> None:
        await asyncio.sleep(1)
        order.append(number)

    await asyncio.gather(*[work(number) for number in range(5)])
    assert order != [3, 1, 4, 0, 2]


def failing_note(main: Callable[[], Coroutine[Any, Any, Any]], error: type[BaseException]) -> str:
    with pytest.raises(error) as caught:
        explore(main)
    return caught.value.__notes__[-1]


@pytest.mark.parametrize("main", [write_and_close, rare])
def test_a_planted_race_is_found_and_replays(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    clock.run(main())  # a loop that decides alike shows nothing
    note = failing_note(main, AssertionError)
    seed = int(note.split()[1])
    assert f"replay({main.__name__}, seed={seed})" in note
    for _ in range(3):
        with pytest.raises(AssertionError):
            replay(main, seed=seed)
    for earlier in range(seed):
        replay(main, seed=earlier)


def names(count: int) -> Callable[[], Coroutine[Any, Any, str]]:
    async def main() -> str:
        order: list[str] = []

        async def work(name: str) -> None:
            await asyncio.sleep(1)
            order.append(name)

        await asyncio.gather(*[work(name) for name in "abcdef"[:count]])
        return "".join(order)

    return main


def test_every_order_of_tasks_comes_up() -> None:
    assert set(explore(names(3), schedules=FEW)) == {"".join(order) for order in permutations("abc")}


def test_seeds_are_counted_from_the_first_one() -> None:
    assert explore(names(6), schedules=3, seed=7) == [replay(names(6), seed=seed) for seed in (7, 8, 9)]
    assert explore(names(6), schedules=0) == []


async def by_sets() -> str:
    """The order in which sets of tasks and futures go."""
    tasks = {asyncio.create_task(asyncio.sleep(randomness().random()), name=str(number)) for number in range(30)}
    order = [task.get_name() for task in tasks]
    futures = {asyncio.get_running_loop().create_future(): number for number in range(30)}
    order += [str(futures[future]) for future in set(futures)]
    done, _ = await asyncio.wait(tasks)
    return " ".join([*order, *(task.get_name() for task in done)])


PROGRAM = "import test_schedules as t; print(t.replay(t.by_sets, seed=3)); print(t.replay(t.names(6), seed=3))"


def test_a_replay_in_another_process_is_the_same() -> None:
    def run(seed: str) -> str:
        paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        settings = os.environ | {"PYTHONPATH": paths, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", PROGRAM], env=settings, capture_output=True, text=True, check=True)
        return done.stdout

    here = f"{replay(by_sets, seed=3)}\n{replay(names(6), seed=3)}\n"
    assert run("1") == run("2") == here


def test_callbacks_keep_their_order() -> None:
    async def main() -> list[int]:
        loop, order = asyncio.get_running_loop(), list[int]()
        tasks = [asyncio.create_task(asyncio.sleep(0)) for _ in range(5)]
        for number in range(10):
            loop.call_soon(order.append, number)
        await asyncio.wait(tasks)
        return order

    assert explore(main, schedules=FEW) == [list(range(10))] * FEW


def test_a_task_is_never_ahead_of_a_callback_that_was_ready_before_it() -> None:
    async def main() -> None:
        loop, called = asyncio.get_running_loop(), list[int]()

        async def check() -> None:
            for number in range(20):
                loop.call_soon(called.append, number)
                await asyncio.sleep(0)
                assert number in called

        await asyncio.gather(*[check() for _ in range(4)])

    explore(main, schedules=FEW)


def test_callbacks_of_a_future_are_called_in_the_order_in_which_they_were_added() -> None:
    async def main() -> None:
        order: list[str] = []
        future = asyncio.get_running_loop().create_future()

        async def wait() -> None:
            await future
            order.append("task")

        future.add_done_callback(lambda _: order.append("before"))
        tasks = [asyncio.create_task(wait()) for _ in range(2)]
        await asyncio.sleep(0)
        future.add_done_callback(lambda _: order.append("after"))
        asyncio.get_running_loop().call_soon(order.append, "other")
        future.set_result(None)
        await asyncio.wait(tasks)
        assert order == ["other", "before", "task", "task", "after"]

    explore(main, schedules=FEW)


def test_a_task_that_yields_goes_on_after_what_it_made_ready() -> None:
    async def main() -> None:
        begun: list[str] = []
        cancelled: list[str] = []

        async def begin(name: str) -> None:
            begun.append(name)
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError:
                cancelled.append(name)

        async def check(name: str) -> None:
            task = asyncio.create_task(begin(name))
            await asyncio.sleep(0)
            assert name in begun
            task.cancel()
            await asyncio.sleep(0)
            assert name in cancelled

        await asyncio.gather(*[check(name) for name in "abcd"])

    explore(main, schedules=FEW)


def test_a_task_may_be_later_than_a_callback_that_was_ready_after_it() -> None:
    async def main() -> str:
        order: list[str] = []

        async def work() -> None:
            order.append("task")

        task = asyncio.create_task(work())
        asyncio.get_running_loop().call_soon(order.append, "callback")
        await task
        return " ".join(order)

    assert set(explore(main, schedules=FEW)) == {"task callback", "callback task"}


def test_timers_of_the_same_time_come_in_any_order_and_others_in_theirs() -> None:
    async def main() -> str:
        loop, order = asyncio.get_running_loop(), list[str]()
        for name, at_s in (("c", 2), ("a", 1), ("b", 1), ("d", 2)):
            loop.call_at(at_s, order.append, name)
        await asyncio.sleep(3)
        return "".join(order)

    expected = {first + second for first, second in product(("ab", "ba"), ("cd", "dc"))}
    assert set(explore(main, schedules=FEW)) == expected


def test_waiting_for_each_other_for_ever_is_found() -> None:
    async def main() -> None:
        one, other = asyncio.Lock(), asyncio.Lock()

        async def both(first: asyncio.Lock, second: asyncio.Lock) -> None:
            async with first:
                await asyncio.sleep(0)
                async with second:
                    pass

        await asyncio.gather(both(one, other), both(other, one))

    assert "schedule 0 failed" in failing_note(main, RuntimeError)


def test_a_run_without_end_is_found() -> None:
    async def main() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="no end after 1000 passes"):
        explore(main, schedules=1, max_passes=1_000)


def test_a_task_that_is_left_behind_is_found() -> None:
    async def main() -> None:
        left = asyncio.create_task(asyncio.sleep(1), name="orphan")
        await asyncio.sleep(0)
        assert not left.done()

    with pytest.raises(RuntimeError, match="tasks were left behind: orphan"):
        explore(main, schedules=1)


def test_an_error_that_reaches_nobody_is_found() -> None:
    async def fail() -> None:
        raise OSError("lost")

    async def main() -> None:
        asyncio.get_running_loop().call_soon(functools.partial(int, "x"))
        await asyncio.sleep(1)

    with pytest.raises(RuntimeError, match="an error reached nobody") as caught:
        explore(main, schedules=1)
    assert isinstance(caught.value.__cause__, ValueError)

    async def forget() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(1)
        del task

    with pytest.raises(RuntimeError, match="an error reached nobody"):
        explore(forget, schedules=1)


def test_time_is_virtual_and_starts_anew() -> None:
    async def main() -> float:
        await asyncio.sleep(10_000)
        return asyncio.get_running_loop().time()

    assert explore(main, schedules=3) == [10_000] * 3


def test_random_numbers_are_those_of_the_schedule() -> None:
    async def main() -> tuple[float, float]:
        await asyncio.sleep(randomness().random())
        return asyncio.get_running_loop().time(), randomness().random()

    assert explore(main, schedules=5) == explore(main, schedules=5)
    assert len(set(explore(main, schedules=5))) == 5


async def test_random_numbers_are_for_schedules_alone() -> None:
    with pytest.raises(RuntimeError, match="use explore or replay"):
        randomness()


async def use_lock() -> None:
    lock, inside = asyncio.Lock(), 0

    async def work() -> None:
        nonlocal inside
        async with lock:
            inside += 1
            try:
                await asyncio.sleep(randomness().choice([0, 1]))
                assert inside == 1
            finally:
                inside -= 1

    tasks = [asyncio.create_task(work()) for _ in range(6)]
    await asyncio.sleep(1)
    tasks[2].cancel()
    await asyncio.wait(tasks)
    assert not lock.locked()


async def use_semaphore() -> None:
    semaphore, inside = asyncio.BoundedSemaphore(2), 0

    async def work() -> None:
        nonlocal inside
        async with semaphore:
            inside += 1
            assert inside <= 2
            await asyncio.sleep(randomness().choice([0, 1]))
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(work())


async def use_queue() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(2)
    taken: list[int] = []

    async def take() -> None:
        while True:
            taken.append(await queue.get())
            queue.task_done()

    takers = [asyncio.create_task(take()) for _ in range(3)]
    for number in range(20):
        await queue.put(number)
    await queue.join()
    for taker in takers:
        taker.cancel()
    await asyncio.gather(*takers, return_exceptions=True)
    assert sorted(taken) == list(range(20))


async def use_condition() -> None:
    condition, ready = asyncio.Condition(), 0

    async def wait(at_least: int) -> None:
        async with condition:
            await condition.wait_for(lambda: ready >= at_least)

    async with asyncio.TaskGroup() as group:
        for at_least in (3, 1, 2, 3):
            group.create_task(wait(at_least))
        for _ in range(3):
            await asyncio.sleep(0)
            async with condition:
                ready += 1
                condition.notify_all()


async def use_timeouts() -> None:
    async def work(takes_s: float) -> float:
        await asyncio.sleep(takes_s)
        return takes_s

    async def within(takes_s: float) -> float | None:
        try:
            return await asyncio.wait_for(work(takes_s), 2)
        except TimeoutError:
            return None

    assert await asyncio.gather(*[within(takes_s) for takes_s in (1, 3, 1.5, 4)]) == [1, None, 1.5, None]


async def use_task_group() -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise OSError

    caught = False
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(fail())
                group.create_task(asyncio.sleep(5))
    except* OSError:
        caught = True
    assert caught


SOUND = [use_lock, use_semaphore, use_queue, use_condition, use_timeouts, use_task_group]


@pytest.mark.parametrize("main", SOUND)
def test_asyncio_itself_raises_no_alarm(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    explore(main, schedules=FEW)
