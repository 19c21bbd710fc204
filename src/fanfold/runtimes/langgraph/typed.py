"""Values that a saver brought back, as their type says: its serialiser makes lists of tuples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from operator import is_
from types import UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

from fanfold.engine import fields_of
from fanfold.runtimes.flow import Flow

Restore: TypeAlias = Callable[[Any], Any]


def typed(flow: Flow[Any], values: Any) -> Any:
    """Values of fields of the flow's state, or an update, that may have been saved."""
    if not isinstance(values, Mapping):
        return values
    fields = fields_of(flow.state)
    return {name: restorer(fields[name].type)(value) if name in fields else value for name, value in values.items()}


def restorer(kind: Any) -> Restore:
    """What makes tuples again of the lists that stand where the type has tuples."""
    try:
        return _restorer(kind) or _as_it_is
    except TypeError:  # an annotation that can't be hashed
        return _restorer.__wrapped__(kind) or _as_it_is


@functools.cache
def _restorer(kind: Any) -> Restore | None:
    """None for a type with no tuple in it."""
    origin, parts = get_origin(kind) or kind, get_args(kind)
    if origin is Annotated:
        return _restorer(parts[0])
    if origin in (Union, UnionType):
        return _of_union(parts)
    if isinstance(origin, type) and issubclass(origin, tuple):
        return _of_tuple(origin, parts)
    if isinstance(origin, type) and issubclass(origin, list) and parts:
        return _of_list(parts[0])
    if isinstance(origin, type) and issubclass(origin, Mapping) and len(parts) == 2:
        return _of_mapping(parts[1])
    return None


def _of_union(parts: tuple[Any, ...]) -> Restore | None:
    """Of a list nobody knows which part it was, unless just one of them is no list."""
    if any((get_origin(part) or part) is list for part in parts):
        return None
    known = [restore for restore in map(_restorer, parts) if restore is not None]
    return known[0] if len(known) == 1 else None


def _of_tuple(origin: type, parts: tuple[Any, ...]) -> Restore:
    make: Restore = getattr(origin, "_make", tuple)
    if len(parts) == 2 and parts[1] is ...:
        each = restorer(parts[0])
        return lambda value: make([each(part) for part in value]) if isinstance(value, list) else value
    restorers = [*map(restorer, parts)]

    def restore(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        fits = len(restorers) == len(value)
        return make([each(part) for each, part in zip(restorers, value, strict=True)] if fits else value)

    return restore


def _of_list(part: Any) -> Restore | None:
    each = _restorer(part)
    if each is None:
        return None
    return lambda value: _unless_same(value, [each(part) for part in value]) if isinstance(value, list) else value


def _of_mapping(part: Any) -> Restore | None:
    each = _restorer(part)
    if each is None:
        return None

    def restore(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        parts = [each(part) for part in value.values()]
        is_same = all(map(is_, value.values(), parts))
        return value if is_same else dict(zip(value, parts, strict=True))

    return restore


def _unless_same(value: list[Any], restored: list[Any]) -> list[Any]:
    return value if all(map(is_, value, restored)) else restored


def _as_it_is(value: Any) -> Any:
    return value
