"""The branch that code runs in, and the slot that it holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar

from fanfold.engine.events import BranchRetried, Event, Path
from fanfold.engine.limit import GOES_ON, Chain, give, take

current: ContextVar[Branch | None] = ContextVar("fanfold_branch", default=None)


class Branch:
    """One isolated run of a branch function over one item.

    Attributes:
        key: its item's key.
        path: keys from the outermost fan-out's branch to this one.
        attempt: 1 at first, one more with each retry.
        started_s: seconds from the start of the fan-out; None before the branch runs.
        expired: whether its deadline has passed.
        ending: whether it was cancelled for good, by its deadline or with its fan-out.
        ended: whether it has an outcome.
    """

    __slots__ = (
        "_began_s",
        "_holds",
        "_loop",
        "_tell",
        "_wanted",
        "attempt",
        "chain",
        "ended",
        "ending",
        "expired",
        "index",
        "key",
        "outer",
        "started_s",
        "task",
    )

    def __init__(
        self,
        key: str,
        index: int,
        outer: Path,
        chain: Chain,
        loop: asyncio.AbstractEventLoop,
        tell: Callable[[Event], None],
        began_s: float,
    ) -> None:
        self.key = key
        self.index = index
        self.outer = outer
        self.attempt = 1
        self.chain = chain
        self.task: asyncio.Task[None] | None = None
        self.started_s: float | None = None
        self.expired = self.ending = self.ended = False
        self._holds = True
        self._wanted: asyncio.Future[None] | None = None
        self._loop = loop
        self._tell = tell
        self._began_s = began_s

    @property
    def path(self) -> Path:
        """Keys from the outermost fan-out's branch to this one."""
        return (*self.outer, self.key)

    def retried(self, error: Exception, wait_s: float) -> None:
        """Say that this attempt failed and the next one begins in `wait_s` seconds."""
        failed, self.attempt = self.attempt, self.attempt + 1
        at_s = self._loop.time() - self._began_s
        self._tell(BranchRetried(self.key, self.path, failed, error, wait_s, at_s))

    def expire(self) -> None:
        """Cancel the branch, for its time is up."""
        if self.task is not None and not self.ended:
            self.expired = self.ending = True
            self.task.cancel()

    def lend(self) -> None:
        """Give the slot to others, if the branch has it."""
        if self._holds:
            self._holds = False
            give(self.chain)

    async def take_back(self) -> None:
        """Wait for a slot, unless the branch has it."""
        while not self._holds:
            if self._wanted is None:
                self._wanted = self._loop.create_future()
                self._want()
            else:
                await asyncio.shield(self._wanted)

    def end(self) -> None:
        """Give the slot back for good; whatever the branch left running needs none any more."""
        self.ended = True
        self.lend()
        self.chain = ()
        self._want()

    def _want(self) -> None:
        if self._wanted is not None and take(self.chain, GOES_ON, self._want):
            wanted, self._wanted = self._wanted, None
            self._holds = True
            wanted.set_result(None)


def current_branch() -> Branch | None:
    """The branch that this code runs in; None outside of one, and on another event loop than the branch's."""
    branch = current.get()
    if branch is not None and branch._loop is not asyncio.get_running_loop():
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
