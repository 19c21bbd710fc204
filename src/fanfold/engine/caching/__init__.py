"""Run a function once for equal inputs, and keep what it returned: in memory, or in a file that processes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.engine.caching.cached import cache, run_once
from fanfold.engine.caching.store import CacheError, CacheKey, CacheStatistics, Hit, Store

if TYPE_CHECKING:
    from fanfold.engine.caching.memory import MemoryStore
    from fanfold.engine.caching.sqlite import SqliteStore


__all__ = [
    "CacheError",
    "CacheKey",
    "CacheStatistics",
    "Hit",
    "MemoryStore",
    "SqliteStore",
    "Store",
    "cache",
    "run_once",
]


def __getattr__(name: str) -> object:
    """Load a store when it is used: one needs cachetools, the other SQLite and threads."""
    if name == "MemoryStore":
        from fanfold.engine.caching.memory import MemoryStore  # noqa: PLC0415

        return MemoryStore
    if name == "SqliteStore":
        from fanfold.engine.caching.sqlite import SqliteStore  # noqa: PLC0415

        return SqliteStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
