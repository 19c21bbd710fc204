"""A branch's own form of each part of the frozen base, made when the branch first reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Memo: TypeAlias = dict[int, tuple[object, Any]]
"""Id of a frozen value -> that value, which keeps the id taken, and the branch's own form of it."""

Thaw: TypeAlias = Callable[[Any, Memo | None], Any]

THAW: dict[type, Thaw] = {}
"""How each frozen type is thawed; values of all other types are what they are."""

THAW_KEPT: dict[type, Thaw] = {}
"""How a copy is made of what read-only fields hold, which isn't thawed otherwise."""


def thaw(frozen: Any, memo: Memo | None) -> Any:
    """The branch's own form of a frozen value.

    Args:
        memo: what the branch has thawed so far, so that one object reached by two ways stays one; None where no
            object of the base can be reached by two ways.
    """
    if memo is None:
        return THAW[type(frozen)](frozen, None)
    known = memo.get(id(frozen))
    if known is None:
        made = THAW[type(frozen)](frozen, memo)
        known = memo.setdefault(id(frozen), (frozen, made))
    return known[1]


def copied(frozen: Any) -> Any:
    """A form of a frozen value that belongs to nobody else, whatever field it is from."""
    kept = THAW_KEPT.get(type(frozen))
    return kept(frozen, {}) if kept else thaw(frozen, {})
