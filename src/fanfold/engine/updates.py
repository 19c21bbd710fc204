"""Tell an update from a state: what a branch returns is what it adds, never the whole."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from fanfold.engine.schema import Field, fields_of, schema_of, values_of
from fanfold.errors import FanfoldError

I = TypeVar("I")  # noqa: E741 an item
S = TypeVar("S")
T = TypeVar("T")

UPDATES_ONLY = "return a mapping with what the branch adds to each field, and nothing else"


class UpdateError(FanfoldError):
    """A branch returned the state that it was given, or a list of it, where what it adds was to come.

    Folded, what was in the state before would be in there twice.
    """


def updates_only(
    branch: Callable[[I, S], Awaitable[T]], *, schema: type | None = None
) -> Callable[[I, S], Awaitable[T]]:
    """Make a branch fail that returns its state instead of an update, as `return {**state}` or `return state` does.

    What leaves a branch is detached from its state, and a fold can't tell any more whose it was: here it is known.

    Args:
        branch: called with an item and the state; returns an update.
        schema: as for `fold`.
    Raises:
        UpdateError: from the branch, so that its outcome is Failed.
    """

    @functools.wraps(branch)
    async def checked(item: I, state: S) -> T:
        update = await branch(item, state)
        if is_whole(update, state):
            raise UpdateError("the branch returned the whole state", hint=UPDATES_ONLY)
        declared = schema or schema_of(state)
        if declared is not None and isinstance(update, Mapping):
            fields, held = fields_of(declared), values_of(state)
            for name, value in update.items():
                if name in fields and would_double(fields[name], value, held.get(name)):
                    raise UpdateError(f"the branch returned the state's own {name!r}", hint=UPDATES_ONLY)
        return update

    return checked


def is_whole(update: object, state: object) -> bool:
    """Whether this is the state itself, or, where states are no mappings as updates are, another one of its type."""
    return update is state or (not isinstance(state, Mapping) and isinstance(update, type(state)))


def would_double(field: Field, value: object, held: object) -> bool:
    """Whether a list or the like comes back that the state holds already, and that its reducer would add to itself.

    Told by identity, for an equal value may well be one that the branch found for itself.
    """
    is_own = value is held and isinstance(value, (list, dict, set)) and bool(value)
    return is_own and field.reducer is not None and not field.reducer.idempotent
