"""What one branch came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from fanfold.errors import FanfoldError

T = TypeVar("T")


class BranchError(FanfoldError):
    """Why a branch has no value, where the branch itself raised nothing."""


class DeadlineExceeded(BranchError):
    """The branch was cancelled because its time was up."""


class BranchCancelled(BranchError):
    """The branch cancelled itself, or what it waited for was cancelled; its siblings went on."""


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A branch that returned.

    `started_s` counts from the start of the fan-out, `elapsed_s` from the start of the branch.
    """

    key: str
    value: T
    started_s: float
    elapsed_s: float
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Failed:
    """A branch that has no value: `error` is what it raised, or a BranchError; `traceback` is its text.

    `started_s` counts from the start of the fan-out, `elapsed_s` from the start of the branch.
    """

    key: str
    error: Exception
    traceback: str
    started_s: float
    elapsed_s: float
    attempts: int = 1


Outcome: TypeAlias = Done[T] | Failed
