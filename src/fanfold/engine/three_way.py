"""Make one state of several that branches made of the same base."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from fanfold.engine.isolate import detach
from fanfold.engine.outcome import Outcome
from fanfold.engine.reducers import Reducer
from fanfold.engine.schema import NOTHING, Field, complaint, fields_of, is_model, replaced, schema_of, values_of
from fanfold.engine.wrapper import text_of
from fanfold.errors import FanfoldError

if TYPE_CHECKING:
    from fanfold.engine.votes import Votes

S = TypeVar("S")
T = TypeVar("T")

Version = tuple[str, Any]
"""A branch's key, and what it made of the base."""


class MergeError(FanfoldError):
    """Outcomes that don't make one result.

    Attributes:
        outcomes: all that had arrived, in item order, failed ones included.
        field: the state's field at fault, or None.
        branches: keys of the branches at fault, in item order.
        votes: how the branches voted, where they did.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        outcomes: Iterable[Outcome[Any]] = (),
        field: str | None = None,
        branches: Iterable[str] = (),
        votes: Votes[Any] | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.outcomes = tuple(outcomes)
        self.field = field
        self.branches = tuple(branches)
        self.votes = votes


def merge_states(state: S, versions: Sequence[tuple[str, S]], *, schema: type | None = None) -> S:
    """What all branches together made of `state`.

    What one branch alone changed is taken from it. What several changed:
    a field with a reducer takes what each branch added to it (the reducer's `since`);
    a list, tuple, set or dict takes what each branch added: lists grow by each branch's new tail, in item order;
    dicts, dataclasses and models are merged part by part;
    anything else must have been changed to the same value by all of them. So 1 it is, where two counted from 0 to 1:
    declare a reducer for a counter.

    Args:
        state: what each branch started from: a dict, dataclass or model; never changed.
        versions: keys and whole states, in item order; never changed. The result shares with them what it takes.
        schema: as for `fold`.
    Raises:
        MergeError: naming the field and two branches that disagree, or the one that changed what it only may add to;
            the state's own validation refuses the merged one.
    """
    schema = schema or schema_of(state)
    fields = fields_of(schema) if schema else {}
    before = values_of(state)
    after = [(key, _values_like(state, key, version)) for key, version in versions]
    merged = {}
    for name in dict.fromkeys([*before, *(name for _, values in after for name in values)]):
        changed = _changed(before.get(name, NOTHING), [(key, values.get(name, NOTHING)) for key, values in after])
        for key, value in changed:
            if value is NOTHING:
                raise MergeError(
                    f"the state of the branch {key!r} lacks {name!r}",
                    hint="ALL_SUCCESS merges whole states; updates are for fold",
                    field=name,
                    branches=(key,),
                )
        if changed:
            merged[name] = _field(fields.get(name, Field(name, object)), before.get(name, NOTHING), changed)
    if not merged:
        return state
    try:
        return replaced(state, merged)
    except Exception as error:  # the state's own validation: anything
        blamed, why = complaint(error, merged)
        writers = [key for key, values in after if blamed and not _is_same(before[blamed], values[blamed])]
        message = f"the merged state is no {type(state).__name__}: {why}"
        raise MergeError(message, field=blamed, branches=writers) from error


def merge_tails(base: Sequence[T], lists: Iterable[Sequence[T]]) -> list[T]:
    """`base` and what each list has behind it: n entries each list added to the same m make m + n + n + ... entries.

    Raises:
        MergeError: a list doesn't begin with `base`.
    """
    merged = list(base)
    for position, grown in enumerate(lists):
        if not _is_same(list(grown[: len(base)]), list(base)):
            raise MergeError(
                f"list {position} doesn't begin with the {len(base)} entries that were there before",
                hint="only append to lists that several branches write",
            )
        merged.extend(grown[len(base) :])
    return merged


def _values_like(base: object, key: str, version: object) -> dict[str, Any]:
    if isinstance(base, Mapping) != isinstance(version, Mapping) or not (
        isinstance(base, Mapping) or isinstance(version, type(base))
    ):
        raise MergeError(
            f"the branch {key!r} returned a {type(version).__name__}, and no {type(base).__name__}",
            hint="ALL_SUCCESS merges the states that branches return",
            branches=(key,),
        )
    return values_of(version)


def _field(field: Field, base: Any, changed: list[Version]) -> Any:
    if field.read_only:
        raise _conflict(field.name, changed[:1], "changed it, though it is read-only")
    if field.reducer is None or len(changed) == 1:
        return _merged(field.name, field.name, base, changed)
    return _reduced(field, field.reducer, base, changed)


def _reduced(field: Field, reducer: Reducer[Any], base: Any, changed: list[Version]) -> Any:
    """The base with what each branch added to it."""
    if base is NOTHING and field.start is None:
        held, updates = changed[0][1], changed[1:]
    elif base is NOTHING and field.start is not None:
        held, updates = field.start(), changed
    elif reducer.since is not None:
        held = base
        updates = [(key, _attempt(field, reducer, key, reducer.since, base, value)) for key, value in changed]
    else:
        raise _conflict(field.name, changed, f"changed it, and {reducer.name} can't tell what each of them added")
    if not reducer.pure:
        held, updates = detach((held, updates))
    for key, update in updates:
        held = _attempt(field, reducer, key, reducer.function, held, update)
    return held


def _attempt(
    field: Field, reducer: Reducer[Any], key: str, function: Callable[[Any, Any], Any], left: Any, right: Any
) -> Any:
    try:
        return function(left, right)
    except Exception as error:  # a reducer may raise anything
        message = (
            f"{field.name}: what the branch {key!r} made of it can't be combined by {reducer.name}: {text_of(error)}"
        )
        raise MergeError(message, field=field.name, branches=(key,)) from error


def _merged(path: str, field: str, base: Any, versions: Sequence[Version]) -> Any:
    """One value of all versions of it, none of them as the base."""
    values = [value for _, value in versions]
    kind = _common_kind([value for value in (base, *values) if value is not NOTHING])
    if len(values) == 1:
        return values[0]
    if kind is None or any(value is NOTHING for value in values):
        return _agreed(path, field, versions)
    if kind is dict:
        return _merged_dict(path, field, {} if base is NOTHING else base, versions)
    if kind in (list, tuple):
        return _merged_list(path, field, kind() if base is NOTHING else base, versions)
    if kind in (set, frozenset):
        return _merged_set(kind() if base is NOTHING else base, values)
    if base is not NOTHING and (is_model(kind) or dataclasses.is_dataclass(kind)):
        return _merged_parts(path, field, base, versions)
    return _agreed(path, field, versions)


def _merged_dict(path: str, field: str, base: Mapping[Any, Any], versions: Sequence[Version]) -> dict[Any, Any]:
    merged = {}
    for name in dict.fromkeys([*base, *(name for _, value in versions for name in value)]):
        before = base.get(name, NOTHING)
        changed = _changed(before, [(key, value.get(name, NOTHING)) for key, value in versions])
        held = _merged(f"{path}[{name!r}]", field, before, changed) if changed else before
        if held is not NOTHING:
            merged[name] = held
    return merged


def _merged_list(path: str, field: str, base: Sequence[Any], versions: Sequence[Version]) -> Any:
    for key, value in versions:
        if not _is_same(value[: len(base)], base):
            if _all_same([value for _, value in versions]):
                return value
            other = next(other for other, _ in versions if other != key)
            raise MergeError(
                f"{path}: the branch {key!r} changed what was there before, and {other!r} changed it too",
                hint="only append to lists that several branches write, or declare a reducer",
                field=field,
                branches=[name for name, _ in versions if name in (key, other)],
            )
    joined = merge_tails(base, [value for _, value in versions])
    return tuple(joined) if isinstance(base, tuple) else joined


def _merged_set(base: Any, values: Sequence[Any]) -> Any:
    """Whatever one branch took out is out, for no other can have put it in anew."""
    kept = base.intersection(*values)
    return kept.union(*(value - base for value in values))


def _merged_parts(path: str, field: str, base: S, versions: Sequence[tuple[str, S]]) -> S:
    try:
        return merge_states(base, versions)
    except MergeError as error:
        raise MergeError(f"{path}.{error}", hint=error.hint, field=field, branches=error.branches) from error.__cause__


def _agreed(path: str, field: str, versions: Sequence[Version]) -> Any:
    key, first = versions[0]
    for other, value in versions[1:]:
        if not _is_same(first, value):
            raise _conflict(path, [(key, first), (other, value)], "changed it to different values", field)
    return first


def _conflict(path: str, versions: Sequence[Version], what: str, field: str | None = None) -> MergeError:
    keys = [key for key, _ in versions[:2]]
    named = f"the branches {keys[0]!r} and {keys[1]!r}" if len(keys) == 2 else f"the branch {keys[0]!r}"
    hint = "let one branch write it, or declare a reducer for the field"
    return MergeError(f"{path}: {named} {what}", hint=hint, field=field or path, branches=keys)


def _changed(base: Any, versions: Iterable[Version]) -> list[Version]:
    return [(key, value) for key, value in versions if not _is_same(base, value)]


def _is_same(left: Any, right: Any) -> bool:
    if left is right:
        return True
    is_alike = type(left) is type(right) or _common_kind([left, right]) is not None
    return is_alike and (bool(left == right) or _is_same_but_for_nans(left, right))


def _is_same_but_for_nans(left: Any, right: Any) -> bool:
    """Whether unequal values are the same where each NaN is as any other, as votes have it."""
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(_is_same, left, right))
    if isinstance(left, Mapping):
        return left.keys() == right.keys() and all(_is_same(value, right[key]) for key, value in left.items())
    if is_model(type(left)) or dataclasses.is_dataclass(type(left)):
        hidden = [getattr(value, "__pydantic_private__", None) for value in (left, right)]
        values, others = values_of(left), values_of(right)
        # Where the fields are equal, it is something else that differs, which a type's own `==` knows of.
        return values != others and _is_same(values, others) and _is_same(*hidden)
    return bool(left != left) and bool(right != right)


def _all_same(values: Sequence[Any]) -> bool:
    return all(_is_same(values[0], value) for value in values[1:])


def _common_kind(values: Sequence[Any]) -> type | None:
    """The type that all values are of; a view is of the container's type that it stands for."""
    for kind in (dict, list, set):
        if all(isinstance(value, kind) for value in values):
            return kind
    kinds = {type(value) for value in values}
    return kinds.pop() if len(kinds) == 1 else None
