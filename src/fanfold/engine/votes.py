"""Count which results several branches agree on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from fanfold.engine.content import content_hash
from fanfold.engine.outcome import Done, Failed, Outcome

T = TypeVar("T")

SHOWN_VOTES = 5


@dataclass(frozen=True, slots=True)
class Vote(Generic[T]):
    """One result and the keys of the branches that had it, in item order; `content` is its content hash."""

    value: T
    keys: tuple[str, ...]
    content: str


@dataclass(frozen=True, slots=True)
class Votes(Generic[T]):
    """What the branches voted for.

    `cast` has a Vote for each distinct result, the one with most keys first, equal ones in item order. `failed`
    are the keys of branches without a result, `expected` is the number of branches that there are, those that have
    not ended included.
    """

    cast: tuple[Vote[T], ...]
    failed: tuple[str, ...]
    expected: int

    @property
    def winner(self) -> Vote[T] | None:
        """The result that more branches had than any other; None for a tie, and where no branch has a result."""
        is_tie = len(self.cast) > 1 and len(self.cast[1].keys) == len(self.cast[0].keys)
        return None if is_tie or not self.cast else self.cast[0]

    @property
    def is_absolute(self) -> bool:
        """Whether more than half of all branches had one result: of all expected ones, those that failed included."""
        return bool(self.cast) and 2 * len(self.cast[0].keys) > self.expected

    def __str__(self) -> str:
        told = [f"{len(vote.keys)} for {vote.content[:8]}" for vote in self.cast[:SHOWN_VOTES]]
        if len(self.cast) > SHOWN_VOTES:
            told.append(f"{sum(len(vote.keys) for vote in self.cast[SHOWN_VOTES:])} for others")
        if self.failed:
            told.append(f"{len(self.failed)} failed")
        return ", ".join(told) or "none"


class Tally(Generic[T]):
    """Counts outcomes as they arrive."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._cast: dict[str, list[Done[T]]] = {}
        self._failed: list[Failed] = []
        self._leader = ""
        self._most = self._next = 0
        self._left = expected

    @property
    def is_open(self) -> bool:
        """Whether those that are missing may still change which result wins."""
        return self._left > 0 and self._most <= self._next + self._left

    def add(self, outcome: Outcome[T]) -> None:
        """Count one more.

        Raises:
            ContentError: the value has no stable content.
        """
        self._left -= 1
        if isinstance(outcome, Failed):
            self._failed.append(outcome)
        else:
            content = content_hash(outcome.value)
            alike = self._cast.setdefault(content, [])
            alike.append(outcome)
            self._rank(content, len(alike))

    def _rank(self, content: str, count: int) -> None:
        if content == self._leader:
            self._most = count
        elif count > self._most:
            self._leader, self._most, self._next = content, count, self._most
        else:
            self._next = max(self._next, count)

    def votes(self) -> Votes[T]:
        """The count so far, the same for every order of arrival."""
        for done in self._cast.values():
            done.sort(key=_place)
        ranked = sorted(self._cast.items(), key=lambda entry: (-len(entry[1]), _place(entry[1][0])))
        return Votes(
            tuple(Vote(done[0].value, tuple(one.key for one in done), content) for content, done in ranked),
            tuple(failed.key for failed in sorted(self._failed, key=_place)),
            self._expected,
        )


def count_votes(outcomes: Iterable[Outcome[T]], *, expected: int | None = None) -> Votes[T]:
    """How often each distinct result occurs: results are distinct if their `content_hash` is.

    Args:
        expected: branches that there are in all; default: as many as there are outcomes.
    Raises:
        ContentError: a value has no stable content; the message names where.
    """
    given = list(outcomes)
    tally: Tally[T] = Tally(len(given) if expected is None else expected)
    for outcome in given:
        tally.add(outcome)
    return tally.votes()


def _place(outcome: Outcome[T]) -> int:
    return outcome.index
