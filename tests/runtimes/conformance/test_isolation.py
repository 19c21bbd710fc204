"""A branch may do anything to what it is given: nobody else sees it."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest

from fanfold.engine import Done, Failed, IsolationError
from fanfold.runtimes import Runtime
from fanfold.testing.flows import Board, Job, board, job, jobs_of, read_log, retried, scripted, stepped, three_hops

PLAN = {"deep": {"list": [1, {"more": [2]}]}}
SEES_PLAN = ["see", "plan"]


def planned(*jobs: Job, **fields: Any) -> Board:
    return board(*jobs, plan=copy.deepcopy(PLAN), **fields)


def notes_of(state: Board) -> list[str]:
    return state["notes"]


async def test_no_branch_sees_what_another_one_does_to_its_state(runtime: Runtime) -> None:
    jobs = [job(key, ["spoil"], ["yield", 3], ["add", "count", 1]) for key in "abc"]
    jobs += [job(key, ["yield", 2], SEES_PLAN) for key in "def"]
    result = await scripted.run(planned(*jobs), limit=3, runtime=runtime)
    assert notes_of(result.state) == [f"{key} sees {PLAN}" for key in "def"]
    assert result.state["count"] == 3


async def test_the_caller_sees_nothing_of_what_branches_do(runtime: Runtime) -> None:
    begin = planned(job("a", ["spoil"], ["add", "notes", ["new"]]), notes=["old"])
    before = copy.deepcopy(begin)
    result = await scripted.run(begin, runtime=runtime)
    assert begin == before
    assert result.state["plan"] == PLAN
    assert result.state["jobs"] == before["jobs"]
    assert notes_of(result.state) == ["old", "new"]


async def test_an_item_is_its_branch_s_own(runtime: Runtime) -> None:
    shared = job("a", ["spoil"])
    begin = planned(shared, Job("b", shared.hops, shared.tags))
    result = await scripted.run(begin, limit=1, runtime=runtime)
    assert [each.tags for each in jobs_of(result.state)] == [[], []]
    assert shared.tags == []


async def test_a_retry_begins_with_a_clean_state(runtime: Runtime) -> None:
    begin = planned(
        job("a", SEES_PLAN, ["spoil"], ["flaky", 3]), job("b", ["spoil"], ["flaky", 2], ["add", "count", 1])
    )
    result = await retried.run(begin, limit=2, runtime=runtime)
    assert [outcome.attempts for outcome in result.outcomes] == [3, 2]
    assert notes_of(result.state) == [f"a sees {PLAN}"]
    assert result.state["count"] == 1


async def test_no_hop_sees_what_an_earlier_one_did_to_its_state(runtime: Runtime) -> None:
    jobs = [Job(key, [[["spoil"]], [["spoil"]], [SEES_PLAN]]) for key in "ab"]
    result = await three_hops.run(planned(*jobs), runtime=runtime)
    assert notes_of(result.state) == [f"{key} sees {PLAN}" for key in "ab"]


async def test_a_flow_inside_a_branch_begins_with_what_the_branch_gives_it(runtime: Runtime) -> None:
    jobs = [job("a", ["nest", [["x", ["spoil"]], ["y", ["yield", 2], SEES_PLAN]]], SEES_PLAN)]
    result = await scripted.run(planned(*jobs), runtime=runtime)
    assert notes_of(result.state) == [f"y sees {PLAN}", f"a sees {PLAN}"]


async def test_branches_see_what_prepare_steps_made_of_the_state(runtime: Runtime) -> None:
    result = await stepped.run(planned(job("a", ["see", "notes"])), runtime=runtime)
    assert notes_of(result.state) == ["begun", "a sees ['begun']"]
    assert result.state["answer"] == "2 notes"


async def test_a_read_only_field_can_not_be_changed_even_in_a_branch_s_own_view(runtime: Runtime) -> None:
    begin = planned(job("a", ["touch", "rules"]), job("b", ["see", "rules"]), rules={"all": [1]})
    result = await scripted.run(begin, runtime=runtime)
    touched, seen = result.outcomes
    assert isinstance(touched, Failed)
    assert "in the base that all branches share" in str(touched.error)
    assert isinstance(seen, Done)
    assert notes_of(result.state) == ["b sees {'all': [1]}"]


async def test_a_state_that_can_not_be_copied_is_refused_before_anything_starts(runtime: Runtime, log: str) -> None:
    begin = planned(job("a", ["log", "started"]), log=log, found={"lock": threading.Lock()})
    with pytest.raises(IsolationError, match="found"):
        await stepped.run(begin, runtime=runtime)
    assert read_log(log) == []
