"""Frozen contexts: what each node starts from, and what it left."""

from __future__ import annotations

from typing import TypeVar

from fanfold.engine.isolate import Frozen, IsolationError, detach, freeze
from fanfold.nodes.context import RunContext

StateT = TypeVar("StateT")


def snapshot(ctx: RunContext[StateT]) -> Frozen[RunContext[StateT]]:
    """The context as it is now, frozen.

    Raises:
        IsolationError: the state or the metadata hold what can't be copied; the error names the field.
    """
    return freeze(ctx, name="the context")


def left_by(ctx: RunContext[StateT]) -> Frozen[RunContext[StateT]] | RunContext[StateT]:
    """What a node left, safe from whatever the node left running; as it is where the node put live objects in it."""
    try:
        return snapshot(ctx)
    except IsolationError:
        return detach(ctx)


def is_untouched(base: object, left: object) -> bool:
    """Whether a part of one view is the part of another's base: then nobody changed it, and no look inside is needed.

    A part that was read may be told to be touched: False means nothing more than to compare.
    """
    if base is left:
        return True
    try:
        return freeze(base)._root is freeze(left)._root
    except IsolationError:
        return False
