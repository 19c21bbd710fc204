"""Shared state: hashed and stored once, however many branches have a view of it."""

from __future__ import annotations

from typing import NamedTuple

from fanfold.engine.content import content_hash


class State(NamedTuple):
    """A shared state: the hash that outcomes refer to, and its JSON, for people to read."""

    hash: str
    text: str


class States:
    """Shared states by what they say.

    Args:
        stored: hashes of those that the journal has.
    """

    def __init__(self, stored: set[str]) -> None:
        self._stored = stored

    def of(self, state: object) -> State:
        """Raises ContentError where the state has no stable content."""
        from pydantic_core import to_json  # noqa: PLC0415 imported when used

        hash_ = content_hash(state)
        return State(
            hash_, to_json(state, bytes_mode="base64", inf_nan_mode="strings", serialize_unknown=True).decode()
        )
