"""What a fan-out works on: items under unique keys, isolated before they wait for a slot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any, Generic, NoReturn, TypeVar

from fanfold.engine.isolate import Frozen
from fanfold.errors import FanfoldError

I = TypeVar("I")  # noqa: E741 an item


class DuplicateKeyError(FanfoldError):
    """Two items of one fan-out share a key."""


class Items(Generic[I]):
    """Snapshots of the items by their position, and the keys that name them.

    Args:
        freeze: takes the snapshot of an item, which has this key.
        key: what names an item; None = its `key` attribute, else the item itself where it is a string or a path,
            else its position.
        priority: a number for an item, higher ones start first; None = all alike.
    """

    def __init__(
        self,
        freeze: Callable[[I, str], Frozen[I]],
        key: Callable[[I], str] | None = None,
        priority: Callable[[I], float] | None = None,
    ) -> None:
        self.keys: list[str] = []
        self._known: set[str] = set()
        self._frozen: list[Frozen[I] | None] = []
        self._priorities: list[float] = []
        self._freeze = freeze
        self._key_of = key
        self._priority_of = priority

    def name_plain(self, items: Sequence[I]) -> bool:
        """Name all items at once, where none of them can change: they need no snapshots then.

        Returns:
            Whether they are such: strings or numbers, under keys of their own.
        Raises:
            DuplicateKeyError: two strings are the same.
        """
        kinds = set(map(type, items))
        if self._key_of or self._priority_of or not (kinds <= {int, float} or kinds == {str}):
            return False
        self.keys = [*map(str, items if kinds == {str} else range(len(items)))]
        self._known.update(self.keys)
        if len(self._known) < len(self.keys):
            _refuse(next(key for key, times in Counter(self.keys).items() if times > 1))
        return True

    def add(self, item: I) -> int:
        """Take the next item; its position.

        Raises:
            DuplicateKeyError: an earlier item has the same key.
            IsolationError: the item can't be copied.
        """
        position = len(self.keys)
        key = self._key_of(item) if self._key_of else _own_key(item, position)
        if not isinstance(key, str):
            raise TypeError(f"a key is a string, not {key!r}")
        if key in self._known:
            _refuse(key)
        self._frozen.append(self._freeze(item, key))
        if self._priority_of is not None:
            self._priorities.append(self._priority_of(item))
        self._known.add(key)
        self.keys.append(key)
        return position

    def take(self, position: int) -> I:
        """The branch's own view of its item, to be had once: the snapshot isn't kept for longer."""
        frozen, self._frozen[position] = self._frozen[position], None
        if frozen is None:
            raise LookupError(f"item {position} was taken before")
        return frozen.view()

    def priority(self, position: int) -> float:
        """The item's priority; 0 where all are alike."""
        return self._priorities[position] if self._priorities else 0.0

    def in_order(self) -> list[int]:
        """Positions in the order in which items start: higher priority first, item order among equals."""
        positions = range(len(self.keys))
        return sorted(positions, key=lambda position: -self._priorities[position]) if self._priorities else [*positions]


def _own_key(item: Any, position: int) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, int):
        return str(position)
    key = getattr(item, "key", None)
    if isinstance(key, str):
        return key
    if isinstance(key, int):
        raise TypeError(f"a key is a string, and that of item {position} is {key!r}: name items with key=")
    return str(item) if isinstance(item, PurePath) else str(position)


def _refuse(key: str) -> NoReturn:
    raise DuplicateKeyError(f"two items have the key {key!r}", hint="give every item a key of its own")
