"""H4's acceptance criteria through Fanfold's `ParallelExecutor`, counted as figures."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel

from fanfold.nodes import AbstractBaseNode, End, ParallelExecutor, RunContext

RUNS, RACING, QUEUED = 100, 10, 100


class State(BaseModel):
    """The state of the document's own tests."""

    value: int = 42
    counter: int = 0
    seen: dict[str, list[int]] = {}


class Deterministic(AbstractBaseNode[State]):
    """Writes what follows from its state alone."""

    async def run(self, ctx: RunContext[State]) -> End:
        """Work, with a pause in between."""
        await asyncio.sleep(0)
        ctx.state.seen["squares"] = [number * ctx.state.value for number in range(10)]
        return End()


class Increment(AbstractBaseNode[State]):
    """Reads, waits and writes: it would race over a shared state."""

    async def run(self, ctx: RunContext[State]) -> End:
        """Count one up."""
        before = ctx.state.counter
        await asyncio.sleep(0)
        ctx.state.counter = before + 1
        return End()


class Raising(AbstractBaseNode[State]):
    """Fails."""

    async def run(self, ctx: RunContext[State]) -> End:
        """Raise what names it."""
        raise ValueError(ctx.execution_id)


async def acceptance(figures: dict[str, float]) -> None:
    """Count what AC2, AC3 and AC4 ask for into `figures`.

    `distinct`: different states of 100 runs of one node. `raced`: of ten nodes that count up from 0, those that didn't
    come to 1. `ended`: of 100 nodes at four at once, those that ended. `captured`: of three nodes, one of which fails,
    those with the error or none as it should be.
    """
    context = RunContext(state=State(), execution_id="benchmark")
    four: ParallelExecutor[State] = ParallelExecutor(max_concurrent=4)
    states = set()
    for _ in range(RUNS):
        (result,) = await four.execute_parallel([Deterministic()], context)
        states.add(result.context.state.model_dump_json())
    ten: ParallelExecutor[State] = ParallelExecutor(max_concurrent=RACING)
    counted = await ten.execute_parallel([Increment() for _ in range(RACING)], context)
    queued = await four.execute_parallel([Increment() for _ in range(QUEUED)], context)
    mixed: list[Any] = await four.execute_parallel([Increment(), Raising(), Increment()], context)
    captured = [mixed[0].error is None, isinstance(mixed[1].error, ValueError), mixed[2].error is None]
    figures["distinct"] = len(states)
    figures["raced"] = sum(result.context.state.counter != 1 for result in counted)
    figures["ended"] = len([result for result in queued if result.error is None])
    figures["captured"] = sum(captured)
