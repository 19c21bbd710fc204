"""One key for what a branch does outside, however often it is run again."""

from __future__ import annotations

import json
import uuid
from contextvars import ContextVar
from dataclasses import dataclass

from fanfold.engine.branch import current_branch
from fanfold.engine.journal.errors import JournalError
from fanfold.engine.journal.run import Key

running: ContextVar[Call | None] = ContextVar("fanfold_journaled_call", default=None)


@dataclass(slots=True)
class Call:
    """A journaled function at work; `uid` is the run's, `turn` counts its earlier values at the same place."""

    uid: str
    key: Key
    path: tuple[str, ...]
    turn: int


def path_here() -> tuple[str, ...]:
    """Keys from the outermost branch to the one that this code runs in; empty outside of branches."""
    branch = current_branch()
    return branch.path if branch is not None else ()


def idempotency_key(purpose: str = "") -> str:
    """A key for one effect outside (a payment, a message), by which the receiver knows it again.

    A branch that was killed after the effect and before its outcome was durable is run again, and does the effect
    again. With the same key, the receiver can tell. The key stays the same through retries, resumes and versions of
    the flow, as long as run, place and item are the same; it differs for every other branch, item, journaled
    function and run, and from round to round where a flow gives the same item to the same place again.

    Args:
        purpose: tells several effects of one branch apart.
    Returns:
        A UUID, as text.
    Raises:
        JournalError: this code doesn't run in a journaled function, or in a fan-out inside of one.
    """
    call = running.get()
    if call is None or call.path != path_here():
        raise JournalError(
            "there is no idempotency key here: this branch has no journal",
            hint="fan out journal.wrap(branch), and ask inside of the branch",
        )
    what = [call.key.function, call.path, call.key.item_hash, call.turn, purpose]
    return str(uuid.uuid5(uuid.UUID(call.uid), json.dumps(what)))
