"""The complete pattern on a LangGraph graph: Send, reducers, a deferred fold, max_concurrency, one lock for landing.

python examples/langgraph_complete_pattern.py [compare]    # one at a time against four at once, measured
"""

from __future__ import annotations

import asyncio
import sys
import time
from itertools import pairwise
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from fanfold.engine import concat, total
from fanfold.runtimes.langgraph.blocks import isolated

FILES = [f"shop/{name}.py" for name in ("cart", "orders", "prices", "returns", "search", "stock", "taxes", "users")]


class State(TypedDict, total=False):
    """What the graph knows."""

    files: list[str]
    current_file: str
    successful_fixes: Annotated[list[str], concat]
    failed_fixes: Annotated[list[str], concat]
    total_errors_fixed: Annotated[int, total]


async def run(max_concurrency: int) -> Any:
    """Build the pattern's five nodes, and run them."""
    landed, lock = list[str](), asyncio.Lock()

    async def process_file(state: State) -> dict[str, Any]:
        file = state["current_file"]
        state["files"].remove(file)  # a view of its own: nobody else misses the file
        await asyncio.sleep(0.25)  # the agent at work
        if "taxes" in file:
            raise RuntimeError("the agent gave up")
        async with lock:  # branches are isolated, and the repository is shared: one lands at a time
            landed.append(file)
        return {"successful_fixes": [file], "total_errors_fixed": len(file) % 5 + 1}

    def give_up(error: Exception, sent: State) -> dict[str, Any]:
        return {"failed_fixes": [f"{sent['current_file']}: {error}"]}

    builder: Any = StateGraph(State)
    builder.add_node("initialize", lambda _: {"files": []})
    builder.add_node("collect_errors", lambda _: {"files": FILES})
    builder.add_node("process_file", isolated(process_file, shared=State, on_error=give_up))
    builder.add_node("aggregate_results", lambda _: {}, defer=True)
    builder.add_node("cleanup", lambda _: {})
    builder.add_conditional_edges(
        "collect_errors", lambda state: [Send("process_file", {"current_file": file}) for file in state["files"]]
    )
    for path in ((START, "initialize", "collect_errors"), ("process_file", "aggregate_results", "cleanup", END)):
        for edge in pairwise(path):
            builder.add_edge(*edge)
    return await builder.compile().ainvoke({}, {"max_concurrency": max_concurrency})


def main(arguments: list[str]) -> None:
    """Run it once, or one at a time and four at once."""
    if arguments != ["compare"]:
        print(*(f"{name}: {value}" for name, value in asyncio.run(run(4)).items()), sep="\n")
        return
    at_s = [time.perf_counter()]
    for files in (1, 4):
        asyncio.run(run(files))
        at_s.append(time.perf_counter())
        print(f"{files} at once: {at_s[-1] - at_s[-2]:.2f} s")
    print(f"speed-up {(at_s[1] - at_s[0]) / (at_s[2] - at_s[1]):.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
