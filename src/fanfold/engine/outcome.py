"""What one branch came to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from traceback import format_exception
from typing import Any, Generic, TypeAlias, TypeVar

from fanfold.engine.wrapper import text_of
from fanfold.errors import FanfoldError

T = TypeVar("T")


class BranchError(FanfoldError):
    """Why a branch has no value, where the branch itself raised nothing."""


class DeadlineExceeded(BranchError):
    """The branch was cancelled because its time was up."""


class BranchCancelled(BranchError):
    """The branch was cancelled: by itself, by what it waited for, or because its fan-out ended."""


class BranchNotStarted(BranchError):
    """The fan-out ended before this branch had begun."""


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A branch that returned.

    `started_s` counts from the start of the fan-out, `elapsed_s` from the start of the branch; `index` is the
    position of its item.
    """

    key: str
    value: T
    started_s: float
    elapsed_s: float
    attempts: int = 1
    index: int = 0


class _Open(Generic[T]):
    """A Done while it is made: a frozen dataclass sets each of its fields in three times the time."""

    __slots__ = ("attempts", "elapsed_s", "index", "key", "started_s", "value")


def done(key: str, value: T, started_s: float, elapsed_s: float, attempts: int, index: int) -> Done[T]:
    """A Done, made fast: one is made for every branch."""
    made: Any = _Open()
    made.key = key
    made.value = value
    made.started_s = started_s
    made.elapsed_s = elapsed_s
    made.attempts = attempts
    made.index = index
    made.__class__ = Done
    return made  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Failed:
    """A branch that has no value: `error` is what it raised, or a BranchError.

    `started_s` counts from the start of the fan-out, `elapsed_s` from the start of the branch; `index` is the
    position of its item.
    """

    key: str
    error: Exception
    started_s: float
    elapsed_s: float
    attempts: int = 1
    index: int = 0

    @property
    def traceback(self) -> str:
        """The text that Python would print for the error, rendered when it is asked for."""
        return "".join(format_exception(self.error))


Outcome: TypeAlias = Done[T] | Failed
"""What a branch came to: its value, or why it has none."""


class FanOutError(FanfoldError):
    """A fan-out that ended early; what had finished by then is in `outcomes`.

    Its cause is the error that ended it.

    Args:
        outcomes: of all items, in item order; a BranchCancelled or BranchNotStarted failure for those that were
            cut off.
    """

    def __init__(self, message: str, *, outcomes: list[Outcome[Any]], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.outcomes = outcomes


def values(outcomes: Iterable[Outcome[T]]) -> list[T]:
    """The branches' values, where all have one.

    Args:
        outcomes: n outcomes.
    Returns:
        n values, in the order of the outcomes.
    Raises:
        FanOutError: for the first failure, with all outcomes; its cause is that branch's error.
    """
    outcomes = list(outcomes)
    failed = failures(outcomes)
    if failed:
        first = failed[0]
        message = f"{len(failed)} of {len(outcomes)} branches failed, {first.key} with {text_of(first.error)}"
        raise FanOutError(message, outcomes=outcomes) from first.error
    return [outcome.value for outcome in outcomes if isinstance(outcome, Done)]


def failures(outcomes: Iterable[Outcome[T]]) -> list[Failed]:
    """The outcomes of those branches that failed."""
    return [outcome for outcome in outcomes if isinstance(outcome, Failed)]
