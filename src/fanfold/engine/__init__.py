"""Fan out: run one async function over many items at once, isolated, and collect what each came to.

The engine knows nothing of git, agents or terminals; it starts no processes and prints nothing.
"""

from fanfold.engine.events import BranchFinished, BranchQueued, BranchStarted, Event
from fanfold.engine.fan_out import fan_out
from fanfold.engine.isolate import DuplicateKeyError, IsolationError, Keyed
from fanfold.engine.outcome import BranchCancelled, BranchError, DeadlineExceeded, Done, Failed, Outcome

__all__ = [
    "BranchCancelled",
    "BranchError",
    "BranchFinished",
    "BranchQueued",
    "BranchStarted",
    "DeadlineExceeded",
    "Done",
    "DuplicateKeyError",
    "Event",
    "Failed",
    "IsolationError",
    "Keyed",
    "Outcome",
    "fan_out",
]
