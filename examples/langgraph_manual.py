"""Fan-out by hand in one node, to see what LangGraph and Fanfold do for you: a limit, isolation, failures, a fold.

python examples/langgraph_manual.py
"""

from __future__ import annotations

import asyncio
import copy
from typing import Any, TypedDict

from langgraph.graph import START, StateGraph

LIMIT = 2


class State(TypedDict, total=False):
    """What the graph knows."""

    files: list[str]
    rules: dict[str, list[str]]
    fixed: list[str]
    failed: list[str]


async def fix(file: str, state: State) -> str:
    """What a branch does; it scribbles in what it was given."""
    state["rules"]["python"].append(file)
    await asyncio.sleep(0.01)
    if file == "broken.py":
        raise ValueError("no such syntax")
    return f"{file} by {len(state['rules']['python'])} rules"


async def fix_all(state: State) -> dict[str, Any]:
    """The four things that are done by hand here."""
    slots = asyncio.Semaphore(LIMIT)  # a limit for this node: another one inside of a branch would have its own

    async def branch(file: str) -> str:
        async with slots:
            return await fix(file, copy.deepcopy(state))  # isolation, at the cost of the whole state for each branch

    # Without `return_exceptions`, the first failure would end all: a failure is a value, among the others.
    outcomes = await asyncio.gather(*map(branch, state["files"]), return_exceptions=True)
    failed = [f"{file}: {error}" for file, error in zip(state["files"], outcomes, strict=True) if is_failure(error)]
    return {"fixed": [outcome for outcome in outcomes if isinstance(outcome, str)], "failed": failed}  # the fold


def is_failure(outcome: object) -> bool:
    """Whether a branch raised. A cancellation is none: it goes on."""
    if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
        raise outcome
    return isinstance(outcome, Exception)


def main() -> None:
    """Run it; what it lacks is the reason for the other examples."""
    builder: Any = StateGraph(State)
    builder.add_node("fix_all", fix_all)
    builder.add_edge(START, "fix_all")
    state = {"files": ["a.py", "broken.py", "c.py"], "rules": {"python": ["no tabs"]}}
    result = asyncio.run(builder.compile().ainvoke(state))
    print(f"fixed: {result['fixed']}\nfailed: {result['failed']}\nrules: {result['rules']['python']}")
    print("by hand, there is no checkpoint between branches: after a crash, all of them run again")


if __name__ == "__main__":
    main()
