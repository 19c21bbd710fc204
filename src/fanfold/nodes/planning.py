"""Run nodes in the order of their dependencies: each starts as soon as its inputs are there."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from fanfold.engine.content import ContentError, content_hash
from fanfold.engine.isolate import IsolationError, detach
from fanfold.engine.outcome import BranchNotStarted
from fanfold.engine.schema import replaced
from fanfold.errors import FanfoldError
from fanfold.nodes.batch import Batch, Job
from fanfold.nodes.context import RunContext
from fanfold.nodes.dependencies import Dependencies, dependencies, refuse_missing
from fanfold.nodes.errors import MergeError, ParallelExecutionError, failures
from fanfold.nodes.executor import ParallelExecutor
from fanfold.nodes.graph import GraphRun
from fanfold.nodes.node import UnexpectedOutput
from fanfold.nodes.protocol import BaseNode, End, name_of
from fanfold.nodes.result import NodeResult
from fanfold.nodes.snapshots import is_untouched, snapshot
from fanfold.nodes.state import field_names, field_of, fields_of

StateT = TypeVar("StateT")


class DependencyFailed(FanfoldError):
    """A node was not run, because one that it needs has failed."""


class UndeclaredWrite(FanfoldError):
    """A node changed a field that it doesn't declare to write."""


@dataclass(frozen=True)
class Plan(Generic[StateT]):
    """Nodes that run in the order of their dependencies: see `plan`."""

    dependencies: Dependencies[StateT]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The fields that the state has to bring."""
        return self.dependencies.inputs

    def __str__(self) -> str:
        return str(self.dependencies)

    async def run(
        self, ctx: RunContext[StateT], *, executor: ParallelExecutor[StateT] | None = None
    ) -> GraphRun[StateT]:
        """Run all nodes, each as soon as its inputs are there.

        A node sees the given state with what the nodes before it, on which it depends directly or through others,
        have written; nothing of those that run beside it. So the result is the same however long each takes.

        Args:
            ctx: never changed.
            executor: runs the nodes; None = a `ParallelExecutor()` of its own.
        Returns:
            The context with all that was written, provenance in the plan's order; and one step with all results, in
            the order of the nodes. Where nodes say that they go on to is not looked at.
        Raises:
            NoProducer: before anything starts: the state doesn't bring what a node reads.
            ParallelExecutionError: a node failed. Those that don't need it have run all the same: they are in
                `partial_results`, and those that need it are there with a DependencyFailed.
        """
        refuse_missing(self.dependencies, field_names(ctx.state))
        running = _Running(self.dependencies, ctx, executor or ParallelExecutor())
        results = await running.results()
        if failed := failures(results):
            raise ParallelExecutionError(failed, results, f"{len(failed)} of {len(results)} nodes of the plan failed")
        return GraphRun(detach(running.context(self.dependencies.order)), (tuple(results),))


def plan(nodes: Iterable[BaseNode[StateT]], given: Iterable[str] | None = None) -> Plan[StateT]:
    """Find which node needs which, from what each reads and writes.

    Args:
        nodes: each says what it reads and writes: by a DSPy signature, a NodeSignature, or `reads` and `writes`. A
            node that reads what another writes comes after it; what it writes itself it reads from the state.
        given: the fields that the state will bring; None = that is checked when the plan is run, against its state.
    Raises:
        TypeError: something in `nodes` is no node.
        UndeclaredFields: a node doesn't say.
        SeveralProducers: two nodes write one field.
        NoProducer: nothing produces a field that a node reads, and it isn't given.
        CyclicPlan: nodes wait for each other.
    """
    return Plan(dependencies(nodes, given))


class _Running(Generic[StateT]):
    """One run of a plan: which nodes are ready, and what those that ran have written."""

    def __init__(
        self, needs: Dependencies[StateT], ctx: RunContext[StateT], executor: ParallelExecutor[StateT]
    ) -> None:
        self._plan = needs
        self._executor = executor
        self._given: RunContext[StateT] = snapshot(ctx).view()
        self._left: dict[int, RunContext[StateT]] = {}
        self._batch: Batch[StateT] = Batch()
        self._started: list[int] = []
        self._results: dict[int, NodeResult[StateT]] = {}
        self._ready: list[tuple[float, int, Job[StateT]]] = []
        self._bases: dict[tuple[int, ...], Job[StateT]] = {}
        self._lacks = [set(needed) for needed in needs.needs]
        self._dependents: dict[int, list[int]] = {}
        for position in needs.order:
            for needed in needs.needs[position]:
                self._dependents.setdefault(needed, []).append(position)
        self._change = asyncio.Event()

    async def results(self) -> list[NodeResult[StateT]]:
        """Run everything that can be run; one result for each node, in node order."""
        for position in [one for one in self._plan.order if not self._lacks[one]]:
            self._release(position)
        async with self._executor.running(self._batch, self._jobs()) as results:
            async for index, result in results:
                position = self._started[index]
                self._finish(position, self._checked(position, result))
        for position in self._plan.order:  # those that the deadline of the whole left no time for
            if position not in self._results:
                name = name_of(self._plan.nodes[position])
                self._results[position] = self._not_run(position, BranchNotStarted(f"{name} was not started in time"))
        return [self._results[position] for position in range(len(self._plan.nodes))]

    def context(self, positions: Iterable[int]) -> RunContext[StateT]:
        """The given context with what the nodes at these positions wrote, in this order; made of views."""
        values: dict[str, Any] = {}
        metadata, provenance = dict(self._given.metadata), list(self._given.provenance)
        writers: dict[str, int] = {}
        for position in positions:
            left = self._left[position]
            values |= fields_of(left.state, self._plan.writes[position])
            before: RunContext[StateT] = self._results[position].base or self._given
            provenance += left.provenance[len(before.provenance) :]
            for key, value in left.metadata.items():
                if key not in before.metadata or before.metadata[key] != value:
                    self._refuse_conflict(key, value, metadata, writers, position)
                    metadata[key], writers[key] = value, position
        state = replaced(self._given.state, values, validate=False)
        return replace(self._given, state=state, metadata=metadata, provenance=provenance)

    async def _jobs(self) -> AsyncIterator[int]:
        """The nodes that are ready, of several the one with the highest priority, until all have been started."""
        while len(self._results) < len(self._plan.nodes):
            if self._ready:
                _, position, job = heapq.heappop(self._ready)
                self._started.append(position)
                self._batch.jobs.append(job)
                yield len(self._started) - 1
            else:
                self._change.clear()
                await self._change.wait()

    def _finish(self, position: int, result: NodeResult[StateT]) -> None:
        """Take a node's result; make ready what needs nothing more now, and give up what needs one that failed."""
        self._results[position] = result
        finished = [position]
        while finished:
            for dependent in self._dependents.get(finished.pop(), ()):
                self._lacks[dependent] -= self._results.keys()
                if not self._lacks[dependent] and dependent not in self._results and not self._release(dependent):
                    finished.append(dependent)
        self._change.set()

    def _release(self, position: int) -> bool:
        """Make a node ready that needs nothing more; False where it can't run, and so has its result."""
        failed = [one for one in self._plan.needs[position] if not self._results[one].is_success]
        try:
            if failed:
                raise self._dependency_failed(position, failed)
            job = self._job(position)
        except (DependencyFailed, IsolationError, MergeError) as error:
            self._results[position] = self._not_run(position, error)
            return False
        heapq.heappush(self._ready, (-self._executor.priority_of(job.node), position, job))
        return True

    def _job(self, position: int) -> Job[StateT]:
        upstream = self._plan.upstream(position)
        node = self._plan.nodes[position]
        if (known := self._bases.get(upstream)) is not None:
            return replace(known, position=position, node=node)
        base = snapshot(self.context(upstream))
        job = self._bases[upstream] = Job(position, node, base, base.view())
        return job

    def _checked(self, position: int, result: NodeResult[StateT]) -> NodeResult[StateT]:
        """The result, failed where the node changed other fields than it declares to write, or left one of them out."""
        if result.error is not None or result.base is None:
            return result
        left = self._left[position] = _view(result)
        error: FanfoldError | None = None
        after, declared = field_names(left.state), self._plan.writes[position]
        for name in [name for name in declared if name not in after][:1]:
            error = UnexpectedOutput(
                f"{name_of(result.node)} didn't write {name!r}, which it declares",
                hint="write all declared fields, or declare fewer",
            )
        for name in _changed(result.base.state, left.state, declared)[:1]:
            error = UndeclaredWrite(
                f"{name_of(result.node)} changed {name!r}, which it doesn't declare to write",
                hint=f"add {name!r} to what it writes, so that others can wait for it",
            )
        return result if error is None else replace(result, error=error, next_node=End())

    def _dependency_failed(self, position: int, failed: list[int]) -> DependencyFailed:
        names = " and ".join(name_of(self._plan.nodes[one]) for one in failed)
        return DependencyFailed(f"{name_of(self._plan.nodes[position])} was not run: {names}, which it needs, failed")

    def _not_run(self, position: int, error: Exception) -> NodeResult[StateT]:
        result = NodeResult(self._plan.nodes[position], End(), self._given, 0.0, error, attempts=0)
        result.hold(snapshot(self._given))
        return result

    def _refuse_conflict(
        self, key: str, value: object, metadata: dict[str, Any], writers: dict[str, int], position: int
    ) -> None:
        other = writers.get(key)
        if other is None or other in self._plan.upstream(position) or metadata[key] == value:
            return
        first, second = name_of(self._plan.nodes[other]), name_of(self._plan.nodes[position])
        raise MergeError(message=f"{first} and {second} set metadata {key!r} to different values")


def _view(result: NodeResult[StateT]) -> RunContext[StateT]:
    try:
        return result.snapshot().view()
    except IsolationError:  # a live object was put in it, which those who would get it are told
        return result.context


def _changed(before: object, after: object, declared: Sequence[str]) -> list[str]:
    """The fields that differ, or are in one of the two states alone; those that were declared apart."""
    names, others = field_names(before), field_names(after)
    return [
        name
        for name in dict.fromkeys([*names, *others])
        if name not in declared
        and (name not in names or name not in others or _differ(field_of(before, name), field_of(after, name)))
    ]


def _differ(before: object, after: object) -> bool:
    if is_untouched(before, after) or before == after:
        return False
    try:
        return content_hash(before) != content_hash(after)
    except ContentError:
        return False  # copies of an object that can't be compared always differ
