"""The branch's own form of each kind of container: made when a view is made, or when a view's part is first read."""

from __future__ import annotations

import copy
from types import MappingProxyType
from typing import Any

from fanfold.engine.isolate.frozen import (
    FrozenDict,
    FrozenList,
    FrozenProxy,
    FrozenSet,
    FrozenTuple,
    Held,
    KeptDict,
    KeptList,
    KeptSet,
    KeptTuple,
    LeafDict,
    LeafList,
)
from fanfold.engine.isolate.thaw import THAW, Memo, Thaw, thaw
from fanfold.engine.isolate.views import LazyDict, LazyList

_dict_new, _dict_update, _list_new, _list_extend = dict.__new__, dict.update, list.__new__, list.extend


def _dict_view(frozen: FrozenDict, memo: Memo | None) -> LazyDict:
    view: LazyDict = _dict_new(LazyDict)
    _dict_update(view, frozen)
    view._memo = memo
    view._base = frozen
    return view


def _list_view(frozen: FrozenList, memo: Memo | None) -> LazyList:
    view: LazyList = _list_new(LazyList)
    _list_extend(view, frozen.parts)
    view._memo = memo
    view._base = frozen
    return view


def _kept_dict_view(kept: KeptDict, memo: Memo | None) -> LazyDict:
    return _dict_view(FrozenDict(kept), memo)


def _kept_list_view(kept: KeptList, memo: Memo | None) -> LazyList:
    frozen = FrozenList(kept)
    frozen.parts = tuple(kept)
    return _list_view(frozen, memo)


def _tuple_of_own(frozen: FrozenTuple, memo: Memo | None) -> tuple[Any, ...]:
    parts = tuple([thaw(part, memo) if type(part) in THAW else part for part in frozen])
    known = memo.get(id(frozen)) if memo else None  # a tuple may be inside itself, by way of a list
    return known[1] if known else parts


def _proxy_of_own(frozen: FrozenProxy, memo: Memo | None) -> MappingProxyType[Any, Any]:
    return MappingProxyType(thaw(frozen.value, memo))


def _dict_copy(frozen: LeafDict, _: Memo | None) -> dict[Any, Any]:
    return dict.copy(frozen)


def _list_copy(frozen: LeafList, _: Memo | None) -> list[Any]:
    return list.copy(frozen)


def _set_copy(frozen: FrozenSet, _: Memo | None) -> set[Any]:
    return set(frozen)


def _held_copy(frozen: Held, _: Memo | None) -> Any:
    return copy.deepcopy(frozen.value)


FORMS: dict[type, Thaw] = {
    FrozenDict: _dict_view,
    FrozenList: _list_view,
    FrozenProxy: _proxy_of_own,
    FrozenSet: _set_copy,
    FrozenTuple: _tuple_of_own,
    Held: _held_copy,
    LeafDict: _dict_copy,
    LeafList: _list_copy,
}
KEPT_FORMS: dict[type, Thaw] = {
    KeptDict: _kept_dict_view,
    KeptList: _kept_list_view,
    KeptSet: _set_copy,
    KeptTuple: _tuple_of_own,
}
