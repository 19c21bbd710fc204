"""Slots: how many branches run together, over however many fan-outs share them."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable
from itertools import count
from typing import TypeAlias

from fanfold.errors import FanfoldError

# Who is served first: a lower one. Branches that go on come before branches that start, nested ones before outer ones.
Turn: TypeAlias = tuple[int, int, float]

GOES_ON: Turn = (0, 0, 0.0)


class LimitError(FanfoldError, ValueError):
    """A limit that lets nothing run."""


class Limit:
    """Slots that branches hold while they run.

    `fan_out(..., limit=4)` makes one of its own; the same Limit given to several fan-outs is shared by them,
    nested or side by side. It belongs to one event loop.

    Args:
        most: branches running together, >= 1; None = as many as there are.
    Raises:
        LimitError: for less than 1.
    """

    __slots__ = ("__weakref__", "_most", "_running", "_turns", "_waiting")

    def __init__(self, most: int | None) -> None:
        self._most = _checked(most)
        self._running = 0
        self._waiting: list[tuple[Turn, int, Callable[[], None]]] = []
        self._turns = count()

    @property
    def most(self) -> int | None:
        """Branches that may run together; None = as many as there are."""
        return None if self._most == sys.maxsize else self._most

    @property
    def running(self) -> int:
        """Branches that hold a slot now."""
        return self._running

    def resize(self, most: int | None) -> None:
        """Change how many may run together; what runs beyond a smaller number goes on until it ends.

        Raises:
            LimitError: for less than 1.
        """
        self._most = _checked(most)
        self._wake()

    def __repr__(self) -> str:
        return f"Limit({self.most}, running={self._running})"

    def _wait(self, turn: Turn, then: Callable[[], None]) -> None:
        heapq.heappush(self._waiting, (turn, next(self._turns), then))

    def _wake(self) -> None:
        """Serve those who wait while there are slots; each takes one, or waits again, here or at another limit."""
        while self._waiting and self._running < self._most:
            heapq.heappop(self._waiting)[2]()


# A branch inside another's branch takes a slot of each: of its own fan-out's limit first, of the outermost last.
Chain: TypeAlias = tuple[Limit, ...]


def take(chain: Chain) -> Limit | None:
    """Take a slot of each limit; where one has none left, take none at all and say which it is."""
    for limit in chain:
        if limit._running >= limit._most:
            return limit
    for limit in chain:
        limit._running += 1
    return None


def give(chain: Chain) -> None:
    """Give back what `take` took, to whoever waits."""
    for limit in chain:
        limit._running -= 1
    for limit in reversed(chain):
        if limit._waiting:
            limit._wake()


def may_pass_on(chain: Chain, full: Limit) -> bool:
    """Whether slots may go to the one who waits at `full` without being given back: nobody else wants them."""
    if len(chain) == 1:
        return len(full._waiting) == 1 and full._running <= full._most
    for limit in chain:  # noqa: SIM110 once for every branch: a generator takes three times as long
        if len(limit._waiting) > (limit is full) or limit._running > limit._most:
            return False
    return True


def _checked(most: int | None) -> int:
    if most is None:
        return sys.maxsize
    if type(most) is not int:
        raise TypeError(f"a limit is a whole number, a Limit or None, not {most!r}")
    if most < 1:
        raise LimitError(f"limit must be at least 1, not {most}", hint="give 1 or more, or None for no limit")
    return most
