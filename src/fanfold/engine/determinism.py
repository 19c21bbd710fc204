"""Run one function many times on the same input, and see whether it says the same each time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from fanfold.engine.content import Difference, first_difference
from fanfold.engine.fan_out import fan_out
from fanfold.engine.merge import each_run, runs_of
from fanfold.engine.outcome import Done, Failed, Outcome
from fanfold.engine.votes import Votes, count_votes

if TYPE_CHECKING:
    from fanfold.engine.limit import Limit

I = TypeVar("I")  # noqa: E741 an item
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Determinism(Generic[T]):
    """What the runs of one function on the same input came to.

    Attributes:
        identical: every run returned, and all values have the same content.
        runs: how many there were.
        votes: the distinct values, and the keys ("0", "1", ...) of the runs that had each.
        failed: the outcomes of runs that failed, in order.
        first_difference: where the first run that returned and the first one unlike it differ; None where none does.
        differing: the keys of these two runs.
    """

    identical: bool
    runs: int
    votes: Votes[T]
    failed: tuple[Failed, ...]
    first_difference: Difference | None = None
    differing: tuple[str, str] | None = None

    def __str__(self) -> str:
        if self.identical:
            return f"{self.runs} runs, all identical"
        told = f"{self.runs} runs: {self.votes}"
        if self.first_difference is not None and self.differing is not None:
            told += f"; runs {' and '.join(self.differing)} differ at {self.first_difference}"
        return told


async def check_determinism(
    function: Callable[[I], Awaitable[T]],
    item: I,
    *,
    runs: int = 100,
    limit: int | Limit | None = 8,
    deadline_s: float | None = None,
) -> Determinism[T]:
    """Run a function many times on the same item, each time on an isolated view of it, and compare the values.

    Args:
        function: called with the item; what it raises is that run's failure.
        item: never changed.
        runs: how many, >= 2.
        limit: runs at the same time; more than one shows what depends on other runs.
        deadline_s: seconds for each run; None = no deadline.
    Raises:
        ContentError: a value has no stable content, so that it can't be compared; the message names where.
        IsolationError: the item can't be copied.
    """
    if runs < 2:
        raise ValueError(f"runs must be at least 2, not {runs}")
    outcomes = await fan_out(each_run(function), runs_of(item, runs), limit=limit, deadline_s=deadline_s)
    return _compared(outcomes)


def _compared(outcomes: list[Outcome[T]]) -> Determinism[T]:
    votes = count_votes(outcomes)
    failed = tuple(outcome for outcome in outcomes if isinstance(outcome, Failed))
    identical = len(votes.cast) == 1 and not failed
    if len(votes.cast) < 2:
        return Determinism(identical, len(outcomes), votes, failed)
    values = {outcome.key: outcome for outcome in outcomes if isinstance(outcome, Done)}
    firsts = [vote.keys[0] for vote in votes.cast]
    one, other = sorted((values[key] for key in firsts), key=lambda done: done.index)[:2]
    difference = first_difference(one.value, other.value)
    return Determinism(False, len(outcomes), votes, failed, difference, (one.key, other.key))
