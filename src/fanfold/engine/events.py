"""What a fan-out tells while it runs, for progress, logs and traces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from fanfold.engine.outcome import Outcome

BranchPath: TypeAlias = tuple[str, ...]
"""A branch's place: the keys from the outermost fan-out's branch to its own."""


@dataclass(frozen=True, slots=True)
class BranchQueued:
    """The branch waits for a slot. Items given as a list are all queued, in item order, before the first one starts."""

    key: str
    path: BranchPath


@dataclass(frozen=True, slots=True)
class BranchStarted:
    """The branch has a slot; `at_s` counts from the start of the fan-out."""

    key: str
    path: BranchPath
    at_s: float


@dataclass(frozen=True, slots=True)
class BranchRetried:
    """Attempt number `attempt` failed with `error`; the next one begins in `wait_s` seconds."""

    key: str
    path: BranchPath
    attempt: int
    error: Exception
    wait_s: float
    at_s: float


@dataclass(frozen=True, slots=True)
class BranchFinished:
    """The branch left its slot with this outcome; `at_s` counts from the start of the fan-out."""

    key: str
    path: BranchPath
    outcome: Outcome[Any]
    at_s: float


@dataclass(frozen=True, slots=True)
class Folded:
    """The updates of so many branches were folded into these fields."""

    fields: tuple[str, ...]
    branches: int


Event: TypeAlias = BranchQueued | BranchStarted | BranchRetried | BranchFinished | Folded
"""What `on_event` is called with."""
