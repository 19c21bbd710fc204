"""One flow, two runtimes, the same state: plain asyncio, and the same flow as a LangGraph graph.

python examples/native_flow.py
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, TypedDict

from fanfold.engine import Done, Failed, Outcome, concat, total
from fanfold.runtimes import Flow, LangGraph, get_context


class Review(TypedDict, total=False):
    """What the flow knows."""

    pages: list[str]
    remarks: Annotated[list[str], concat]
    words: Annotated[int, total]
    unread: Annotated[list[str], concat]


class Library(dict[str, str]):
    """What branches work with: a connection, say. It comes with the run, not with the state."""


async def collect(_: Review) -> dict[str, Any]:
    """A step before the branches."""
    return {"pages": sorted(get_context(Library))}


async def read(page: str, state: Review) -> dict[str, Any]:
    """A branch: what it does to its state, nobody else sees."""
    state["pages"].clear()
    words = get_context(Library)[page].split()
    if not words:
        raise ValueError("nothing to read")
    return {"remarks": [f"{page}: {words[0]}"], "words": len(words)}


def unread(outcome: Failed) -> dict[str, Any]:
    """What is folded of a branch that failed."""
    return {"unread": [f"{outcome.key}: {outcome.error}"]}


async def tell(outcome: Outcome[Any]) -> None:
    """Hears of each branch when it has ended."""
    print(f"  {outcome.key} {'is done' if isinstance(outcome, Done) else 'failed'}")


FLOW = Flow(
    name="review",
    state=Review,
    prepare=(collect,),
    items=lambda state: state["pages"],
    branch=read,
    failed=unread,
    on_outcome=tell,
)


async def compare() -> None:
    """Run it on both."""
    library, states = Library(intro="fan out and fold", blank="", usage="pip install fanfold"), []
    for runtime in (None, LangGraph()):
        result = await FLOW.run({}, limit=2, context=library, runtime=runtime)
        print(f"{result.runtime}: {dict(result.state)}")
        states.append(result.state)
    print(f"the same state: {states[0] == states[1]}")


def main() -> None:
    """Run all of it."""
    asyncio.run(compare())


if __name__ == "__main__":
    main()
