"""What a fan-out works on: items with unique keys, isolated before they wait for a slot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Generic, NamedTuple, TypeVar

from fanfold.engine.isolate import DuplicateKeyError, Freezer, Frozen

I = TypeVar("I")  # noqa: E741 an item


class Queued(NamedTuple):
    """An item that waits for its slot; `position` counts all items from 0."""

    position: int
    key: str
    item: Frozen[Any]
    priority: float = 0.0


class Naming(Generic[I]):
    """Gives the items their keys, in item order, and takes a snapshot of each.

    Args:
        key: what names an item; None = its `key` attribute, else the item itself where it is a string or a path,
            else its position.
        priority: a number for an item, higher ones start first; None = all alike.
        freezer: remembers what it has frozen, so that items which share an object share its snapshot.
    """

    def __init__(self, key: Callable[[I], str] | None, priority: Callable[[I], float] | None, freezer: Freezer) -> None:
        self._key = key
        self._priority = priority
        self._freezer = freezer
        self._keys: set[str] = set()

    def queued(self, item: I) -> Queued:
        """The next item, ready to start.

        Raises:
            DuplicateKeyError: an earlier item has the same key.
            IsolationError: the item can't be copied.
        """
        index = len(self._keys)
        key = self._key(item) if self._key else _own_key(item, index)
        self._keys.add(key)
        if len(self._keys) == index:
            raise DuplicateKeyError(f"two items have the key {key!r}", hint="give every item a key of its own")
        priority = self._priority(item) if self._priority else 0.0
        return Queued(index, key, self._freezer.freeze(item, name=key), priority)


def _own_key(item: Any, index: int) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, int):
        return str(index)
    key = getattr(item, "key", None)
    if isinstance(key, str):
        return key
    return str(item) if isinstance(item, PurePath) else str(index)
