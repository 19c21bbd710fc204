"""The branch that code runs in, and the slot that it holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from fanfold.engine.events import BranchPath, BranchRetried, Event
from fanfold.engine.limit import GOES_ON, Chain, give, take

current: ContextVar[Branch | None] = ContextVar("fanfold_branch", default=None)


@dataclass(frozen=True, slots=True)
class Place:
    """What all branches of a fan-out have in common.

    Attributes:
        outer: keys from the outermost fan-out's branch to the one around this fan-out.
        chain: limits of which each branch holds a slot.
        began_s: when the fan-out began, on the loop's clock.
        tell: takes an event; None where nobody listens.
        lost: takes a branch that was cancelled before its first step: nothing of it will run.
    """

    outer: BranchPath
    chain: Chain
    loop: asyncio.AbstractEventLoop
    began_s: float
    tell: Callable[[Event], None] | None
    lost: Callable[[Branch], None]


class BranchTask(asyncio.Task[None]):
    """The task of a branch. Cancelled before its first step, a coroutine doesn't run at all: then it tells that."""

    __slots__ = ("branch",)

    branch: Branch

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask the branch to end."""
        if self.branch._started_s is None and not self.cancelling():
            self.add_done_callback(lambda _: self.branch._place.lost(self.branch))
        return super().cancel(msg)


class Branch:
    """One isolated run of a branch function over one item.

    Attributes:
        key: its item's key.
        attempt: 1 at first, one more with each retry.
    """

    # _index: its item's position. _started_s: seconds from the start of the fan-out, None before it runs.
    # _expired: its deadline has passed. _ending: it was cancelled for good, by its deadline or with its fan-out.
    # _ended: it has an outcome.

    __slots__ = (
        "_ended",
        "_ending",
        "_expired",
        "_holds",
        "_index",
        "_lent",
        "_place",
        "_started_s",
        "_task",
        "_wanted",
        "attempt",
        "key",
    )

    def __init__(self, place: Place, key: str, index: int) -> None:
        self._place = place
        self.key = key
        self._index = index
        self.attempt = 1
        self._task: BranchTask | None = None
        self._started_s: float | None = None
        self._expired = self._ending = self._ended = False
        self._holds = True
        self._lent = 0
        self._wanted: asyncio.Future[None] | None = None

    @property
    def path(self) -> BranchPath:
        """Keys from the outermost fan-out's branch to this one."""
        return (*self._place.outer, self.key)

    def retried(self, error: Exception, wait_s: float) -> None:
        """Say that this attempt failed and the next one begins in `wait_s` seconds."""
        failed, self.attempt = self.attempt, self.attempt + 1
        if self._place.tell is not None:
            at_s = self._place.loop.time() - self._place.began_s
            self._place.tell(BranchRetried(self.key, self.path, failed, error, wait_s, at_s))

    def _expire(self) -> None:
        """Cancel the branch, for its time is up."""
        if self._task is not None and not self._ended:
            self._expired = self._ending = True
            self._task.cancel()

    def _lend(self) -> None:
        """Give the slot to others until `_take_back`, once for each of the branch's tasks that waits."""
        self._lent += 1
        if self._holds:
            self._holds = False
            give(self._place.chain)
        else:
            self._want_no_more()

    async def _take_back(self) -> None:
        """Wait for a slot when the last of the branch's tasks waits no more.

        A cancellation meanwhile goes on only with the slot, for the code that it ends up in runs; unless it ends
        the branch for good.
        """
        self._lent -= 1
        cancelled: asyncio.CancelledError | None = None
        while not self._lent and not self._holds and not self._ending:
            self._want_back()
            try:
                if self._wanted is not None:
                    await asyncio.shield(self._wanted)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def _goes_on(self) -> None:
        """Say that a task of the branch will wait no more: it stands in line before all that have not begun."""
        if self._lent == 1 and not self._holds and not self._ending:
            self._want_back()

    def _want_back(self) -> None:
        if self._wanted is None:
            self._wanted = self._place.loop.create_future()
            self._want()

    def _want(self) -> None:
        if self._wanted is None:
            return
        full = take(self._place.chain)
        if full is None:
            self._holds = True
            self._want_no_more()
        else:
            full._wait(GOES_ON, self._want)

    def _want_no_more(self) -> None:
        wanted, self._wanted = self._wanted, None
        if wanted is not None and not wanted.done():
            wanted.set_result(None)


def current_branch() -> Branch | None:
    """The branch that this code runs in; None outside of one, after its end, and on another event loop."""
    branch = current.get()
    if branch is None or branch._ended or branch._place.loop is not asyncio.get_running_loop():
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
    branch._lend()
    try:
        yield
    finally:
        await branch._take_back()
