"""Fan out: run one async function over many items at once, isolated, and fold what each came to into one result.

The engine knows nothing of git, agents or terminals; it starts no processes and prints nothing.
"""

from fanfold.engine.branch import Branch, current_branch, yield_slot
from fanfold.engine.events import BranchFinished, BranchQueued, BranchRetried, BranchStarted, Event, Folded
from fanfold.engine.fan_out import fan_out, stream
from fanfold.engine.isolate import DuplicateKeyError, IsolationError, Keyed
from fanfold.engine.limit import Limit, LimitError
from fanfold.engine.outcome import (
    BranchCancelled,
    BranchError,
    BranchNotStarted,
    DeadlineExceeded,
    Done,
    Failed,
    FanOutError,
    Outcome,
)

__all__ = [
    "Branch",
    "BranchCancelled",
    "BranchError",
    "BranchFinished",
    "BranchNotStarted",
    "BranchQueued",
    "BranchRetried",
    "BranchStarted",
    "DeadlineExceeded",
    "Done",
    "DuplicateKeyError",
    "Event",
    "Failed",
    "FanOutError",
    "Folded",
    "IsolationError",
    "Keyed",
    "Limit",
    "LimitError",
    "Outcome",
    "current_branch",
    "fan_out",
    "stream",
    "yield_slot",
]
