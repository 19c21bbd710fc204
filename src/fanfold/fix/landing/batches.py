"""Which waiting changes are verified together next: sizes and splitting, without git, tests or clocks."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

C = TypeVar("C")

PRIOR_BAD = 1.0
PRIOR_GOOD = 19.0


@dataclass(frozen=True)
class Rate:
    """How often a change was bad so far; before the first one it is taken for one in twenty."""

    bad: int = 0
    seen: int = 0

    @property
    def share(self) -> float:
        """The estimated probability that a change is bad: the mean of a beta distribution."""
        return (self.bad + PRIOR_BAD) / (self.seen + PRIOR_BAD + PRIOR_GOOD)

    @property
    def size(self) -> int:
        """How many changes are good together with a probability of one half, so that a run tells most."""
        return max(1, round(math.log(0.5) / math.log1p(-self.share)))

    def split(self, count: int) -> int:
        """How many of so many changes, which are red together, to run next: as likely red as green, at least one."""
        good = 1 - self.share
        half = (1 - good**count) / 2
        return min(range(1, count), key=lambda first: abs(1 - good**first - half))


@dataclass(frozen=True)
class Trial(Generic[C]):
    """Changes to be verified together on the tip, in this order.

    `searching` = they are part of a group that is known to be red, so what they are red by is known, too.
    """

    changes: tuple[C, ...]
    searching: bool


class Batches(Generic[C]):
    """Changes that wait, first come first served, and the search in a red batch.

    Whoever owns it runs what `trial` gives and tells by `green` or `red` what came of it; the changes that `green`
    returns are then on the tip. `culprit` is the change that a search came to.

    A green trial of a search, run by less than the whole verification, clears its changes of suspicion and proves
    nothing else: they go back to the front once the search is over.

    Args:
        at_most: the size of a batch, None = as the rate of bad changes tells.
    Source:
        Generalised binary splitting, after F. K. Hwang, "A method for detecting all defective members in a population
        by group testing" (1972), with sizes from the rate seen so far.
    """

    def __init__(self, *, at_most: int | None = None) -> None:
        self.rate = Rate()
        self._at_most = at_most
        self._waiting: deque[C] = deque()
        self._cleared: tuple[C, ...] = ()
        self._suspects: tuple[C, ...] = ()

    def __len__(self) -> int:
        """How many changes are neither on the tip nor found guilty."""
        return len(self._waiting) + len(self._cleared) + len(self._suspects)

    @property
    def size(self) -> int:
        """How many changes a batch is to have."""
        return self._at_most or self.rate.size

    def add(self, change: C) -> None:
        """Put a change at the end."""
        self._waiting.append(change)

    def put_back(self, changes: Iterable[C]) -> None:
        """Put changes at the front, in their order."""
        self._waiting.extendleft(reversed(tuple(changes)))

    @property
    def cleared(self) -> tuple[C, ...]:
        """What a search has found nothing in so far; the culprit comes behind it."""
        return self._cleared

    @property
    def searching(self) -> bool:
        """Whether a batch was red, and what made it so isn't known yet."""
        return bool(self._suspects)

    @property
    def culprit(self) -> C | None:
        """The only change that is left to be what made its batch red; None where there is more than one, or none."""
        return self._suspects[0] if len(self._suspects) == 1 else None

    def trial(self) -> Trial[C]:
        """What to verify next; nothing where nothing waits.

        Changes of a new batch no longer wait: they are given back by `green`, `red` or `put_back`.
        """
        if len(self._suspects) > 1:
            half = self._suspects[: self.rate.split(len(self._suspects))]
            return Trial((*self._cleared, *half), searching=True)
        count = min(self.size, len(self._waiting))
        return Trial(tuple(self._waiting.popleft() for _ in range(count)), searching=False)

    def green(self, trial: Trial[C], *, whole: bool = True) -> tuple[C, ...]:
        """A trial is green: the changes that are on the tip now.

        What was left of its red group is red by elimination, and isn't run.

        Args:
            whole: by all that the tip is verified by.
        """
        if trial.searching:
            count = len(trial.changes) - len(self._cleared)
            self._suspects = self._suspects[count:]
            self._cleared = () if whole else trial.changes
        if not whole:
            return ()
        self._saw(trial.changes)
        return trial.changes

    def red(self, trial: Trial[C]) -> None:
        """A trial is red; what was behind it in its group is unknown again."""
        if trial.searching:
            count = len(trial.changes) - len(self._cleared)
            self.put_back(self._suspects[count:])
            self._suspects = self._suspects[:count]
        else:
            self._suspects = trial.changes

    def convict(self) -> None:
        """The culprit is out of it; what was cleared waits at the front."""
        self.put_back(self._cleared)
        self._cleared = self._suspects = ()
        self.rate = Rate(self.rate.bad + 1, self.rate.seen + 1)

    def _saw(self, good: tuple[C, ...]) -> None:
        self.rate = Rate(self.rate.bad, self.rate.seen + len(good))


SOON_S = 1e-6
"""What is no further away than this is now: differences of times have such remainders, and a clock may have no step
that small, so that whoever waits for it would wait for ever."""


@dataclass(frozen=True)
class Crowd:
    """What is to be known to tell whether a batch should start.

    Args:
        waiting: how many changes wait.
        coming: whether more may come.
        waited_s: seconds that the oldest has waited.
        patience_s: seconds that waiting may save: what one verification takes.
    """

    waiting: int
    coming: bool
    waited_s: float
    patience_s: float


def starts_in_s(crowd: Crowd, size: int) -> float | None:
    """Seconds until a batch of so many is to start, as far as is known now; None = something must come first.

    Nobody waits for longer than verification takes, so nothing waits for the slowest.
    """
    if not crowd.waiting:
        return None
    if crowd.waiting >= size or not crowd.coming:
        return 0.0
    in_s = crowd.patience_s - crowd.waited_s
    return in_s if in_s > SOON_S else 0.0
