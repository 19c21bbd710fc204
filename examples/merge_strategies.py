"""H4's executor: independent nodes on one state, and the three ways to make one state of what they came to.

python examples/merge_strategies.py
"""

from __future__ import annotations

import asyncio
from operator import add
from typing import Annotated

from pydantic import BaseModel

from fanfold.nodes import MergeError, MergeStrategy, ParallelExecutor, RunContext, from_function


class Question(BaseModel):
    """What is asked, and what nodes came to."""

    text: str
    answer: str = ""
    notes: Annotated[list[str], add] = []


async def broken(text: str) -> str:
    """Is asked first, and fails."""
    raise ConnectionError(f"nobody answers {text!r}")


async def hasty(text: str) -> str:
    """Is the first to answer, and wrong."""
    return f"{text} 41"


async def careful(text: str) -> str:
    """Takes its time."""
    await asyncio.sleep(0.02)
    return f"{text} 42"


async def other(text: str) -> str:
    """Agrees with the careful one."""
    return f"{text} 42"


async def spelling(text: str) -> list[str]:
    """Looks at one thing."""
    return [f"spelling of {text!r}: fine"]


async def length(text: str) -> list[str]:
    """Looks at another."""
    return [f"length: {len(text)}"]


async def compare() -> None:
    """Ask four models once, and merge what they say in three ways."""
    executor: ParallelExecutor[Question] = ParallelExecutor(max_concurrent=4)
    ctx = RunContext(state=Question(text="6 * 7 ="))
    models = [from_function(model, writes="answer") for model in (broken, careful, hasty, other)]
    answers = await executor.execute_parallel(models, ctx)
    print(*(str(result.error or result.context.state.answer) for result in answers), sep="\n")
    for strategy in (MergeStrategy.FIRST_SUCCESS, MergeStrategy.MAJORITY):
        print(f"{strategy.name}: {executor.merge_states(answers, strategy).state.answer}")
    try:
        executor.merge_states(answers, MergeStrategy.ALL_SUCCESS)
    except MergeError as error:
        print(f"ALL_SUCCESS refuses: {error}")
    notes = await executor.execute_parallel([from_function(look, writes="notes") for look in (spelling, length)], ctx)
    print(f"ALL_SUCCESS, both by the reducer: {executor.merge_states(notes, MergeStrategy.ALL_SUCCESS).state.notes}")


def main() -> None:
    """Run it."""
    asyncio.run(compare())


if __name__ == "__main__":
    main()
