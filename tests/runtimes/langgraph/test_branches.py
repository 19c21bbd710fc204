"""What LangGraph itself gets wrong, put right: isolation, failures, limits, order, folds."""

# ruff: noqa: ARG001 what a flow calls takes an item and a state
from __future__ import annotations

import asyncio
import operator
from pathlib import PurePosixPath
from typing import Annotated, Any, cast

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt
from typing_extensions import TypedDict

from fanfold.engine import (
    BranchFinished,
    BranchQueued,
    BranchStarted,
    DeadlineExceeded,
    Done,
    Failed,
    Folded,
    FoldError,
    Outcome,
    current_branch,
    retry,
    yield_slot,
)
from fanfold.runtimes import Flow, LangGraph


class State(TypedDict, total=False):
    files: list[str]
    shared: dict[str, list[str]]
    seen: Annotated[list[Any], operator.add]
    count: Annotated[int, operator.add]


FILES = ["a/utils.py", "b/utils.py", "c/models.py"]


async def appends(file: str, state: State) -> dict[str, Any]:
    state["shared"]["log"].append(file)
    await asyncio.sleep(0)
    return {"seen": [[*state["shared"]["log"]]]}


async def leaks(state: Any) -> dict[str, Any]:
    return await appends(state["file"], state)


def flow_of(branch: Any, **given: Any) -> Flow[State]:
    return Flow(**{"name": "flow", "state": State, "items": lambda state: state["files"], "branch": branch, **given})


def start() -> dict[str, Any]:
    return {"files": [*FILES], "shared": {"log": []}}


def counting(running: list[int]) -> Any:
    """A branch that writes down how many run."""
    now = 0

    async def counts(file: str, state: State) -> dict[str, Any]:
        nonlocal now
        now += 1
        running.append(now)
        await asyncio.sleep(0.001)
        now -= 1
        return {"count": 1}

    return counts


async def test_a_plain_send_shows_a_branch_what_another_did_to_a_nested_list() -> None:
    """The leak that the tests below hold against: `{**state}` is a new dict of the same lists."""

    class Sent(State, total=False):
        file: str

    builder = StateGraph(Sent)
    builder.add_node("process", leaks)
    builder.add_conditional_edges(
        START, lambda state: [Send("process", {**state, "file": file}) for file in state["files"]], ["process"]
    )
    builder.add_edge("process", END)
    given = start()
    final = await builder.compile().ainvoke(cast("Any", given))
    assert given["shared"]["log"] == FILES  # the caller's own
    assert [len(log) for log in final["seen"]] == [3, 3, 3]


async def test_nested_mutation_is_invisible_to_siblings_and_to_the_caller() -> None:
    given = start()
    final = await flow_of(appends).to_langgraph().ainvoke(given)
    assert final["seen"] == [[file] for file in FILES]
    assert given == start()
    assert final["shared"] == {"log": []}


async def test_an_item_is_isolated_too() -> None:
    async def changes(item: dict[str, Any], state: State) -> dict[str, Any]:
        item["deep"]["list"].append(1)
        return {"seen": [item["deep"]["list"]]}

    deep = {"list": [0]}
    flow = flow_of(changes, items=lambda state: [{"deep": state["shared"]}, {"deep": state["shared"]}])
    final = await flow.to_langgraph().ainvoke({"shared": deep})
    assert final["seen"] == [[0, 1], [0, 1]]
    assert deep == {"list": [0]}


async def test_each_file_is_processed_exactly_once() -> None:
    calls: list[str] = []

    async def once(file: str, state: State) -> dict[str, Any]:
        calls.append(file)
        return {"seen": [file]}

    files = [f"src/module{number}.py" for number in range(200)]
    final = await flow_of(once).to_langgraph(limit=7).ainvoke({"files": files})
    assert sorted(calls) == sorted(files)
    assert final["seen"] == files


async def test_files_of_one_stem_do_not_collide() -> None:
    async def place(file: str, state: State) -> dict[str, Any]:
        branch = current_branch()
        assert branch is not None
        return {"seen": [(PurePosixPath(file).stem, branch.path)]}

    final = await flow_of(place).to_langgraph().ainvoke({"files": FILES})
    assert final["seen"] == [("utils", ("a/utils.py",)), ("utils", ("b/utils.py",)), ("models", ("c/models.py",))]


async def test_a_retry_begins_with_the_state_as_it_was() -> None:
    seen: list[int] = []

    async def fails_once(file: str, state: State) -> dict[str, Any]:
        state["shared"]["log"].append(file)
        seen.append(len(state["shared"]["log"]))
        if len(seen) == 1:
            raise ConnectionError
        return {"count": 1}

    flow = flow_of(retry(2, wait_initial_s=0)(fails_once))
    assert (await flow.to_langgraph().ainvoke({"files": ["a"], "shared": {"log": []}}))["count"] == 1
    assert seen == [1, 1]


async def test_a_branch_that_fails_cancels_no_other_and_is_an_outcome() -> None:
    error = ValueError("can't")

    async def fails(file: str, state: State) -> dict[str, Any]:
        if file == FILES[0]:
            raise error
        await asyncio.sleep(0.001)
        return {"seen": [file]}

    flow = flow_of(fails, failed=lambda failed: {"seen": [f"{failed.key}: {failed.error}"]})
    result = await flow.run(start(), runtime=LangGraph())
    assert result.state["seen"] == ["a/utils.py: can't", *FILES[1:]]
    failed, *done = result.outcomes
    assert isinstance(failed, Failed)
    assert failed.error is error
    assert "can't" in failed.traceback
    assert [(outcome.key, outcome.index) for outcome in done] == [("b/utils.py", 1), ("c/models.py", 2)]
    assert all(outcome.elapsed_s > 0 for outcome in done)


@pytest.mark.parametrize("count", [0, 1, 2, 50])
async def test_the_fold_runs_exactly_once(count: int) -> None:
    folds: list[Folded] = []

    async def adds(file: str, state: State) -> dict[str, Any]:
        return {"count": 1}

    graph = flow_of(adds).to_langgraph(
        on_event=lambda event: folds.append(event) if isinstance(event, Folded) else None
    )
    updates = [chunk async for chunk in graph.astream({"files": [f"{n}" for n in range(count)]}, stream_mode="updates")]
    assert sum("fold" in update for update in updates) == 1
    assert [fold.branches for fold in folds] == [count]


async def first(file: str, state: State) -> str:
    await asyncio.sleep(0)
    state["files"].clear()
    return file.upper()


async def second(file: str, state: State) -> dict[str, Any]:
    return {"seen": [(file, len(state["files"]))]}


async def test_the_hops_of_a_branch_run_one_after_another_each_from_the_untouched_state() -> None:
    graph = flow_of((first, second)).to_langgraph()
    assert "first+second" in graph.nodes
    assert (await graph.ainvoke({"files": ["a", "b"]}))["seen"] == [("A", 2), ("B", 2)]


async def test_order_is_by_item_whatever_finishes_first() -> None:
    async def later(file: str, state: State) -> dict[str, Any]:
        await asyncio.sleep(0.001 * (5 - int(file)))
        return {"seen": [file]}

    assert (await flow_of(later).to_langgraph().ainvoke({"files": [*"01234"]}))["seen"] == [*"01234"]


@pytest.mark.parametrize(
    ("limit", "config", "most"),
    [(3, {}, 3), (None, {"max_concurrency": 2}, 2), (4, {"max_concurrency": 2}, 2), (2, {"max_concurrency": 4}, 2)],
)
async def test_the_smaller_limit_counts(limit: int | None, config: Any, most: int) -> None:
    running: list[int] = []
    graph = flow_of(counting(running)).to_langgraph(limit=limit)
    assert (await graph.ainvoke({"files": [*"abcdefgh"]}, config))["count"] == 8
    assert max(running) == most


@pytest.mark.parametrize("config", [{"max_concurrency": 2}, {}])
async def test_the_limit_counts_branches_of_nested_flows_too(config: Any) -> None:
    running: list[int] = []
    inner = flow_of(counting(running), name="inner")

    async def outer(file: str, state: State) -> dict[str, Any]:
        result = await inner.run({"files": [*"abcd"]})
        return {"count": result.state["count"]}

    graph = flow_of(outer, name="outer").to_langgraph(limit=None if config else 2)
    assert (await graph.ainvoke({"files": [*"abcd"]}, config))["count"] == 16
    assert max(running) == 2


async def test_a_graph_that_is_invoked_in_a_branch_stays_within_its_limit() -> None:
    running: list[int] = []
    inner = flow_of(counting(running), name="inner").to_langgraph()

    async def outer(file: str, state: State) -> dict[str, Any]:
        return {"count": (await inner.ainvoke({"files": [*"abcd"]}))["count"]}

    graph = flow_of(outer, name="outer").to_langgraph(limit=2)
    assert (await graph.ainvoke({"files": [*"abcd"]}))["count"] == 16
    assert max(running) == 2


async def test_a_branch_that_only_waits_lends_its_slot() -> None:
    there = asyncio.Event()

    async def waits(file: str, state: State) -> dict[str, Any]:
        if file == "waits":
            async with yield_slot():
                await there.wait()
        there.set()
        return {"seen": [file]}

    graph = flow_of(waits).to_langgraph()
    final = await asyncio.wait_for(graph.ainvoke({"files": ["waits", "comes"]}, {"max_concurrency": 1}), 10)
    assert final["seen"] == ["waits", "comes"]


async def test_what_a_branch_invokes_keeps_to_the_concurrency_of_the_run() -> None:
    running: list[int] = []
    count = counting(running)

    class Inner(TypedDict, total=False):
        count: Annotated[int, operator.add]

    async def work(state: Inner) -> dict[str, Any]:
        return await count("", {})  # type: ignore[no-any-return]

    builder = StateGraph(Inner)
    builder.add_node("work", work)
    builder.add_conditional_edges(START, lambda _: [Send("work", {}) for _ in range(6)], ["work"])

    async def invokes(file: str, state: State) -> dict[str, Any]:
        return await builder.compile().ainvoke({})

    final = await flow_of(invokes).to_langgraph().ainvoke({"files": ["a"]}, {"max_concurrency": 3})
    assert final["count"] == 6
    assert max(running) == 3


@pytest.mark.parametrize("config", [{}, {"max_concurrency": 1}])
async def test_a_higher_priority_starts_first(config: Any) -> None:
    began: list[str] = []

    async def begins(file: str, state: State) -> None:
        began.append(file)
        await asyncio.sleep(0)

    graph = flow_of(begins, priority=float).to_langgraph(limit=1)
    await graph.ainvoke({"files": [*"1325"]}, config)
    assert began == [*"5321"]


async def test_outcomes_are_delivered_one_after_another_as_they_arrive() -> None:
    told: list[str] = []
    telling = 0

    async def on_outcome(outcome: Outcome[Any]) -> None:
        nonlocal telling
        telling += 1
        assert telling == 1
        await asyncio.sleep(0.001)
        told.append(outcome.key)
        telling -= 1

    async def later(file: str, state: State) -> None:
        await asyncio.sleep(0.01 * (3 - int(file)))

    await flow_of(later, on_outcome=on_outcome).to_langgraph().ainvoke({"files": [*"012"]})
    assert told == ["2", "1", "0"]


async def test_a_slow_delivery_holds_up_no_branch() -> None:
    all_began = asyncio.Event()
    began: list[str] = []

    async def begins(file: str, state: State) -> None:
        began.append(file)
        if len(began) == 5:
            all_began.set()

    async def on_outcome(_: Outcome[Any]) -> None:
        await all_began.wait()

    graph = flow_of(begins, on_outcome=on_outcome).to_langgraph()
    await asyncio.wait_for(graph.ainvoke({"files": [*"abcde"]}, {"max_concurrency": 1}), 10)
    assert began == [*"abcde"]


async def test_what_a_delivery_raises_ends_the_run() -> None:
    error, ended, told = RuntimeError("stop"), [], []

    async def waits(file: str, state: State) -> None:
        if file != "a":
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(file)

    async def on_outcome(outcome: Outcome[Any]) -> None:
        told.append(outcome.key)
        raise error

    flow = flow_of(waits, on_outcome=on_outcome)
    with pytest.raises(RuntimeError) as raised:
        await flow.run({"files": [*"abc"]}, runtime=LangGraph())
    assert raised.value is error
    assert sorted(ended) == ["b", "c"]
    assert told == ["a"]


async def test_what_a_step_raises_comes_out_as_it_was() -> None:
    error = KeyError("why")

    async def breaks(state: State) -> None:
        raise error

    for flow in (flow_of(first, prepare=(breaks,)), flow_of(second, finish=(breaks,))):
        with pytest.raises(KeyError) as raised:
            await flow.run({"files": ["a"]}, runtime=LangGraph())
        assert raised.value is error


async def test_a_fold_that_fails_names_the_branch_and_keeps_all_outcomes() -> None:
    async def wrong(file: str, state: State) -> dict[str, Any]:
        return {"cuont": 1}

    with pytest.raises(FoldError, match="cuont") as raised:
        await flow_of(wrong).run({"files": ["a", "b"]}, runtime=LangGraph())
    assert [outcome.key for outcome in raised.value.outcomes] == ["a", "b"]
    assert raised.value.branches == ("a",)


async def test_events_tell_what_happens_with_places_and_times() -> None:
    events: list[Any] = []

    async def fine(file: str, state: State) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"count": 1}

    await flow_of(fine).run({"files": ["a", "b"]}, runtime=LangGraph(), limit=1, on_event=events.append)
    kinds = [type(event) for event in events]
    assert kinds[:2] == [BranchQueued, BranchQueued]
    assert kinds.count(BranchStarted) == kinds.count(BranchFinished) == 2
    assert kinds[-1] is Folded
    assert [event.outcome.index for event in events if isinstance(event, BranchFinished)] == [0, 1]
    assert events[0].path == ("a",)


async def test_deadlines_hold_for_a_branch_and_for_all() -> None:
    async def slow(file: str, state: State) -> dict[str, Any]:
        await asyncio.sleep(10 if file == "slow" else 0)
        return {"seen": [file]}

    for deadline in ({"deadline_s": 0.05}, {"total_deadline_s": 0.1}):
        result = await flow_of(slow, **deadline).run({"files": ["slow", "fast"]}, runtime=LangGraph())
        failed, done = result.outcomes
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, DeadlineExceeded)
        assert isinstance(done, Done)
        assert result.state["seen"] == ["fast"]


async def test_an_interrupt_stops_the_graph_and_is_answered() -> None:
    ran: list[str] = []
    told: list[str] = []

    async def asks(file: str, state: State) -> dict[str, Any]:
        ran.append(file)
        return {"seen": [interrupt(f"what of {file}?") if file == "b" else file]}

    async def on_outcome(outcome: Outcome[Any]) -> None:
        told.append(outcome.key)

    graph = flow_of(asks, on_outcome=on_outcome).to_langgraph(checkpointer=InMemorySaver(), limit=1)
    config: Any = {"configurable": {"thread_id": "1"}}
    paused = await graph.ainvoke({"files": [*"abc"]}, config)
    assert [one.value for one in paused["__interrupt__"]] == ["what of b?"]
    assert told == ["a", "c"]
    assert (await graph.ainvoke(Command(resume="this"), config))["seen"] == ["a", "this", "c"]
    assert ran == ["a", "b", "c", "b"]
    assert told == ["a", "c", "b"]


async def test_several_interrupts_are_answered_each() -> None:
    async def asks(file: str, state: State) -> dict[str, Any]:
        return {"seen": [interrupt(file)]}

    graph = flow_of((first, asks)).to_langgraph(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    paused = await graph.ainvoke({"files": ["a", "b"]}, config)
    answers = {one.id: f"{one.value}!" for one in paused["__interrupt__"]}
    assert (await graph.ainvoke(Command(resume=answers), config))["seen"] == ["A!", "B!"]


async def test_a_cancelled_run_ends_its_branches() -> None:
    ended: list[str] = []

    async def waits(file: str, state: State) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(file)

    task = asyncio.create_task(flow_of(waits).run({"files": ["a", "b"]}, runtime=LangGraph()))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == ["a", "b"]
