"""Where runtimes differ, on purpose; there is nothing else.

| | native, LangGraph | cluster |
| --- | --- | --- |
| what a branch raised | the exception itself | a RemoteError with its type's name, text, hint and traceback |
| a value that is no data | may be in an update or pass from hop to hop, without a journal | its branch fails |
| the context of a branch | the run's | what the flow's `prepare_worker` made of `pack` on that worker |
| events of flows inside of a branch | are told, with their path | stay on the worker |
| a flow | is any object | is one that a module has by name |
| rate limits, breakers, caches in memory around a hop | hold for all branches | for those of one worker each |
"""

from __future__ import annotations

import dataclasses

import pytest

from fanfold.engine import Done, Event, Failed
from fanfold.runtimes import Runtime
from fanfold.runtimes.cluster import FlowNotImportable, RemoteError
from fanfold.testing.flows import Opaque, Toolbox, board, job, scripted


def is_elsewhere(runtime: Runtime) -> bool:
    """Whether branches run in other processes."""
    return runtime.name == "cluster"


async def test_what_a_branch_raised_is_itself_or_data(runtime: Runtime) -> None:
    (outcome,) = (await scripted.run(board(job("a", ["fail", "no luck"])), runtime=runtime)).outcomes
    assert isinstance(outcome, Failed)
    assert type(outcome.error).__name__ == "RuntimeError"
    assert str(outcome.error) == "no luck"
    if is_elsewhere(runtime):
        assert isinstance(outcome.error, RemoteError)
        assert outcome.error.type_name == "builtins.RuntimeError"
        assert "in _fails" in outcome.error.traceback
    else:
        assert type(outcome.error) is RuntimeError


async def test_a_value_that_is_no_data_needs_its_process(runtime: Runtime) -> None:
    result = await scripted.run(board(job("a", ["keep_object"]), job("b", ["add", "count", 1])), runtime=runtime)
    kept, counted = result.outcomes
    assert isinstance(counted, Done)
    assert isinstance(kept, Failed) is is_elsewhere(runtime)
    if isinstance(kept, Failed):
        assert "found" in str(kept.error)
    else:
        assert isinstance(result.state["found"]["object"], Opaque)


async def test_the_context_of_a_branch_is_the_run_s_where_it_can_be(runtime: Runtime) -> None:
    result = await scripted.run(board(job("a", ["context"])), runtime=runtime, context=Toolbox("hammer"))
    (outcome,) = result.outcomes
    assert isinstance(outcome, Failed) is is_elsewhere(runtime)
    if isinstance(outcome, Failed):
        assert "prepare_worker" in str(getattr(outcome.error, "hint", ""))


async def test_events_of_flows_inside_of_a_branch_are_told_where_they_are_heard(runtime: Runtime) -> None:
    events: list[Event] = []
    begin = board(job("a", ["nest", [["x", ["add", "count", 1]]]]))
    await scripted.run(begin, runtime=runtime, on_event=events.append)
    paths = {getattr(event, "path", None) for event in events}
    assert ("a",) in paths
    assert (("a", "x") in paths) is not is_elsewhere(runtime)


async def test_a_flow_is_found_by_its_name_or_at_hand(runtime: Runtime) -> None:
    made_here = dataclasses.replace(scripted, name="made here")
    run = made_here.run(board(job("a", ["add", "count", 1])), runtime=runtime)
    if is_elsewhere(runtime):
        with pytest.raises(FlowNotImportable, match="made here"):
            await run
    else:
        assert (await run).state["count"] == 1
