"""How a value is frozen: the function for each type, and what a walk through a value remembers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import islice
from sys import getrefcount
from typing import Any, Protocol


class Seen(dict[int, Any]):
    """What a walk has met: the id of each original -> its frozen form.

    Attributes:
        aliased: an object was met by two ways.
        reused: so many parts of an older base were taken over as they are.
        alive: originals, so that their ids stay taken; None where the caller holds them.
        inside: ids of all that is inside values which had to be copied.
        memos: what these ids were read from, so that they stay taken.
        tangled: something inside a copied value is inside another one too, or was frozen by itself.
        spoilt: this was so in an earlier walk, so that frozen forms which are met again may be wrong.
        current: for the memo of a view, whether its branch has changed nothing.
    """

    aliased = False
    reused = 0
    alive: list[Any] | None = None
    inside: set[int] | None = None
    memos: list[dict[int, Any]] | None = None
    tangled = False
    spoilt = False
    current: dict[int, bool] | None = None

    @cached_property
    def later(self) -> list[Callable[[], None]]:
        """What is to be done when the walk is over, and all that is frozen is complete."""
        return []

    def begin(self) -> None:
        """Start another walk, with what was met before."""
        self.aliased = self.tangled = False
        self.reused, self.current = 0, None

    def finish(self) -> None:
        """End the walk."""
        for do in self.__dict__.pop("later", ()):
            do()

    def met(self, value: object, frozen: Any) -> bool:
        """Whether the value was met before; it is entered with this frozen form where not."""
        known = self.setdefault(id(value), frozen)
        if known is frozen:
            if self.alive is not None:
                self.alive.append(value)
            return False
        self.aliased = self.aliased or known is not value
        return True

    def is_tangled(self, since: int) -> bool:
        """Whether a value that had to be copied shares something with others; copied by itself, it would become two.

        Args:
            since: how many originals had been met before this walk.
        """
        if not self.inside:
            return False
        met = islice(reversed(self), len(self) - since)
        tangled = self.tangled or (self.spoilt and self.aliased) or not self.inside.isdisjoint(met)
        self.spoilt = self.spoilt or tangled
        return tangled


class Freeze(Protocol):
    """Freezes the values of a type: returns the frozen form, or the value itself where nobody can change it."""

    def __call__(self, value: Any, seen: Seen, alone: bool = False, /) -> Any:
        """Freeze one value.

        Args:
            seen: what the walk has met.
            alone: nothing refers to the value but the container that it was found in, so it can't be met again.
        """


def _references_in_dict() -> int:
    value = {"": list[int]()}
    shell = value.copy()
    return next(getrefcount(part) for _, part in shell.items() if value)


def _references_in_list() -> int:
    value = [list[int]()]
    parts = value.copy()
    return next(getrefcount(part) for _, part in enumerate(parts))


# So many references there are to an object in a dict or list that is walked over in a copy, where nothing else refers
# to the object. Counted, and not written down, for what a loop itself holds depends on the interpreter.
ALONE_IN_DICT, ALONE_IN_LIST = _references_in_dict(), _references_in_list()


class Freezers(dict[type, Freeze]):
    """The function for each type; for a type not met before, `plan` finds it."""

    plan: Callable[[type], Freeze]

    def __missing__(self, kind: type) -> Freeze:
        found = self[kind] = self.plan(kind)
        return found


FREEZE = Freezers()
