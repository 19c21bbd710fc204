from __future__ import annotations

import asyncio
import functools
import threading
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fanfold.engine import Done, Failed, Limit, fan_out
from fanfold.engine.caching import CacheError, CacheKey, MemoryStore, SqliteStore, Store, cache, run_once
from fanfold.engine.content import ContentError
from fanfold.engine.retry import retry
from fanfold.testing.clock import virtual_time


@dataclass
class Answer:
    words: list[str]


@dataclass
class Work:
    """An async function that takes a second, counts its runs, and sees how many run together."""

    runs: int = 0
    together: int = 0
    most: int = 0
    error: BaseException | None = None

    async def __call__(self, question: str = "?", *, loud: bool = False) -> Answer:
        self.runs += 1
        self.together += 1
        self.most = max(self.most, self.together)
        try:
            await asyncio.sleep(1)
        finally:
            self.together -= 1
        if self.error:
            raise self.error
        return Answer([question.upper() if loud else question])


def on(store: Store, work: Work, **options: Any) -> Callable[..., Coroutine[Any, Any, Answer]]:
    cached: Callable[..., Coroutine[Any, Any, Answer]] = cache(store, name="work", returns=Answer, **options)(work)
    return cached


@virtual_time
async def test_equal_calls_run_once() -> None:
    work = Work()
    ask = on(MemoryStore(), work)
    assert await ask("a") == await ask("a") == Answer(["a"])
    assert await ask("b") == Answer(["b"])
    assert work.runs == 2


@virtual_time
async def test_the_form_of_a_call_makes_no_difference() -> None:
    work = Work()
    ask = on(MemoryStore(), work)
    for _ in range(2):
        await ask("a")
        await ask(question="a")
        await ask("a", loud=False)
    assert work.runs == 1
    await ask("a", loud=True)
    assert work.runs == 2


@virtual_time
async def test_wrong_arguments_are_told_as_without_a_cache() -> None:
    with pytest.raises(TypeError, match=r"missing|unexpected"):
        await on(MemoryStore(), Work())(wrong=1)


@virtual_time
async def test_equal_calls_at_the_same_time_share_one_run() -> None:
    work, store = Work(), MemoryStore()
    ask = on(store, work)
    answers = await asyncio.gather(*[ask("a") for _ in range(50)], *[ask("b") for _ in range(50)])
    assert answers == [Answer(["a"])] * 50 + [Answer(["b"])] * 50
    assert work.runs == work.most == 2
    counted = store.statistics
    assert (counted.hits, counted.misses, counted.joined, counted.stored) == (0, 2, 98, 2)


async def test_equal_calls_share_one_look_at_the_disk(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "cache.db") as store:
        work = Work()
        ask = on(store, work)
        await asyncio.gather(*[ask("a") for _ in range(20)])
        await asyncio.gather(*[ask("a") for _ in range(20)])
        counted = store.statistics
    assert work.runs == 1
    assert (counted.hits, counted.misses, counted.joined) == (1, 1, 38)


@virtual_time
async def test_two_wrappers_of_one_function_share_runs_and_results() -> None:
    work, store = Work(), MemoryStore()
    await asyncio.gather(on(store, work)("a"), on(store, work)("a"))
    await on(store, work)("a")
    assert work.runs == 1


@virtual_time
async def test_versions_and_names_keep_results_apart() -> None:
    work, store = Work(), MemoryStore()
    for version in ("1", "2"):
        await on(store, work, version=version)("a")
    await cache(store, name="other", version="1")(work)("a")
    assert work.runs == 3
    assert await store.invalidate(version="1") == 2
    await on(store, work, version="2")("a")
    assert work.runs == 3


@virtual_time
async def test_callers_cannot_change_what_others_get() -> None:
    ask = on(MemoryStore(), Work())

    async def change() -> Answer:
        answer = await ask("a")
        assert answer == Answer(["a"])
        answer.words.append("changed")
        return answer

    await asyncio.gather(*[change() for _ in range(3)])
    await change()


@virtual_time
async def test_a_key_of_its_own_counts_instead_of_the_arguments() -> None:
    work, store = Work(), MemoryStore()
    ask = cache(store, name="ask", key=lambda question, **_: question.strip())(work)
    await ask(" a")
    await ask("a ", loud=True)
    await ask("b")
    assert work.runs == 2
    assert await store.invalidate("ask:a") == 1
    assert await store.invalidate("ask:*") == 1


@virtual_time
async def test_results_last_as_long_as_said() -> None:
    work = Work()
    ask = on(MemoryStore(ttl_s=1_000), work, ttl_s=10)
    await ask("a")
    await asyncio.sleep(9)
    await ask("a")
    assert work.runs == 1
    await asyncio.sleep(2)
    await ask("a")
    assert work.runs == 2


@virtual_time
async def test_errors_reach_all_who_wait_and_are_not_kept() -> None:
    work, store = Work(error=OSError("down")), MemoryStore()
    ask = on(store, work)
    ended = await asyncio.gather(*[ask("a") for _ in range(5)], return_exceptions=True)
    assert [str(error) for error in ended] == ["down"] * 5
    assert work.runs == 1
    work.error = None
    assert await ask("a") == Answer(["a"])
    assert work.runs == 2


@virtual_time
async def test_an_error_for_many_has_the_traceback_that_the_first_call_had() -> None:
    async def shown_to(callers: int) -> int:
        ask = on(MemoryStore(), Work(error=OSError("down")))
        ended = await asyncio.gather(*[ask("a") for _ in range(callers)], return_exceptions=True)
        (error,) = {error for error in ended if isinstance(error, OSError)}
        lines = traceback.format_exception(error)
        assert "in __call__" in "".join(lines)
        return len(lines)

    assert await shown_to(40) <= await shown_to(1) + 3


@virtual_time
async def test_another_takes_over_where_the_first_call_is_cancelled() -> None:
    work = Work()
    ask = on(MemoryStore(), work)
    first, *others = [asyncio.create_task(ask("a")) for _ in range(5)]
    await asyncio.sleep(0.5)
    first.cancel()
    assert await asyncio.gather(*others) == [Answer(["a"])] * 4
    assert first.cancelled()
    assert work.runs == 2
    assert work.most == 1


@virtual_time
async def test_one_who_is_cancelled_while_taking_over_hands_on() -> None:
    work = Work()
    ask = on(MemoryStore(), work)
    tasks = [asyncio.create_task(ask("a")) for _ in range(4)]
    await asyncio.sleep(0.5)
    tasks[2].cancel()  # waits, and is gone when its turn comes
    tasks[0].cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks[1].cancel()  # has been told to run
    assert await tasks[3] == Answer(["a"])
    assert [task.cancelled() for task in tasks] == [True, True, True, False]


@virtual_time
async def test_nothing_is_left_where_all_are_cancelled() -> None:
    work = Work()
    ask = on(MemoryStore(), work)
    tasks = [asyncio.create_task(ask("a")) for _ in range(4)]
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    runs = work.runs
    assert await ask("a") == Answer(["a"])
    assert work.runs == runs + 1


@virtual_time
async def test_one_who_waits_can_be_cancelled_alone() -> None:
    work = Work()
    ask = on(MemoryStore(), work)
    first, waiting = [asyncio.create_task(ask("a")) for _ in range(2)]
    await asyncio.sleep(0.5)
    waiting.cancel()
    assert await first == Answer(["a"])
    assert waiting.cancelled()
    assert work.runs == 1


@virtual_time
async def test_a_result_of_before_an_invalidation_is_not_kept() -> None:
    work, store = Work(), MemoryStore()
    ask = on(store, work)
    early = asyncio.create_task(ask("a"))
    await asyncio.sleep(0.5)
    await store.invalidate()
    late = asyncio.create_task(ask("a"))
    await early
    assert store.statistics.stored == 0
    await late
    await ask("a")
    assert work.runs == 2
    assert store.statistics.stored == 1


@virtual_time
async def test_a_call_from_within_the_run_does_not_wait_for_itself() -> None:
    store = MemoryStore()
    key = CacheKey.of("countdown", "1", None)
    depths = [0, 1, 2]

    async def count_down() -> list[int]:
        depth = depths.pop()
        if depth:
            (inner,) = await fan_out(lambda _: run_once(store, key, count_down), ["inner"], limit=1)
            assert isinstance(inner, Done)
            return [depth, *inner.value]
        return [depth]

    assert await run_once(store, key, count_down) == [2, 1, 0]


@virtual_time
async def test_a_task_that_outlives_the_run_uses_the_cache_again() -> None:
    store, work = MemoryStore(), Work()
    left: list[asyncio.Task[Answer]] = []

    async def later() -> Answer:
        await asyncio.sleep(5)
        return await ask("a")

    async def begin(question: str) -> Answer:
        if not left:
            left.append(asyncio.create_task(later()))
        return await work(question)

    ask = cache(store, name="begin")(begin)
    await ask("a")
    await left[0]
    assert work.runs == 1


@virtual_time
async def test_waiting_for_another_gives_up_the_slot() -> None:
    limit, work, store = Limit(2), Work(), MemoryStore()
    ask = on(store, work)
    order: list[str] = []

    async def branch(item: str) -> None:
        if item.startswith("ask"):
            await ask("a")
        order.append(item)

    outcomes = await fan_out(branch, ["ask 1", "ask 2", "ask 3", "other 1", "other 2"], limit=limit)
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert order[:2] == ["other 1", "other 2"]
    assert work.runs == 1
    assert limit.running == 0


@virtual_time
async def test_deadline_of_the_branch_that_runs_does_not_end_the_others() -> None:
    work = Work()
    ask = on(MemoryStore(), work)

    async def impatient(_: str) -> Answer:
        async with asyncio.timeout(0.5):
            return await ask("a")

    async def patient(_: str) -> Answer:
        return await ask("a")

    first = asyncio.create_task(fan_out(impatient, ["x"], limit=1))
    await asyncio.sleep(0.1)
    second = await fan_out(patient, ["y"], limit=1)
    assert isinstance((await first)[0], Failed)
    assert isinstance(second[0], Done)


@virtual_time
async def test_arguments_without_content_are_refused_by_name() -> None:
    with pytest.raises(ContentError, match=r"object has no stable content: at .*\['question'\]"):
        await on(MemoryStore(), Work())(object())


@virtual_time
async def test_a_result_that_cannot_be_kept_is_an_error_for_all() -> None:
    async def make() -> list[object]:
        await asyncio.sleep(1)
        return [threading.Lock()]

    store, key = MemoryStore(), CacheKey.of("make", "1", None)
    calls = [run_once(store, key, make) for _ in range(2)]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error).__name__ for error in ended} == {"IsolationError"}


async def top_level(question: str, *rest: int, **more: int) -> list[object]:
    return [question, *rest, *sorted(more)]


@virtual_time
async def test_a_function_has_its_own_name_by_default() -> None:
    store = MemoryStore()
    assert await cache(store)(top_level)("a", 1, 2, b=3) == ["a", 1, 2, "b"]
    assert await cache(store)(top_level)("a", 1, 2, c=3) == ["a", 1, 2, "c"]
    assert await store.invalidate("*test_cached.top_level") == 2
    assert cache(store)(top_level).__name__ == "top_level"


def test_functions_that_a_name_does_not_tell_apart_need_one() -> None:
    store, variable = MemoryStore(), ["x"]

    async def uses_variable() -> list[str]:
        return variable

    async def uses_none(text: str = "") -> str:
        return text

    class Asker:
        async def ask(self) -> None:
            """Whom it asks isn't among its arguments."""

        @retry(2)
        async def ask_again(self) -> None:
            """Nor here, and a decorator leads to a function that has a name."""

    renamed = functools.partial(uses_none, "a")
    functools.update_wrapper(renamed, uses_none)

    @functools.wraps(uses_variable)
    async def wrapper() -> list[str]:
        return await uses_variable()

    with pytest.raises(CacheError, match="uses_variable uses variable of the function around it") as caught:
        cache(store)(uses_variable)
    assert caught.value.hint
    refused: list[Callable[..., Awaitable[Any]]] = [
        *(wrapper, Asker().ask, Asker().ask_again, Work()),
        *(functools.partial(uses_none, "a"), renamed, lambda: uses_none("a")),
    ]
    for function in refused:
        with pytest.raises(CacheError):
            cache(store)(function)
        cache(store, name="given")(function)
    cache(store)(uses_none)


async def annotated(word: str) -> Answer:
    return Answer([word])


def promised(word: str) -> Awaitable[Answer]:
    return annotated(word)


async def test_the_annotation_says_how_a_result_is_read(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "cache.db") as store:
        for function in (annotated, promised):
            for _ in range(2):
                assert await cache(store)(function)("a") == Answer(["a"])
        assert store.statistics.hits == 2


def test_bounds_are_checked_where_it_is_made() -> None:
    with pytest.raises(ValueError, match="ttl_s"):
        cache(MemoryStore(), ttl_s=0)


def test_every_event_loop_makes_its_own_runs() -> None:
    store, work = MemoryStore(), Work()

    async def begin() -> None:
        task = asyncio.create_task(on(store, work)("a"))
        await asyncio.sleep(0)
        del task

    async def ask() -> Answer:
        return await on(store, work)("a")

    asyncio.run(begin())
    assert asyncio.run(ask()) == Answer(["a"])


@pytest.mark.parametrize("store", [MemoryStore, SqliteStore])
def test_a_class_is_no_store(store: Any) -> None:
    with pytest.raises(
        TypeError, match=rf"{store.__name__} is a class where a store belongs: .*{store.__name__}\(\.\.\.\)"
    ):
        cache(store)
