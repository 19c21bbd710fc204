"""A plain LangGraph graph with a journal and AsyncSqliteSaver, for tests to kill: see test_journaled.py.

Arguments: a folder, `journaled` or `plain`, the thread, and how many turns it takes in all.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from operator import add
from pathlib import Path
from typing import Annotated, Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

from fanfold.runtimes.langgraph.blocks import ThreadJournals, journaled

BRANCHES = 12


class State(TypedDict, total=False):
    turn: int
    base: list[int]
    number: int
    squares: Annotated[list[int], add]


def graph_of(node: Callable[..., Any], saver: AsyncSqliteSaver) -> Any:
    builder: Any = StateGraph(State)
    builder.add_node("begin", lambda _: {"base": [100]})
    builder.add_node("square", node)
    builder.add_node("end", lambda _: {}, defer=True)
    builder.add_edge(START, "begin")
    builder.add_conditional_edges(
        "begin", lambda _: [Send("square", {"number": number}) for number in range(BRANCHES)], ["square"]
    )
    builder.add_edge("square", "end")
    builder.add_edge("end", END)
    return builder.compile(checkpointer=saver)


async def run(folder: Path, mode: str, thread: str, turns: int) -> None:
    """Go on with the thread where it was left, and take the turns that are left."""
    effects = os.open(folder / "effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    turn = 0

    async def square(state: State) -> dict[str, Any]:
        number = state["number"]
        os.write(effects, f"{turn}/{number}\n".encode())
        await asyncio.sleep(0.01 + 0.01 * (number % 3))
        return {"squares": [number * number + state.get("base", [100])[0]]}

    async with (
        AsyncSqliteSaver.from_conn_string(str(folder / "threads.db")) as saver,
        ThreadJournals.open(folder / "journal.db", version="1") as journals,
    ):
        node = journaled(journals, shared=State)(square) if mode == "journaled" else square
        graph = graph_of(node, saver)
        config = {"configurable": {"thread_id": thread}, "max_concurrency": 3}
        snapshot = await graph.aget_state(config)
        turn = snapshot.values.get("turn", 0)
        if snapshot.next:
            await graph.ainvoke(None, config)
        while turn < turns:
            turn += 1
            await graph.ainvoke({"turn": turn}, config)
        sys.stdout.write(" ".join(map(str, (await graph.aget_state(config)).values["squares"])))


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
