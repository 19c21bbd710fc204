"""The building blocks, in plain LangGraph graphs."""

from __future__ import annotations

from collections.abc import Callable
from operator import add
from pathlib import Path
from typing import Annotated, Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt
from typing_extensions import TypedDict

from fanfold.engine import IsolationError, UpdateError, freeze, retry
from fanfold.runtimes.langgraph.blocks import NotInGraph, SendError, isolated, updates_only


class Review(TypedDict, total=False):
    files: list[str]
    current: str
    rules: dict[str, list[str]]
    seen: Annotated[list[list[str]], add]
    done: Annotated[list[str], add]
    failed: Annotated[list[str], add]


RULES = {"python": ["no tabs"]}


def whole(state: Review) -> list[Send]:
    return [Send("review", {**state, "current": file}) for file in state["files"]]


def small(state: Review) -> list[Send]:
    return [Send("review", {"current": file}) for file in state["files"]]


async def review(state: Review) -> dict[str, Any]:
    """Notes the file in the rules that all branches share, and tells which notes it found there."""
    found = list(state["rules"]["python"])
    state["rules"]["python"].append(state["current"])
    return {"seen": [found], "done": [state["current"]]}


def review_in_a_thread(state: Review) -> dict[str, Any]:
    found = list(state["rules"]["python"])
    state["rules"]["python"].append(state["current"])
    return {"seen": [found], "done": [state["current"]]}


def nothing(_: Review) -> dict[str, Any]:
    return {}


def graph_of(node: Callable[..., Any], sends: Callable[[Review], list[Send]] = whole, **options: Any) -> Any:
    policy = options.pop("retry_policy", None)
    builder: Any = StateGraph(Review)
    builder.add_node("begin", nothing)
    builder.add_node("review", node, retry_policy=policy)
    builder.add_node("end", nothing, defer=True)
    builder.add_edge(START, "begin")
    builder.add_conditional_edges("begin", sends, ["review"])
    builder.add_edge("review", "end")
    builder.add_edge("end", END)
    return builder.compile(**options)


def begun(files: int = 3) -> Review:
    return {"files": [f"{number}.py" for number in range(files)], "rules": {"python": ["no tabs"]}}


async def test_plain_sends_leak() -> None:
    """What the rest of this file is about; once LangGraph isolates by itself, it can go."""
    state = begun()
    result = await graph_of(review).ainvoke(state)
    assert result["seen"] == [["no tabs"], ["no tabs", "0.py"], ["no tabs", "0.py", "1.py"]]
    assert state["rules"]["python"] == ["no tabs", "0.py", "1.py", "2.py"]


@pytest.mark.parametrize("node", [review, review_in_a_thread])
@pytest.mark.parametrize(
    ("sends", "options"),
    [(whole, {}), (small, {"shared": Review}), (whole, {"shared": Review})],
    ids=["whole", "small", "whole, shared"],
)
async def test_nested_mutation_is_invisible_to_siblings_and_to_the_graph(
    node: Callable[..., Any], sends: Callable[[Review], list[Send]], options: dict[str, Any]
) -> None:
    state = begun()
    result = await graph_of(isolated(**options)(node), sends).ainvoke(state)
    assert result["seen"] == [["no tabs"]] * 3
    assert result["done"] == ["0.py", "1.py", "2.py"]
    assert result["rules"] == state["rules"] == RULES


@pytest.mark.parametrize(("sends", "shared"), [(whole, None), (small, Review)])
async def test_a_retry_of_langgraph_begins_from_clean_state(
    sends: Callable[[Review], list[Send]], shared: type | None
) -> None:
    attempts: list[str] = []

    async def flaky(state: Review) -> dict[str, Any]:
        attempts.append(state["current"])
        update = await review(state)
        if attempts.count(state["current"]) < 3:
            raise ConnectionError("try again")
        return update

    policy = RetryPolicy(max_attempts=3, initial_interval=0.0, jitter=False)
    result = await graph_of(isolated(flaky, shared=shared), sends, retry_policy=policy).ainvoke(begun())
    assert len(attempts) == 9
    assert result["seen"] == [["no tabs"]] * 3


async def test_what_a_node_returns_is_nobody_elses() -> None:
    kept: list[Any] = []

    async def returning(state: Review) -> dict[str, Any]:
        kept.append(state["rules"])
        return {"seen": [state["rules"]["python"]]}

    result = await graph_of(isolated(returning)).ainvoke(begun(1))
    kept[0]["python"].append("later")
    assert result["seen"] == [["no tabs"]]
    assert type(result["seen"][0]) is list


async def test_what_sends_have_in_common_is_frozen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[Any] = []

    def noted(value: Any, **options: Any) -> Any:
        frozen.append(value.get("rules", value) if isinstance(value, dict) else value)
        return freeze(value, **options)

    monkeypatch.setattr("fanfold.runtimes.langgraph.snapshots.freeze", noted)
    for sends, shared in ((whole, None), (small, Review)):
        frozen.clear()
        await graph_of(isolated(review, shared=shared), sends).ainvoke(begun(50))
        assert 1 <= sum(value == RULES for value in frozen) <= 2


async def test_a_later_run_with_the_same_objects_sees_what_has_become_of_them() -> None:
    graph = graph_of(isolated(review, shared=Review), small)
    state = begun(1)
    await graph.ainvoke(state)
    state["rules"]["python"].append("no spaces")
    assert (await graph.ainvoke(state))["seen"] == [["no tabs", "no spaces"]]


@pytest.mark.parametrize("sends", [whole, small])
async def test_a_node_that_returns_its_whole_state_fails_where_it_shares_one(
    sends: Callable[[Review], list[Send]],
) -> None:
    async def spread(state: Review) -> dict[str, Any]:
        return {**state, "seen": [["me"]]}

    with pytest.raises(UpdateError, match="'done'"):
        await graph_of(isolated(spread, shared=Review), sends).ainvoke({**begun(1), "done": ["before"]})


async def test_a_failing_branch_becomes_a_value_and_its_siblings_go_on() -> None:
    async def fails_for_one(state: Review) -> dict[str, Any]:
        state["current"] += " (touched)"
        if state["current"].startswith("1"):
            raise ValueError("unreadable")
        return {"done": [state["current"][0]]}

    def failed(error: Exception, sent: Review) -> dict[str, Any]:
        return {"failed": [f"{sent['current']}: {error}"]}

    node = isolated(fails_for_one, shared=Review, on_error=failed)
    result = await graph_of(node, small).ainvoke(begun())
    assert (result["done"], result["failed"]) == (["0", "2"], ["1.py: unreadable"])


async def test_retries_inside_of_a_failure_that_becomes_a_value() -> None:
    attempts: list[str] = []

    @isolated(on_error=lambda _, sent: {"failed": [sent["current"]]})
    @retry(2, wait_initial_s=0.0)
    async def flaky(state: Review) -> dict[str, Any]:
        attempts.append(state["current"])
        update = await review(state)
        if state["current"] == "1.py" or attempts.count(state["current"]) == 1:
            raise ConnectionError("try again")
        return update

    result = await graph_of(flaky).ainvoke(begun())
    assert sorted(attempts) == ["0.py", "0.py", "1.py", "1.py", "2.py", "2.py"]
    assert (result["seen"], result["failed"]) == ([["no tabs"]] * 2, ["1.py"])


async def test_interrupts_pass_and_resume() -> None:
    @isolated(shared=Review, on_error=lambda error, _: {"failed": [str(error)]})
    async def asks(state: Review) -> dict[str, Any]:
        state["rules"]["python"].append("touched")
        return {"done": [interrupt(f"may I? {state['rules']['python']}")]}

    graph = graph_of(asks, small, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    asked = await graph.ainvoke(begun(1), config)
    assert [question.value for question in asked["__interrupt__"]] == ["may I? ['no tabs', 'touched']"]
    assert (await graph.ainvoke(Command(resume="yes"), config))["done"] == ["yes"]


async def test_a_run_resumed_from_a_saver_has_its_shared_state(tmp_path: Path) -> None:
    down = {"1.py"}

    @isolated(shared=Review)
    async def flaky(state: Review) -> dict[str, Any]:
        if state["current"] in down:
            raise ConnectionError("down")
        return await review(state)

    config = {"configurable": {"thread_id": "1"}}
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as saver:
        with pytest.raises(ConnectionError):
            await graph_of(flaky, small, checkpointer=saver).ainvoke(begun(), config)
    down.clear()
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as saver:
        result = await graph_of(flaky, small, checkpointer=saver).ainvoke(None, config)
    assert result["seen"] == [["no tabs"]] * 3
    assert result["rules"] == RULES


@pytest.mark.parametrize(("sends", "shared", "is_small"), [(small, Review, True), (whole, None, False)])
async def test_small_sends_keep_the_state_out_of_checkpoints(
    sends: Callable[[Review], list[Send]], shared: type | None, is_small: bool, tmp_path: Path
) -> None:
    state: Review = {"files": [str(number) for number in range(100)], "rules": {"python": ["x" * 100_000]}}
    path = tmp_path / "threads.db"
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        graph = graph_of(isolated(only_names, shared=shared), sends, checkpointer=saver)
        result = await graph.ainvoke(state, {"configurable": {"thread_id": "1"}})
    assert len(result["done"]) == 100
    assert (path.stat().st_size < 2_000_000) is is_small


async def only_names(state: Review) -> dict[str, Any]:
    return {"done": [state["current"]]}


async def test_nodes_of_a_subgraph_share_the_subgraphs_state() -> None:
    builder = StateGraph(Review)
    builder.add_node("inner", graph_of(isolated(review, shared=Review), small))
    builder.add_edge(START, "inner")
    assert (await builder.compile().ainvoke(begun()))["seen"] == [["no tabs"]] * 3


async def test_langgraph_injects_what_a_node_asks_for() -> None:
    from langchain_core.runnables import RunnableConfig

    @isolated
    async def asking(_: Review, config: RunnableConfig) -> dict[str, Any]:
        return {"done": [config["configurable"]["who"]]}

    result = await graph_of(asking).ainvoke(begun(1), {"configurable": {"who": "ada"}})
    assert result["done"] == ["ada"]


async def test_a_node_that_an_edge_leads_to_is_isolated_too() -> None:
    state: Review = {**begun(), "current": "0.py"}
    result = await _one(isolated(review)).ainvoke(state)
    assert result["seen"] == [["no tabs"]]
    assert result["rules"] == state["rules"] == RULES


def test_plain_nodes_are_invoked_by_code_that_is_not_async() -> None:
    assert graph_of(isolated(review_in_a_thread), whole).invoke(begun())["seen"] == [["no tabs"]] * 3


async def test_messages_and_commands_are_what_they_were() -> None:
    from langchain_core.messages import AIMessage, HumanMessage
    from langgraph.graph import MessagesState

    @isolated(shared=MessagesState)
    async def answer(state: MessagesState) -> Command[Any]:
        question = state["messages"][0]
        assert isinstance(question, HumanMessage)
        question.content = "scribbled over"
        return Command(update={"messages": [AIMessage("hello")]}, goto=Send("ask", {"messages": []}))

    async def ask(_: MessagesState) -> dict[str, Any]:
        return {"messages": [HumanMessage("who?")]}

    builder: Any = StateGraph(MessagesState)
    builder.add_node("answer", answer, destinations=("ask",))
    builder.add_node("ask", ask)
    builder.add_edge(START, "answer")
    graph = builder.compile(checkpointer=InMemorySaver())
    result = await graph.ainvoke({"messages": [HumanMessage("hi")]}, {"configurable": {"thread_id": "1"}})
    assert [(type(message), message.content) for message in result["messages"]] == [
        (HumanMessage, "hi"),
        (AIMessage, "hello"),
        (HumanMessage, "who?"),
    ]


async def test_methods_and_objects_are_nodes() -> None:
    class Reviewer:
        async def review(self, state: Review) -> dict[str, Any]:
            return await review(state)

        async def __call__(self, state: Review) -> dict[str, Any]:
            return await review(state)

    for node in (Reviewer().review, Reviewer()):
        result = await graph_of(isolated(shared=Review)(node), small).ainvoke(begun())
        assert result["seen"] == [["no tabs"]] * 3


async def test_what_is_shared_may_name_what_sends_alone_have() -> None:
    class Task(TypedDict, total=False):
        page: int
        rules: dict[str, list[str]]

    @isolated(shared=Task)
    async def read(state: Any) -> dict[str, Any]:
        return {"seen": [[*state["rules"]["python"], str(state["page"])]]}

    result = await graph_of(read, lambda _: [Send("review", {"page": 7})]).ainvoke(begun())
    assert result["seen"] == [["no tabs", "7"]]


@pytest.mark.parametrize("decorate", [isolated, updates_only, isolated(shared=Review)])
def test_what_is_no_function_is_refused_when_it_is_decorated(decorate: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="CompiledStateGraph is no function"):
        decorate(graph_of(review))


async def test_states_that_are_classes() -> None:
    from dataclasses import dataclass, field

    @dataclass
    class State:
        files: list[str]
        rules: dict[str, list[str]]
        current: str = ""
        seen: Annotated[list[list[str]], add] = field(default_factory=list)

    @isolated(shared=State)
    async def node(state: State) -> dict[str, Any]:
        state.rules["python"].append(state.current)
        return {"seen": [state.rules["python"]]}

    builder = StateGraph(State)
    builder.add_node("begin", lambda _: {})
    builder.add_node("node", node)
    builder.add_edge(START, "begin")
    builder.add_conditional_edges("begin", lambda state: [Send("node", {"current": file}) for file in state.files])
    result = await builder.compile().ainvoke(State(["0.py", "1.py"], {"python": ["no tabs"]}))
    assert result["seen"] == [["no tabs", "0.py"], ["no tabs", "1.py"]]


async def test_a_node_called_by_itself_is_isolated_too() -> None:
    state: Review = {**begun(), "current": "0.py"}
    assert await isolated(review)(state) == {"seen": [["no tabs"]], "done": ["0.py"]}
    assert state["rules"] == RULES
    with pytest.raises(NotInGraph):
        await isolated(review, shared=Review)({"current": "0.py"})


async def test_a_send_without_fields_is_refused_where_a_state_is_shared() -> None:
    with pytest.raises(SendError, match="carries a str"):
        await graph_of(isolated(review, shared=Review), lambda _: [Send("review", "0.py")]).ainvoke(begun())


async def test_a_live_object_in_the_state_is_refused() -> None:
    from threading import Lock

    with pytest.raises(IsolationError, match="lock"):
        await graph_of(isolated(review)).ainvoke({**begun(), "rules": {"lock": Lock()}})


async def test_updates_only_refuses_what_would_double() -> None:
    async def spread(state: Review) -> dict[str, Any]:
        return {**state, "current": "x"}

    def plain(state: Review) -> Review:
        return state

    async def command(state: Review) -> Command[Any]:
        return Command(update={**state})

    async def update(_: Review) -> dict[str, Any]:
        return {"done": ["new"]}

    started = {**begun(1), "done": ["before"]}
    doubled = await _one(spread).ainvoke(started)
    assert doubled["done"] == ["before", "before"]
    for node in (spread, plain, command):
        with pytest.raises(UpdateError):
            await _one(updates_only(node, schema=Review)).ainvoke(started)
    assert (await _one(updates_only(update)).ainvoke(started))["done"] == ["before", "new"]


def _one(node: Callable[..., Any]) -> Any:
    builder = StateGraph(Review)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    return builder.compile()
