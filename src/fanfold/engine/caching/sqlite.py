"""Results in a file: one SQLite database, in JSON, shared by processes."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from fanfold.engine.caching.file import CacheFile
from fanfold.engine.caching.store import CacheError, CacheKey, CacheStatistics, Hit, Tally, check_bounds
from fanfold.engine.content import Codec, ContentError

P = ParamSpec("P")
T = TypeVar("T")


class SqliteStore:
    """Keeps results in a file, as JSON, for this process and others; a thread of its own does all disk work.

        async with SqliteStore(Path("answers.db")) as store:
            ...

    The file is made with mode 0600. Results are written through the type that `of` says, and come back through it;
    what would not come back equal is refused. What can't be read as that type any more counts as not there.

    Args:
        path: the file; its folder must exist. Network file systems are no place for it, as SQLite has it.
        max_bytes: of JSON kept at most; the least recently used results make room, and one that is larger than all
            of that isn't kept.
        ttl_s: seconds that a result is kept, where `put` doesn't say; None = until it must make room.
        clock: seconds since 1970; processes that share a file share its idea of time.
    Raises:
        ValueError: for a bound of 0 or less.
        CacheError: from all that is done with it, where the file can't be opened, isn't a cache or is damaged.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = 2**28,
        ttl_s: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_bounds(max_bytes=max_bytes, ttl_s=ttl_s)
        self._file = CacheFile(path, max_bytes, clock)
        self._ttl_s = ttl_s
        self._tally = Tally()
        self._generation = 0
        self._is_closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fanfold-cache")

    @property
    def generation(self) -> int:
        """How often `invalidate` was called here; what other processes invalidate isn't known."""
        return self._generation

    async def __aenter__(self) -> Self:
        try:
            await self._on_disk(CacheFile.size)
        except CacheError:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def get(self, key: CacheKey, *, of: Any = Any) -> Hit[Any] | None:
        """The result under a key, as a value of the type `of`; None where there is none."""
        text, expired = await self._on_disk(CacheFile.get, key.digest)
        hit = None
        if text is not None:
            try:
                hit = Hit(Codec[Any](of).decode(text))
            except ContentError:
                await self._on_disk(CacheFile.remove, key.digest)
        self._tally.add(hits=int(hit is not None), misses=int(hit is None), expired=expired)
        return hit

    async def put(self, key: CacheKey, value: object, *, ttl_s: float | None = None, of: Any = Any) -> None:
        """Keep a result.

        Raises:
            ContentError: it would not come back equal.
        """
        text = Codec[Any](of).encode(value)
        lasts_s = self._ttl_s if ttl_s is None else ttl_s
        expired, evicted = await self._on_disk(CacheFile.put, key, text, lasts_s)
        self._tally.add(stored=1, expired=expired, evicted=evicted)

    async def invalidate(self, labels: str = "*", *, version: str = "*") -> int:
        """Remove what has a matching label and a matching version, both shell patterns; how many that were."""
        self._generation += 1
        gone = await self._on_disk(CacheFile.invalidate, labels, version)
        self._tally.add(invalidated=gone)
        return gone

    @property
    def statistics(self) -> CacheStatistics:
        """What the store did so far; `entries` is as of the last `put`, `invalidate` or opening."""
        return self._tally.so_far(self._file.entries)

    def joined(self) -> None:
        """Count a call that waited for an equal one."""
        self._tally.add(joined=1)

    async def close(self) -> None:
        """Close the file when all that was begun is done; the store can't be used any more."""
        if not self._is_closed:
            self._is_closed = True
            try:
                await self._on_disk(CacheFile.close)
            finally:
                self._thread.shutdown(wait=False)

    async def _on_disk(self, work: Callable[Concatenate[CacheFile, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def working() -> T:
            try:
                return work(self._file, *args, **kwargs)
            except (sqlite3.Error, OSError) as error:
                raise self._file.told(error) from error

        try:
            done = asyncio.get_running_loop().run_in_executor(self._thread, working)
        except RuntimeError as error:  # no more work is taken
            raise self._file.closed() from error
        return await done
