"""Free what a branch returns from everything that the branch, its views and the base hold."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from operator import is_
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from fanfold.engine.isolate.frozen import (
    FrozenDict,
    FrozenList,
    FrozenSet,
    FrozenTuple,
    Held,
    KeptDict,
    KeptList,
    KeptSet,
    LeafDict,
    LeafList,
    Shared,
)
from fanfold.engine.isolate.kinds import ATOMS
from fanfold.engine.isolate.records import RECORDS
from fanfold.engine.isolate.thaw import THAW
from fanfold.engine.isolate.tuples import is_named_tuple
from fanfold.engine.isolate.views import LazyDict, LazyList, OwnDict, OwnList, settled_items, settled_list
from fanfold.engine.isolate.walk import FREEZE

T = TypeVar("T")
Memo: TypeAlias = dict[int, Any]
"""Id of an original -> its detached form, as in `copy.deepcopy`."""


def detach(value: T) -> T:
    """The same data in containers of its own: plain dicts, lists, sets and tuples instead of views.

    Dataclasses, pydantic models and named tuples are made anew where something in them can change. Subclasses of
    containers are deep-copied. What isn't data (a client, a node, an object of a class of its own) is returned as
    it is. One object stays one object.
    """
    return value if type(value) in ATOMS else _detached(value, {})


def _detached(value: Any, memo: Memo) -> Any:
    kind = type(value)
    if kind in ATOMS:
        return value
    if id(value) in memo:
        return memo[id(value)]
    if kind not in _DETACH:
        _DETACH[kind] = _how(kind)
    return _DETACH[kind](value, memo)


def _dict(value: Any, memo: Memo) -> dict[Any, Any]:
    made = memo[id(value)] = {}
    if isinstance(value, OwnDict):
        for key, part in settled_items(value):
            made[key] = _detached(part, {} if type(part) in THAW else memo)
    else:
        for key, part in value.items():
            made[key] = part if type(part) in ATOMS else _detached(part, memo)
    return made


def _list(value: Any, memo: Memo) -> list[Any]:
    made: list[Any] = []
    memo[id(value)] = made
    if isinstance(value, OwnList):
        made.extend([_detached(part, {} if type(part) in THAW else memo) for part in settled_list(value)])
    else:
        made.extend([part if type(part) in ATOMS else _detached(part, memo) for part in value])
    return made


def _set(value: Any, memo: Memo) -> set[Any]:
    made = memo[id(value)] = set(value)
    return made


def _tuple(value: Any, memo: Memo) -> Any:
    parts = [_detached(part, memo) for part in value]
    known = memo.get(id(value))
    if known is not None:  # it is inside itself, by way of a list
        return known
    if not isinstance(value, Shared) and all(map(is_, parts, value)):
        return value
    made = memo[id(value)] = tuple.__new__(tuple if isinstance(value, FrozenTuple) else value.__class__, parts)
    return made


def _record(value: Any, memo: Memo) -> Any:
    plan = RECORDS[type(value)]
    made: Any = object.__new__(plan.cls)
    memo[id(value)] = made
    before = dict(plan.parts(value))
    after = {name: _detached(part, memo) for name, part in before.items()}
    if plan.immutable and type(value) is plan.cls and all(map(is_, before.values(), after.values())):
        memo[id(value)] = value
        return value
    return plan.fill(made, after)


def _copy(value: Any, memo: Memo) -> Any:
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # noqa: BLE001 whatever a user's class raises when it is copied: then it is no data
        return value


def _proxy(value: Any, memo: Memo) -> Any:
    made = memo[id(value)] = MappingProxyType(_detached(dict(value), memo))
    return made


def _itself(value: Any, _: Memo) -> Any:
    return value


def _how(kind: type) -> Callable[[Any, Memo], Any]:
    FREEZE[kind]  # a plan for the type, if it is one of fields, is made when it is first asked for
    if kind in RECORDS:
        return _record
    if issubclass(kind, FrozenTuple) or is_named_tuple(kind):
        return _tuple
    return _copy if issubclass(kind, dict | list | set | tuple | frozenset | deque | bytearray | Held) else _itself


_DETACH: dict[type, Callable[[Any, Memo], Any]] = {
    **dict.fromkeys((dict, LazyDict, OwnDict, FrozenDict, LeafDict, KeptDict), _dict),
    **dict.fromkeys((list, LazyList, OwnList, FrozenList, LeafList, KeptList), _list),
    **dict.fromkeys((set, FrozenSet, KeptSet), _set),
    tuple: _tuple,
    frozenset: _itself,
    MappingProxyType: _proxy,
}
