"""Tuples and named tuples: they stay the same where all in them does."""

from __future__ import annotations

from operator import is_
from typing import Any, TypeGuard

from fanfold.engine.isolate.errors import Refused
from fanfold.engine.isolate.frozen import Kept, Shared
from fanfold.engine.isolate.keep import KEEP
from fanfold.engine.isolate.kinds import ATOMS
from fanfold.engine.isolate.thaw import THAW, THAW_KEPT, Memo, thaw
from fanfold.engine.isolate.walk import FREEZE, Freeze, Seen

_tuple_new = tuple.__new__


def tuple_freezer(frozen_type: type[Any]) -> Freeze:
    """How tuples, or named tuples of one type, are frozen: they stay the same where all in them does."""

    def freeze(value: tuple[Any, ...], seen: Seen, alone: bool = False) -> Any:
        if ATOMS.issuperset(map(type, value)):
            return value
        made = None
        if alone or id(value) not in seen:
            parts = [_part(index, part, seen) for index, part in enumerate(value)]
            same = all(map(is_, parts, value)) and THAW.keys().isdisjoint(map(type, parts))
            made = value if same else _tuple_new(frozen_type, parts)
        # It may be known by now, where it is inside itself by way of a list.
        return seen[id(value)] if not alone and seen.met(value, made) else made

    return freeze


def _part(index: int, part: Any, seen: Seen) -> Any:
    try:
        return part if type(part) in ATOMS else FREEZE[type(part)](part, seen)
    except Refused as refused:
        raise refused.below(f"[{index}]") from refused


def named_tuple_freezer(cls: type[tuple[Any, ...]]) -> Freeze:
    """How named tuples of a type are frozen; also enters how they are thawed and kept."""
    body = {"__slots__": (), "__module__": cls.__module__, "__class__": property(lambda _: cls)}
    frozen, kept = (type.__new__(type(cls), cls.__name__, (mixin, cls), body) for mixin in (Shared, Kept))

    def thaw_tuple(value: Any, memo: Memo | None) -> Any:
        parts = [thaw(part, memo) if type(part) in THAW else part for part in value]
        known = memo.get(id(value)) if memo else None
        return known[1] if known else _tuple_new(cls, parts)

    THAW[frozen] = THAW_KEPT[kept] = thaw_tuple
    KEEP[frozen] = lambda value: _tuple_new(kept, value)
    return tuple_freezer(frozen)


def is_named_tuple(cls: type) -> TypeGuard[type[tuple[Any, ...]]]:
    """Whether objects of this type are a tuple with names for its parts, and nothing else."""
    plain = isinstance(getattr(cls, "_fields", None), tuple) and not cls.__dictoffset__
    return plain and issubclass(cls, tuple) and not hasattr(cls, "__deepcopy__") and not issubclass(cls, Shared)
