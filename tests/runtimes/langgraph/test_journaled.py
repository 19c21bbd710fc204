"""Journaled nodes in plain LangGraph graphs: what had finished isn't run again."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from operator import add
from pathlib import Path
from typing import Annotated, Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt
from typing_extensions import TypedDict

from fanfold.engine import ContentError, Journal, JournalError, JournalInUse, current_branch, idempotency_key
from fanfold.runtimes.langgraph.blocks import ThreadJournals, isolated, journaled

WORKER = Path(__file__).parent / "journaled_worker.py"
LANGSMITH = ("-W", "ignore:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning")
"""What LangGraph brings along is deprecated since Python 3.14."""
BRANCHES = 12
SQUARES = [number * number + 100 for number in range(BRANCHES)]


class State(TypedDict, total=False):
    numbers: list[int]
    base: list[int]
    number: int
    folder: Path
    done: Annotated[list[int], add]
    places: Annotated[list[Path], add]
    failed: Annotated[list[str], add]


def graph_of(node: Callable[..., Any], **options: Any) -> Any:
    policy = options.pop("retry_policy", None)
    builder: Any = StateGraph(State)
    builder.add_node("begin", lambda _: {})
    builder.add_node("work", node, retry_policy=policy)
    builder.add_edge(START, "begin")
    builder.add_conditional_edges(
        "begin", lambda state: [Send("work", {"number": number}) for number in state["numbers"]], ["work"]
    )
    return builder.compile(**options)


def thread(name: str = "1") -> dict[str, Any]:
    return {"configurable": {"thread_id": name}}


def finished(folder: Path) -> set[str]:
    """The branches that the journal has a value of, as `turn/number`."""
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'outcome'").fetchone():
            return set()
        rows = connection.execute("SELECT path FROM outcome WHERE value IS NOT NULL").fetchall()
    assert len(rows) == len(set(rows)), "committed twice"
    steps = [json.loads(path)[0].removeprefix("step ").split(": ") for (path,) in rows]
    turns = {step: str(turn) for turn, step in enumerate(sorted({int(step) for step, _ in steps}), 1)}
    return {f"{turns[int(step)]}/{number}" for step, number in steps}


def effects(folder: Path) -> list[str]:
    path = folder / "effects"
    return path.read_text().splitlines() if path.exists() else []


def worker(folder: Path, mode: str, turns: int = 1) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", *LANGSMITH, str(WORKER), str(folder), mode, "a thread", str(turns)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def killed_after(effects_seen: int, folder: Path, mode: str, turns: int = 1) -> None:
    """Start a worker, and kill it as soon as so many branches have begun."""
    process = worker(folder, mode, turns)
    while len(effects(folder)) < effects_seen and process.poll() is None:
        await asyncio.sleep(0.002)
    process.kill()
    process.communicate()
    assert process.returncode == -9, "it came to its end before it was killed"


@pytest.mark.parametrize("begun", [5, 11])
async def test_after_kill_9_no_finished_branch_is_run_again(begun: int, tmp_path: Path) -> None:
    await killed_after(begun, tmp_path, "journaled")
    before, ran = finished(tmp_path), len(effects(tmp_path))
    assert before, "killed too early for anything to be finished"
    process = worker(tmp_path, "journaled")
    assert process.communicate()[0].split() == [str(square) for square in SQUARES]
    again = effects(tmp_path)[ran:]
    assert not before & set(again)
    assert before | set(again) == {f"1/{number}" for number in range(BRANCHES)}
    assert len(set(again)) == len(again)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
async def test_kills_at_random_repeat_nothing_that_was_committed(seed: int, tmp_path: Path) -> None:
    chance, runs = random.Random(seed), 0
    while True:
        before, ran = finished(tmp_path) if runs else set(), len(effects(tmp_path))
        process = worker(tmp_path, "journaled")
        while process.poll() is None and len(effects(tmp_path)) < ran + 1:
            await asyncio.sleep(0.001)
        await asyncio.sleep(chance.uniform(0.0, 0.15))
        process.kill()
        output = process.communicate()[0]
        runs += 1
        assert not before & set(effects(tmp_path)[ran:])
        assert before <= finished(tmp_path)
        if process.returncode == 0:
            break
    assert output.split() == [str(square) for square in SQUARES]


async def test_after_kill_9_plain_langgraph_runs_finished_branches_again(tmp_path: Path) -> None:
    """What the test before this one is about; once LangGraph keeps them, it can go."""
    await killed_after(11, tmp_path, "plain")
    ran = effects(tmp_path)
    process = worker(tmp_path, "plain")
    process.communicate()
    assert set(effects(tmp_path)[len(ran) :]) > set(ran[:-3])


async def test_a_later_turn_of_a_thread_runs_its_branches_and_is_resumed_by_itself(tmp_path: Path) -> None:
    await killed_after(BRANCHES + 8, tmp_path, "journaled", turns=2)
    before, ran = finished(tmp_path), len(effects(tmp_path))
    assert before > {f"1/{number}" for number in range(BRANCHES)}
    process = worker(tmp_path, "journaled", turns=2)
    assert process.communicate()[0].split() == [str(square) for square in SQUARES + SQUARES]
    assert not before & set(effects(tmp_path)[ran:])
    assert Counter(finished(tmp_path)) == Counter(f"{turn}/{n}" for turn in (1, 2) for n in range(BRANCHES))


async def test_without_a_saver_a_thread_that_is_started_again_goes_on(tmp_path: Path) -> None:
    ran: list[int] = []
    down = {2}

    async def work(state: State) -> dict[str, Any]:
        ran.append(state["number"])
        if state["number"] in down:
            raise ConnectionError("down")
        return {"done": [state["number"]]}

    async with ThreadJournals.open(tmp_path / "journal.db", version="1") as journals:
        graph = graph_of(journaled(journals, shared=State)(work))
        with pytest.raises(ConnectionError):
            await graph.ainvoke({"numbers": [1, 2]}, {**thread(), "max_concurrency": 1})
    down.clear()
    ran.clear()
    async with ThreadJournals.open(tmp_path / "journal.db", version="1") as journals:
        graph = graph_of(journaled(journals, shared=State)(work))
        assert (await graph.ainvoke({"numbers": [1, 2]}, thread()))["done"] == [1, 2]
        assert ran == [2]
        await graph.ainvoke({"numbers": [1, 2]}, thread("another"))
        assert ran == [2, 1, 2]


class Base(TypedDict, total=False):
    base: list[int]


async def test_only_a_changed_input_or_field_that_is_shared_is_run_again(tmp_path: Path) -> None:
    ran: list[int] = []

    async def work(state: State) -> dict[str, Any]:
        ran.append(state["number"])
        return {"done": [state["number"] + state["base"][0]]}

    for base, numbers, expected in (([1], [1, 2], [1, 2]), ([1], [1, 3], [3]), ([2], [1, 3], [1, 3])):
        ran.clear()
        async with Journal.open(tmp_path / "journal.db", run="r", version="1") as journal:
            graph = graph_of(journaled(journal, shared=Base)(work))
            await graph.ainvoke({"numbers": numbers, "base": base})
        assert ran == expected


async def test_journaled_nodes_are_isolated_and_their_values_keep_their_types(tmp_path: Path) -> None:
    seen: list[list[int]] = []

    async def work(state: State) -> dict[str, Any]:
        seen.append(list(state["base"]))
        state["base"].append(state["number"])
        return {"places": [state["folder"] / str(state["number"])]}

    begun: State = {"numbers": [1, 2], "base": [0], "folder": Path("x")}
    for _ in range(2):
        async with Journal.open(tmp_path / "journal.db", run="r", version="1") as journal:
            result = await graph_of(journaled(journal, shared=State)(work)).ainvoke(begun)
        assert result["places"] == [Path("x/1"), Path("x/2")]
        assert result["base"] == [0]
    assert seen == [[0], [0]]


async def test_plain_functions_and_annotated_updates(tmp_path: Path) -> None:
    ran: list[int] = []

    def work(state: State) -> State:
        ran.append(state["number"])
        return {"places": [Path(str(state["number"]))]}

    for _ in range(2):
        async with Journal.open(tmp_path / "journal.db", run="r", version="1") as journal:
            result = await graph_of(journaled(journal)(work)).ainvoke({"numbers": [1]})
        assert result["places"] == [Path("1")]
    assert ran == [1]


async def test_a_value_that_would_not_come_back_fails_its_branch(tmp_path: Path) -> None:
    async def work(state: State) -> dict[str, Any]:
        return {"places": [Path(str(state["number"]))]}

    async with Journal.open(tmp_path / "journal.db", run="r", version="1") as journal:
        with pytest.raises(ContentError, match="places"):
            await graph_of(journaled(journal)(work)).ainvoke({"numbers": [1]})


async def test_what_failed_is_a_value_for_the_graph_and_runs_again_on_a_resume(tmp_path: Path) -> None:
    down = {2}

    async def work(state: State) -> dict[str, Any]:
        if state["number"] in down:
            raise ConnectionError("down")
        return {"done": [state["number"]]}

    def failed(error: Exception, sent: State) -> dict[str, Any]:
        return {"failed": [f"{sent['number']}: {error}"]}

    async def once() -> State:
        async with Journal.open(tmp_path / "journal.db", run="r", version="1") as journal:
            result: State = await graph_of(journaled(journal, shared=State, on_error=failed)(work)).ainvoke(
                {"numbers": [1, 2, 3]}
            )
        return result

    first = await once()
    assert (first["done"], first["failed"]) == ([1, 3], ["2: down"])
    down.clear()
    assert (await once())["done"] == [1, 2, 3]


async def test_a_retry_of_langgraph_begins_from_clean_state_and_keeps_its_key(tmp_path: Path) -> None:
    keys: list[str] = []
    seen: list[list[int]] = []

    async def work(state: State) -> dict[str, Any]:
        keys.append(idempotency_key())
        seen.append(list(state["base"]))
        state["base"].append(1)
        if len(keys) < 3:
            raise ConnectionError("try again")
        return {"done": [1]}

    policy = RetryPolicy(max_attempts=3, initial_interval=0.0, jitter=False)
    async with Journal.open(tmp_path / "journal.db", run="r", version="1") as journal:
        graph = graph_of(journaled(journal, shared=State)(work), retry_policy=policy)
        await graph.ainvoke({"numbers": [1], "base": [0]})
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert seen == [[0]] * 3


async def test_interrupts_pass_and_are_no_outcomes(tmp_path: Path) -> None:
    async def work(state: State) -> dict[str, Any]:
        return {"done": [interrupt(state["number"])]}

    async with ThreadJournals.open(tmp_path / "journal.db", version="1") as journals:
        node = journaled(journals, shared=State, on_error=lambda error, _: {"failed": [str(error)]})(work)
        graph = graph_of(node, checkpointer=InMemorySaver())
        asked = await graph.ainvoke({"numbers": [7]}, thread())
        assert [question.value for question in asked["__interrupt__"]] == [7]
        assert (await graph.ainvoke(Command(resume=8), thread()))["done"] == [8]
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        assert connection.execute("SELECT value FROM outcome").fetchall() == [('{"done":[8]}',)]


async def test_branches_have_keys_of_their_own(tmp_path: Path) -> None:
    paths: list[tuple[str, ...]] = []

    async def work(_: State) -> dict[str, Any]:
        branch = current_branch()
        assert branch is not None
        paths.append(branch.path)
        return {}

    async with Journal.open(tmp_path / "journal.db", run="r", version="1") as journal:
        node = journaled(journal, shared=State, key=lambda sent: f"number {sent['number']}")(work)
        await graph_of(node).ainvoke({"numbers": [7, 8]})
    assert paths == [("step 2: number 7",), ("step 2: number 8",)]


async def test_a_graph_without_a_thread_is_refused(tmp_path: Path) -> None:
    async def work(_: State) -> dict[str, Any]:
        raise AssertionError("it runs all the same")

    async with ThreadJournals.open(tmp_path / "journal.db", version="1") as journals:
        with pytest.raises(JournalError, match="which run the node work") as refused:
            await graph_of(journaled(journals, shared=State)(work)).ainvoke({"numbers": [1]})
    assert "thread_id" in (refused.value.hint or "")


async def test_a_node_that_says_no_type_is_refused_when_it_is_decorated(tmp_path: Path) -> None:
    async def work(state):  # type: ignore[no-untyped-def]
        return state

    async with Journal.open(tmp_path / "journal.db", run="r", version="1") as journal:
        with pytest.raises(JournalError, match="doesn't say what it returns"):
            journaled(journal)(work)


async def test_two_nodes_have_names_of_their_own_in_one_journal(tmp_path: Path) -> None:
    async def one(_: State) -> dict[str, Any]:
        return {}

    async with Journal.open(tmp_path / "journal.db", run="r", version="1") as journal:
        await graph_of(journaled(journal, shared=State)(one)).ainvoke({"numbers": [1]})
        with pytest.raises(JournalError, match="two functions"):
            await graph_of(journaled(journal, shared=State)(one)).ainvoke({"numbers": [1]})
        await graph_of(journaled(journal, shared=State, name="other")(one)).ainvoke({"numbers": [1]})


async def test_a_subgraph_that_each_branch_invokes_is_not_run_again_either(tmp_path: Path) -> None:
    ran: list[int] = []

    async def inner(state: State) -> dict[str, Any]:
        ran.append(state["number"])
        return {"done": [state["number"]]}

    for _ in range(2):
        async with Journal.open(tmp_path / "journal.db", run="r", version="1") as journal:
            subgraph = graph_of(journaled(journal, shared=State, name="inner")(inner))

            async def outer(state: State, subgraph: Any = subgraph) -> dict[str, Any]:
                result = await subgraph.ainvoke({"numbers": [state["number"], state["number"] + 1]})
                return {"done": result["done"]}

            result = await graph_of(isolated(outer, shared=State)).ainvoke({"numbers": [10, 20]})
            assert result["done"] == [10, 11, 20, 21]
    assert sorted(ran) == [10, 11, 20, 21]


async def test_threads_are_opened_when_needed_and_idle_ones_are_closed(tmp_path: Path) -> None:
    ran: list[int] = []

    async def work(state: State) -> dict[str, Any]:
        await asyncio.sleep(0)
        ran.append(state["number"])
        return {"done": [state["number"]]}

    path = tmp_path / "journal.db"
    async with ThreadJournals.open(path, version="1", most_open=1) as journals:
        graph = graph_of(journaled(journals, shared=State)(work))
        await asyncio.gather(*(graph.ainvoke({"numbers": [1, 2]}, thread(f"{name}")) for name in range(5)))
        for _ in range(2):
            for name in range(5):
                assert (await graph.ainvoke({"numbers": [1, 2]}, thread(f"{name}")))["done"] == [1, 2]
        assert sum(run.is_open for run in await Journal.runs(path)) == 1
    assert Counter(ran) == {1: 5, 2: 5}
    assert not any(run.is_open for run in await Journal.runs(path))


async def test_a_thread_that_another_owner_has_is_refused(tmp_path: Path) -> None:
    async def work(_: State) -> dict[str, Any]:
        return {}

    path = tmp_path / "journal.db"
    async with (
        Journal.open(path, run="1", version="1"),
        ThreadJournals.open(path, version="1") as journals,
    ):
        with pytest.raises(JournalInUse):
            await graph_of(journaled(journals, shared=State)(work)).ainvoke({"numbers": [1]}, thread())
