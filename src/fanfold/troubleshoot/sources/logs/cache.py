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
import json
import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fanfold.config.secret import Secret
from fanfold.config.settings import ConfigError
from fanfold.redact import redact
from fanfold.troubleshoot.sources.logs.ends import End
from fanfold.troubleshoot.sources.logs.line import Level, Line, clean
from fanfold.troubleshoot.sources.logs.settings import RedisSettings
from fanfold.troubleshoot.sources.protocol import SourceError

if TYPE_CHECKING:
    from redis.asyncio import Redis

PAGE = 5_000
MOST_CODES = 20
MOST_ELAPSED_S = 1e9
LEVELS: Mapping[object, Level] = {"error": "error", "warning": "warning", "info": "info"}


@dataclass(frozen=True, slots=True)
class Kept:
    """How much the cache keeps.

    Attributes:
        ttl_s: seconds.
        most: lines in each set.
    """

    ttl_s: int
    most: int


@dataclass(frozen=True, slots=True)
class Members:
    """Members of a set of lines, the newest first.

    Attributes:
        most: no more than that were asked for.
    """

    found: list[tuple[bytes, float]]
    most: int

    @property
    def since(self) -> float | None:
        """When the oldest of them was written, if there are older ones; None = these are all."""
        return self.found[-1][1] if len(self.found) >= self.most else None

    def unpacked(self, job: str, names: Iterable[str], known: set[tuple[bytes, float]]) -> tuple[list[Line], int]:
        """The lines, the oldest first, and how many members are none.

        Args:
            job: whose lines these are; "" = of all jobs, and if there are `names`, only lines that have one of them or
                no job at all are looked at.
            known: members that were unpacked before, and aren't again; these are added to it.
        """
        wanted = [name.lower().encode() for name in names] if not job else []
        lines, strange = [], 0
        for pair in reversed(self.found):
            member, at = pair
            if pair in known or (wanted and b'"j":"' in member and not any(name in member.lower() for name in wanted)):
                continue
            known.add(pair)
            line = _line(member, at, job)
            if line:
                lines.append(line)
            else:
                strange += 1
        return lines, strange


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
        return [end for member, at in found if (end := _end(member, at, job))]

    async def known_from(self, job: str | None = None) -> float | None:
        """When the oldest line was written; None = there is none.

        Raises:
            SourceError: the server can't be asked.
        """
        key = self._key("all") if job is None else self._key("job", job.upper())
        oldest = _pairs(await self._command("ZRANGE", key, 0, 0, "WITHSCORES"))
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
            member = _member(line)
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
            sets.setdefault(self._key("ends", end.job.upper()), []).append((_json(value), end.at))
        return sets

    async def _newest(self, key: str, since: float, until: float, most: int) -> list[tuple[bytes, float]]:
        found: list[tuple[bytes, float]] = []
        low, high = ("-inf" if since == -math.inf else repr(since)), repr(until)
        while len(found) < most:
            size = min(PAGE, most - len(found))
            page = _pairs(
                await self._command("ZREVRANGEBYSCORE", key, high, low, "WITHSCORES", "LIMIT", len(found), size)
            )
            found += page
            if len(page) < size:
                break
        return found

    async def _command(self, *command: str | int) -> Any:
        with self._clearly():
            return await self._client.execute_command(*command)  # type: ignore[no-untyped-call]

    def _clearly(self) -> _Clearly:
        return _Clearly(self._settings.place)

    def _key(self, *parts: str) -> str:
        return ":".join((self._settings.prefix, *parts))


@asynccontextmanager
async def connected(settings: RedisSettings) -> AsyncIterator[Cache]:
    """The cache, as long as the block; nothing is sent yet.

    Raises:
        SourceError: a secret or a file of certificates can't be read, or redis isn't installed.
    """
    client = await asyncio.to_thread(_client, settings)
    try:
        yield Cache(client, settings)
    finally:
        await client.aclose()


def _client(settings: RedisSettings) -> Redis:
    try:
        from redis.asyncio import Redis  # noqa: PLC0415 heavy
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import ConstantBackoff  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415
    except ImportError:
        raise SourceError("redis is not installed", hint='install "fanfold[troubleshoot]"') from None
    try:
        url = settings.url.reveal() if isinstance(settings.url, Secret) else settings.url
        password = settings.password.reveal() if settings.password else None
    except ConfigError as error:
        raise SourceError(error.message, hint=error.hint) from None
    if "?" in url:
        raise SourceError(
            f"the address in {settings.url} has options, which could turn off that certificates are verified",
            hint="let it end with the number of the database",
        )
    more: dict[str, Any] = _tls(settings) if url.startswith("rediss:") else {}
    if password is not None:
        more["password"] = password
    if settings.user is not None:
        more["username"] = settings.user
    try:
        return Redis.from_url(
            url,
            socket_timeout=settings.request_timeout_s,
            socket_connect_timeout=settings.request_timeout_s,
            retry=Retry(ConstantBackoff(0.05), 1),
            protocol=2,
            **more,
        )
    except (ValueError, TypeError, OSError, RedisError):
        raise SourceError(
            f"{settings.place}: its address can't be used", hint="write it as redis://host:6379/0"
        ) from None


def _tls(settings: RedisSettings) -> dict[str, Any]:
    settings.trust()  # what is wrong with the files is said when the source opens, and not as a broken connection
    files = {
        "ssl_ca_certs": settings.ca_file,
        "ssl_certfile": settings.certificate,
        "ssl_keyfile": settings.key or settings.certificate,
    }
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True} | {
        name: str(path) for name, path in files.items() if path
    }


class _Clearly:
    """What went wrong at the server, in words of its own; never with what was sent to it."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _where: object) -> None:
        if error is None:
            return
        from redis import exceptions  # noqa: PLC0415

        if isinstance(error, (exceptions.AuthenticationError, exceptions.NoPermissionError)):
            raise SourceError(
                f"{self._place} refuses: wrong user or password, or no right to this",
                hint="check user and password; reading takes the rights of ZREVRANGEBYSCORE and ZRANGE",
            ) from None
        if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
            raise SourceError(
                f"{self._place} does not answer in time", hint="look at its load, or raise request_timeout_s"
            ) from None
        if isinstance(error, exceptions.ResponseError):
            raise SourceError(
                f"{self._place} refuses: {clean(redact(str(error)))[:200]}",
                hint="look whether the keys under the prefix are the cache's, and whether the server has memory left",
            ) from None
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise SourceError(
                f"{self._place} shows a certificate that can't be trusted: {clean(redact(str(error)))[-200:]}",
                hint="set ca_file to the certificates of who signed it, and url to a name that it is made out to",
            ) from None
        if "alert" in str(error) and "certificate" in str(error):
            raise SourceError(
                f"{self._place} wants a certificate of who asks", hint="set certificate and key to one that it trusts"
            ) from None
        if isinstance(error, (exceptions.RedisError, OSError)):
            raise SourceError(
                f"{self._place} can't be reached: {clean(redact(str(error)))[:200]}",
                hint="start the server, or correct its address in the configuration",
            ) from None


def _masked(lines: Sequence[Line]) -> list[Line]:
    """All texts at once: that is much faster than one by one, and a key of several lines is seen as one."""
    texts = redact("\n".join(line.text for line in lines)).split("\n") if lines else []
    return [
        line
        if text == line.text
        else Line(line.at, line.level, text, line.host, line.job, line.codes, line.file, line.offset)
        for line, text in zip(lines, texts, strict=True)
    ]


def _member(line: Line) -> bytes:
    value: dict[str, object] = {"m": line.text, "l": line.level, "t": line.at, "f": line.file, "o": line.offset}
    value |= {"j": line.job} if line.job else {}
    value |= {"h": line.host} if line.host else {}
    value |= {"c": codes} if (codes := line.all_codes) else {}
    return _json(value)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _line(member: bytes, at: float, job: str) -> Line | None:
    """What anyone may have written there, as far as it is a line."""
    value = _object(member)
    text = value.get("m")
    if not isinstance(text, str) or not math.isfinite(at):
        return None
    codes = value.get("c")
    known = tuple(map(str, codes)) if isinstance(codes, list) else () if "l" in value else None
    offset = value.get("o")
    return Line(
        at,
        LEVELS.get(value.get("l"), "error"),
        clean(text),
        _text(value, "h"),
        _text(value, "j") or job,
        known[:MOST_CODES] if known else known,
        _text(value, "f"),
        offset if isinstance(offset, int) else 0,
    )


def _end(member: bytes, at: float, job: str) -> End | None:
    value = _object(member)
    elapsed_s = value.get("s")
    if not isinstance(value.get("ok"), bool) or not math.isfinite(at):
        return None
    if not isinstance(elapsed_s, (int, float)) or not 0 <= elapsed_s < MOST_ELAPSED_S:
        elapsed_s = None
    return End(job, at, bool(value["ok"]), None if elapsed_s is None else float(elapsed_s), _text(value, "f"))


def _object(member: bytes) -> dict[str, Any]:
    try:
        value = json.loads(member)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: Mapping[str, object], name: str) -> str:
    found = value.get(name)
    return clean(found)[:500] if isinstance(found, str) else ""


def _pairs(answer: Any) -> list[tuple[bytes, float]]:
    """Members with their scores, as servers give them in one list or in pairs."""
    if answer and isinstance(answer[0], (list, tuple)):
        return [(_bytes(member), float(at)) for member, at in answer]
    flat = iter(answer)
    return [(_bytes(member), float(at)) for member, at in zip(flat, flat, strict=True)]


def _bytes(member: object) -> bytes:
    return member if isinstance(member, bytes) else str(member).encode()
