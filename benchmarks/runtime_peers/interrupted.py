"""A run that is to be killed, and its resumption: the same program, started twice over one folder.

    python -m runtime_peers.interrupted PEER FOLDER N LIMIT EACH_S

Each branch leaves marks in the folder; the end of the run is told as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from engine_peers.savers import opened_saver
from runtime_peers.flows import MARKING, Marked, Marks, marking
from runtime_peers.ours import runner


async def ours(peer: str, folder: Path, state: dict[str, Any], limit: int) -> list[int]:
    """The flow on one of Fanfold's runtimes."""
    async with runner(peer, MARKING, folder, "run", limit=limit, context=Marks(state["marks"])) as going:
        _tell("began")
        results = await going(state)
        _tell("ended")
        return results


async def plain(folder: Path, state: dict[str, Any], limit: int) -> list[int]:
    """The same on LangGraph as its documentation has it: `max_concurrency`, a saver, and `None` to resume."""
    from engine_peers.langgraph_peer import Send, State, graphs  # noqa: PLC0415 our own runs need no LangGraph

    async def node(sent: Any) -> dict[str, Any]:
        return await marking(sent["item"], Marked(items=[], marks=state["marks"], each_s=state["each_s"], results=[]))

    graph = graphs.StateGraph(State)
    graph.add_node("work", node)
    graph.add_conditional_edges(
        graphs.START, lambda begun: [Send("work", {"item": item}) for item in begun["items"]], ["work"]
    )
    graph.add_edge("work", graphs.END)
    config: dict[str, Any] = {"max_concurrency": limit, "configurable": {"thread_id": "run"}}
    async with opened_saver(folder, "NORMAL") as saver:
        compiled = graph.compile(checkpointer=saver)
        is_resumed = await saver.aget_tuple(config) is not None
        _tell("began")
        final = await compiled.ainvoke(None if is_resumed else {"items": state["items"], "results": []}, config=config)
        _tell("ended")
    results: list[int] = final["results"]
    return results


def _tell(what: str) -> None:
    print(json.dumps({what: time.monotonic()}), flush=True)


def main() -> None:
    """Run or resume, and tell the results."""
    peer, folder, n, limit, each_s = sys.argv[1], Path(sys.argv[2]), *map(float, sys.argv[3:])
    state = {"items": list(range(int(n))), "marks": str(folder / "marks"), "each_s": each_s}
    run = plain(folder, state, int(limit)) if peer.startswith("plain") else ours(peer, folder, state, int(limit))
    print(json.dumps({"results": asyncio.run(run)}), flush=True)


if __name__ == "__main__":
    main()
