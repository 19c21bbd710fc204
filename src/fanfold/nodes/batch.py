"""Nodes that run together: each on a context of its own, each coming to a result."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from fanfold.engine.isolate import Frozen
from fanfold.engine.outcome import Failed, Outcome
from fanfold.nodes.context import RunContext
from fanfold.nodes.node import NodeIncomplete, checked_next
from fanfold.nodes.protocol import BaseNode, End, NextNode, name_of, refuse_others
from fanfold.nodes.result import NodeResult
from fanfold.nodes.snapshots import left_by

StateT = TypeVar("StateT")

Attempt: TypeAlias = Callable[[int], Coroutine[Any, Any, None]]
"""Runs the node at a position of a batch."""


@dataclass(frozen=True, slots=True)
class Job(Generic[StateT]):
    """A node and the context that it starts from.

    Attributes:
        position: among the caller's nodes.
        base: the context, of which each attempt takes a view.
        given: the context to look at, one and the same for all nodes of a call.
    """

    position: int
    node: BaseNode[StateT]
    base: Frozen[RunContext[StateT]]
    given: RunContext[StateT]


class Batch(Generic[StateT]):
    """Jobs by their position, which is what the engine's branches work on.

    Nodes themselves are shared and not isolated: they are code, and hold clients, modules and locks. The engine is
    given positions alone; each attempt takes a fresh view of the context, and so starts from the untouched one.
    """

    def __init__(self, jobs: Iterable[Job[StateT]] = ()) -> None:
        self.jobs = list(jobs)
        self._left: dict[int, Frozen[RunContext[StateT]] | RunContext[StateT]] = {}
        self._following: dict[int, NextNode[StateT]] = {}
        self._cached: set[int] = set()

    async def attempt(self, position: int) -> None:
        """Run the node at this position once, on a fresh view of its context."""
        job = self.jobs[position]
        ctx = job.base.view()
        try:
            running = job.node.run(ctx)
            if not inspect.isawaitable(running):
                raise NodeIncomplete(f"run of {name_of(job.node)} is not async", hint="define it with `async def`")
            self._following[position] = checked_next(await running)
        finally:
            self._left[position] = left_by(ctx)

    def left(self, position: int) -> tuple[RunContext[StateT], NextNode[StateT]]:
        """The context that a node left, and where its path goes on."""
        left = self._left[position]
        return left.view() if isinstance(left, Frozen) else left, self._following[position]

    def adopt(self, position: int, ctx: RunContext[StateT], following: NextNode[StateT]) -> None:
        """Take what a cache knows as what the node at this position came to."""
        self._left[position], self._following[position] = left_by(ctx), following
        self._cached.add(position)

    def key(self, position: int) -> str:
        """What events and errors call the node at this position."""
        job = self.jobs[position]
        return f"{job.position}:{name_of(job.node)}"

    def result(self, outcome: Outcome[None]) -> NodeResult[StateT]:
        """What became of the node that this outcome belongs to."""
        position = outcome.index
        job = self.jobs[position]
        error = outcome.error if isinstance(outcome, Failed) else None
        left, following = self._left.pop(position, job.base), self._following.pop(position, None)
        result = NodeResult(
            node=job.node,
            next_node=End() if error is not None or following is None else following,
            context=job.given if isinstance(left, Frozen) else left,
            execution_time_ms=outcome.elapsed_s * 1000,
            error=error,
            attempts=outcome.attempts,
            cached=position in self._cached,
            base=job.given,
        )
        if isinstance(left, Frozen):
            result.hold(left)
        return result


def jobs_of(nodes: Iterable[BaseNode[StateT]], base: Frozen[RunContext[StateT]]) -> list[Job[StateT]]:
    """A job for each node, from one snapshot of the context.

    Raises:
        TypeError: one is no node.
    """
    given, found = base.view(), list(nodes)
    refuse_others(found)
    return [Job(position, node, base, given) for position, node in enumerate(found)]
