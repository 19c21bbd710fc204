"""Where results are kept: what every store can do, and what it counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

from fanfold.engine.content import content_hash
from fanfold.errors import FanfoldError

T = TypeVar("T")


class CacheError(FanfoldError):
    """A store can't be used: its file is another program's, damaged, locked or closed; or a function has no name."""


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What a result is kept under.

    Attributes:
        label: what names it to people, and to `invalidate`: the function's name, as a rule.
        version: the version of what made it.
        digest: 40 hexadecimal digits, of the label, the version and the inputs; this alone tells keys apart.
    """

    label: str
    version: str
    digest: str

    @classmethod
    def of(cls, label: str, version: str, inputs: object) -> CacheKey:
        """The key of a result.

        Args:
            inputs: all that the result depends on.
        Raises:
            ContentError: the inputs have no stable content.
        """
        return cls(label, version, content_hash((label, version, inputs)))


@dataclass(frozen=True, slots=True)
class Hit(Generic[T]):
    """A result that a store had; the value is the caller's own to change."""

    value: T


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What a store did since it was made, and what it holds.

    Attributes:
        hits: lookups that found a result.
        misses: lookups that found none, or an expired one.
        joined: calls that waited for the lookup or the run of an equal call, instead of making their own.
        stored: results put in.
        evicted: results removed for want of room, the least recently used first.
        expired: results removed because their time was up.
        invalidated: results removed by `invalidate`.
        entries: results held now; expired ones that nobody has met may be among them.
    """

    hits: int = 0
    misses: int = 0
    joined: int = 0
    stored: int = 0
    evicted: int = 0
    expired: int = 0
    invalidated: int = 0
    entries: int = 0

    @property
    def hit_rate(self) -> float:
        """Share of calls that needed no run of their own, from 0 to 1; 0 before the first call."""
        calls = self.hits + self.misses + self.joined
        return (self.hits + self.joined) / calls if calls else 0.0


class Store(Protocol):
    """Keeps results; safe to use from several tasks, event loops and threads at once."""

    @property
    def generation(self) -> int:
        """How often `invalidate` was called: a result that was begun before the last time is not put in."""

    async def get(self, key: CacheKey, *, of: Any = Any) -> Hit[Any] | None:
        """The result under a key, as a value of the type `of`; None where there is none."""

    async def put(self, key: CacheKey, value: object, *, ttl_s: float | None = None, of: Any = Any) -> None:
        """Keep a result for `ttl_s` seconds; None = as long as the store keeps things by default."""

    async def invalidate(self, labels: str = "*", *, version: str = "*") -> int:
        """Remove what has a matching label and a matching version, both shell patterns; how many that were."""

    @property
    def statistics(self) -> CacheStatistics:
        """What the store did so far."""

    def joined(self) -> None:
        """Count a call that waited for an equal one."""


class Tally:
    """Counts what a store does; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts = dict.fromkeys(("hits", "misses", "joined", "stored", "evicted", "expired", "invalidated"), 0)

    def add(self, **counts: int) -> None:
        """Add to the counts by name."""
        with self._lock:
            for name, count in counts.items():
                self._counts[name] += count

    def so_far(self, entries: int) -> CacheStatistics:
        """The counts so far."""
        with self._lock:
            return CacheStatistics(**self._counts, entries=entries)


def matching(pairs: Iterable[tuple[str, str]], labels: str, version: str) -> list[tuple[str, str]]:
    """Those pairs of label and version that match both shell patterns."""
    return [pair for pair in pairs if fnmatchcase(pair[0], labels) and fnmatchcase(pair[1], version)]


def check_bounds(**bounds: float | None) -> None:
    """Refuse bounds that let nothing be kept.

    Raises:
        ValueError: one is 0 or less.
    """
    for name, bound in bounds.items():
        if bound is not None and not bound > 0:
            raise ValueError(f"{name} must be more than 0, not {bound}")
