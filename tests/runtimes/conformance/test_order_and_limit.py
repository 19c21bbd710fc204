"""Order is by item, whoever is first; the limit is that of the whole run."""

from __future__ import annotations

import asyncio

import pytest

from fanfold.engine import Limit, LimitError
from fanfold.runtimes import Runtime
from fanfold.testing.flows import Job, board, job, peak, read_log, scripted, stepped, surveying, three_hops, urgent


async def test_updates_are_folded_in_item_order_whoever_is_first(runtime: Runtime) -> None:
    jobs = [job(key, ["work", 0.1 - 0.03 * rank], ["add", "notes", [key]]) for rank, key in enumerate("zyx")]
    result = await scripted.run(board(*jobs), runtime=runtime)
    assert result.state["notes"] == ["z", "y", "x"]
    assert [outcome.key for outcome in result.outcomes] == ["z", "y", "x"]
    assert [outcome.index for outcome in result.outcomes] == [0, 1, 2]


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_as_many_branches_are_at_work_as_the_limit_says(runtime: Runtime, limit: int, log: str) -> None:
    jobs = [job(str(number), ["work", 0.05]) for number in range(7)]
    await scripted.run(board(*jobs, log=log), limit=limit, runtime=runtime)
    assert peak(read_log(log)) == limit


async def test_without_a_limit_all_branches_are_at_work_at_once(runtime: Runtime, log: str) -> None:
    jobs = [job(str(number), ["work", 0.2]) for number in range(6)]
    await scripted.run(board(*jobs, log=log), runtime=runtime)
    assert peak(read_log(log)) == 6


async def test_the_limit_holds_across_flows_inside_of_branches(runtime: Runtime, log: str) -> None:
    inner = [[str(number), ["work", 0.02]] for number in range(3)]
    middle = [[f"m{number}", ["nest", inner], ["work", 0.02]] for number in range(2)]
    jobs = [job(key, ["work", 0.02], ["nest", middle], ["work", 0.02]) for key in "abcd"]
    result = await scripted.run(board(*jobs, log=log), limit=2, runtime=runtime)
    lines = read_log(log)
    assert peak(lines) == 2
    assert sum(line.text == "works" for line in lines) == 4 * (2 + 2 * (1 + 3))
    assert all(outcome.index == place for place, outcome in enumerate(result.outcomes))


async def test_a_limit_of_one_never_deadlocks(runtime: Runtime, log: str) -> None:
    jobs = [Job(key, [[["nest", [["x", ["nest", [["y", ["work", 0]]]]]]]], [["work", 0]], []]) for key in "ab"]
    await three_hops.run(board(*jobs, log=log), limit=1, runtime=runtime)
    assert peak(read_log(log)) == 1


async def test_a_branch_that_only_waits_lends_its_slot(runtime: Runtime, log: str) -> None:
    jobs = [job("a", ["pause", "worked"], ["add", "notes", ["a"]]), job("b", ["work", 0], ["add", "notes", ["b"]])]
    result = await scripted.run(board(*jobs, log=log), limit=1, runtime=runtime)
    assert result.state["notes"] == ["a", "b"]


async def test_a_flow_in_a_step_runs_on_the_same_runtime(runtime: Runtime, log: str) -> None:
    inner = [[str(number), ["work", 0.02], ["add", "notes", [str(number)]]] for number in range(4)]
    result = await surveying.run(board(plan={"jobs": inner}, log=log), limit=2, runtime=runtime)
    assert result.state["notes"] == [f"surveyed on {runtime.name}", "0", "1", "2", "3"]
    assert peak(read_log(log)) == 2


async def test_runs_side_by_side_on_one_runtime_share_the_limit_that_they_were_given(
    runtime: Runtime, log: str
) -> None:
    limit = Limit(2)
    jobs = [job(str(number), ["work", 0.03], ["add", "count", 1]) for number in range(4)]
    runs = [scripted.run(board(*jobs, log=log), limit=limit, runtime=runtime) for _ in range(2)]
    assert [result.state["count"] for result in await asyncio.gather(*runs)] == [4, 4]
    assert peak(read_log(log)) == 2
    assert limit.running == 0


async def test_what_starts_first_is_what_has_priority(runtime: Runtime, log: str) -> None:
    jobs = [
        Job(key, [[["log", "begins"], ["add", "notes", [key]]]], ["tag"] * tags)
        for key, tags in zip("abc", (1, 0, 2), strict=True)
    ]
    result = await urgent.run(board(*jobs, log=log), limit=1, runtime=runtime)
    assert [line.key for line in read_log(log)] == ["c", "a", "b"]
    assert result.state["notes"] == ["a", "b", "c"]


async def test_a_limit_that_lets_nothing_run_is_refused_before_anything_starts(runtime: Runtime, log: str) -> None:
    with pytest.raises(LimitError):
        await stepped.run(board(job("a", ["log", "started"]), log=log), limit=0, runtime=runtime)
    assert read_log(log) == []


@pytest.mark.parametrize("number", [0, 1, 40])
async def test_there_may_be_no_item_one_or_many(runtime: Runtime, number: int) -> None:
    jobs = [job(f"{each:02}", ["add", "notes", [str(each)]], ["add", "count", 1]) for each in range(number)]
    result = await stepped.run(board(*jobs), limit=4, runtime=runtime)
    assert result.state["notes"] == ["begun", *map(str, range(number))]
    assert result.state.get("count", 0) == number
    assert result.state["answer"] == f"{number + 1} notes"
    assert len(result.outcomes) == number


async def test_a_hundred_runs_are_alike(runtime: Runtime) -> None:
    from fanfold.engine.content.hashing import canonical

    jobs = [
        job(key, ["yield", number * 7 % 5], ["add", "notes", [key]], ["add", "seen", [key]], ["add", "last", key])
        for number, key in enumerate("abcdefgh")
    ]
    jobs.append(job("failing", ["yield", 2], ["fail", "always"]))
    runs = 100 if runtime.name == "native" else 10
    states = {canonical((await scripted.run(board(*jobs), limit=3, runtime=runtime)).state) for _ in range(runs)}
    assert len(states) == 1
