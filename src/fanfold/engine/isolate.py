"""Give every branch an item of its own."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Protocol, TypeVar

from fanfold.errors import FanfoldError


class Keyed(Protocol):
    """What a branch works on: its key is unique in a fan-out and stable between runs."""

    @property
    def key(self) -> str:
        """Names the item in outcomes, events and errors."""


I = TypeVar("I", bound=Keyed)  # noqa: E741 an item


class DuplicateKeyError(FanfoldError):
    """Two items of one fan-out share a key."""


class IsolationError(FanfoldError):
    """An item can't be copied, so its branch could change what others see."""


def isolated(items: Iterable[I]) -> list[tuple[str, I]]:
    """Every item's key with a deep copy of the item; copies share nothing mutable with each other or the caller.

    Raises:
        DuplicateKeyError, IsolationError: with the key at fault.
    """
    given = [(item.key, item) for item in items]
    seen: set[str] = set()
    for key, _ in given:
        if key in seen:
            raise DuplicateKeyError(f"two items have the key {key!r}", hint="give every item a key of its own")
        seen.add(key)
    return [(key, _copied(key, item)) for key, item in given]


def _copied(key: str, item: I) -> I:
    try:
        return copy.deepcopy(item)
    except Exception as error:
        raise IsolationError(
            f"the item {key!r} can't be copied: {type(error).__name__}: {error}",
            hint="keep live objects (locks, files, connections) out of items: items are data",
        ) from error
