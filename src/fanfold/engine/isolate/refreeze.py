"""Freeze what a branch has: parts that it never touched are taken over from the base as they are."""

from __future__ import annotations

from operator import is_
from typing import Any

from fanfold.engine.isolate.containers import freeze_dict, freeze_list
from fanfold.engine.isolate.frozen import FrozenDict, FrozenList, FrozenSet, FrozenTuple, LeafDict
from fanfold.engine.isolate.records import RECORDS
from fanfold.engine.isolate.thaw import Memo
from fanfold.engine.isolate.views import LazyDict, LazyList, OwnDict, OwnList, own
from fanfold.engine.isolate.walk import Seen

_keys, _values, _items, _parts = dict.__iter__, dict.values, dict.items, list.__iter__


def freeze_dict_view(view: OwnDict, seen: Seen, _: bool = False) -> Any:
    """The frozen form of a view of a dict: its base, unless the branch changed something or may have."""
    if (base := _base(view, seen)) is not None:
        return base
    if type(view) is LazyDict:
        return freeze_dict(view, seen, shell=LeafDict(_items(view)))
    return freeze_dict(view, seen)


def freeze_list_view(view: OwnList, seen: Seen, _: bool = False) -> Any:
    """The frozen form of a view of a list: its base, unless the branch changed something or may have."""
    if (base := _base(view, seen)) is not None:
        return base
    return freeze_list(view, seen, parts=list.copy(view))


def reuse(frozen: Any, seen: Seen, _: bool = False) -> Any:
    """What is frozen already is taken over."""
    seen.reused += 1
    return frozen


def _base(view: OwnDict | OwnList, seen: Seen) -> FrozenDict | FrozenList | None:
    """The base of a view that is as it was, by now entered as met; None where it has to be frozen anew."""
    if id(view) in seen:
        seen.aliased = True
        known: FrozenDict | FrozenList = seen[id(view)]
        return known
    if not _is_current(view, seen):
        if view._memo is not None:
            own(view)  # a part that the branch changed by another way is not what the storage says
        return None
    if seen.alive is not None:
        seen.alive.append(view)
    seen.reused += 1
    seen.aliased = seen.aliased or view._memo is not None
    seen[id(view)] = view._base
    return view._base


def _is_current(view: OwnDict | OwnList, seen: Seen) -> bool:
    memo = view._memo
    if memo is None:
        return type(view) in (LazyDict, LazyList) and _same(view._base, view, {})
    if seen.current is None:
        seen.current = {}
    if (known := seen.current.get(id(memo))) is None:
        known = seen.current[id(memo)] = all(_same(frozen, made, memo) for frozen, made in [*memo.values()])
    return known


def _same(frozen: Any, made: Any, memo: Memo) -> bool:
    """Whether what a branch has made of a frozen value holds the same parts, or its own forms of them."""
    if isinstance(frozen, FrozenDict):
        same_keys = len(frozen) == len(made) and all(map(is_, _keys(frozen), _keys(made)))
        return same_keys and _all_same(_values(frozen), _values(made), memo)
    if isinstance(frozen, FrozenList):
        return len(frozen) == len(made) and _all_same(frozen, _parts(made), memo)
    if isinstance(frozen, FrozenSet):
        return set(map(id, frozen)) == set(map(id, made))
    if type(frozen) in RECORDS:
        before, after = (dict(RECORDS[type(frozen)].parts(value)) for value in (frozen, made))
        return before.keys() == after.keys() and _all_same(before.values(), (after[name] for name in before), memo)
    return isinstance(frozen, FrozenTuple)


def _all_same(frozen: Any, made: Any, memo: Memo) -> bool:
    if not memo:
        return all(map(is_, frozen, made))
    return all(
        part is own_part or (id(part) in memo and memo[id(part)][1] is own_part)
        for part, own_part in zip(frozen, made, strict=True)
    )
