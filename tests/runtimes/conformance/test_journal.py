"""What has finished isn't run again, on the same runtime or on another one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from fanfold.engine import Failed, Journal
from fanfold.runtimes import Native, Result, Runtime
from fanfold.testing.flows import (
    Board,
    Job,
    Toolbox,
    board,
    job,
    landing,
    newer,
    read_log,
    scripted,
    surveying,
    three_hops,
    two_hops,
)


async def kept(path: Path, flow: Any, begin: Board, runtime: Runtime, **options: Any) -> tuple[Result[Board], Journal]:
    async with Journal.open(path, run="monday", version="1") as journal:
        return await flow.run(begin, runtime=runtime, journal=journal, **options), journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def begun(log: str) -> list[str]:
    return sorted(line.key for line in read_log(log) if line.text == "begins")


BEGINS: list[Any] = ["log", "begins"]
MIXED: list[list[Any]] = [
    ["add", "seen", ["x"]],
    ["add", "mood", "calm"],
    ["add", "spans", [[1, 2]]],
    ["add", "count", 1],
]


async def test_a_run_that_finished_gives_the_same_again_without_a_branch(
    runtime: Runtime, path: Path, log: str
) -> None:
    begin = board(*[job(key, BEGINS, *MIXED) for key in "abc"], log=log)
    one, _ = await kept(path, scripted, begin, runtime)
    again, journal = await kept(path, scripted, begin, runtime)
    assert begun(log) == ["a", "b", "c"]
    assert again.state == one.state
    assert repr(again.state["spans"]) == repr(one.state["spans"])
    assert journal.restored == 3
    assert [outcome.index for outcome in again.outcomes] == [0, 1, 2]


async def test_a_flow_may_run_twice_with_one_journal(runtime: Runtime, path: Path, log: str) -> None:
    for _ in range(2):
        async with Journal.open(path, run="monday", version="1") as journal:
            for key in "aab":
                result = await two_hops.run(board(job(key, BEGINS, *MIXED), log=log), runtime=runtime, journal=journal)
                assert result.state["count"] == 1
    assert begun(log) == ["a", "a", "b"]


async def test_only_what_failed_is_run_again(runtime: Runtime, path: Path, log: str) -> None:
    begin = board(job("a", BEGINS, *MIXED), job("b", BEGINS, ["fail", "no luck"]), log=log)
    for _ in range(2):
        result, _ = await kept(path, scripted, begin, runtime)
        assert isinstance(result.outcomes[1], Failed)
    assert begun(log) == ["a", "b", "b"]


@pytest.mark.parametrize("later", ["same", "native"])
async def test_a_run_that_was_broken_off_goes_on(runtime: Runtime, later: str, path: Path, log: str) -> None:
    await _breaks_off_and_goes_on(runtime, runtime if later == "same" else Native(), path, log)


async def test_a_run_begun_on_the_native_runtime_goes_on(runtime: Runtime, path: Path, log: str) -> None:
    await _breaks_off_and_goes_on(Native(), runtime, path, log)


async def _breaks_off_and_goes_on(first: Runtime, second: Runtime, path: Path, log: str) -> None:
    async def sink(outcome: Any) -> None:
        if outcome.key == "c":
            raise InterruptedError

    jobs = [job(key, BEGINS, *MIXED, ["nest", [[f"{key}{n}", BEGINS, *MIXED] for n in range(2)]]) for key in "abcdef"]
    begin = board(*jobs, log=log)
    with pytest.raises(InterruptedError):
        await kept(path, landing, begin, first, limit=1, context=Toolbox("", sink))
    before = set(begun(log))
    assert {"a", "b", "c", "a0", "b1"} <= before
    result, _ = await kept(path, landing, begin, second, limit=2, context=Toolbox(""))
    assert result.state == (await landing.run({**begin, "log": None}, context=Toolbox(""))).state | {"log": log}
    finished = [key for key in begun(log) if key[0] in "abc"]
    assert finished == sorted(set(finished)), "what had finished was run again"
    assert set(begun(log)) == {f"{key}{n}" for key in "abcdef" for n in ("", 0, 1)}


async def test_each_hop_is_kept(runtime: Runtime, path: Path, log: str) -> None:
    def begin(*second: Any) -> Board:
        jobs = [Job("a", [[["log", "first"], *MIXED], [["log", "second"]], [["log", "third"], *second]])]
        return board(*jobs, log=log)

    failing = begin(["flaky", 9])
    for _ in range(3):
        await kept(path, three_hops, failing, runtime)
    assert [line.text for line in read_log(log)] == ["first", "second", "third", "third", "third"]


async def test_a_flow_inside_of_a_branch_that_failed_is_not_run_again(runtime: Runtime, path: Path, log: str) -> None:
    inner = [["x", BEGINS, *MIXED], ["y", BEGINS, ["fail", "no luck"]]]
    begin = board(job("a", BEGINS, ["nest", inner], ["fail", "after it"]), log=log)
    for _ in range(2):
        await kept(path, scripted, begin, runtime)
    assert begun(log) == ["a", "a", "x", "y", "y"]


async def test_another_state_is_another_run(runtime: Runtime, path: Path, log: str) -> None:
    for plan in ({"n": 1}, {"n": 2}, {"n": 1}):
        await kept(path, scripted, board(job("a", BEGINS, ["see", "plan"]), plan=plan, log=log), runtime)
    assert begun(log) == ["a", "a"]


async def test_outcomes_of_another_version_of_the_flow_do_not_count(runtime: Runtime, path: Path, log: str) -> None:
    begin = board(job("a", BEGINS, *MIXED), log=log)
    for flow in (scripted, newer, scripted, newer):
        await kept(path, flow, begin, runtime)
    assert begun(log) == ["a", "a"]


async def test_failures_may_be_kept_too(runtime: Runtime, path: Path, log: str) -> None:
    begin = board(job("a", BEGINS, ["fail", "no luck"]), log=log)
    for _ in range(2):
        async with Journal.open(path, run="monday", version="1", keep_failures=True) as journal:
            result = await scripted.run(begin, runtime=runtime, journal=journal)
        (outcome,) = result.outcomes
        assert isinstance(outcome, Failed)
        assert "no luck" in str(outcome.error)
    assert begun(log) == ["a"]


async def test_a_flow_in_a_step_has_the_journal_too(runtime: Runtime, path: Path, log: str) -> None:
    begin = board(plan={"jobs": [["x", BEGINS, ["add", "notes", ["x"]]]]}, log=log)
    for _ in range(2):
        result, _journal = await kept(path, surveying, begin, runtime)
        assert result.state["notes"] == [f"surveyed on {runtime.name}", "x"]
    assert begun(log) == ["x"]


async def test_an_effect_has_the_same_key_when_its_branch_runs_again_wherever_that_is(
    runtime: Runtime, path: Path, log: str
) -> None:
    inner = ["nest", [["x", ["effect"]]]]
    begin = board(job("a", ["effect"], inner, ["fail", "later"]), job("b", ["effect"], ["fail", "later"]), log=log)
    for each in (runtime, Native(), runtime):
        await kept(path, scripted, begin, each)
    keys = {key: {line.text for line in read_log(log) if line.key == key} for key in "abx"}
    assert [len(keys[key]) for key in "abx"] == [1, 1, 1]
    assert len(set.union(*keys.values())) == 3


async def test_flows_of_other_names_keep_their_own(runtime: Runtime, path: Path, log: str) -> None:
    begin = board(Job("a", [[BEGINS], []]), log=log)
    for flow in (scripted, two_hops, scripted, two_hops):
        await kept(path, flow, begin, runtime)
    assert begun(log) == ["a", "a"]


async def test_a_cancelled_run_goes_on(runtime: Runtime, path: Path, log: str) -> None:
    jobs = [job("a", BEGINS, *MIXED), job("b", BEGINS, ["work", 0.3])]
    begin = board(*jobs, log=log)
    async with Journal.open(path, run="monday", version="1") as journal:
        run = asyncio.create_task(scripted.run(begin, runtime=runtime, journal=journal))
        async with asyncio.timeout(30):
            while journal.recorded < 1:
                await asyncio.sleep(0.01)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    await kept(path, scripted, begin, runtime)
    assert begun(log) == ["a", "b", "b"]


async def test_checks_of_updates_are_the_same_with_a_journal(runtime: Runtime, path: Path) -> None:
    from fanfold.engine import FoldError

    begin = board(job("a", ["give", {"ntoes": ["b"]}]))
    for _ in range(2):
        with pytest.raises(FoldError, match="'a' wrote 'ntoes'"):
            await kept(path, scripted, begin, runtime)
    result, _ = await kept(path, scripted, board(job("a", ["give_state"]), notes=["old"]), runtime)
    assert isinstance(result.outcomes[0], Failed)
    with pytest.raises(FoldError, match="returned a list"):
        await kept(path, scripted, board(job("a", ["give", ["notes"]])), runtime)
