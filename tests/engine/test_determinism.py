from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from fanfold.engine.content import ContentError
from fanfold.engine.determinism import check_determinism
from fanfold.engine.limit import Limit
from fanfold.engine.outcome import DeadlineExceeded
from fanfold.testing.clock import virtual_time


@dataclass
class Answer:
    name: str
    scores: list[float]


def now() -> float:
    return asyncio.get_running_loop().time()


class Counting:
    """A function whose runs take turns in what they say."""

    def __init__(self, *says: Any) -> None:
        self.says = says
        self.calls = self.running = self.peak = 0

    async def __call__(self, item: list[int]) -> Any:
        said = self.says[self.calls % len(self.says)]
        self.calls += 1
        self.running += 1
        self.peak = max(self.peak, self.running)
        await asyncio.sleep(1)
        self.running -= 1
        item.append(self.calls)
        if isinstance(said, Exception):
            raise said
        return said


@virtual_time
async def test_a_hundred_equal_runs_are_identical() -> None:
    item = [0]
    function = Counting(Answer("a", [0.5]))

    found = await check_determinism(function, item, limit=10)

    assert found.identical
    assert (found.runs, function.calls, function.peak, now()) == (100, 100, 10, 10.0)
    assert len(found.votes.cast) == 1
    assert (found.failed, found.first_difference, found.differing) == ((), None, None)
    assert str(found) == "100 runs, all identical"
    assert item == [0]


@virtual_time
async def test_each_run_has_the_item_to_itself() -> None:
    async def function(item: dict[str, list[int]]) -> list[int]:
        item["list"].append(len(item["list"]))
        await asyncio.sleep(1)
        return item["list"]

    assert (await check_determinism(function, {"list": [0]}, runs=20)).identical


@virtual_time
async def test_the_first_difference_is_shown_with_both_values() -> None:
    same, other = Answer("a", [1.0, 2.0]), Answer("a", [1.0, 2.5])

    found = await check_determinism(Counting(same, same, other, same, Answer("b", [])), [], runs=10)

    assert not found.identical
    assert found.differing == ("0", "2")
    assert found.first_difference is not None
    assert (found.first_difference.path, found.first_difference.left, found.first_difference.right) == (
        ".scores[1]",
        2.0,
        2.5,
    )
    assert [len(vote.keys) for vote in found.votes.cast] == [6, 2, 2]
    assert "runs 0 and 2 differ at .scores[1]: 2.0 became 2.5" in str(found)


@virtual_time
async def test_the_difference_is_to_the_first_run_even_where_it_is_in_the_minority() -> None:
    found = await check_determinism(Counting("odd", "even", "even"), [], runs=3)

    assert found.votes.cast[0].value == "even"
    assert found.differing == ("0", "1")


@virtual_time
async def test_types_count_as_content() -> None:
    found = await check_determinism(Counting(1, True), [], runs=2)

    assert not found.identical
    assert found.first_difference is not None


@virtual_time
async def test_runs_that_failed_are_counted_apart_and_are_not_identical() -> None:
    found = await check_determinism(Counting("a", ValueError("x"), "a", "a"), [], runs=8)

    assert not found.identical
    assert [failed.key for failed in found.failed] == ["1", "5"]
    assert found.votes.failed == ("1", "5")
    assert [len(vote.keys) for vote in found.votes.cast] == [6]
    assert found.first_difference is None


@virtual_time
async def test_where_every_run_failed_nothing_was_found_identical() -> None:
    found = await check_determinism(Counting(ValueError("x")), [], runs=3)

    assert not found.identical
    assert len(found.failed) == 3
    assert str(found) == "3 runs: 3 failed"


@virtual_time
async def test_it_takes_a_limit_and_a_deadline() -> None:
    limit = Limit(2)

    found = await check_determinism(Counting("a"), [], runs=4, limit=limit, deadline_s=0.5)

    assert [type(failed.error) for failed in found.failed] == [DeadlineExceeded] * 4
    assert now() == 1.0


@virtual_time
async def test_values_without_stable_content_can_not_be_compared() -> None:
    with pytest.raises(ContentError):
        await check_determinism(Counting(object()), [], runs=2)


@virtual_time
async def test_one_run_shows_nothing() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        await check_determinism(Counting("a"), [], runs=1)
