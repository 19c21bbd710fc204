"""A flow as an ordinary LangGraph graph: drawn, invoked, streamed, nested, saved."""

# ruff: noqa: ARG001 what a flow calls takes an item and a state
from __future__ import annotations

import asyncio
import gc
import operator
import weakref
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Overwrite
from typing_extensions import TypedDict

from fanfold.engine import Limit, LimitError
from fanfold.runtimes import Flow, LangGraph, get_context
from fanfold.runtimes.langgraph.invocation import Invocation


class Session(TypedDict, total=False):
    session: str
    files: list[str]
    fixed: Annotated[list[str], operator.add]
    errors: Annotated[int, lambda held, added: held + added]


async def initialize(state: Session) -> dict[str, Any]:
    return {"session": "one"}


async def collect_errors(state: Session) -> dict[str, Any]:
    return {"files": ["a.py", "b.py", "c.py"]}


async def process_file(file: str, state: Session) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"fixed": [f"{state['session']}: {file}"], "errors": 2}


async def aggregate_results(state: Session) -> dict[str, Any]:
    return {"session": f"{state['session']}, {len(state['files'])} files"}


async def cleanup(state: Session) -> None: ...


STOMPER = Flow(
    name="stomper",
    state=Session,
    prepare=(initialize, collect_errors),
    items=lambda state: state["files"],
    branch=process_file,
    finish=(aggregate_results, cleanup),
)
FIXED = ["one: a.py", "one: b.py", "one: c.py"]
FINAL = {"session": "one, 3 files", "files": ["a.py", "b.py", "c.py"], "fixed": FIXED, "errors": 6}


def on_thread(name: str) -> Any:
    return {"configurable": {"thread_id": name}}


def test_its_nodes_are_the_functions_of_the_flow() -> None:
    graph = STOMPER.to_langgraph()
    nodes = ["initialize", "collect_errors", "process_file", "aggregate_results", "cleanup"]
    assert set(graph.nodes) == {START, "join", "fold", *nodes}
    picture = graph.get_graph().draw_mermaid()
    for arrow in (
        "collect_errors -.-> process_file",
        "process_file -.-> fold",
        "fold --> aggregate_results",
        "cleanup --> __end__",
    ):
        assert arrow in picture


def test_a_step_may_have_the_name_of_a_node_of_ours() -> None:
    async def fold(state: Session) -> dict[str, Any]:
        return {"session": "folded"}

    flow = Flow(
        name="f", state=Session, items=lambda _: "ab", branch=process_file, prepare=(initialize,), finish=(fold,)
    )
    graph = flow.to_langgraph()
    assert {"fold", "fold_"} <= set(graph.nodes)
    assert graph.invoke({})["session"] == "folded"


async def test_it_is_invoked_as_any_graph() -> None:
    graph = STOMPER.to_langgraph()
    assert await graph.ainvoke({}) == FINAL
    assert await graph.ainvoke({"fixed": ["before"]}) == {**FINAL, "fixed": ["before", *FIXED]}
    assert await graph.abatch([{}, {}]) == [FINAL, FINAL]
    assert await graph.with_config({"max_concurrency": 1}).ainvoke({}) == FINAL


def test_it_is_invoked_and_streamed_by_code_that_is_not_async() -> None:
    graph = STOMPER.to_langgraph()
    assert graph.invoke({}) == FINAL
    assert [*graph.stream({}, stream_mode="values")][-1] == FINAL


async def test_code_that_is_not_async_may_be_called_by_code_that_is() -> None:
    graph = STOMPER.to_langgraph()
    assert graph.invoke({}) == FINAL
    assert [*graph.stream({}, stream_mode="values")][-1] == FINAL


async def test_a_stream_that_is_left_ends_the_run() -> None:
    running: set[str] = set()

    async def waits(file: str, state: Session) -> None:
        running.add(file)
        try:
            await asyncio.Event().wait()
        finally:
            running.discard(file)

    graph = Flow(name="f", state=Session, items=lambda _: ["a", "b"], branch=waits).to_langgraph()
    stream: Any = graph.astream({}, stream_mode="tasks")
    async for _ in stream:
        break
    await asyncio.sleep(0)
    await stream.aclose()
    assert not running


async def test_updates_show_what_nodes_wrote_and_nothing_private() -> None:
    chunks = [chunk async for chunk in STOMPER.to_langgraph().astream({}, stream_mode="updates")]
    assert "__fanfold" not in str(chunks)
    assert chunks[:2] == [{"initialize": {"session": "one"}}, {"collect_errors": {"files": FINAL["files"]}}]
    assert {"fold": {"fixed": Overwrite(FIXED), "errors": Overwrite(6)}} in chunks
    assert chunks[-2:] == [{"aggregate_results": {"session": "one, 3 files"}}, {"cleanup": None}]


async def test_values_show_the_state_after_each_superstep() -> None:
    chunks = [chunk async for chunk in STOMPER.to_langgraph().astream({"errors": 1}, stream_mode="values")]
    assert "__fanfold" not in str(chunks)
    assert chunks[0] == {"errors": 1, "fixed": []}
    assert chunks[-1] == {**FINAL, "errors": 7}


async def test_a_branch_streams_what_it_likes() -> None:
    from langgraph.config import get_stream_writer

    async def tells(file: str, state: Session) -> None:
        get_stream_writer()(f"at {file}")

    graph = Flow(name="f", state=Session, items=lambda _: ["a", "b"], branch=tells).to_langgraph(limit=1)
    assert [chunk async for chunk in graph.astream({}, stream_mode="custom")] == ["at a", "at b"]


@pytest.mark.parametrize("mode", ["checkpoints", "debug", "tasks", "messages"])
async def test_other_ways_to_stream_work(mode: Any) -> None:
    graph = STOMPER.to_langgraph(checkpointer=InMemorySaver())
    chunks = [chunk async for chunk in graph.astream({}, on_thread("1"), stream_mode=mode)]
    assert bool(chunks) == (mode != "messages")


async def test_it_is_drawn_and_described() -> None:
    graph = STOMPER.to_langgraph(name="fixes")
    assert graph.get_name() == "fixes"
    assert set(graph.get_input_jsonschema()["properties"]) == set(Session.__annotations__)
    assert set(graph.get_output_jsonschema()["properties"]) == set(Session.__annotations__)


@pytest.mark.parametrize("key", ["fixed", "errors"])
@pytest.mark.parametrize("how", ["ainvoke", "invoke"])
async def test_in_a_graph_of_the_users_own_nothing_doubles(key: str, how: str) -> None:
    class Outer(TypedDict, total=False):
        fixed: Annotated[list[str], operator.add]
        errors: Annotated[int, operator.add]
        other: str

    async def before(state: Outer) -> dict[str, Any]:
        return {"fixed": ["before"], "errors": 1, "other": "kept"}

    builder = StateGraph(Outer)
    builder.add_node("before", before if how == "ainvoke" else lambda _: asyncio.run(before({})))
    builder.add_node("fix", STOMPER.to_langgraph())
    builder.add_node("again", STOMPER.to_langgraph())
    builder.add_edge(START, "before")
    builder.add_edge("before", "fix")
    builder.add_edge("fix", "again")
    builder.add_edge("again", END)
    graph = builder.compile()
    expected = {"fixed": ["before", *FIXED, *FIXED], "errors": 13, "other": "kept"}
    final = await graph.ainvoke({}) if how == "ainvoke" else await asyncio.to_thread(lambda: graph.invoke({}))
    assert final[key] == expected[key]


async def test_a_field_that_the_graph_around_does_not_reduce_has_the_whole_value() -> None:
    class Outer(TypedDict, total=False):
        fixed: list[str]

    builder = StateGraph(Outer)
    builder.add_node("fix", STOMPER.to_langgraph())
    builder.add_edge(START, "fix")
    assert await builder.compile().ainvoke({"fixed": ["before"]}) == {"fixed": ["before", *FIXED]}


async def test_a_node_that_invokes_it_gets_the_whole_state() -> None:
    seen: list[Any] = []

    class Outer(TypedDict, total=False):
        fixed: Annotated[list[str], operator.add]

    async def fix(state: Outer) -> dict[str, Any]:
        seen.append(await STOMPER.to_langgraph().ainvoke({"fixed": ["mine"]}))
        return {}

    builder = StateGraph(Outer)
    builder.add_node("fix", fix)
    builder.add_edge(START, "fix")
    await builder.compile().ainvoke({"fixed": ["before"]})
    assert seen[0]["fixed"] == ["mine", *FIXED]


async def test_a_thread_goes_on_in_turns() -> None:
    graph = STOMPER.to_langgraph(checkpointer=InMemorySaver())
    assert await graph.ainvoke({}, on_thread("1")) == FINAL
    assert await graph.ainvoke({"errors": 10}, on_thread("1")) == {**FINAL, "fixed": FIXED * 2, "errors": 22}
    assert await graph.ainvoke({}, on_thread("2")) == FINAL


async def test_who_edits_the_state_of_a_thread_adds_to_it_as_ever() -> None:
    graph = STOMPER.to_langgraph(checkpointer=InMemorySaver())
    await graph.ainvoke({}, on_thread("1"))
    await graph.aupdate_state(on_thread("1"), {"fixed": ["by hand"], "errors": 100})
    values = (await graph.aget_state(on_thread("1"))).values
    assert (values["fixed"], values["errors"]) == ([*FIXED, "by hand"], 106)
    assert "__fanfold" not in str(values)


async def test_who_edits_the_state_before_the_branches_has_them_run_on_it() -> None:
    graph = STOMPER.to_langgraph(checkpointer=InMemorySaver())
    await graph.ainvoke({}, on_thread("1"))
    config = await graph.aupdate_state(on_thread("1"), {"files": ["d.py"], "session": "two"}, as_node="collect_errors")
    final = await graph.ainvoke(None, config)
    assert final["fixed"] == [*FIXED, "two: d.py"]


async def test_runs_of_one_graph_at_once_do_not_meet() -> None:
    graph = STOMPER.to_langgraph(limit=2)
    finals = await asyncio.gather(*(graph.ainvoke({"errors": number}) for number in range(20)))
    assert finals == [{**FINAL, "errors": 6 + number} for number in range(20)]


async def test_more_steps_than_the_recursion_limit_allows_are_no_surprise() -> None:
    steps: list[Any] = []
    for number in range(30):

        async def step(state: Session, number: int = number) -> dict[str, Any]:
            return {"errors": 1}

        step.__name__ = f"step{number}"
        steps.append(step)
    flow = Flow(name="long", state=Session, items=lambda _: ["a"], branch=cleanup_file, prepare=tuple(steps))
    assert (await flow.to_langgraph().ainvoke({}))["errors"] == 30
    assert (await flow.to_langgraph().ainvoke({}, {"recursion_limit": 2}))["errors"] == 30


async def cleanup_file(file: str, state: Session) -> None: ...


@dataclass
class Tools:
    name: str


async def asks(file: str, state: Session) -> dict[str, Any]:
    return {"fixed": [get_context(Tools).name]}


async def test_components_come_with_the_run_or_with_the_graph() -> None:
    flow = Flow(name="f", state=Session, items=lambda _: ["a"], branch=asks)
    assert (await flow.to_langgraph(context=Tools("the graph's")).ainvoke({}))["fixed"] == ["the graph's"]
    graph = flow.to_langgraph(context=Tools("the graph's"))
    assert (await graph.ainvoke({}, context=Tools("the run's")))["fixed"] == ["the run's"]
    result = await flow.run({}, context=Tools("run's"), runtime=LangGraph())
    assert result.state["fixed"] == ["run's"]


def test_a_limit_that_lets_nothing_run_is_refused() -> None:
    with pytest.raises(LimitError):
        STOMPER.to_langgraph(limit=0)


async def test_a_limit_is_shared_by_graphs_that_are_given_the_same() -> None:
    limit, running, most = Limit(2), 0, 0

    async def counts(file: str, state: Session) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    flow = Flow(name="f", state=Session, items=lambda _: "abcdefgh", branch=counts)
    await asyncio.gather(*(flow.to_langgraph(limit=limit).ainvoke({}) for _ in range(3)))
    assert most == 2


async def test_nothing_is_kept_of_a_run() -> None:
    class Big:
        pass

    kept: list[weakref.ref[Any]] = []

    async def makes(file: str, state: Session) -> dict[str, Any]:
        return {"fixed": [file]}

    async def on_outcome(outcome: Any) -> None:
        kept.append(weakref.ref(outcome_of_run()))

    def outcome_of_run() -> Any:
        return next(one for one in gc.get_objects() if isinstance(one, Invocation))

    flow = Flow(name="f", state=Session, items=lambda _: "ab", branch=makes, on_outcome=on_outcome)
    await flow.to_langgraph().ainvoke({})
    gc.collect()
    assert kept
    assert not any(one() for one in kept)
