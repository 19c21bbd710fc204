"""Count what happened within the last so many seconds, exactly."""

from __future__ import annotations

import math
from collections import deque

# Added to the period, so that rounded times can't put two things a period apart into one window. More than the
# nanosecond by which asyncio calls a timer early, so that what a timer waited for is over when it is called.
EDGE_S = 1e-6


class Entry:
    """An amount that a window counts: held from its promise on, then for a period from its use on."""

    __slots__ = ("amount", "at_s", "counts")

    def __init__(self, amount: int, at_s: float = math.inf) -> None:
        self.amount = amount
        self.at_s = at_s
        self.counts = True


class SlidingWindow:
    """Amounts used within any `period_s` seconds, at most `limit` together.

    What is held has been promised but not used yet: it counts until it is used, however long that takes, and a
    period from then on. So no window is above the limit at whatever time the promises are taken up.

    Each amount enters and leaves once: constant time for each, in the mean.

    Args:
        limit: what amounts in one window may sum up to, >= 1; infinite to only count them.
        period_s: the window's length, more than 0.
    """

    __slots__ = ("_log", "limit", "period_s", "used")

    def __init__(self, limit: float, period_s: float) -> None:
        self.limit = limit
        self.period_s = period_s
        self.used = 0
        self._log: deque[Entry] = deque()

    def has_room(self, amount: int, now_s: float) -> bool:
        """Whether `amount` fits now."""
        self.forget(now_s)
        return self.used + amount <= self.limit

    def hold(self, amount: int) -> Entry:
        """Count `amount` from now on, until it is used or released; ask `has_room` first."""
        self.used += amount
        return Entry(amount)

    def use(self, held: Entry, now_s: float) -> None:
        """Count what was held for a period from now on."""
        held.at_s = now_s
        self._log.append(held)

    def correct(self, entry: Entry, amount: int, now_s: float) -> None:
        """Count `amount` instead of what was held; what it is more counts from now on, for a period."""
        more = amount - entry.amount
        if more > 0:
            self.use(self.hold(more), now_s)
        elif entry.counts:
            self.used += more
            entry.amount = amount

    def release(self, entry: Entry) -> None:
        """Count the entry no more."""
        if entry.counts:
            self.used -= entry.amount
            entry.amount = 0

    def forget(self, now_s: float) -> None:
        """Count no more what was used a period ago."""
        log = self._log
        while log and (log[0].amount == 0 or log[0].at_s + self.period_s + EDGE_S <= now_s):
            gone = log.popleft()
            gone.counts = False
            self.used -= gone.amount

    def next_s(self) -> float:
        """When the oldest use leaves; infinite where none does before something that is held is used."""
        return self._log[0].at_s + self.period_s + EDGE_S if self._log else math.inf
