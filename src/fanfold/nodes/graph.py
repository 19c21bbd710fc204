"""Run a graph: from node to node until every path has ended, independent nodes together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from fanfold.engine.isolate import Frozen, detach
from fanfold.errors import FanfoldError
from fanfold.nodes.context import RunContext
from fanfold.nodes.errors import MergeError, ParallelExecutionError, failures
from fanfold.nodes.executor import ParallelExecutor
from fanfold.nodes.merge import MergeStrategy, Strategy, chosen, strategy_of
from fanfold.nodes.protocol import BaseNode, NextNode, name_of, nodes_in
from fanfold.nodes.result import NodeResult
from fanfold.nodes.signature import signature_name
from fanfold.nodes.snapshots import snapshot

StateT = TypeVar("StateT")

MOST_STEPS = 100


class TooManySteps(FanfoldError):
    """A graph went on beyond its limit of steps.

    `run` has the context as it was then, and all results.
    """

    def __init__(self, message: str, *, run: GraphRun[Any], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.run = run


@dataclass(frozen=True, slots=True)
class GraphRun(Generic[StateT]):
    """What a run came to: the last context, and the results of each step's nodes in their order."""

    context: RunContext[StateT]
    steps: tuple[tuple[NodeResult[StateT], ...], ...] = ()

    @property
    def results(self) -> list[NodeResult[StateT]]:
        """All results, step after step."""
        return [result for step in self.steps for result in step]


@dataclass(frozen=True)
class Graph(Generic[StateT]):
    """Where a run starts, and how it goes on.

    A step runs one node, or several together, each on a context of its own. What they changed is merged, and the
    nodes that they name are the next step. A node that several of them name, such as a join, runs once: it is the
    same where it is the same object, equal, or of one class with equal attributes. A node named twice in one list
    runs twice. The run ends when no node is left.

    Args:
        start: the first node, or several that run together.
        executor: runs the nodes; None = a `ParallelExecutor()` of its own.
        strategy: how the contexts of one step are merged: ALL_SUCCESS goes on from all of them; FIRST_SUCCESS and
            MAJORITY from the one that they choose alone; or the name of one of these. A function of the results gives
            the context, and the run goes on from all that succeeded.
        max_steps: steps after which the run is given up, >= 1.
    """

    start: NextNode[StateT]
    executor: ParallelExecutor[StateT] = field(default_factory=ParallelExecutor)
    strategy: Strategy[StateT] = MergeStrategy.ALL_SUCCESS
    max_steps: int = MOST_STEPS

    def __post_init__(self) -> None:
        object.__setattr__(self, "strategy", strategy_of(self.strategy))

    async def run(self, ctx: RunContext[StateT]) -> GraphRun[StateT]:
        """Run from the start until every path has ended.

        A node that doesn't note itself in the provenance is noted, so that the path can be read from it.

        Args:
            ctx: never changed.
        Raises:
            ParallelExecutionError: a step's nodes failed and the strategy can't do without them; `partial_results`
                are those of all steps.
            MergeError: a step's contexts don't fit together.
            TooManySteps: the run had not ended after `max_steps` steps.
        """
        base = snapshot(ctx)
        steps: list[tuple[NodeResult[StateT], ...]] = []
        nodes = _nodes([self.start])
        while nodes:
            if len(steps) >= self.max_steps:
                raise TooManySteps(
                    f"the graph had not ended after {self.max_steps} steps; next is {_names(nodes)}",
                    run=GraphRun(detach(base.view()), tuple(steps)),
                    hint="raise max_steps, or look for a cycle without a way out",
                )
            results = await self.executor.execute(nodes, base, cache=self.executor.cache)
            _note(results, base)
            steps.append(tuple(results))
            base = self._merged(steps)
            nodes = _nodes(result.next_node for result in self._going_on(results))
        return GraphRun(detach(base.view()), tuple(steps))

    def _merged(self, steps: Sequence[Sequence[NodeResult[StateT]]]) -> Frozen[RunContext[StateT]]:
        """What the next step starts from; a context that is taken whole is never made into plain objects here."""
        results = steps[-1]
        try:
            if self._takes_one:
                return chosen(results, cast("MergeStrategy", self.strategy)).snapshot()
            if self.strategy is MergeStrategy.ALL_SUCCESS and len(results) == 1 and results[0].is_success:
                return results[0].snapshot()
            return snapshot(self.executor.merge_states(results, self.strategy))
        except MergeError as error:
            if not (failed := failures(results)):
                raise
            every = [result for step in steps for result in step]
            raise ParallelExecutionError(failed, every, f"step {len(steps)} of the graph failed") from error

    @property
    def _takes_one(self) -> bool:
        return self.strategy in (MergeStrategy.FIRST_SUCCESS, MergeStrategy.MAJORITY)

    def _going_on(self, results: Sequence[NodeResult[StateT]]) -> Sequence[NodeResult[StateT]]:
        if self._takes_one:
            return [chosen(results, cast("MergeStrategy", self.strategy))]
        return [result for result in results if result.is_success]


async def run_graph(
    start: NextNode[StateT],
    ctx: RunContext[StateT],
    *,
    executor: ParallelExecutor[StateT] | None = None,
    strategy: Strategy[StateT] = MergeStrategy.ALL_SUCCESS,
    max_steps: int = MOST_STEPS,
) -> GraphRun[StateT]:
    """Run a graph from its first node or nodes until every path has ended: see `Graph`.

    Raises:
        ParallelExecutionError, MergeError, TooManySteps.
    """
    graph: Graph[StateT] = Graph(start, executor or ParallelExecutor(), strategy, max_steps)
    return await graph.run(ctx)


def _nodes(named: Iterable[NextNode[StateT]]) -> list[BaseNode[StateT]]:
    """The nodes of the next step: each as often as the one list that has it most often."""
    nodes: list[BaseNode[StateT]] = []
    for following in named:
        there = list(nodes)
        for node in nodes_in(following):
            same = next((one for one in there if _is_same(one, node)), None)
            if same is None:
                nodes.append(node)
            else:
                there = [one for one in there if one is not same]
    return nodes


def _is_same(one: object, other: object) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    try:
        if type(one).__eq__ is not object.__eq__:
            return bool(one == other)
        return hasattr(one, "__dict__") and bool(vars(one) == vars(other))
    except Exception:  # noqa: BLE001 attributes may be anything (arrays), and what can't be compared isn't equal
        return False


def _note(results: Sequence[NodeResult[StateT]], base: Frozen[RunContext[StateT]]) -> None:
    """Note nodes in the provenance that didn't do so themselves."""
    before = len(base.view().provenance)
    for result in results:
        if result.is_success:
            ctx = result.snapshot().view()
            if len(ctx.provenance) <= before:
                ctx.add_provenance(name_of(result.node), signature_name(result.node))
                result.hold(snapshot(ctx))


def _names(nodes: Sequence[object]) -> str:
    return ", ".join(name_of(node) for node in nodes)
