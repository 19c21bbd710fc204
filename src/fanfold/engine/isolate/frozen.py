"""The base that all branches share: containers that refuse to change.

A view's storage holds them until a part is read for the first time, so they are what C code sees that reads storage
itself. Each is a real dict, list, set or tuple; changing one is a FrozenError, except for C code that writes into its
storage without asking it.
"""

from __future__ import annotations

import copy
from typing import Any, NoReturn

from fanfold.engine.isolate.errors import FrozenError
from fanfold.engine.isolate.thaw import copied

_BUILT_IN = (dict, list, set, tuple)


def refuse(self: Any, *_: Any, **__: Any) -> NoReturn:
    """Stands for each method that would change a part of the base."""
    kind = next((base for base in type(self).__mro__ if base in _BUILT_IN), self.__class__)
    belongs = "belongs to a read-only field" if isinstance(self, Kept) else "is in the base that all branches share"
    raise FrozenError(f"this {kind.__name__} {belongs}", hint="work on a copy of your own: copy.deepcopy(it)")


class Shared:
    """What all frozen types have in common: they are copied and pickled as what they stand for."""

    __slots__ = ()

    def __init_subclass__(cls, **_: Any) -> None:
        """Frozen forms of a user's classes are none of its business."""

    def __copy__(self) -> Any:
        return copy.copy(copied(self))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Any:
        return copy.deepcopy(copied(self), memo)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return copied(self).__reduce_ex__(protocol)


class Kept(Shared):
    """What a read-only field holds: handed out as it is."""

    __slots__ = ()


class FrozenDict(Shared, dict[Any, Any]):
    """A dict of the base, with parts that a branch needs forms of its own of."""

    __slots__ = ()
    __setitem__ = __delitem__ = __ior__ = refuse
    clear = pop = popitem = setdefault = update = refuse

    def __reduce_ex__(self, _: Any) -> Any:
        return dict, (), None, None, iter(self.items())


class LeafDict(FrozenDict):
    """A dict of the base that holds nothing which could be changed."""

    __slots__ = ()


class KeptDict(Kept, FrozenDict):
    """A dict of the base in a read-only field."""

    __slots__ = ()


class FrozenList(Shared, list[Any]):
    """A list of the base, with parts that a branch needs forms of its own of.

    Attributes:
        parts: the same once more: an exact tuple fills another list several times faster than a subclass of list.
    """

    __slots__ = ("parts",)
    parts: tuple[Any, ...]
    __setitem__ = __delitem__ = __iadd__ = __imul__ = refuse
    append = clear = extend = insert = pop = remove = reverse = sort = refuse

    def __reduce_ex__(self, _: Any) -> Any:
        return list, (), None, iter(self)


class LeafList(FrozenList):
    """A list of the base that holds nothing which could be changed."""

    __slots__ = ()


class KeptList(Kept, FrozenList):
    """A list of the base in a read-only field."""

    __slots__ = ()


class FrozenSet(Shared, set[Any]):
    """A set of the base; it holds nothing which could be changed."""

    __slots__ = ()
    __iand__ = __ior__ = __isub__ = __ixor__ = refuse
    add = clear = discard = pop = remove = update = refuse
    difference_update = intersection_update = symmetric_difference_update = refuse

    def __reduce_ex__(self, _: Any) -> Any:
        return set, (list(self),)

    def copy(self) -> set[Any]:
        """A plain set."""
        return set(self)

    def __repr__(self) -> str:
        return repr(set(self))


class KeptSet(Kept, FrozenSet):
    """A set of the base in a read-only field."""

    __slots__ = ()


class FrozenTuple(Shared, tuple[Any, ...]):
    """A tuple of the base, with parts that a branch needs forms of its own of."""

    __slots__ = ()

    def __reduce_ex__(self, _: Any) -> Any:
        return tuple, (list(self),)


class KeptTuple(Kept, FrozenTuple):
    """A tuple of the base in a read-only field."""

    __slots__ = ()


class Held(Shared):
    """What can't be frozen: a copy that nobody uses but to copy it once more for each branch.

    C code that reads storage sees this instead of the value.
    """

    __slots__ = ("value",)
    value: Any

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise FrozenError(
            f"this {type(self.value).__name__} is held for all branches, and can only be copied",
            hint="get it from its container in Python: view[...], or a copy: copy.deepcopy(it)",
        )

    def __reduce_ex__(self, _: Any) -> Any:
        return copy.copy, (self.value,)

    def __repr__(self) -> str:
        return repr(self.value)


class FrozenProxy(Held):
    """A `MappingProxyType` over a dict of the base with parts that a branch needs forms of its own of."""

    __slots__ = ()
