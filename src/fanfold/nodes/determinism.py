"""Whether a node comes to the same state each time (H18)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from fanfold.engine.content import Difference, first_difference
from fanfold.engine.votes import Votes
from fanfold.nodes.context import RunContext
from fanfold.nodes.executor import ParallelExecutor
from fanfold.nodes.merge import votes_of
from fanfold.nodes.protocol import BaseNode
from fanfold.nodes.result import NodeResult
from fanfold.nodes.snapshots import snapshot

StateT = TypeVar("StateT")

RUNS = 100


@dataclass(frozen=True, slots=True)
class DeterminismReport(Generic[StateT]):
    """What equal runs of one node came to.

    Attributes:
        is_deterministic: every run succeeded, and all left the same state.
        runs: how many there were.
        votes: the distinct states and the runs that left each, the most frequent first, and the runs that failed;
            a run is named `position:node`.
        first_difference: where the most frequent state and the next one first differ; None where there is but one.
        results: all results, in order.
    """

    is_deterministic: bool
    runs: int
    votes: Votes[StateT]
    first_difference: Difference | None
    results: tuple[NodeResult[StateT], ...]

    def __str__(self) -> str:
        if self.is_deterministic:
            return f"{self.runs} runs, all identical"
        differ = "" if self.first_difference is None else f"; they differ at {self.first_difference}"
        return f"{self.runs} runs: {self.votes}{differ}"


async def validate_determinism(
    node: BaseNode[StateT],
    ctx: RunContext[StateT],
    *,
    runs: int = RUNS,
    executor: ParallelExecutor[StateT] | None = None,
) -> DeterminismReport[StateT]:
    """Run a node many times from one context, several at once, and count the states that it leaves.

    The runs are what MAJORITY merges: `executor.merge_states(report.results, MergeStrategy.MAJORITY)` is the context
    that most of them came to. The executor's cache is passed by: it would make every node deterministic.

    Args:
        node: the node.
        ctx: what each run starts from; never changed.
        runs: how often, >= 2.
        executor: runs the node; None = a `ParallelExecutor()` of its own.
    Raises:
        ValueError: fewer than two runs.
        ContentError: a state can't be compared with another; the message names where.
    """
    if runs < 2:
        raise ValueError(f"runs must be at least 2, not {runs}")
    results = await (executor or ParallelExecutor()).execute([node] * runs, snapshot(ctx), cache=None)
    votes = votes_of(results)
    states = [vote.value for vote in votes.cast]
    return DeterminismReport(
        is_deterministic=len(states) == 1 and not votes.failed,
        runs=runs,
        votes=votes,
        first_difference=first_difference(*states[:2]) if len(states) > 1 else None,
        results=tuple(results),
    )
