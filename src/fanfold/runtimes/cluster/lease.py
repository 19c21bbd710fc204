"""The coordinator's side of the slots that a branch elsewhere holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fanfold.engine.branch import Branch
from fanfold.engine.limit import give, take


class Lease:
    """A branch's own slot, lent while the branch only waits, and those that fan-outs inside of it took on top.

    Args:
        branch: the branch here, which stands for the one elsewhere.
        grant: tells the worker that it has one more slot.
    """

    def __init__(self, branch: Branch, grant: Callable[[], None]) -> None:
        self._branch = branch
        self._chain = branch._place.chain
        self._turn = (1, -len(branch.path), 0.0)
        self._grant = grant
        self._extra = 0
        self._lent = False
        self._over = False
        self._back: asyncio.Task[None] | None = None

    def give(self) -> None:
        """The worker has no use for one of the slots."""
        if self._extra:
            self._extra -= 1
            give(self._chain)
        elif not self._lent:
            self._lent = True
            self._branch._lend()

    def want(self) -> None:
        """The worker waits for one more."""
        if self._lent and self._back is None:
            self._back = asyncio.get_running_loop().create_task(self._take_back())
        else:
            self._take_extra()

    async def end(self) -> None:
        """The branch elsewhere has ended: the one here goes on with one slot, its own."""
        self._over = True
        while self._extra:
            self._extra -= 1
            give(self._chain)
        if self._back is not None:
            await asyncio.wait([self._back])
        elif self._lent:
            self._lent = False
            await self._branch._take_back()

    async def _take_back(self) -> None:
        try:
            await self._branch._take_back()
        finally:
            self._lent, self._back = False, None
        if not self._over:
            self._grant()

    def _take_extra(self) -> None:
        if self._over:
            return
        full = take(self._chain)
        if full is not None:
            full._wait(self._turn, self._take_extra)
            return
        self._extra += 1
        self._grant()
