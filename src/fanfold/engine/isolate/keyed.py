"""What tells the items of a fan-out apart."""

from __future__ import annotations

from typing import Protocol

from fanfold.errors import FanfoldError


class Keyed(Protocol):
    """What a branch works on: its key is unique in a fan-out and stable between runs."""

    @property
    def key(self) -> str:
        """Names the item in outcomes, events and errors."""


class DuplicateKeyError(FanfoldError):
    """Two items of one fan-out share a key."""
