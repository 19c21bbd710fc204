"""The branch that code runs in, and the slot that it holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from fanfold.engine.events import BranchRetried, Event, Path
from fanfold.engine.limit import GOES_ON, Chain, give, take

current: ContextVar[Branch | None] = ContextVar("fanfold_branch", default=None)


@dataclass(frozen=True, slots=True)
class Place:
    """What all branches of a fan-out have in common.

    Attributes:
        outer: keys from the outermost fan-out's branch to the one around this fan-out.
        chain: limits of which each branch holds a slot.
        began_s: when the fan-out began, on the loop's clock.
        tell: takes an event.
        lost: takes a branch that was cancelled before its first step: nothing of it will run.
    """

    outer: Path
    chain: Chain
    loop: asyncio.AbstractEventLoop
    began_s: float
    tell: Callable[[Event], None]
    lost: Callable[[Branch], None]


class BranchTask(asyncio.Task[None]):
    """The task of a branch. Cancelled before its first step, a coroutine doesn't run at all: then it tells that."""

    __slots__ = ("branch",)

    branch: Branch

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask the branch to end."""
        if self.branch.started_s is None and not self.cancelling():
            self.add_done_callback(lambda _: self.branch.place.lost(self.branch))
        return super().cancel(msg)


class Branch:
    """One isolated run of a branch function over one item.

    Attributes:
        key: its item's key.
        index: its item's position among all items.
        attempt: 1 at first, one more with each retry.
        started_s: seconds from the start of the fan-out; None before the branch runs.
        expired: whether its deadline has passed.
        ending: whether it was cancelled for good, by its deadline or with its fan-out.
        ended: whether it has an outcome.
    """

    __slots__ = (
        "_holds",
        "_wanted",
        "attempt",
        "ended",
        "ending",
        "expired",
        "index",
        "key",
        "place",
        "started_s",
        "task",
    )

    def __init__(self, place: Place, key: str, index: int) -> None:
        self.place = place
        self.key = key
        self.index = index
        self.attempt = 1
        self.task: BranchTask | None = None
        self.started_s: float | None = None
        self.expired = self.ending = self.ended = False
        self._holds = True
        self._wanted: asyncio.Future[None] | None = None

    @property
    def path(self) -> Path:
        """Keys from the outermost fan-out's branch to this one."""
        return (*self.place.outer, self.key)

    def retried(self, error: Exception, wait_s: float) -> None:
        """Say that this attempt failed and the next one begins in `wait_s` seconds."""
        failed, self.attempt = self.attempt, self.attempt + 1
        at_s = self.place.loop.time() - self.place.began_s
        self.place.tell(BranchRetried(self.key, self.path, failed, error, wait_s, at_s))

    def expire(self) -> None:
        """Cancel the branch, for its time is up."""
        if self.task is not None and not self.ended:
            self.expired = self.ending = True
            self.task.cancel()

    def lend(self) -> None:
        """Give the slot to others, if the branch has it."""
        if self._holds:
            self._holds = False
            give(self.place.chain)

    async def take_back(self) -> None:
        """Wait for a slot, unless the branch has it."""
        while not self._holds:
            if self._wanted is None:
                self._wanted = self.place.loop.create_future()
                self._want()
            else:
                await asyncio.shield(self._wanted)

    def end(self) -> bool:
        """Want no slot any more; whether the branch still holds one, which is the caller's to give back then."""
        self.ended = True
        self.task = None  # which has this branch: the two would be left to the garbage collector
        held, self._holds = self._holds, True
        if self._wanted is not None:
            self._wanted.set_result(None)
            self._wanted = None
        return held

    def _want(self) -> None:
        if self._wanted is None:
            return
        full = take(self.place.chain)
        if full is not None:
            full._wait(GOES_ON, self._want)
            return
        self._wanted.set_result(None)
        self._wanted = None
        self._holds = True


def current_branch() -> Branch | None:
    """The branch that this code runs in; None outside of one, after its end, and on another event loop."""
    branch = current.get()
    if branch is None or branch.ended or branch.place.loop is not asyncio.get_running_loop():
        return None
    return branch


@asynccontextmanager
async def yield_slot() -> AsyncIterator[None]:
    """Give the branch's slot to others while it only waits, and take it again before it goes on.

    For waits that cost nothing: a backoff, a rate limit, a person's answer. Outside a branch it does nothing. A
    branch that waits in one of its tasks and works in another counts as waiting. A branch that is cancelled for
    good, by its deadline or with its fan-out, tidies up without waiting for a slot.
    """
    branch = current_branch()
    if branch is None:
        yield
        return
    branch.lend()
    try:
        yield
    finally:
        if not branch.ending:
            await branch.take_back()
