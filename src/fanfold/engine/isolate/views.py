"""Dicts and lists that a branch may change: the storage is its own, the parts are the base's until they are read.

Methods that read one part thaw that part. Methods that read all of them thaw all, after which the object turns into
a dict or list with nothing special about it, as fast as any other.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, SupportsIndex

from fanfold.engine.isolate.frozen import FrozenDict, FrozenList
from fanfold.engine.isolate.thaw import THAW, Memo, thaw

_dict_get, _dict_set = dict.__getitem__, dict.__setitem__
_dict_items, _dict_find, _list_iter = dict.items, dict.get, list.__iter__
_list_get, _list_set = list.__getitem__, list.__setitem__
_MISSING: Any = object()


class OwnDict(dict[Any, Any]):
    """A dict all of whose parts are the branch's own."""

    __slots__ = ("_base", "_memo")
    _base: FrozenDict | None
    _memo: Memo | None

    def __new__(cls, *args: Any, **kwargs: Any) -> dict[Any, Any]:  # type: ignore[misc]
        """A plain dict: code that calls `type(state)(...)` means one."""
        return dict(*args, **kwargs)

    def __copy__(self) -> dict[Any, Any]:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[Any, Any]:
        made = memo[id(self)] = {}
        for key, value in settled_items(self):
            made[copy.deepcopy(key, memo)] = _deep_copied(value, memo)
        return made

    def __reduce_ex__(self, _: Any) -> tuple[Any, ...]:
        own(self)
        return dict, (), None, None, iter(_dict_items(self))


class LazyDict(OwnDict):
    """A dict some of whose parts are still the base's."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        value = _dict_get(self, key)
        if type(value) in THAW:
            value = thaw(value, self._memo)
            _dict_set(self, key, value)
        return value

    def __iter__(self) -> Iterator[Any]:
        # As it is, but C code that copies dicts goes by `keys()` and `[]` now instead of reading the storage.
        return dict.__iter__(self)

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of the key, the branch's own."""
        value = _dict_find(self, key, default)
        return self[key] if type(value) in THAW and key in self else value

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """The value of the key, the branch's own, which is `default` where there was none."""
        return self[key] if key in self else dict.setdefault(self, key, default)

    def pop(self, key: Any, default: Any = _MISSING) -> Any:
        """Take the key away, and return its value."""
        value = dict.pop(self, key) if default is _MISSING else dict.pop(self, key, default)
        return thaw(value, self._memo) if type(value) in THAW else value

    def popitem(self) -> tuple[Any, Any]:
        """Take the last key away, and return it with its value."""
        key, value = dict.popitem(self)
        return key, thaw(value, self._memo) if type(value) in THAW else value


class OwnList(list[Any]):
    """A list all of whose parts are the branch's own."""

    __slots__ = ("_base", "_memo")
    _base: FrozenList | None
    _memo: Memo | None

    def __new__(cls, *args: Any) -> list[Any]:  # type: ignore[misc]
        """A plain list: code that calls `type(state)(...)` means one."""
        return list(*args)

    def __copy__(self) -> list[Any]:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        made: list[Any] = []
        memo[id(self)] = made
        made.extend(_deep_copied(value, memo) for value in settled_list(self))
        return made

    def __reduce_ex__(self, _: Any) -> tuple[Any, ...]:
        own(self)
        return list, (), None, _list_iter(self)


class LazyList(OwnList):
    """A list some of whose parts are still the base's."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        value = _list_get(self, index)
        if type(value) in THAW:
            value = thaw(value, self._memo)
            _list_set(self, index, value)
        elif type(index) is slice:
            return [self[position] for position in range(*index.indices(len(self)))]
        return value

    def __setitem__(self, index: Any, value: Any) -> None:
        if value is self:
            own(self)  # or parts would be in it twice, and thawed twice
        _list_set(self, index, value)

    def pop(self, index: Any = -1) -> Any:
        """Take a part away, and return it."""
        value = list.pop(self, index)
        return thaw(value, self._memo) if type(value) in THAW else value


def own(view: OwnDict | OwnList) -> None:
    """Thaw all parts that are still the base's."""
    memo = view._memo
    if type(view) is LazyDict:
        for key, value in _dict_items(view):
            if type(value) in THAW:
                _dict_set(view, key, thaw(value, memo))
        view.__class__ = OwnDict  # type: ignore[assignment]
    elif type(view) is LazyList:
        for index, value in enumerate(_list_iter(view)):
            if type(value) in THAW:
                _list_set(view, index, thaw(value, memo))
        view.__class__ = OwnList  # type: ignore[assignment]


def settled_items(view: OwnDict) -> Any:
    """Keys and values for a copy: the base's parts will do, unless the branch may have changed one elsewhere.

    Each part of the base is to be copied by itself: in another view of the same base it is another object.
    """
    if view._memo is not None:
        own(view)
    return _dict_items(view)


def settled_list(view: OwnList) -> Iterator[Any]:
    """Parts for a copy: the same."""
    if view._memo is not None:
        own(view)
    return _list_iter(view)


def _deep_copied(value: Any, memo: dict[int, Any]) -> Any:
    return copy.deepcopy(value, None if type(value) in THAW else memo)


def _of_all(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that reads all parts, over parts that are the branch's own."""

    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        own(self)
        for other in args:
            if type(other) is LazyDict or type(other) is LazyList:
                own(other)
        return method(self, *args, **kwargs)

    read.__name__ = method.__name__
    return read


def _of_all_and(kind: type, method: Callable[..., Any]) -> Callable[..., Any]:
    """The same for an operator, which leaves operands of other types to those."""
    read = _of_all(method)

    def operate(self: Any, other: Any) -> Any:
        return read(self, other) if isinstance(other, kind) else NotImplemented

    operate.__name__ = method.__name__
    return operate


for _name in ("values", "items", "copy", "__eq__", "__ne__", "__or__", "__ror__", "__repr__"):
    setattr(LazyDict, _name, _of_all(getattr(dict, _name)))
for _name in (
    *("copy", "count", "extend", "index", "remove", "sort", "__contains__", "__iadd__", "__iter__", "__repr__"),
    *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__reversed__"),
):
    setattr(LazyList, _name, _of_all(getattr(list, _name)))
for _name in ("__mul__", "__rmul__", "__imul__"):
    setattr(LazyList, _name, _of_all_and(SupportsIndex, getattr(list, _name)))
LazyList.__add__ = _of_all_and(list, list.__add__)  # type: ignore[method-assign]
LazyList.__radd__ = _of_all_and(list, lambda self, other: list.__add__(other, self))  # type: ignore[attr-defined]
