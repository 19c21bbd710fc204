"""A failure is an outcome; what is wrong with the flow itself is told by the run."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

import pytest

from fanfold.engine import (
    BranchCancelled,
    DeadlineExceeded,
    Done,
    DuplicateKeyError,
    Failed,
    FoldError,
    Outcome,
    UpdateError,
)
from fanfold.runtimes import FlowError, Runtime
from fanfold.testing.flows import (
    Board,
    Broken,
    Job,
    Toolbox,
    board,
    brittle,
    doubling,
    excusing,
    hasty,
    hurried,
    job,
    landing,
    on_form,
    read_log,
    scripted,
    stepped,
    three_hops,
    timed,
)

LONG_S = 60.0


def error_of(outcome: Outcome[object]) -> BaseException:
    assert isinstance(outcome, Failed)
    return outcome.error


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_failing_branch_is_an_outcome_and_the_others_go_on(runtime: Runtime) -> None:
    jobs = [job("a", ["fail", "no luck"]), job("b", ["work", 0.05], ["add", "notes", ["b"]])]
    result = await scripted.run(board(*jobs), runtime=runtime)
    failed, done = result.outcomes
    assert "no luck" in str(error_of(failed))
    assert isinstance(done, Done)
    assert done.value == {"notes": ["b"]}
    assert result.state["notes"] == ["b"]
    assert result.runtime == runtime.name


async def test_a_failure_in_a_later_hop_keeps_nothing_of_the_earlier_ones(runtime: Runtime) -> None:
    jobs = [Job("a", [[["add", "notes", ["first"]]], [["fail", "in the second"]], []]), Job("b", [[], [], []])]
    result = await three_hops.run(board(*jobs, notes=["old"]), runtime=runtime)
    assert "in the second" in str(error_of(result.outcomes[0]))
    assert isinstance(result.outcomes[1], Done)
    assert result.state["notes"] == ["old"]


async def test_a_flow_may_make_an_update_of_a_failure(runtime: Runtime) -> None:
    jobs = [job("a", ["fail", "no luck"]), job("b", ["add", "notes", ["b"]])]
    result = await excusing.run(board(*jobs), runtime=runtime)
    assert result.state["notes"] == ["a failed", "b"]
    assert "no luck" in str(error_of(result.outcomes[0]))


async def test_all_may_fail(runtime: Runtime) -> None:
    result = await stepped.run(board(job("a", ["fail", "x"]), job("b", ["fail", "y"])), runtime=runtime)
    assert [str(error_of(outcome))[-1] for outcome in result.outcomes] == ["x", "y"]
    assert result.state["answer"] == "1 notes"


async def test_a_failure_in_a_flow_inside_of_a_branch_stays_there(runtime: Runtime) -> None:
    jobs = [job("a", ["nest", [["x", ["fail", "no luck"]], ["y", ["add", "count", 1]]]])]
    result = await scripted.run(board(*jobs), runtime=runtime)
    assert isinstance(result.outcomes[0], Done)
    assert result.state["count"] == 1
    assert result.state["notes"] == ["x failed: no luck"]


async def test_a_deadline_cancels_a_branch_and_kills_the_programs_that_it_started(runtime: Runtime, log: str) -> None:
    jobs = [job("child", ["child"]), job("quick", ["add", "notes", ["quick"]]), job("slow", ["work", LONG_S])]
    result = await hasty.run(board(*jobs, log=log), runtime=runtime)
    child, quick, slow = result.outcomes
    assert isinstance(error_of(child), DeadlineExceeded)
    assert isinstance(error_of(slow), DeadlineExceeded)
    assert isinstance(quick, Done)
    pid = next(int(line.text) for line in read_log(log) if line.key == "child")
    await until(lambda: not is_running(pid))
    await until(lambda: any(line.text == "worked" for line in read_log(log)))


async def test_a_total_deadline_ends_what_runs_and_starts_no_more(runtime: Runtime, log: str) -> None:
    jobs = [job("a", ["add", "notes", ["a"]]), job("b", ["work", LONG_S]), job("c", ["work", LONG_S])]
    result = await hurried.run(board(*jobs, log=log), limit=1, runtime=runtime)
    assert isinstance(result.outcomes[0], Done)
    assert all(isinstance(outcome, Failed) for outcome in result.outcomes[1:])
    assert isinstance(error_of(result.outcomes[1]), DeadlineExceeded)
    assert result.state["notes"] == ["a"]
    await until(lambda: any(line.text == "worked" for line in read_log(log)))
    assert [line.key for line in read_log(log) if line.text == "works"] == ["b"]


async def test_who_cancels_the_run_leaves_nothing_running(runtime: Runtime, log: str) -> None:
    jobs = [job("child", ["child"]), job("slow", ["work", LONG_S]), job("nesting", ["nest", [["x", ["work", LONG_S]]]])]
    run = asyncio.create_task(scripted.run(board(*jobs, log=log), runtime=runtime))
    await until(lambda: {line.key for line in read_log(log)} == {"child", "slow", "x"})
    began_s = time.monotonic()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert time.monotonic() - began_s < LONG_S / 2
    lines = read_log(log)
    pid = next(int(line.text) for line in lines if line.key == "child")
    await until(lambda: not is_running(pid))
    await until(lambda: {line.key for line in read_log(log) if line.text == "worked"} == {"slow", "x"})


async def test_two_items_with_one_key_are_refused_before_a_branch_starts(runtime: Runtime, log: str) -> None:
    with pytest.raises(DuplicateKeyError, match="'a'"):
        await scripted.run(board(*[job(key, ["log", "started"]) for key in "aba"], log=log), runtime=runtime)
    assert read_log(log) == []


@pytest.mark.parametrize("state", [{"jbos": []}, ["jobs"], None, Toolbox("no state")])
async def test_a_state_of_another_shape_is_refused_before_anything_starts(runtime: Runtime, state: Board) -> None:
    with pytest.raises(FlowError, match="stepped"):
        await stepped.run(state, runtime=runtime)


async def test_an_update_of_a_field_that_the_state_lacks_is_told_with_what_it_may_have_meant(runtime: Runtime) -> None:
    jobs = [job("a", ["add", "notes", ["a"]]), job("b", ["give", {"ntoes": ["b"]}])]
    with pytest.raises(FoldError, match="'b' wrote 'ntoes'") as caught:
        await scripted.run(board(*jobs), runtime=runtime)
    assert caught.value.hint == "is it 'notes'?"
    assert caught.value.branches == ("b",)
    assert [outcome.key for outcome in caught.value.outcomes] == ["a", "b"]


async def test_an_update_of_a_read_only_field_is_refused(runtime: Runtime) -> None:
    with pytest.raises(FoldError, match="'rules', which is read-only"):
        await scripted.run(board(job("a", ["give", {"rules": {}}]), rules={}), runtime=runtime)


async def test_two_branches_that_write_a_field_without_a_reducer_are_refused(runtime: Runtime) -> None:
    jobs = [job(key, ["add", "answer", key]) for key in "ab"]
    with pytest.raises(FoldError, match="'a' and 'b' wrote 'answer'"):
        await scripted.run(board(*jobs), runtime=runtime)


@pytest.mark.parametrize("given", [["notes"], "notes", 3])
async def test_what_is_no_update_at_all_is_refused(runtime: Runtime, given: object) -> None:
    with pytest.raises(FoldError, match=f"'a' returned a {type(given).__name__} as its update"):
        await scripted.run(board(job("a", ["give", given])), runtime=runtime)


async def test_an_update_that_the_state_s_type_refuses_is_told_with_who_wrote_it(runtime: Runtime) -> None:
    begin = {"jobs": [job("a", ["add", "count", 1]), job("b", ["give", {"answer": ["no text"]}])]}
    with pytest.raises(FoldError, match="folded state is no Form: answer") as caught:
        await on_form.run(begin, runtime=runtime)
    assert caught.value.branches == ("b",)
    assert len(caught.value.outcomes) == 2


async def test_who_returns_its_state_fails_and_doubles_nothing(runtime: Runtime) -> None:
    jobs = [job("a", ["give_state"]), job("b", ["add", "notes", ["b"]])]
    result = await scripted.run(board(*jobs, notes=["old"]), runtime=runtime)
    assert "the branch returned the whole state" in str(error_of(result.outcomes[0]))
    assert result.state["notes"] == ["old", "b"]


async def test_a_step_that_returns_its_state_is_refused(runtime: Runtime) -> None:
    with pytest.raises(UpdateError, match="in the step returns_all"):
        await doubling.run(board(notes=["old"]), runtime=runtime)


@pytest.mark.parametrize("where", ["breaks_before", "breaking_jobs", "breaks_after"])
async def test_what_the_flow_s_own_functions_raise_is_raised_as_it_was(runtime: Runtime, where: str) -> None:
    with pytest.raises(Broken) as caught:
        await brittle.run(board(job("a"), last=where), runtime=runtime)
    assert caught.value.args == (where,)


async def test_what_making_an_update_of_a_failure_raises_is_raised_as_it_was(runtime: Runtime) -> None:
    with pytest.raises(Broken) as caught:
        await brittle.run(board(job("a", ["fail", "no luck"])), runtime=runtime)
    assert caught.value.args == ("breaks_on_failure",)


async def test_a_branch_that_cancels_itself_is_a_failure_of_its_own(runtime: Runtime) -> None:
    result = await scripted.run(board(job("a", ["cancel"]), job("b", ["add", "count", 1])), runtime=runtime)
    assert isinstance(error_of(result.outcomes[0]), BranchCancelled)
    assert result.state["count"] == 1


async def test_a_hop_may_have_a_deadline_of_its_own(runtime: Runtime, log: str) -> None:
    jobs = [job("a", ["work", LONG_S]), job("b", ["add", "count", 1])]
    result = await timed.run(board(*jobs, log=log), runtime=runtime)
    assert "0.3 s" in str(error_of(result.outcomes[0]))
    assert result.state["count"] == 1
    await until(lambda: any(line.text == "worked" for line in read_log(log)))


async def test_what_on_outcome_raises_ends_the_run_as_it_was(runtime: Runtime, log: str) -> None:
    class Sunk(Exception):
        pass

    async def sink(_: object) -> None:
        raise Sunk("with all hands")

    jobs = [job("a"), job("b", ["work", LONG_S])]
    began_s = time.monotonic()
    with pytest.raises(Sunk, match="with all hands"):
        await landing.run(board(*jobs, log=log), runtime=runtime, context=Toolbox("", sink))
    assert time.monotonic() - began_s < LONG_S / 2
