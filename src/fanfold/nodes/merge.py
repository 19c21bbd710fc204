"""Make one context of what several nodes came to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

from fanfold.engine.content import ContentError
from fanfold.engine.merge import MergeStrategy, strategy_named
from fanfold.engine.outcome import Done, Failed, Outcome
from fanfold.engine.votes import Votes, count_votes
from fanfold.nodes.all_success import all_success
from fanfold.nodes.context import RunContext
from fanfold.nodes.errors import MergeError, failures
from fanfold.nodes.result import NodeResult

__all__ = ["MergeStrategy", "Strategy", "chosen", "merge_results", "strategy_of", "votes_of"]

StateT = TypeVar("StateT")

Merging: TypeAlias = Callable[[Sequence[NodeResult[StateT]]], RunContext[StateT]]
"""A function that makes one context of results."""

Strategy: TypeAlias = MergeStrategy | Literal["first_success", "all_success", "majority"] | Merging[StateT]
"""How results become one context: one of three ways, or its name, or a function of the results."""


def merge_results(
    results: Sequence[NodeResult[StateT]], strategy: Strategy[StateT], schema: type | None = None
) -> RunContext[StateT]:
    """One context of several results: see `ParallelExecutor.merge_states`.

    Raises:
        MergeError: it can't be done.
        ValueError: no strategy has this name.
    """
    strategy = strategy_of(strategy)
    if not results:
        raise MergeError(message="there are no results to merge")
    if not isinstance(strategy, MergeStrategy):
        return _by_function(results, strategy)
    if strategy is MergeStrategy.ALL_SUCCESS:
        return all_success(results, schema)
    return chosen(results, strategy).copied()


def strategy_of(strategy: Strategy[StateT]) -> MergeStrategy | Merging[StateT]:
    """The strategy that this is, or that has this name.

    Raises:
        TypeError: it is none.
        ValueError: no strategy has this name.
    """
    if isinstance(strategy, str):
        return strategy_named(strategy)
    if not isinstance(strategy, MergeStrategy) and not callable(strategy):
        raise TypeError(f"a strategy is a MergeStrategy, its name, or a function, not {strategy!r}")
    return strategy


def chosen(results: Sequence[NodeResult[StateT]], strategy: MergeStrategy) -> NodeResult[StateT]:
    """The one result that FIRST_SUCCESS or MAJORITY take.

    Raises:
        MergeError: no node succeeded, or no state is the most frequent one.
    """
    good = [result for result in results if result.is_success]
    if not good:
        raise MergeError(failures(results), results, "no node succeeded")
    if strategy is MergeStrategy.FIRST_SUCCESS:
        return good[0]
    votes = _votes(results)
    if votes.winner is None:
        raise MergeError(
            failures(results), results, f"no state is the most frequent one: {votes}", votes=votes,
            hint="run an odd number of nodes, or see why they differ",
        )  # fmt: skip
    return results[int(votes.winner.keys[0].partition(":")[0])]


def votes_of(results: Sequence[NodeResult[Any]]) -> Votes[Any]:
    """How often each state occurs among the results, and which nodes failed; keys are `position:name`.

    Raises:
        ContentError: a state has no stable content.
    """
    return count_votes([_outcome(position, result) for position, result in enumerate(results)])


def _votes(results: Sequence[NodeResult[Any]]) -> Votes[Any]:
    try:
        return votes_of(results)
    except ContentError as error:
        message = f"states can't be compared: {error.message}"
        raise MergeError(failures(results), results, message, hint=error.hint) from error


def _outcome(position: int, result: NodeResult[Any]) -> Outcome[Any]:
    key, elapsed_s = result.key(position), result.execution_time_ms / 1000
    if result.error is not None:
        return Failed(key, result.error, 0.0, elapsed_s, index=position)
    return Done(key, result.context.state, 0.0, elapsed_s, index=position)


def _by_function(results: Sequence[NodeResult[StateT]], function: Merging[StateT]) -> RunContext[StateT]:
    merged = function(results)
    if not isinstance(merged, RunContext):
        raise MergeError(
            failures(results), results, f"the merge function returned {type(merged).__name__}",
            hint="return a RunContext: replace(results[0].context, state=...)",
        )  # fmt: skip
    return merged
