"""A flow on LangGraph with a journal, for tests to kill: forks a process for each line that it reads.

Forked, for a fresh interpreter takes longer to import LangGraph than a run takes. What is forked has no thread.
"""

# ruff: noqa: ARG001 what a flow calls takes an item and a state
from __future__ import annotations

import asyncio
import json
import operator
import os
import signal
import sys
import time
import traceback
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from fanfold.engine import current_branch
from fanfold.runtimes import Flow

ITEMS, INNER, LIMIT = 20, 3, 4


class Order(TypedDict):
    """What a process is to do: `saver` says how durable LangGraph's own checkpoints are, if there are any.

    `kill_after_s` counts from the start of the process, or from when its first branch runs.
    """

    folder: str
    saver: Literal["none", "sync", "async", "exit"]
    is_embedded: bool
    kill_after_s: float | None
    kill_when_branches_run: bool


class State(TypedDict, total=False):
    """The flow's; with a tuple in it, of which a saver makes a list."""

    items: list[tuple[int, str]]
    log: str
    found: Annotated[list[tuple[str, int]], operator.add]
    total: Annotated[int, operator.add]
    sum: int


class Around(State, total=False):
    """Of the graph around it."""

    note: str


def effect(state: Any) -> None:
    """A line in the log for what runs now; it survives the death of its process."""
    branch = current_branch()
    assert branch is not None
    log = os.open(state["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(log, f"{json.dumps(branch.path)} {sys._getframe(1).f_code.co_name}\n".encode())
    os.close(log)
    while _told:
        os.close(_told.pop())


_told: list[int] = []  # the end of a pipe that is closed when a branch runs


async def find(item: int, state: State) -> dict[str, Any]:
    """A branch of the flow inside of a branch."""
    effect(state)
    await asyncio.sleep(0.001)
    return {"total": item}


async def look(item: tuple[int, str], state: State) -> tuple[str, int]:
    """The first hop: every fifth one has a flow in it."""
    effect(state)
    number, name = item
    await asyncio.sleep((number % 7) / 2000)
    if number % 5:
        return name, number
    inner = await INSIDE.run({"log": state["log"], "items": [(number, name)]})
    return name, number + inner.state["total"]


async def tell(found: tuple[str, int], state: State) -> dict[str, Any]:
    """The second hop."""
    effect(state)
    await asyncio.sleep(0.001)
    return {"found": [found], "total": found[1]}


async def prepare(state: State) -> dict[str, Any]:
    """What is to be looked at."""
    return {"items": [(number, f"item {number}") for number in range(ITEMS)]}


async def finish(state: State) -> dict[str, Any]:
    """What came of it."""
    return {"sum": sum(number for _, number in state["found"])}


INSIDE = Flow(name="inside", state=State, items=lambda _: range(INNER), branch=find)
FLOW = Flow(
    name="flow",
    state=State,
    prepare=(prepare,),
    items=lambda state: state["items"],
    key=lambda item: item[1],
    branch=(look, tell),
    finish=(finish,),
)


async def around(state: Around) -> dict[str, Any]:
    """A node of the graph around it."""
    return {"note": "kept"}


async def run(order: Order) -> None:
    """Begin, or go on, and write down what came of it."""
    folder = Path(order["folder"])
    async with AsyncExitStack() as stack:
        saver: Any = None
        if order["saver"] != "none":
            saver = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(str(folder / "saver.db")))
        graph: Any = FLOW.to_langgraph(
            journal=folder / "journal.db", checkpointer=None if order["is_embedded"] else saver
        )
        if order["is_embedded"]:
            builder = StateGraph(Around)
            builder.add_node("around", around)
            builder.add_node("flow", graph)
            builder.add_edge(START, "around")
            builder.add_edge("around", "flow")
            graph = builder.compile(checkpointer=saver)
        config: Any = {"max_concurrency": LIMIT, "configurable": {"thread_id": "1"}}
        options: Any = {} if saver is None else {"durability": order["saver"]}
        begun = saver is not None and bool((await graph.aget_state(config)).values)
        given: Any = None if begun else {"log": str(folder / "log")}
        final = await graph.ainvoke(given, config, **options)
    written = folder / "final.json.new"
    written.write_text(json.dumps(final))
    written.rename(folder / "final.json")


def carry_out(order: Order) -> int:
    """Fork, kill if asked to, and wait; how the process ended, as `subprocess` says it."""
    wait_running, running = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        _told.append(running)
        try:
            asyncio.run(run(order))
            status = 0
        except BaseException:  # noqa: BLE001 what is forked must not go on as its parent
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(running)
    if order["kill_when_branches_run"]:
        os.read(wait_running, 1)
    os.close(wait_running)
    if order["kill_after_s"] is not None:
        time.sleep(order["kill_after_s"])
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def warm_up() -> None:
    """Load and build what each process would have to otherwise."""
    with TemporaryDirectory() as folder:
        asyncio.run(
            run(
                {
                    "folder": folder,
                    "saver": "sync",
                    "is_embedded": True,
                    "kill_after_s": None,
                    "kill_when_branches_run": False,
                }
            )
        )


if __name__ == "__main__":
    warm_up()
    for line in sys.stdin:
        sys.stdout.write(f"{carry_out(json.loads(line))}\n")
        sys.stdout.flush()
