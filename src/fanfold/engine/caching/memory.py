"""Results in memory."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from threading import Lock
from typing import Any

from cachetools import TLRUCache

from fanfold.engine.caching.store import CacheKey, CacheStatistics, Hit, Tally, check_bounds, matching
from fanfold.engine.isolate import Freezer, Frozen
from fanfold.engine.wrapper import time_s


@dataclass(frozen=True, slots=True)
class _Entry:
    key: CacheKey
    value: Frozen[Any]
    ttl_s: float


class MemoryStore:
    """Keeps results in memory, as frozen snapshots; hits are copy-on-write views of these.

    Args:
        max_entries: results kept at most, >= 1; the least recently used one makes room.
        ttl_s: seconds that a result is kept, where `put` doesn't say; None = until it must make room.
    Raises:
        ValueError: for a bound of 0 or less.
    Source:
        cachetools' TLRUCache.
    """

    def __init__(self, *, max_entries: int = 1_024, ttl_s: float | None = None) -> None:
        check_bounds(max_entries=max_entries, ttl_s=ttl_s)
        self._ttl_s = math.inf if ttl_s is None else ttl_s
        self._lock = Lock()
        self._tally = Tally()
        self._generation = 0
        self._entries: TLRUCache[str, _Entry] = TLRUCache(max_entries, _expires_s, _now_s)

    @property
    def generation(self) -> int:
        """How often `invalidate` was called."""
        return self._generation

    async def get(self, key: CacheKey, *, of: Any = Any) -> Hit[Any] | None:  # noqa: ARG002  values keep their types
        """The result under a key; None where there is none."""
        with self._lock:
            entry = self._entries.get(key.digest)
        if entry is None:
            self._tally.add(misses=1)
            return None
        self._tally.add(hits=1)
        return Hit(entry.value.view())

    async def put(
        self,
        key: CacheKey,
        value: object,
        *,
        ttl_s: float | None = None,
        of: Any = Any,  # noqa: ARG002  values keep their types
    ) -> None:
        """Keep a result.

        Raises:
            IsolationError: it can't be copied.
        """
        frozen = Freezer().freeze(value, name=f"the result of {key.label}")
        entry = _Entry(key, frozen, self._ttl_s if ttl_s is None else ttl_s)
        with self._lock:
            expired = len(self._entries.expire())
            before = len(self._entries) + (key.digest not in self._entries)
            self._entries[key.digest] = entry
            evicted = before - len(self._entries)
        self._tally.add(stored=1, expired=expired, evicted=evicted)

    async def invalidate(self, labels: str = "*", *, version: str = "*") -> int:
        """Remove what has a matching label and a matching version, both shell patterns; how many that were."""
        with self._lock:
            self._generation += 1
            keys = [entry.key for entry in self._entries.values()]
            wanted = set(matching({(key.label, key.version) for key in keys}, labels, version))
            gone = [key for key in keys if (key.label, key.version) in wanted]
            for key in gone:
                self._entries.pop(key.digest, None)
        self._tally.add(invalidated=len(gone))
        return len(gone)

    @property
    def statistics(self) -> CacheStatistics:
        """What the store did so far."""
        with self._lock:
            entries = len(self._entries)
        return self._tally.so_far(entries)

    def joined(self) -> None:
        """Count a call that waited for an equal one."""
        self._tally.add(joined=1)


def _expires_s(_digest: str, entry: _Entry, now_s: float) -> float:
    return now_s + entry.ttl_s


def _now_s() -> float:
    """The running loop's clock, which is virtual in tests; outside of loops, what real loops go by."""
    try:
        return time_s()
    except RuntimeError:
        return time.monotonic()
