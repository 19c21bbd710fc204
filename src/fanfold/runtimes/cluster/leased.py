"""The slots that a branch on a worker holds, which are the coordinator's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fanfold.engine.limit import Limit, Turn


class Leased(Limit):
    """The slot that came with a branch, and those that the fan-outs inside of it ask for.

    What nobody uses goes back to the coordinator, so that its limit is the limit of all that runs anywhere.

    Args:
        give: tells the coordinator that it has a slot back.
        want: asks it for one; `granted` is its answer.
    """

    __slots__ = ("_asked", "_give", "_settling", "_used", "_want")

    def __init__(self, give: Callable[[], None], want: Callable[[], None]) -> None:
        self._used = 0
        self._give = give
        self._want = want
        self._asked = 0
        self._settling = False
        super().__init__(1)

    # The engine counts in this attribute: each slot that is given back passes here.
    @property
    def _running(self) -> int:
        return self._used

    @_running.setter
    def _running(self, running: int) -> None:
        fell, self._used = running < self._used, running
        if fell and running < self._most:
            self._settle_soon()

    def granted(self) -> None:
        """Take a slot that the coordinator gave."""
        self._asked -= 1
        self._most += 1
        self._wake()
        self._settle_soon()

    def _wait(self, turn: Turn, then: Callable[[], None]) -> None:
        super()._wait(turn, then)
        if self._asked < len(self._waiting):
            self._asked += 1
            self._want()

    def _settle_soon(self) -> None:
        # Not at once: who gives a slot back is often about to pass it on.
        if not self._settling:
            self._settling = True
            asyncio.get_running_loop().call_soon(self._settle)

    def _settle(self) -> None:
        self._settling = False
        while self._used < self._most:
            self._most -= 1
            self._give()
