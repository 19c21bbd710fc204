"""How a value is frozen: the function for each type, and what a walk through a value remembers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, TypeAlias


class Seen(dict[int, Any]):
    """What a walk has met: the id of each original -> its frozen form.

    Attributes:
        aliased: an object was met by two ways.
        reused: so many parts of an older base were taken over as they are.
        alive: originals, so that their ids stay taken; None where the caller holds them.
        inside: ids of all that is inside values which had to be copied.
        memos: what these ids were read from, so that they stay taken.
        tangled: something inside a copied value is inside another one too, or was frozen by itself.
        current: for the memo of a view, whether its branch has changed nothing.
    """

    aliased = False
    reused = 0
    alive: list[Any] | None = None
    inside: set[int] | None = None
    memos: list[dict[int, Any]] | None = None
    tangled = False
    current: dict[int, bool] | None = None

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
        if not self.inside or self.tangled:
            return self.tangled
        met = islice(reversed(self), len(self) - since)
        return not self.inside.isdisjoint(met)


Freeze: TypeAlias = Callable[[Any, Seen], Any]
"""Returns the frozen form of a value, or the value itself where nobody can change it."""


class Freezers(dict[type, Freeze]):
    """The function for each type; for a type not met before, `plan` finds it."""

    plan: Callable[[type], Freeze]

    def __missing__(self, kind: type) -> Freeze:
        found = self[kind] = self.plan(kind)
        return found


FREEZE = Freezers()
