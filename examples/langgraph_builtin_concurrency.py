"""LangGraph's own limit: `max_concurrency` at the top level of the config, and how many branches it lets run.

python examples/langgraph_builtin_concurrency.py
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Send

from fanfold.engine import concat

BRANCHES = 12


class State(TypedDict, total=False):
    """What the graph knows."""

    number: int
    squares: Annotated[list[int], concat]


class Spy:
    """Counts the branches that are at work, and remembers the most that there were."""

    def __init__(self) -> None:
        self.running = self.peak = 0

    async def branch(self, state: State) -> dict[str, Any]:
        """Work for a moment."""
        self.running += 1
        self.peak = max(self.peak, self.running)
        await asyncio.sleep(0.02)
        self.running -= 1
        return {"squares": [state["number"] ** 2]}


async def run(config: dict[str, Any]) -> tuple[int, list[int]]:
    """The peak, and what the branches came to."""
    spy = Spy()
    builder: Any = StateGraph(State)
    builder.add_node("branch", spy.branch)
    builder.add_conditional_edges(START, lambda _: [Send("branch", {"number": n}) for n in range(BRANCHES)], ["branch"])
    state = await builder.compile().ainvoke({}, config)
    return spy.peak, state["squares"]


def main() -> None:
    """Show the peak under several limits; what comes out is the same, and in the order of the Sends."""
    for limit in (1, 2, 4):
        peak, squares = asyncio.run(run({"max_concurrency": limit}))
        print(f"max_concurrency {limit}: {peak} at once, {squares}")
    peak, _ = asyncio.run(run({}))
    print(f"no limit: {peak} at once")
    peak, _ = asyncio.run(run({"configurable": {"max_concurrency": 4}}))
    print(f"under `configurable`, where it means nothing: {peak} at once")


if __name__ == "__main__":
    main()
