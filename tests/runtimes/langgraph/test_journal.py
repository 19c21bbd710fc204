"""A graph with a journal: what finished isn't run again, whoever begins it again and how."""

# ruff: noqa: ARG001 what a flow calls takes an item and a state
from __future__ import annotations

import asyncio
import operator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from fanfold.engine import Failed, Journal, JournalError, Outcome
from fanfold.runtimes import Flow, LangGraph, Native
from fanfold.runtimes.langgraph import runs


class State(TypedDict, total=False):
    files: list[str]
    seen: Annotated[list[str], operator.add]


class Calls:
    """Branches that write down what runs, and that stop the run where they are told to."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.told: list[str] = []
        self.broken: set[str] = set()

    def flow(self, **given: Any) -> Flow[State]:
        async def process(file: str, state: State) -> dict[str, Any]:
            self.ran.append(file)
            return {"seen": [interrupt(file) if file == "ask" else file.upper()]}

        async def on_outcome(outcome: Outcome[Any]) -> None:
            if outcome.key in self.broken:
                raise RuntimeError(outcome.key)
            self.told.append(outcome.key)

        options = {"items": lambda state: state["files"], "branch": process, "on_outcome": on_outcome, **given}
        return Flow(name="flow", state=State, **options)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def on_thread(name: str) -> Any:
    return {"configurable": {"thread_id": name}}


async def names(path: Path) -> list[str]:
    return [run.name for run in await Journal.runs(path)]


async def test_a_run_that_failed_goes_on_when_it_is_begun_again(path: Path) -> None:
    calls = Calls()
    graph = calls.flow().to_langgraph(journal=path, limit=1)
    calls.broken = {"c"}
    with pytest.raises(RuntimeError, match="c"):
        await graph.ainvoke({"files": [*"abcd"]})
    calls.broken = set()
    assert (await graph.ainvoke({"files": [*"abcd"]}))["seen"] == [*"ABCD"]
    assert sorted(calls.ran) == [*"abcd"]
    assert len(await names(path)) == 1


async def test_a_run_that_finished_is_another_one_next_time(path: Path) -> None:
    calls = Calls()
    graph = calls.flow().to_langgraph(journal=path)
    for _ in range(2):
        assert (await graph.ainvoke({"files": ["a"]}))["seen"] == ["A"]
    assert calls.ran == ["a", "a"]
    assert len(await names(path)) == 2


async def test_runs_of_the_same_input_at_once_are_several(path: Path) -> None:
    calls = Calls()
    graph = calls.flow().to_langgraph(journal=path)
    finals = await asyncio.gather(*(graph.ainvoke({"files": ["a", "b"]}) for _ in range(3)))
    assert [final["seen"] for final in finals] == [["A", "B"]] * 3
    assert sorted(calls.ran) == ["a"] * 3 + ["b"] * 3


async def test_another_input_or_version_is_another_run(path: Path) -> None:
    calls = Calls()
    calls.broken = {"b"}
    for flow, files in ((calls.flow(), ["a", "b"]), (calls.flow(), ["a", "c"]), (calls.flow(version="2"), ["a", "c"])):
        with suppress(RuntimeError):
            await flow.to_langgraph(journal=path, limit=1).ainvoke({"files": files})
    assert calls.ran == ["a", "b", "a", "c", "a", "c"]


async def test_turns_of_one_thread_are_runs_of_their_own(path: Path) -> None:
    calls = Calls()
    graph = calls.flow().to_langgraph(journal=path, checkpointer=InMemorySaver())
    await graph.ainvoke({"files": ["a"]}, on_thread("1"))
    final = await graph.ainvoke({"files": ["a", "b"]}, on_thread("1"))
    assert final["seen"] == ["A", "A", "B"]
    assert calls.ran == ["a", "a", "b"]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_an_interrupt_is_answered_without_running_or_telling_the_others_again(
    path: Path, tmp_path: Path, durability: Any
) -> None:
    calls = Calls()
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "saver.db")) as saver:
        graph = calls.flow().to_langgraph(journal=path, checkpointer=saver)
        paused = await graph.ainvoke({"files": ["a", "ask", "b"]}, on_thread("1"), durability=durability)
        assert [one.value for one in paused["__interrupt__"]] == ["ask"]
        assert (calls.ran, calls.told) == (["a", "ask", "b"], ["a", "b"])
        again = calls.flow().to_langgraph(journal=path, checkpointer=saver)  # as another process would
        final = await again.ainvoke(Command(resume="this"), on_thread("1"), durability=durability)
    assert final["seen"] == ["A", "this", "B"]
    assert (calls.ran, calls.told) == (["a", "ask", "b", "ask"], ["a", "b", "ask"])
    assert len(await names(path)) == 1


async def test_a_run_that_waits_for_an_answer_is_left_to_its_own_thread(path: Path) -> None:
    calls = Calls()
    graph = calls.flow().to_langgraph(journal=path, checkpointer=InMemorySaver())
    for thread in ("1", "2"):
        await graph.ainvoke({"files": ["a", "ask"]}, on_thread(thread))
    assert calls.ran == ["a", "ask", "a", "ask"]
    for thread in ("1", "2"):
        assert (await graph.ainvoke(Command(resume=thread), on_thread(thread)))["seen"] == ["A", thread]
    assert calls.ran == ["a", "ask", "a", "ask", "ask", "ask"]


async def test_failures_run_again_and_come_back_as_what_was_made_of_them(tmp_path: Path) -> None:
    calls = Calls()

    async def fails(file: str, state: State) -> dict[str, Any]:
        calls.ran.append(file)
        if file == "ask":
            return {"seen": [interrupt(file)]}
        raise ValueError(f"can't {file}")

    flow = calls.flow(branch=fails, failed=lambda failed: {"seen": [f"{type(failed.error).__name__}: {failed.error}"]})
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "saver.db")) as saver:
        graph = flow.to_langgraph(checkpointer=saver)
        await graph.ainvoke({"files": ["a", "ask"]}, on_thread("1"))
        final = await graph.ainvoke(Command(resume="this"), on_thread("1"))
    assert final["seen"] == ["ValueError: can't a", "this"]
    assert calls.ran == ["a", "ask", "ask"]


async def test_a_run_begun_on_one_runtime_goes_on_on_another(path: Path) -> None:
    calls = Calls()
    flow = calls.flow()
    calls.broken = {"b"}
    for runtime in (LangGraph(), Native()):
        async with Journal.open(path, run="one", version="1") as journal:
            try:
                result = await flow.run({"files": [*"ab"]}, runtime=runtime, journal=journal, limit=1)
            except RuntimeError:
                calls.broken = set()
    assert result.state["seen"] == ["A", "B"]
    assert calls.ran == ["a", "b"]


async def test_finished_runs_are_forgotten_after_a_while(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    graph = calls.flow().to_langgraph(journal=path, checkpointer=InMemorySaver())
    await graph.ainvoke({"files": ["a"]}, on_thread("1"))
    await graph.ainvoke({"files": ["ask"]}, on_thread("2"))
    assert len(await names(path)) == 2
    monkeypatch.setattr(runs, "KEEP_S", -1.0)
    await graph.ainvoke({"files": ["b"]}, on_thread("3"))
    assert len(await names(path)) == 2
    assert (await graph.ainvoke(Command(resume="this"), on_thread("2")))["seen"] == ["this"]


async def test_a_hop_that_declares_no_type_is_refused_at_once(path: Path) -> None:
    async def untyped(file, state):  # type: ignore[no-untyped-def]
        return file

    async def last(file: str, state: State) -> None: ...

    with pytest.raises(JournalError, match="untyped"):
        Calls().flow(branch=(untyped, last)).to_langgraph(journal=path)


async def test_items_that_changed_between_pause_and_answer_are_refused(tmp_path: Path) -> None:
    from fanfold.runtimes import FlowError

    calls, files = Calls(), ["ask"]
    graph = calls.flow(items=lambda _: files).to_langgraph(checkpointer=InMemorySaver())
    await graph.ainvoke({}, on_thread("1"))
    files[:] = ["other"]
    with pytest.raises(FlowError, match="number 0 was 'ask'"):
        await graph.ainvoke(Command(resume="this"), on_thread("1"))


async def test_a_failed_outcome_of_another_process_says_what_it_was(tmp_path: Path) -> None:
    from fanfold.engine import FailedBefore
    from fanfold.runtimes.langgraph.branches import outcome_of

    flow = Calls().flow()
    outcome = outcome_of(flow, {"index": 1, "key": "a", "update": None, "failed": ["builtins.ValueError", "no", "tb"]})
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, FailedBefore)
    assert (outcome.error.error_type, outcome.error.traceback, outcome.index) == ("builtins.ValueError", "tb", 1)
