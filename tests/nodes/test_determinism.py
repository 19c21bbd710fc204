from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fanfold.engine.caching import MemoryStore
from fanfold.engine.content import ContentError
from fanfold.nodes import (
    CachedParallelExecutor,
    MergeStrategy,
    ParallelExecutor,
    RunContext,
    from_function,
    validate_determinism,
)
from fanfold.testing.clock import virtual_time


@virtual_time
async def test_a_hundred_equal_runs_are_deterministic() -> None:
    async def double(value: int) -> int:
        await asyncio.sleep(value)
        return value * 2

    executor: ParallelExecutor[Any] = ParallelExecutor(10)
    report = await validate_determinism(
        from_function(double, writes="double"), RunContext({"value": 3}), executor=executor
    )
    assert report.is_deterministic
    assert (report.runs, len(report.results)) == (100, 100)
    assert [len(vote.keys) for vote in report.votes.cast] == [100]
    assert report.first_difference is None
    assert str(report) == "100 runs, all identical"
    assert asyncio.get_running_loop().time() == 30
    majority = executor.merge_states(report.results, MergeStrategy.MAJORITY)
    assert majority.state == {"value": 3, "double": 6}


def drifting(every: int) -> Any:
    calls = iter(range(1_000))

    async def count(value: int) -> dict[str, Any]:
        return {"result": {"seen": [value, int(next(calls) % every == 0)]}}

    return from_function(count, writes=("result",))


@virtual_time
async def test_votes_and_the_first_difference_are_told_where_runs_differ() -> None:
    executor: ParallelExecutor[Any] = ParallelExecutor(8)
    report = await validate_determinism(drifting(10), RunContext({"value": 3}), executor=executor)
    assert not report.is_deterministic
    assert [len(vote.keys) for vote in report.votes.cast] == [90, 10]
    assert report.votes.cast[1].keys[0] == "0:count"
    assert report.first_difference is not None
    assert report.first_difference.path == "['result']['seen'][1]"
    assert (report.first_difference.left, report.first_difference.right) == (0, 1)
    assert "they differ at ['result']['seen'][1]: 0 became 1" in str(report)
    assert executor.merge_states(report.results, MergeStrategy.MAJORITY).state["result"]["seen"] == [3, 0]


@virtual_time
async def test_a_run_that_fails_is_no_equal_run() -> None:
    calls = iter(range(100))

    async def flaky() -> int:
        if next(calls) == 7:
            raise ValueError("no")
        return 1

    report = await validate_determinism(from_function(flaky, writes="x"), RunContext({}), runs=10)
    assert not report.is_deterministic
    assert report.votes.failed == ("7:flaky",)
    assert report.first_difference is None
    assert "1 failed" in str(report)


@virtual_time
async def test_a_cache_makes_no_node_deterministic() -> None:
    executor: CachedParallelExecutor[Any] = CachedParallelExecutor(4, MemoryStore())
    report = await validate_determinism(drifting(2), RunContext({"value": 3}), executor=executor)
    assert [len(vote.keys) for vote in report.votes.cast] == [50, 50]


@virtual_time
async def test_one_run_shows_nothing_and_what_cant_be_compared_is_told() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        await validate_determinism(drifting(2), RunContext({"value": 3}), runs=1)

    async def opaque() -> Any:
        return object()

    with pytest.raises(ContentError, match="thing"):
        await validate_determinism(from_function(opaque, writes="thing"), RunContext({}), runs=2)
