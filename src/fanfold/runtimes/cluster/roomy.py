"""A limit that is no higher than what the workers take, within the run's own."""

from __future__ import annotations

import sys
from collections.abc import Callable

from fanfold.engine.limit import Limit, Turn


class Roomy(Limit):
    """Slots that are those of another limit, as long as the workers have room for them.

    A branch that had one of the run's slots and no worker would lose of its deadline while it waits.

    Args:
        given: the run's limit, which other fan-outs may share.
    """

    __slots__ = ("_given", "_is_in_line", "_room", "_used")

    def __init__(self, given: Limit) -> None:
        self._given = given
        self._used = 0
        self._room = sys.maxsize
        self._is_in_line = False
        super().__init__(None)

    @property
    def most(self) -> int | None:
        """Branches that may run together here and now; None = as many as there are."""
        most = min(self._room, self._given._most)
        return None if most == sys.maxsize else most

    # The engine counts in these two attributes.
    @property
    def _running(self) -> int:
        return self._used

    @_running.setter
    def _running(self, running: int) -> None:
        more, self._used = running - self._used, running
        self._given._running += more
        if more < 0 and self._given._waiting:
            self._given._wake()

    @property
    def _most(self) -> int:
        free = self._given._most - self._given._running
        if free == 0 and len(self._given._waiting) > self._is_in_line:
            free = -1  # others wait there, too: a slot that gets free here goes back to where all stand in line
        return min(self._room, self._used + max(free, -1))

    @_most.setter
    def _most(self, most: int) -> None:
        self._room = most

    def _wait(self, turn: Turn, then: Callable[[], None]) -> None:
        super()._wait(turn, then)
        self._stand_in_line()

    def _wake(self) -> None:
        super()._wake()
        self._stand_in_line()

    def _stand_in_line(self) -> None:
        """Wait at the given limit, where that is what is full."""
        if self._waiting and self._used < self._room and not self._is_in_line:
            self._is_in_line = True
            self._given._wait(self._waiting[0][0], self._served)

    def _served(self) -> None:
        self._is_in_line = False
        super()._wake()
        self._stand_in_line()
