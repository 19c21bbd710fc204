"""Outcomes as they arrive, events, the context and the place of a branch."""

from __future__ import annotations

import asyncio

from fanfold.engine import BranchFinished, BranchQueued, BranchRetried, BranchStarted, Done, Event, Folded, Outcome
from fanfold.runtimes import Runtime
from fanfold.testing.flows import (
    Job,
    Toolbox,
    board,
    job,
    landing,
    read_log,
    retried,
    scripted,
    three_hops,
    with_toolbox,
    write_log,
)


async def test_each_outcome_is_landed_once_and_one_after_another(runtime: Runtime) -> None:
    landed: list[str] = []
    landing_now: list[str] = []

    async def land(outcome: Outcome[object]) -> None:
        assert not landing_now
        landing_now.append(outcome.key)
        await asyncio.sleep(0.005)
        landed.append(outcome.key)
        landing_now.clear()

    jobs = [job(str(number), ["yield", number % 3], ["add", "count", 1]) for number in range(9)]
    jobs.append(job("failing", ["fail", "always"]))
    result = await landing.run(board(*jobs), limit=4, runtime=runtime, context=Toolbox("", land))
    assert sorted(landed) == sorted(each.key for each in jobs)
    assert result.state["count"] == 9


async def test_an_outcome_is_landed_while_other_branches_run(runtime: Runtime, log: str) -> None:
    async def land(outcome: Outcome[object]) -> None:
        write_log(log, outcome.key, "landed")

    jobs = [job("slow", ["work", 0.4]), job("quick", ["add", "notes", ["quick"]])]
    await landing.run(board(*jobs, log=log), runtime=runtime, context=Toolbox("", land))
    told = [(line.key, line.text) for line in read_log(log)]
    assert told.index(("quick", "landed")) < told.index(("slow", "worked")) < told.index(("slow", "landed"))


async def test_what_is_landed_is_what_is_returned(runtime: Runtime) -> None:
    landed: list[Outcome[object]] = []

    async def land(outcome: Outcome[object]) -> None:
        landed.append(outcome)

    jobs = [job("a", ["work", 0.05], ["add", "seen", ["x", "y"]]), job("b", ["fail", "no luck"])]
    result = await landing.run(board(*jobs), runtime=runtime, context=Toolbox("", land))
    in_order = sorted(landed, key=lambda outcome: outcome.index)
    assert [type(outcome) for outcome in in_order] == [type(outcome) for outcome in result.outcomes]
    assert isinstance(in_order[0], Done)
    assert in_order[0].value == {"seen": {"x", "y"}}


async def test_a_slow_landing_holds_up_no_branch(runtime: Runtime, log: str) -> None:
    async def land(_: object) -> None:
        async with asyncio.timeout(30):
            while len(read_log(log)) < 5:
                await asyncio.sleep(0.01)

    jobs = [job(str(number), ["log", "begins"]) for number in range(5)]
    await landing.run(board(*jobs, log=log), limit=1, runtime=runtime, context=Toolbox("", land))


async def test_events_tell_of_each_branch_in_order(runtime: Runtime) -> None:
    events: list[Event] = []
    jobs = [job(key, ["yield", 1], ["add", "notes", [key]]) for key in "abc"]
    jobs.append(job("d", ["fail", "no luck"]))
    await scripted.run(board(*jobs), limit=2, runtime=runtime, on_event=events.append)
    queued = [event.key for event in events if isinstance(event, BranchQueued)]
    assert queued == ["a", "b", "c", "d"]
    for key in queued:
        own = [type(event) for event in events if getattr(event, "key", None) == key]
        assert own == [BranchQueued, BranchStarted, BranchFinished]
    assert events[-1] == Folded(("notes",), 3)
    finished = [event.outcome for event in events if isinstance(event, BranchFinished)]
    assert {outcome.key for outcome in finished if not isinstance(outcome, Done)} == {"d"}


async def test_a_branch_has_one_beginning_and_one_end_however_many_hops_it_has(runtime: Runtime) -> None:
    events: list[Event] = []
    await three_hops.run(board(Job("a", [[], [], []])), runtime=runtime, on_event=events.append)
    assert [type(event) for event in events] == [BranchQueued, BranchStarted, BranchFinished, Folded]


async def test_events_tell_of_each_retry(runtime: Runtime) -> None:
    events: list[Event] = []
    begin = board(job("a", ["flaky", 3], ["add", "count", 1]), job("b", ["flaky", 9]))
    result = await retried.run(begin, runtime=runtime, on_event=events.append)
    own = [event for event in events if getattr(event, "key", None) == "a"]
    assert [type(event) for event in own] == [BranchQueued, BranchStarted, BranchRetried, BranchRetried, BranchFinished]
    retries = [event for event in own if isinstance(event, BranchRetried)]
    assert [(event.attempt, str(event.error)) for event in retries] == [(n, "a doesn't answer") for n in (1, 2)]
    assert [outcome.attempts for outcome in result.outcomes] == [3, 3]


async def test_a_branch_has_the_context_of_its_run(runtime: Runtime) -> None:
    jobs = [job("a", ["context"]), job("b", ["nest", [["x", ["context"]]]])]
    result = await with_toolbox.run(board(*jobs), runtime=runtime, context=Toolbox("hammer"))
    assert result.state["notes"] == ["a has hammer", "x has hammer"]


async def test_a_branch_knows_its_place(runtime: Runtime) -> None:
    jobs = [job("a", ["place"]), job("b", ["nest", [["x", ["place"]]]])]
    result = await scripted.run(board(*jobs), runtime=runtime)
    assert result.state["notes"] == ["a", "b/x"]


async def test_outcomes_say_how_long_their_branches_took(runtime: Runtime) -> None:
    result = await scripted.run(board(job("a", ["work", 0.1]), job("b")), limit=1, runtime=runtime)
    slow, quick = result.outcomes
    assert slow.elapsed_s > quick.elapsed_s
    assert quick.started_s >= slow.elapsed_s
