"""What a fan-out tells while it runs, for progress and logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from fanfold.engine.outcome import Outcome


@dataclass(frozen=True, slots=True)
class BranchQueued:
    """The branch waits for a slot. All branches are queued, in item order, before the first one starts."""

    key: str


@dataclass(frozen=True, slots=True)
class BranchStarted:
    """The branch has a slot; `at_s` counts from the start of the fan-out."""

    key: str
    at_s: float


@dataclass(frozen=True, slots=True)
class BranchFinished:
    """The branch left its slot with this outcome; `at_s` counts from the start of the fan-out."""

    key: str
    outcome: Outcome[Any]
    at_s: float


Event: TypeAlias = BranchQueued | BranchStarted | BranchFinished
