"""Make one context of what several nodes came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from fanfold.engine.content import ContentError
from fanfold.engine.isolate import detach
from fanfold.engine.merge import MergeStrategy
from fanfold.engine.outcome import Done, Failed, Outcome
from fanfold.engine.schema import replaced, values_of
from fanfold.engine.three_way import MergeError as EngineMergeError
from fanfold.engine.three_way import merge_states
from fanfold.engine.votes import Votes, count_votes
from fanfold.nodes.context import RunContext
from fanfold.nodes.errors import MergeError, failures
from fanfold.nodes.protocol import name_of
from fanfold.nodes.result import NodeResult

__all__ = ["MergeStrategy", "Strategy", "chosen", "merge_results", "votes_of"]

StateT = TypeVar("StateT")

Strategy: TypeAlias = MergeStrategy | Callable[[Sequence[NodeResult[StateT]]], RunContext[StateT]]
"""How results become one context: one of three ways, or a function of the results."""


def merge_results(
    results: Sequence[NodeResult[StateT]], strategy: Strategy[StateT], schema: type | None = None
) -> RunContext[StateT]:
    """One context of several results: see `ParallelExecutor.merge_states`.

    Raises:
        MergeError: it can't be done.
    """
    if not results:
        raise MergeError(message="there are no results to merge")
    if not isinstance(strategy, MergeStrategy):
        return _by_function(results, strategy)
    if strategy is MergeStrategy.ALL_SUCCESS:
        return _all_success(results, schema)
    return chosen(results, strategy).context


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
    if len(votes.cast) > 1 and len(votes.cast[1].keys) == votes.most:
        raise MergeError(
            failures(results), results, f"no state is the most frequent one: {votes}", votes=votes,
            hint="run an odd number of nodes, or see why they differ",
        )  # fmt: skip
    return results[int(votes.cast[0].keys[0].partition(":")[0])]


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
    key, elapsed_s = _key(position, result), result.execution_time_ms / 1000
    if result.error is not None:
        return Failed(key, result.error, 0.0, elapsed_s, index=position)
    return Done(key, result.context.state, 0.0, elapsed_s, index=position)


def _key(position: int, result: NodeResult[Any]) -> str:
    return f"{position}:{name_of(result.node)}"


def _by_function(
    results: Sequence[NodeResult[StateT]], function: Callable[[Sequence[NodeResult[StateT]]], RunContext[StateT]]
) -> RunContext[StateT]:
    merged = function(results)
    if not isinstance(merged, RunContext):
        raise MergeError(
            failures(results), results, f"the merge function returned {type(merged).__name__}",
            hint="return a RunContext: replace(results[0].context, state=...)",
        )  # fmt: skip
    return merged


def _all_success(results: Sequence[NodeResult[StateT]], schema: type | None) -> RunContext[StateT]:
    if failed := failures(results):
        raise MergeError(failed, results, "ALL_SUCCESS needs all nodes to succeed")
    if len(results) == 1:
        return results[0].context
    keys = [_key(position, result) for position, result in enumerate(results)]
    contexts = [result.context for result in results]
    try:
        base = _base(results)
        state = merge_states(base.state, list(zip(keys, [one.state for one in contexts], strict=True)), schema=schema)
        others = merge_states(_others(base), list(zip(keys, map(_others, contexts), strict=True)))
    except EngineMergeError as error:
        raise MergeError(
            (), results, error.message, hint=error.hint, field=error.field, branches=error.branches
        ) from error
    except (TypeError, ValueError) as error:  # what a state's own constructor or validation raises
        raise MergeError((), results, f"the merged state isn't one: {error}") from error
    return replace(base, state=state, provenance=_provenance(base, contexts), **others)


def _others(ctx: RunContext[Any]) -> dict[str, Any]:
    return {"user_id": ctx.user_id, "metadata": ctx.metadata}


def _provenance(base: RunContext[Any], contexts: Iterable[RunContext[Any]]) -> list[dict[str, Any]]:
    """What was there, and what each context has behind it; what two of them have alike is there once."""
    added: list[dict[str, Any]] = []
    for ctx in contexts:
        before = list(added)
        added += [entry for entry in ctx.provenance[len(base.provenance) :] if entry not in before]
    return [*base.provenance, *added]


def _base(results: Sequence[NodeResult[StateT]]) -> RunContext[StateT]:
    """The context that all nodes were given; where results don't say, what their contexts have in common.

    Raises:
        MergeError: they were given different ones.
    """
    first = results[0].base
    if first is not None and all(result.base is first for result in results):
        return detach(first)
    if any(result.base is not None and result.base != first for result in results):
        message = "the nodes started from different contexts"
        raise MergeError((), results, message, hint="merge the results of one call")
    if first is not None and all(result.base is not None for result in results):
        return detach(first)
    contexts = [result.context for result in results]
    common = _shared("the state", [values_of(ctx.state) for ctx in contexts], results)
    return replace(
        contexts[0],
        state=replaced(contexts[0].state, common, validate=False),
        metadata=_shared("metadata", [ctx.metadata for ctx in contexts], results),
        provenance=_prefix([ctx.provenance for ctx in contexts]),
    )


def _shared(path: str, values: Sequence[Any], results: Sequence[NodeResult[Any]]) -> Any:
    """The part that several values have in common, from which each has been made by adding."""
    if all(value == values[0] for value in values[1:]):
        return values[0]
    if all(isinstance(value, list | tuple) for value in values):
        return _prefix(values)
    if all(isinstance(value, AbstractSet) for value in values):
        return values[0].intersection(*values[1:])
    if all(isinstance(value, Mapping) for value in values):
        names = [name for name in values[0] if all(name in value for value in values[1:])]
        return {name: _shared(f"{path}[{name!r}]", [value[name] for value in values], results) for name in names}
    message = f"{path}: the nodes have different values"
    raise MergeError((), results, message, hint="let one of them write it")


def _prefix(lists: Sequence[Any]) -> Any:
    length = 0
    for entries in zip(*lists, strict=False):
        if any(entry != entries[0] for entry in entries[1:]):
            break
        length += 1
    return lists[0][:length]
