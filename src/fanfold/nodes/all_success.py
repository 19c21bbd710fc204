"""Put together what several nodes made of one context."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, TypeVar

from fanfold.engine.isolate import IsolationError, detach
from fanfold.engine.schema import replaced, values_of
from fanfold.engine.three_way import MergeError as EngineMergeError
from fanfold.engine.three_way import merge_states
from fanfold.engine.wrapper import text_of
from fanfold.nodes.context import RunContext
from fanfold.nodes.errors import MergeError, failures
from fanfold.nodes.result import NodeResult
from fanfold.nodes.snapshots import is_untouched

StateT = TypeVar("StateT")


def all_success(results: Sequence[NodeResult[StateT]], schema: type | None) -> RunContext[StateT]:
    """The context that all nodes together made of the one that they were given.

    Raises:
        MergeError: a node failed, or two disagree.
    """
    if failed := failures(results):
        raise MergeError(failed, results, "ALL_SUCCESS needs all nodes to succeed")
    if len(results) == 1:
        return results[0].copied()
    keys = [result.key(position) for position, result in enumerate(results)]
    try:
        base = _base(results)
        contexts = [_left(result) for result in results]
        before, states = _told_apart(base.state, [ctx.state for ctx in contexts])
        state = merge_states(before, list(zip(keys, states, strict=True)), schema=schema)
        others = merge_states(_others(base), list(zip(keys, map(_others, contexts), strict=True)))
    except EngineMergeError as error:
        if isinstance(error, MergeError):
            raise
        raise MergeError(
            (), results, error.message, hint=error.hint, field=error.field, branches=error.branches
        ) from error
    except (TypeError, ValueError) as error:  # what a state's own constructor or validation raises
        raise MergeError((), results, f"the merged state isn't one: {text_of(error)}") from error
    return detach(replace(base, state=state, provenance=_provenance(base, contexts), **others))


def _left(result: NodeResult[StateT]) -> RunContext[StateT]:
    try:
        return result.snapshot().view()
    except IsolationError:  # the node put a live object into it
        return result.context


def _told_apart(base: StateT, states: Sequence[StateT]) -> tuple[StateT, list[StateT]]:
    """The same states, where a field that nobody touched is the base's own object, and others are plain objects.

    So merging looks at what was changed alone, and a megabyte of state that ten nodes left alone costs nothing.
    """
    before = values_of(base)
    after = [values_of(state) for state in states]
    touched = [
        {name for name, value in values.items() if name not in before or not is_untouched(before[name], value)}
        for values in after
    ]
    plain = {name: detach(before[name]) for name in before if any(name in names for names in touched)}
    return _with(base, plain), [
        _with(
            state,
            {name: detach(values[name]) if name in names else plain.get(name, before.get(name)) for name in values},
        )
        for state, values, names in zip(states, after, touched, strict=True)
    ]


def _with(state: StateT, values: Mapping[str, Any]) -> StateT:
    """The state with other objects for equal values; no constructor and no validation is run."""
    if isinstance(state, Mapping):
        made: Any = {**state, **values}
        return made  # type: ignore[no-any-return]
    made = copy.copy(state)
    extra = getattr(made, "__pydantic_extra__", None) or {}
    for name, value in values.items():
        if name in extra:
            extra[name] = value
        else:
            object.__setattr__(made, name, value)  # a frozen one refuses ordinary assignment
    return made  # type: ignore[no-any-return]


def _others(ctx: RunContext[Any]) -> dict[str, Any]:
    return {"user_id": ctx.user_id, "metadata": detach(ctx.metadata)}


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
        return first
    if any(result.base is not None and result.base != first for result in results):
        message = "the nodes started from different contexts"
        raise MergeError((), results, message, hint="merge the results of one call")
    if first is not None and all(result.base is not None for result in results):
        return first
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
