"""The cache of recent log lines in Redis: who writes there and who reads agrees on this layout.

    <prefix>:all           sorted set of lines; score: seconds since 1970; member: JSON, see below
    <prefix>:job:<JOB>     the same, those of one job, its name in capitals; what isn't wrong stands here alone
    <prefix>:ends:<JOB>    sorted set of the job's ends; score: when; member: JSON, see below
    <prefix>:positions     hash: log file -> how far it has been read, as JSON

A line is `{"m": text, "l": "error" | "warning" | "info", "t": seconds since 1970, "j": job, "h": host, "c": [codes],
"f": file, "o": bytes before it there}`; only `m` has to be there, so any program can be a writer. An end is `{"job",
"ok": whether it went well, "s": seconds that it ran, "t", "f", "o"}`. The same line read twice is the same member, and
stands there once; `t`, `f` and `o` tell equal lines apart. A set is trimmed to its newest members and to the time to
live before the newest of them; what nobody writes to any more is gone after the time to live. Lines are masked before
they are written.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fanfold.redact import redact
from fanfold.troubleshoot.sources.logs.ends import End
from fanfold.troubleshoot.sources.logs.line import Line
from fanfold.troubleshoot.sources.logs.members import Members, end_of, member_of, packed, pairs_of
from fanfold.troubleshoot.sources.logs.server import Clearly, client_of
from fanfold.troubleshoot.sources.logs.settings import RedisSettings

if TYPE_CHECKING:
    from redis.asyncio import Redis

PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Kept:
    """How much the cache keeps.

    Attributes:
        ttl_s: seconds.
        most: lines in each set.
    """

    ttl_s: int
    most: int


class Cache:
    """Lines in Redis, within `connected`.

    Args:
        client: talks to the server.
        settings: where that is.
    """

    def __init__(self, client: Redis, settings: RedisSettings) -> None:
        self._client, self._settings = client, settings

    @property
    def place(self) -> str:
        """Where it is, in words that hold no secret."""
        return self._settings.place

    async def lines(self, job: str | None, since: float, until: float, *, most: int) -> Members:
        """The newest lines of a job, or of all, between two times, as they stand there.

        Raises:
            SourceError: the server can't be asked.
        """
        key = self._key("all") if job is None else self._key("job", job.upper())
        return Members(await self._newest(key, since, until, most), most)

    async def ends(self, job: str, until: float, *, most: int) -> list[End]:
        """How a job ended, up to a time; the newest ends.

        Raises:
            SourceError: the server can't be asked.
        """
        found = await self._newest(self._key("ends", job.upper()), -math.inf, until, most)
        return [end for member, at in found if (end := end_of(member, at, job))]

    async def known_from(self, job: str | None = None) -> float | None:
        """When the oldest line was written; None = there is none.

        Raises:
            SourceError: the server can't be asked.
        """
        key = self._key("all") if job is None else self._key("job", job.upper())
        oldest = pairs_of(await self._command("ZRANGE", key, 0, 0, "WITHSCORES"))
        return oldest[0][1] if oldest else None

    async def positions(self) -> dict[str, str]:
        """How far files have been read.

        Raises:
            SourceError: the server can't be asked.
        """
        found = await self._command("HGETALL", self._key("positions"))
        flat = [part for pair in found.items() for part in pair] if isinstance(found, dict) else list(found)
        texts = [part.decode("utf-8", "replace") for part in flat]
        return dict(zip(texts[::2], texts[1::2], strict=False))

    async def write(
        self, lines: Sequence[Line], ends: Sequence[End], kept: Kept, position: tuple[str, str] | None = None
    ) -> None:
        """Lines, ends of jobs and how far the file is read, all of it or nothing.

        Raises:
            SourceError: the server can't be written to.
        """
        sets = self._members(await asyncio.to_thread(_masked, lines), ends)
        pipe = self._client.pipeline(transaction=True)
        for key, members in sets.items():
            pipe.execute_command("ZADD", key, *(part for member, at in members for part in (repr(at), member)))
            newest = max(at for _, at in members)
            pipe.execute_command("ZREMRANGEBYSCORE", key, "-inf", f"({newest - kept.ttl_s!r}")
            pipe.execute_command("ZREMRANGEBYRANK", key, 0, -kept.most - 1)
            pipe.execute_command("EXPIRE", key, kept.ttl_s)
        if position:
            pipe.execute_command("HSET", self._key("positions"), *position)
            pipe.execute_command("EXPIRE", self._key("positions"), kept.ttl_s)
        with self._clearly():
            await pipe.execute()

    def _members(self, lines: Iterable[Line], ends: Iterable[End]) -> dict[str, list[tuple[bytes, float]]]:
        sets: dict[str, list[tuple[bytes, float]]] = {}
        for line in lines:
            if line.at is None:
                continue
            member = member_of(line)
            if line.level != "info" or not line.job:  # a night of jobs that go well must not push out what went wrong
                sets.setdefault(self._key("all"), []).append((member, line.at))
            if line.job:
                sets.setdefault(self._key("job", line.job.upper()), []).append((member, line.at))
        for end in ends:
            value = {
                "job": end.job,
                "ok": end.succeeded,
                "s": end.elapsed_s,
                "t": end.at,
                "f": end.file,
                "o": end.offset,
            }
            sets.setdefault(self._key("ends", end.job.upper()), []).append((packed(value), end.at))
        return sets

    async def _newest(self, key: str, since: float, until: float, most: int) -> list[tuple[bytes, float]]:
        found: list[tuple[bytes, float]] = []
        low, high = ("-inf" if since == -math.inf else repr(since)), repr(until)
        while len(found) < most:
            size = min(PAGE, most - len(found))
            page = pairs_of(
                await self._command("ZREVRANGEBYSCORE", key, high, low, "WITHSCORES", "LIMIT", len(found), size)
            )
            found += page
            if len(page) < size:
                break
        return found

    async def _command(self, *command: str | int) -> Any:
        with self._clearly():
            return await self._client.execute_command(*command)  # type: ignore[no-untyped-call]

    def _clearly(self) -> Clearly:
        return Clearly(self._settings.place)

    def _key(self, *parts: str) -> str:
        return ":".join((self._settings.prefix, *parts))


@asynccontextmanager
async def connected(settings: RedisSettings) -> AsyncIterator[Cache]:
    """The cache, as long as the block; nothing is sent yet.

    Raises:
        SourceError: a secret or a file of certificates can't be read, or redis isn't installed.
    """
    client = await asyncio.to_thread(client_of, settings)
    try:
        yield Cache(client, settings)
    finally:
        await client.aclose()


def _masked(lines: Sequence[Line]) -> list[Line]:
    """All texts at once: that is much faster than one by one, and a key of several lines is seen as one."""
    texts = redact("\n".join(line.text for line in lines)).split("\n") if lines else []
    return [
        line
        if text == line.text
        else Line(line.at, line.level, text, line.host, line.job, line.codes, line.file, line.offset)
        for line, text in zip(lines, texts, strict=True)
    ]
