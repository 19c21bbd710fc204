"""Values that a saver brought back, as their type says: its serialiser makes lists of tuples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

Restore: TypeAlias = Callable[[Any], Any]


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
    return lambda value: [each(part) for part in value] if isinstance(value, list) else value


def _of_mapping(part: Any) -> Restore | None:
    each = _restorer(part)
    if each is None:
        return None
    return lambda value: {key: each(part) for key, part in value.items()} if isinstance(value, dict) else value


def _as_it_is(value: Any) -> Any:
    return value
