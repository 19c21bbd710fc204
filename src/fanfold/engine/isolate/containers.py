"""Dicts, lists and sets: they are copied into forms that refuse to change, and so is what is in them."""

from __future__ import annotations

from functools import partial
from sys import getrefcount
from types import MappingProxyType
from typing import Any

from fanfold.engine.isolate.errors import Refused
from fanfold.engine.isolate.frozen import FrozenDict, FrozenList, FrozenProxy, FrozenSet, LeafDict, LeafList, Shared
from fanfold.engine.isolate.keep import keep
from fanfold.engine.isolate.kinds import ATOMS
from fanfold.engine.isolate.opaque import hold
from fanfold.engine.isolate.read_only import Declared, declared
from fanfold.engine.isolate.thaw import THAW
from fanfold.engine.isolate.walk import ALONE_IN_DICT, ALONE_IN_LIST, FREEZE, Freeze, Seen

_dict_set, _list_new, _list_extend = dict.__setitem__, list.__new__, list.extend


def freeze_dict(value: dict[Any, Any], seen: Seen, alone: bool = False, shell: LeafDict | None = None) -> Any:
    """The frozen form of a dict.

    Args:
        alone: see `Freeze`.
        shell: what is in the dict, where reading `value` itself would thaw it.
    """
    if shell is None:
        shell = LeafDict(value)
    if not alone and seen.met(value, shell):
        return seen[id(value)]
    lazy, key = False, None
    try:
        for key, part in shell.items():
            kind = type(part)
            if kind not in ATOMS:
                only = getrefcount(part) <= ALONE_IN_DICT
                # The two kinds that states are made of by name: the interpreter makes such calls faster.
                if kind is dict:
                    frozen = freeze_dict(part, seen, only)
                elif kind is list:
                    frozen = freeze_list(part, seen, only)
                else:
                    frozen = FREEZE[kind](part, seen, only)
                _dict_set(shell, key, frozen)
                lazy = lazy or type(frozen) in THAW
            if type(key) is not str and type(key) not in ATOMS and not is_immutable(key):
                seen.pop(id(value), None)
                return hold(value, seen)
    except Refused as refused:
        raise refused.below(f"[{key!r}]") from refused
    if lazy:
        shell.__class__ = FrozenDict  # type: ignore[assignment]
    return shell


def freeze_list(value: list[Any], seen: Seen, alone: bool = False, parts: list[Any] | None = None) -> Any:
    """The frozen form of a list.

    Args:
        alone: see `Freeze`.
        parts: what is in the list, where reading `value` itself would thaw it.
    """
    stored = value if parts is None else parts
    leaf = not stored or ATOMS.issuperset(map(type, stored))
    shell: FrozenList = LeafList(stored) if leaf else _list_new(FrozenList)
    if not alone and seen.met(value, shell):
        return seen[id(value)]
    return shell if leaf else _fill(shell, value.copy() if parts is None else parts, seen)


def _fill(shell: FrozenList, parts: list[Any], seen: Seen) -> FrozenList:
    leaf, index = True, 0
    try:
        for index, part in enumerate(parts):
            kind = type(part)
            if kind not in ATOMS:
                only = getrefcount(part) <= ALONE_IN_LIST
                frozen = freeze_dict(part, seen, only) if kind is dict else FREEZE[kind](part, seen, only)
                parts[index] = frozen
                leaf = leaf and type(frozen) not in THAW
    except Refused as refused:
        raise refused.below(f"[{index}]") from refused
    _list_extend(shell, parts)
    if leaf:
        shell.__class__ = LeafList
    else:
        shell.parts = tuple(parts)
    return shell


def freeze_proxy(value: MappingProxyType[Any, Any], seen: Seen, _: bool = False) -> Any:
    """The frozen form of a read-only proxy: of what it shows now, for its dict may change."""
    if (known := seen.get(id(value))) is not None:
        seen.aliased = True
        return known
    shell = FrozenProxy(None)
    seen.met(value, shell)
    shell.value = freeze_dict(dict(value), seen, True)
    if type(shell.value) is LeafDict:
        seen[id(value)] = MappingProxyType(shell.value)
    return seen[id(value)]


def freeze_set(value: set[Any], seen: Seen, alone: bool = False) -> Any:
    """The frozen form of a set; what can be hashed and changed all the same is copied with it."""
    if not all(map(is_immutable, value)):
        return hold(value, seen)
    shell = FrozenSet(value)
    return seen[id(value)] if not alone and seen.met(value, shell) else shell


def freeze_frozenset(value: frozenset[Any], seen: Seen, _: bool = False) -> Any:
    """A frozenset is what it is, unless it holds what can be hashed and changed all the same."""
    return value if all(map(is_immutable, value)) else hold(value, seen)


def is_immutable(value: Any) -> bool:
    """Whether nobody can change the value nor anything inside it."""
    if type(value) in ATOMS:
        return True
    try:
        return FREEZE[type(value)](value, Seen(), True) is value and not isinstance(value, Shared)
    except Refused:
        return False


def typed_dict_freezer(cls: type) -> Freeze:
    """How dicts are frozen that a TypedDict describes: its read-only fields hold the base itself."""
    said = declared(cls)

    def freeze(value: Any, seen: Seen, alone: bool = False) -> Any:
        frozen = FREEZE[type(value)](value, seen, alone)
        if not isinstance(frozen, FrozenDict):
            return frozen
        frozen = _ours(frozen, value)
        seen.later.append(partial(_declare, frozen, value, said))
        return frozen

    return freeze


def _declare(frozen: FrozenDict, value: dict[Any, Any], said: Declared) -> None:
    for name in said.read_only & frozen.keys():
        _dict_set(frozen, name, keep(frozen[name]))
    for name, typed in said.typed.items():
        if isinstance(part := frozen.get(name), FrozenDict):
            inner = dict.__getitem__(value, name)
            part = _ours(part, inner)
            _dict_set(frozen, name, part)
            _declare(part, inner, declared(typed))


def _ours(frozen: FrozenDict, value: dict[Any, Any]) -> FrozenDict:
    """The frozen form of a dict, as one that was made in this walk; a view's is of an older base."""
    return frozen if type(value) is dict else FrozenDict(frozen)
