from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel

from fanfold.engine import DeadlineExceeded, Done, Failed, current_branch, fan_out
from fanfold.engine.content import ContentError
from fanfold.engine.deadline import deadline
from fanfold.engine.journal import FailedBefore, Journal, JournalError
from fanfold.engine.retry import retry


class Ran:
    """A branch function that remembers what it was called with; negative items fail."""

    def __init__(self) -> None:
        self.items: list[int] = []

    async def double(self, item: int) -> int:
        self.items.append(item)
        await asyncio.sleep(0)
        if item < 0:
            raise ValueError(f"{item} is negative")
        return item * 2

    def taken(self) -> list[int]:
        items, self.items = self.items, []
        return items


@pytest.fixture
def ran() -> Ran:
    return Ran()


async def run(path: Path, ran: Ran, items: list[int], **options: Any) -> list[Any]:
    """A whole program run: the values, or the errors, of the items."""
    async with Journal.open(path, **{"run": "a", "version": "1", **options}) as journal:
        outcomes = await fan_out(journal.wrap(ran.double, name="double"), items, limit=2)
    return [outcome.value if isinstance(outcome, Done) else outcome.error for outcome in outcomes]


async def test_finished_branches_are_not_run_again(path: Path, ran: Ran) -> None:
    assert await run(path, ran, [1, 2, 3]) == [2, 4, 6]
    assert ran.taken() == [1, 2, 3]
    assert await run(path, ran, [1, 2, 3]) == [2, 4, 6]
    assert ran.taken() == []


async def test_only_what_is_new_runs(path: Path, ran: Ran) -> None:
    await run(path, ran, [1, 2])
    ran.taken()
    assert await run(path, ran, [1, 2, 3, 4]) == [2, 4, 6, 8]
    assert ran.taken() == [3, 4]


async def test_a_changed_item_runs_again_and_the_old_row_stays(path: Path, ran: Ran) -> None:
    await run(path, ran, [1, 2])
    ran.taken()
    assert await run(path, ran, [1, 5]) == [2, 10]
    assert ran.taken() == [5]
    assert (await Journal.runs(path))[0].done == 3
    assert await run(path, ran, [1, 2]) == [2, 4]
    assert ran.taken() == []


async def test_another_version_of_the_flow_runs_all_again(path: Path, ran: Ran) -> None:
    await run(path, ran, [1, 2])
    ran.taken()
    await run(path, ran, [1, 2], version="2")
    assert ran.taken() == [1, 2]
    await run(path, ran, [1, 2], version="1")
    assert ran.taken() == []


async def test_another_run_of_the_same_journal_has_nothing_in_common(path: Path, ran: Ran) -> None:
    await run(path, ran, [1, 2])
    ran.taken()
    await run(path, ran, [1, 2], run="b")
    assert ran.taken() == [1, 2]


async def test_failed_branches_run_again(path: Path, ran: Ran) -> None:
    for _ in range(2):
        value, error = await run(path, ran, [1, -2])
        assert value == 2
        assert str(error) == "-2 is negative"
    assert ran.taken() == [1, -2, -2]
    (summary,) = await Journal.runs(path)
    assert (summary.done, summary.failed) == (1, 2)


async def test_kept_failures_fail_again_without_running(path: Path, ran: Ran) -> None:
    await run(path, ran, [1, -2])
    ran.taken()
    value, error = await run(path, ran, [1, -2], keep_failures=True)
    assert ran.taken() == []
    assert value == 2
    assert isinstance(error, FailedBefore)
    assert error.error_type == "builtins.ValueError"
    assert "-2 is negative" in error.message
    assert "in double" in error.traceback


async def test_a_journal_counts_what_it_gave_back_and_what_it_recorded(path: Path, ran: Ran) -> None:
    await run(path, ran, [1, -2])
    async with Journal.open(path, run="a", version="1") as journal:
        await fan_out(journal.wrap(ran.double, name="double"), [1, -2, 3], limit=None)
        assert (journal.restored, journal.recorded, journal.token) == (1, 2, 2)


async def test_a_nested_branch_is_found_by_its_whole_path(path: Path) -> None:
    ran: list[tuple[str, ...]] = []

    def here() -> tuple[str, ...]:
        branch = current_branch()
        assert branch is not None
        return branch.path

    async def flow(journal: Journal, fail: bool) -> list[Any]:
        async def inner(_item: int) -> str:
            ran.append(here())
            return "/".join(here())

        async def outer(item: str) -> list[str]:
            ran.append(here())
            values = await fan_out(journal.wrap(inner, name="inner"), range(2), limit=None)
            if fail and item == "b":
                raise RuntimeError
            return [outcome.value for outcome in values if isinstance(outcome, Done)]

        return [
            getattr(outcome, "value", None)
            for outcome in await fan_out(journal.wrap(outer, name="outer"), "ab", limit=None)
        ]

    async with Journal.open(path, run="a", version="1") as journal:
        assert await flow(journal, fail=True) == [["a/0", "a/1"], None]
    assert sorted(ran) == [("a",), ("a", "0"), ("a", "1"), ("b",), ("b", "0"), ("b", "1")]
    ran.clear()
    async with Journal.open(path, run="a", version="1") as journal:
        assert await flow(journal, fail=False) == [["a/0", "a/1"], ["b/0", "b/1"]]
    assert ran == [("b",)]


async def test_the_same_branch_in_rounds_has_an_outcome_for_each(path: Path) -> None:
    answers = iter(range(100))

    async def roll(_item: str) -> int:
        return next(answers)

    async def rounds(number: int) -> list[int]:
        async with Journal.open(path, run="a", version="1") as journal:
            rolled = [await fan_out(journal.wrap(roll, name="roll"), ["x"], limit=1) for _ in range(number)]
        return [outcome.value for (outcome,) in rolled if isinstance(outcome, Done)]

    assert await rounds(2) == [0, 1]
    assert await rounds(3) == [0, 1, 2]
    assert await rounds(3) == [0, 1, 2]


async def test_functions_are_told_apart(path: Path) -> None:
    async def one(item: str) -> str:
        return f"one {item}"

    async def two(item: str) -> str:
        return f"two {item}"

    for _ in range(2):
        async with Journal.open(path, run="a", version="1") as journal:
            ones = await fan_out(journal.wrap(one), ["x"], limit=1)
            twos = await fan_out(journal.wrap(two), ["x"], limit=1)
        assert [outcome.value for outcome in ones + twos if isinstance(outcome, Done)] == ["one x", "two x"]


async def ask(model: str, question: str) -> str:
    return f"{model} on {question}"


class Asker:
    def __init__(self, model: str) -> None:
        self.model = model

    async def ask(self, question: str) -> str:
        return await ask(self.model, question)

    @retry(attempts=2)
    async def ask_again(self, question: str) -> str:
        return await ask(self.model, question)

    async def __call__(self, question: str) -> str:
        return await ask(self.model, question)


def ask_of(model: str) -> Callable[[str], Awaitable[str]]:
    async def asked(question: str) -> str:
        return await ask(model, question)

    return asked


def decorated_partial(model: str) -> Callable[[str], Awaitable[str]]:
    partial = functools.partial(ask, model)
    functools.update_wrapper(partial, ask)
    return partial


MAKERS: dict[str, Callable[[str], Callable[[str], Awaitable[str]]]] = {
    "partial": lambda model: functools.partial(ask, model),
    "partial with the function's name": decorated_partial,
    "retried partial": lambda model: retry(attempts=2)(functools.partial(ask, model)),
    "bound method": lambda model: Asker(model).ask,
    "bound method, decorated": lambda model: Asker(model).ask_again,
    "callable object": Asker,
    "closure": ask_of,
    "retried closure": lambda model: retry(attempts=2)(ask_of(model)),
    "lambda": lambda model: lambda question: ask(model, question),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
async def test_what_a_name_does_not_tell_apart_needs_one_of_its_own(
    path: Path, make: Callable[[str], Callable[[str], Awaitable[str]]]
) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        with pytest.raises(JournalError) as caught:
            journal.wrap(make("small"), returns=str)
        assert "name=" in str(caught.value.hint)
    for restored in (0, 2):
        async with Journal.open(path, run="a", version="1") as journal:
            for model in ("small", "large"):
                assert await journal.wrap(make(model), name=f"ask {model}", returns=str)("it") == f"{model} on it"
            assert journal.restored == restored


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
async def test_a_given_name_is_for_one_function(
    path: Path, make: Callable[[str], Callable[[str], Awaitable[str]]]
) -> None:
    small = make("small")
    async with Journal.open(path, run="a", version="1") as journal:
        journal.wrap(small, name="ask", returns=str)
        journal.wrap(small, name="ask", returns=str)
        with pytest.raises(JournalError, match="two functions") as caught:
            journal.wrap(make("large"), name="ask", returns=str)
        assert "name=" in str(caught.value.hint)


async def test_a_function_may_be_wrapped_again(path: Path) -> None:
    def make() -> Callable[[str], Awaitable[str]]:
        async def branch(item: str) -> str:
            return item

        return branch

    asker = Asker("small")
    async with Journal.open(path, run="a", version="1") as journal:
        for _ in range(2):
            journal.wrap(make())
            journal.wrap(retry(attempts=2)(make()))
            journal.wrap(asker.ask, name="ask")
            journal.wrap(deadline(60)(asker.ask), name="ask")


async def test_two_functions_of_one_name_are_refused(path: Path) -> None:
    def make(model: str = "", *, loud: bool = False) -> Callable[..., Awaitable[str]]:
        async def branch(item: str, model: str = model, *, loud: bool = loud) -> str:
            return f"{model} on {item}{'!' * loud}"

        return branch

    def make_another() -> Callable[[str], Awaitable[str]]:
        async def branch(item: str) -> str:
            return item * 2

        branch.__qualname__ = make().__qualname__
        return branch

    async with Journal.open(path, run="a", version="1") as journal:
        journal.wrap(make())
        for other in (make_another(), make("large"), make(loud=True)):
            with pytest.raises(JournalError, match="two functions") as caught:
                journal.wrap(other)
            assert "name=" in str(caught.value.hint)
        journal.wrap(make_another(), name="another")


async def test_a_journaled_function_works_outside_of_branches_too(path: Path, ran: Ran) -> None:
    for _ in range(2):
        async with Journal.open(path, run="a", version="1") as journal:
            assert await journal.wrap(ran.double, name="double")(4) == 8
    assert ran.taken() == [4]


class Point(NamedTuple):
    x: int
    y: float


@dataclass(frozen=True)
class Answer:
    text: str
    points: tuple[Point, ...]


class Report(BaseModel):
    answers: dict[str, Answer]
    tags: set[str]


async def test_values_come_back_as_their_types(path: Path) -> None:
    report = Report(answers={"a": Answer("yes", (Point(1, 0.5),))}, tags={"t", "u"})

    async def make(_item: int) -> Report:
        return report

    for _ in range(2):
        async with Journal.open(path, run="a", version="1") as journal:
            (outcome,) = await fan_out(journal.wrap(make, name="make"), [1], limit=1)
        assert isinstance(outcome, Done)
        assert outcome.value == report
        assert type(outcome.value.answers["a"].points[0]) is Point
    assert journal.restored == 1


async def test_a_value_that_would_come_back_as_another_is_refused_at_once(path: Path) -> None:
    async def make(_item: int) -> Any:
        return {"pair": (1, 2)}

    async with Journal.open(path, run="a", version="1") as journal:
        (outcome,) = await fan_out(journal.wrap(make), [1], limit=1)
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, ContentError)
        assert "pair" in str(outcome.error)
        (outcome,) = await fan_out(journal.wrap(make, returns=dict[str, tuple[int, int]]), [1], limit=1)
        assert isinstance(outcome, Done)


async def test_the_type_of_values_must_be_known(path: Path) -> None:
    async def untyped(item):  # type: ignore[no-untyped-def]
        return item

    async with Journal.open(path, run="a", version="1") as journal:
        with pytest.raises(JournalError, match="doesn't say what it returns") as caught:
            journal.wrap(untyped)
        assert "returns=" in str(caught.value.hint)
        with pytest.raises(JournalError, match="lambda"):
            journal.wrap(lambda item: asyncio.sleep(0, item), returns=int)
        journal.wrap(untyped, returns=int)


async def test_an_annotation_that_cannot_be_found_is_said(path: Path) -> None:
    class Local: ...

    async def branch(item: int) -> Local:
        raise NotImplementedError

    async with Journal.open(path, run="a", version="1") as journal:
        with pytest.raises(JournalError, match="Local") as caught:
            journal.wrap(branch)
        assert "returns=" in str(caught.value.hint)


async def test_types_are_found_behind_partials_decorators_and_plain_functions(path: Path) -> None:
    async def add(number: int, item: int) -> int:
        return number + item

    def plain(item: int) -> Awaitable[int]:
        return add(3, item)

    class Callee:
        async def __call__(self, item: int) -> int:
            return item + 4

    branches: dict[str, Callable[[int], Awaitable[int]]] = {
        "partial": functools.partial(add, 1),
        "plain": retry(attempts=2)(plain),
        "callee": Callee(),
    }
    for restored in (0, 3):
        async with Journal.open(path, run="a", version="1") as journal:
            assert [await journal.wrap(branch, name=name)(10) for name, branch in branches.items()] == [11, 13, 14]
            assert journal.restored == restored


async def test_a_value_of_a_type_that_has_changed_since_is_an_error_that_says_so(path: Path) -> None:
    async def branch(_item: int) -> str:
        return "text"

    async with Journal.open(path, run="a", version="1") as journal:
        await journal.wrap(branch)(1)
    async with Journal.open(path, run="a", version="1") as journal:
        with pytest.raises(JournalError, match="isn't of the type") as caught:
            await journal.wrap(branch, returns=int)(1)
        assert "version" in str(caught.value.hint)


async def test_shared_state_is_stored_once_and_counts(path: Path) -> None:
    ran = []

    async def look_up(item: str, state: dict[str, Any]) -> int:
        ran.append(item)
        state["words"][item] += 1
        return int(state["words"][item])

    async def counted(words: dict[str, int]) -> list[Any]:
        async with Journal.open(path, run="a", version="1") as journal:
            outcomes = await fan_out(
                journal.wrap(look_up, name="look_up"), words, limit=None, state={"words": words, "n": 0}
            )
        return [outcome.value for outcome in outcomes if isinstance(outcome, Done)]

    words = {f"w{number}": number for number in range(50)}
    assert await counted(words) == list(range(1, 51))
    assert await counted(words) == list(range(1, 51))
    assert len(ran) == 50
    assert stored(path, "SELECT count(*), count(DISTINCT state_hash) FROM outcome") == [(50, 1)]
    assert stored(path, "SELECT json_extract(value, '$.words.w7') FROM state") == [(7,)]
    await counted({**words, "w0": 5})
    assert len(ran) == 100
    assert stored(path, "SELECT count(*) FROM state") == [(2,)]


def stored(path: Path, query: str) -> list[Any]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def test_attempts_go_on_counting_where_the_last_process_stopped(path: Path) -> None:
    async def flaky(_item: int) -> int:
        branch = current_branch()
        assert branch is not None
        raise ValueError(branch.attempt)

    for _ in range(2):
        async with Journal.open(path, run="a", version="1") as journal:
            await fan_out(retry(attempts=2, wait_initial_s=0.001)(journal.wrap(flaky)), [1], limit=1)
    assert stored(path, "SELECT attempt, error FROM outcome") == [(1, "1"), (2, "2"), (3, "1"), (4, "2")]


async def test_a_retry_finds_what_was_durable_when_its_deadline_passed(path: Path) -> None:
    ran = 0

    async def branch(item: int) -> int:
        nonlocal ran
        ran += 1
        return item

    async with Journal.open(path, run="a", version="1") as journal:
        call = journal.wrap(branch, name="branch")
        waiting = asyncio.create_task(call(7))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await call(7) == 7
        assert ran == 1
        assert await call(7) == 7
        assert ran == 2


async def test_what_a_deadline_of_its_own_cuts_off_is_recorded_as_failed(path: Path) -> None:
    async def slow(item: int) -> int:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(60)
        return item

    async def forever(item: int) -> int:
        await asyncio.sleep(60)
        return item

    async with Journal.open(path, run="a", version="1") as journal:
        await fan_out(journal.wrap(slow), [1], limit=1)
        (outcome,) = await fan_out(journal.wrap(forever), [1], limit=1, deadline_s=0.001)
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, DeadlineExceeded)
    assert stored(path, "SELECT function LIKE '%slow', error_type FROM outcome") == [(1, "builtins.TimeoutError")]


async def test_an_error_with_what_no_database_takes_is_recorded(path: Path) -> None:
    async def branch(_item: int) -> int:
        raise ValueError("\ud800 and \0")

    async with Journal.open(path, run="a", version="1") as journal:
        (outcome,) = await fan_out(journal.wrap(branch), [1], limit=1, key=lambda _: "\udfff")
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, ValueError)
    assert stored(path, "SELECT error, json_valid(path) FROM outcome") == [("\\ud800 and \0", 1)]


class Broken(Exception):
    def __str__(self) -> str:
        raise AttributeError("response")


async def test_an_error_whose_message_fails_is_recorded_and_stays_what_it_is(path: Path) -> None:
    async def branch(_item: int) -> int:
        raise Broken

    async with Journal.open(path, run="a", version="1") as journal:
        (outcome,) = await fan_out(journal.wrap(branch), [1], limit=1)
    assert isinstance(outcome, Failed)
    assert type(outcome.error) is Broken
    ((kind, error, traceback),) = stored(path, "SELECT error_type, error, traceback FROM outcome")
    assert kind.endswith("Broken")
    assert error == "(its message can't be rendered)"
    assert "in branch" in traceback


async def test_a_closed_journal_runs_nothing(path: Path, ran: Ran) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        call = journal.wrap(ran.double, name="double")
    with pytest.raises(JournalError, match="closed"):
        await call(1)
    assert ran.taken() == []


async def test_what_outlives_the_block_records_nothing(path: Path) -> None:
    left = asyncio.Event()

    async def late(item: int) -> int:
        await left.wait()
        return item

    async with Journal.open(path, run="a", version="1") as journal:
        outliving = asyncio.create_task(journal.wrap(late, name="late")(1))
        await asyncio.sleep(0)
    left.set()
    with pytest.raises(JournalError, match="closed"):
        await outliving
    assert stored(path, "SELECT count(*) FROM outcome") == [(0,)]


async def test_leaving_the_block_ends_all_threads_even_when_cancelled(path: Path, ran: Ran) -> None:
    import threading

    async def flow() -> None:
        async with Journal.open(path, run="a", version="1") as journal:
            await fan_out(journal.wrap(ran.double, name="double"), range(10), limit=3)
            await asyncio.sleep(60)

    before = threading.active_count()
    task = asyncio.create_task(flow())
    while not ran.items:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert threading.active_count() == before
    assert [summary.is_open for summary in await Journal.runs(path)] == [False]


@pytest.mark.parametrize("name", ["", "a\nb", "\ud800"])
async def test_names_are_printable(path: Path, name: str) -> None:
    with pytest.raises(JournalError, match="is no name"):
        async with Journal.open(path, run=name, version="1"):
            pass
    with pytest.raises(JournalError, match="is no name"):
        async with Journal.open(path, run="a", version=name):
            pass
    with pytest.raises(JournalError, match="is no name"):
        async with Journal.open(path, run="a", version="1") as journal:
            journal.wrap(Ran().double, name=name)


async def test_a_journaled_function_takes_an_item_and_a_state(path: Path) -> None:
    async def branch(*items: int) -> int:
        return sum(items)

    async with Journal.open(path, run="a", version="1") as journal:
        call = journal.wrap(branch)
        with pytest.raises(TypeError, match="an item, or an item and a state"):
            await call(1, 2, 3)
        assert await call(1, 2) == 3
