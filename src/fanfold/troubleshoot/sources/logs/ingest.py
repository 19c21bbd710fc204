"""Fill the cache: read files or a stream, keep what tells something, write it to Redis in batches.

Stopped at any instant and started again, it goes on after the last batch that was written: lines, ends of jobs and
how far a file was read are one transaction. A file is known by how it begins, so that it is recognised after it was
renamed or compressed.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

from fanfold.troubleshoot.sources.logs.cache import Cache, Kept, connected
from fanfold.troubleshoot.sources.logs.ends import End
from fanfold.troubleshoot.sources.logs.files import (
    BROKEN,
    NO_TEXT,
    LogFile,
    find,
    is_wide,
    lines_from,
    opened,
    unpacking,
    unreadable,
)
from fanfold.troubleshoot.sources.logs.line import Line, decoded
from fanfold.troubleshoot.sources.logs.news import news_in
from fanfold.troubleshoot.sources.logs.positions import HEAD_BYTES, Position, Positions
from fanfold.troubleshoot.sources.logs.reader import Reader
from fanfold.troubleshoot.sources.logs.settings import RedisSettings, redis_settings
from fanfold.troubleshoot.sources.protocol import SourceError

TTL_S = 7 * 86_400
MOST_LINES = 100_000
MOST_FILES = 10_000
BATCH = 1_000
BATCH_READ = 20_000
QUIET_S = 5.0
LEAST_UNPACKED_BYTES, MOST_EXPANSION = 64 * 1024 * 1024, 200
"""What packed logs hold at most: some bytes can be made to hold millions."""
STDIN_BYTES = 64 * 1024
MOST_REST = 1024 * 1024
STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What came of it.

    Attributes:
        files: that had something new.
        read: lines that were looked at.
        written: lines that told something.
        ends: of jobs.
        trouble: what couldn't be read, in words.
    """

    files: int = 0
    read: int = 0
    written: int = 0
    ends: int = 0
    trouble: tuple[str, ...] = ()

    def __add__(self, other: Ingested) -> Ingested:
        return Ingested(
            files=self.files + other.files,
            read=self.read + other.read,
            written=self.written + other.written,
            ends=self.ends + other.ends,
            trouble=(*self.trouble, *other.trouble),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How lines are understood and kept."""

    kept: Kept
    host: str = ""
    job: str = ""
    zone: tzinfo | None = None
    day_first: bool | None = None
    every: bool = False


@dataclass(slots=True)
class _Batch:
    lines: list[Line]
    ends: list[End]
    read: int
    position: tuple[str, str] | None = None

    @property
    def is_full(self) -> bool:
        return len(self.lines) >= BATCH or self.read >= BATCH_READ

    def take(self, line: Line | None, reader: Reader, how: How, *, number: int | None = None) -> None:
        """One more line was read, and tells something or nothing."""
        self.read += 1
        if line and (how.every or line.level != "info" or (line.job and news_in(line.text, line.job))):
            at = reader.near if line.at is None else line.at  # a log without times: it was written when the file was
            self.lines.append(replace(line, at=at, offset=line.offset if number is None else number))

    def finished(self, reader: Reader, path: str, position: Position) -> _Batch:
        """With the ends of jobs that were met, and how far the file is read now."""
        self.ends, reader.ends = reader.ends, []
        self.position = (path, position.as_json())
        return self


async def ingest(
    paths: Sequence[str | Path],
    redis: str | RedisSettings,
    *,
    root: Path | None = None,
    ttl_s: int = TTL_S,
    most: int = MOST_LINES,
    host: str = "",
    job: str = "",
    timezone: str | None = None,
    day_first: bool | None = None,
    every: bool = False,
) -> Ingested:
    """Put what is new in log files into the cache.

    Args:
        paths: files, folders, patterns; "-" is the standard input.
        redis: its address, without a password; or its settings.
        root: where relative paths start; None = the current folder.
        ttl_s: seconds for which lines are kept.
        most: lines in each set, the newest ones.
        host: where the logs were written, where lines don't say.
        job: whose logs these are, where they are one job's.
        timezone: of times that name no zone; None = that of this machine.
        day_first: whether 03/04/2024 is the third of April; None = what fits.
        every: all lines, not only errors, warnings and what happened to jobs.
    Raises:
        SourceError: Redis can't be reached or refuses, a setting is wrong, or none of the paths is there.
    """
    how = _how(ttl_s, most, host, job, timezone, day_first, every=every)
    named = [str(path) for path in paths if str(path) != STDIN]
    base = root if root is not None else await asyncio.to_thread(Path.cwd)
    files, trouble = await asyncio.to_thread(find, named, base, since=0.0, most=MOST_FILES)
    if trouble and not files and len(named) == len(paths):
        raise SourceError(f"nothing to read: {trouble[0]}", hint="name log files, or folders of them")
    total = Ingested(trouble=tuple(trouble))
    async with connected(redis_settings(redis)) as cache:
        if len(named) < len(paths):
            total += await _stream(_standard_input(), cache, how)
        known = Positions(await cache.positions())
        for file in reversed(files):  # the oldest first, as they were written
            total += await _file(file, cache, known, how)
    return total


async def ingest_lines(
    lines: Iterable[str] | AsyncIterable[str],
    redis: str | RedisSettings,
    *,
    ttl_s: int = TTL_S,
    most: int = MOST_LINES,
    host: str = "",
    job: str = "",
    timezone: str | None = None,
    day_first: bool | None = None,
    every: bool = False,
) -> Ingested:
    """Put lines into the cache; the same lines once more change nothing. For what the options mean, see `ingest`.

    Raises:
        SourceError: Redis can't be reached or refuses, or a setting is wrong.
    """
    how = _how(ttl_s, most, host, job, timezone, day_first, every=every)
    async with connected(redis_settings(redis)) as cache:
        return await _stream(_in_batches(lines), cache, how)


def _how(
    ttl_s: int, most: int, host: str, job: str, timezone: str | None, day_first: bool | None, *, every: bool
) -> How:
    if ttl_s < 1 or most < 1:
        raise SourceError(
            "a cache must keep something", hint="give it a ttl of seconds and a number of lines from 1 on"
        )
    try:
        zone = ZoneInfo(timezone) if timezone else None
    except (ValueError, OSError, KeyError):
        raise SourceError(f"there is no zone {timezone!r}", hint="name one such as America/Sao_Paulo or UTC") from None
    return How(kept=Kept(ttl_s, most), host=host, job=job, zone=zone, day_first=day_first, every=every)


async def _stream(pieces: AsyncIterable[Sequence[str]], cache: Cache, how: How) -> Ingested:
    """Lines without a place that they could be found again by: equal ones of one time are numbered.

    Args:
        pieces: lines that came together; they are written before more are waited for.
    """
    reader = _reader("", time.time(), how)
    seen: Counter[tuple[float | None, str]] = Counter()
    total = Ingested()
    async for piece in pieces:
        batch = _Batch([], [], 0)
        for text in piece:
            line = reader.read(text, 0)
            key = (line.at, line.text) if line else (None, "")
            batch.take(line, reader, how, number=seen[key])
            seen[key] += 1
        total += await _written(batch, reader, cache, how)
        seen = Counter({key: count for key, count in seen.items() if key[0] == reader.at})
    return total


async def _written(batch: _Batch, reader: Reader, cache: Cache, how: How) -> Ingested:
    batch.ends, reader.ends = reader.ends, []
    if batch.lines or batch.ends:
        await cache.write(batch.lines, batch.ends, how.kept)
    return Ingested(read=batch.read, written=len(batch.lines), ends=len(batch.ends))


async def _file(file: LogFile, cache: Cache, known: Positions, how: How) -> Ingested:
    """What is new in one file, batch after batch; one is written while the next is read."""
    batches = _OneByOne(_batches(file, known, how))
    total = Ingested()
    try:
        batch = await asyncio.to_thread(batches.next)
        while batch:
            following, written = await asyncio.gather(
                asyncio.to_thread(batches.next),
                cache.write(batch.lines, batch.ends, how.kept, batch.position),
                return_exceptions=True,
            )
            if isinstance(written, BaseException):
                raise written
            total += Ingested(read=batch.read, written=len(batch.lines), ends=len(batch.ends))
            if isinstance(following, BaseException):
                raise following
            batch = following
    except BROKEN as error:
        total += Ingested(trouble=(f"{file.path} can't be read: {error}",))
    finally:
        await asyncio.to_thread(batches.close)
    return total + Ingested(files=1 if total.read else 0)


class _OneByOne:
    """Batches that are read in threads: whoever closes them waits for the thread that is still reading."""

    def __init__(self, batches: Generator[_Batch]) -> None:
        self._batches, self._lock = batches, threading.Lock()

    def next(self) -> _Batch | None:
        with self._lock:
            return next(self._batches, None)

    def close(self) -> None:
        with self._lock:
            self._batches.close()


def _batches(file: LogFile, known: Positions, how: How) -> Generator[_Batch]:
    with ExitStack() as stack:
        stream = stack.enter_context(unpacking(stack.enter_context(opened(file.path)), file.packed))
        head = stream.read(HEAD_BYTES)
        if is_wide(head):
            raise OSError("it is in UTF-16, and would have to be converted")
        if why := unreadable(head):
            if why != NO_TEXT:
                raise OSError(why)
            return
        position = known.of(str(file.path), head, stream)
        stream.seek(position.offset)
        reader = _reader(position.file, file.written, how)
        reader.resume(position.at, position.block)
        yield from _read_on(file, stream, head, position, reader, how)


def _read_on(
    file: LogFile, stream: IO[bytes], head: bytes, position: Position, reader: Reader, how: How
) -> Iterator[_Batch]:
    settled = bool(file.packed) or time.time() - file.written > QUIET_S
    batch, last = _Batch([], [], 0), b""
    offset = position.offset
    most = max(LEAST_UNPACKED_BYTES, MOST_EXPANSION * file.size) if file.packed else math.inf
    for begin, raw, after in lines_from(stream, position.offset, most=most):
        if after == begin and not settled:  # somebody is still writing it
            break
        offset, last = (after if after > begin else begin + len(raw)), raw
        batch.take(reader.read(raw, begin), reader, how)
        if batch.is_full:
            yield batch.finished(reader, str(file.path), position.moved(head, offset, last, reader))
            batch = _Batch([], [], 0)
    if batch.read:
        yield batch.finished(reader, str(file.path), position.moved(head, offset, last, reader))


def _reader(file: str, near: float, how: How) -> Reader:
    return Reader(
        file,
        near=near,
        zone=how.zone,
        day_first=how.day_first,
        job=how.job,
        host=how.host,
        every=how.every,
        all_ends=True,
    )


async def _in_batches(lines: Iterable[str] | AsyncIterable[str]) -> AsyncIterator[Sequence[str]]:
    if isinstance(lines, AsyncIterable):
        batch: list[str] = []
        async for line in lines:
            batch.append(line)
            if len(batch) >= BATCH:
                yield batch
                batch = []
        yield batch
        return
    left = iter(lines)
    while batch := list(itertools.islice(left, BATCH)):
        yield batch


async def _standard_input() -> AsyncIterator[Sequence[str]]:
    """Its lines, waited for in a thread: those that are there come together, and without waiting for more."""
    stream, rest = sys.stdin.buffer, b""
    while data := await asyncio.to_thread(_read_some, stream):
        *lines, rest = (rest + data).split(b"\n")
        yield [decoded(line) for line in lines]
        rest = rest[:MOST_REST]
    if rest:
        yield [decoded(rest)]


def _read_some(stream: IO[bytes]) -> bytes:
    read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
    return read(STDIN_BYTES)
