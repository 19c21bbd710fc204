"""Wait for a model's turn without making room for others meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fanfold.engine.branch import current


@contextmanager
def keeping_slot() -> Iterator[None]:
    """Keep the branch's slot through all waits in the block.

    Who waits lends its slot, as a rule. With a model that is asked within limits, all attempts of a run would so begin
    at once, each in a workspace of its own, and reach their deadlines in the queue.
    """
    token = current.set(None)
    try:
        yield
    finally:
        current.reset(token)
