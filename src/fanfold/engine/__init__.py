"""Fan out: run one async function over many items at once, isolated, and fold what each came to into one result.

The engine knows nothing of git, agents or terminals; it starts no processes and prints nothing. The journal
and the cache's stores, which need SQLite and more, are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fanfold.engine.adaptive import AdaptiveLimit, adaptive, is_congestion
from fanfold.engine.branch import Branch, current_branch, yield_slot
from fanfold.engine.breaker import BreakerOpen, Circuit, breaker
from fanfold.engine.caching import CacheError, CacheStatistics, cache, run_once
from fanfold.engine.content import MISSING, Codec, ContentError, Difference, content_hash, first_difference
from fanfold.engine.deadline import deadline
from fanfold.engine.determinism import Determinism, check_determinism
from fanfold.engine.events import BranchFinished, BranchQueued, BranchRetried, BranchStarted, Event, Folded
from fanfold.engine.fan_out import fan_out, stream
from fanfold.engine.fold import FoldError, Folding, fold
from fanfold.engine.isolate import (
    Freezer,
    Frozen,
    FrozenError,
    IsolationError,
    detach,
    freeze,
    read_only,
)
from fanfold.engine.items import DuplicateKeyError
from fanfold.engine.laws import LawBroken, check_laws, find_counterexample
from fanfold.engine.limit import Limit, LimitError
from fanfold.engine.logs import log_events
from fanfold.engine.merge import (
    Merged,
    MergeError,
    MergeStrategy,
    Vote,
    Votes,
    all_success,
    count_votes,
    first_success,
    majority,
    majority_of_runs,
    merge,
    merge_states,
    merge_tails,
)
from fanfold.engine.outcome import (
    BranchCancelled,
    BranchError,
    BranchNotStarted,
    DeadlineExceeded,
    Done,
    Failed,
    FanOutError,
    Outcome,
    failures,
    values,
)
from fanfold.engine.pushback import is_throttled, is_timeout, retry_after_s
from fanfold.engine.rate_limit import rate_limit
from fanfold.engine.rate_limiter import RateLimiter, RateStatistics, RequestTooLarge, Reservation
from fanfold.engine.reducers import (
    Reducer,
    append_unique,
    append_unique_by,
    concat,
    keep_last,
    largest,
    merge_dicts,
    smallest,
    top_k,
    total,
    union,
)
from fanfold.engine.retry import earlier_errors, retry
from fanfold.engine.schema import Field, SchemaError, fields_of
from fanfold.engine.tracing import TracingUnavailable, spans, traced
from fanfold.engine.updates import UpdateError, updates_only
from fanfold.engine.wrapper import Wrapper

if TYPE_CHECKING:
    from fanfold.engine.caching import MemoryStore, SqliteStore
    from fanfold.engine.journal import (
        FailedBefore,
        Journal,
        JournalError,
        JournalFenced,
        JournalInUse,
        JournalUnusable,
        NotDurable,
        RunSummary,
        idempotency_key,
    )

__all__ = [
    "MISSING",
    "AdaptiveLimit",
    "Branch",
    "BranchCancelled",
    "BranchError",
    "BranchFinished",
    "BranchNotStarted",
    "BranchQueued",
    "BranchRetried",
    "BranchStarted",
    "BreakerOpen",
    "CacheError",
    "CacheStatistics",
    "Circuit",
    "Codec",
    "ContentError",
    "DeadlineExceeded",
    "Determinism",
    "Difference",
    "Done",
    "DuplicateKeyError",
    "Event",
    "Failed",
    "FailedBefore",
    "FanOutError",
    "Field",
    "FoldError",
    "Folded",
    "Folding",
    "Freezer",
    "Frozen",
    "FrozenError",
    "IsolationError",
    "Journal",
    "JournalError",
    "JournalFenced",
    "JournalInUse",
    "JournalUnusable",
    "LawBroken",
    "Limit",
    "LimitError",
    "MemoryStore",
    "MergeError",
    "MergeStrategy",
    "Merged",
    "NotDurable",
    "Outcome",
    "RateLimiter",
    "RateStatistics",
    "Reducer",
    "RequestTooLarge",
    "Reservation",
    "RunSummary",
    "SchemaError",
    "SqliteStore",
    "TracingUnavailable",
    "UpdateError",
    "Vote",
    "Votes",
    "Wrapper",
    "adaptive",
    "all_success",
    "append_unique",
    "append_unique_by",
    "breaker",
    "cache",
    "check_determinism",
    "check_laws",
    "concat",
    "content_hash",
    "count_votes",
    "current_branch",
    "deadline",
    "detach",
    "earlier_errors",
    "failures",
    "fan_out",
    "fields_of",
    "find_counterexample",
    "first_difference",
    "first_success",
    "fold",
    "freeze",
    "idempotency_key",
    "is_congestion",
    "is_throttled",
    "is_timeout",
    "keep_last",
    "largest",
    "log_events",
    "majority",
    "majority_of_runs",
    "merge",
    "merge_dicts",
    "merge_states",
    "merge_tails",
    "rate_limit",
    "read_only",
    "retry",
    "retry_after_s",
    "run_once",
    "smallest",
    "spans",
    "stream",
    "top_k",
    "total",
    "traced",
    "union",
    "updates_only",
    "values",
    "yield_slot",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'fanfold.engine' has no attribute {name!r}")
    home = "caching" if name in {"MemoryStore", "SqliteStore"} else "journal"
    return getattr(importlib.import_module(f"fanfold.engine.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
