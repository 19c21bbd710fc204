"""The source: recent errors and history of jobs, from the cache in Redis and from files, both at once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from fanfold.redact import redact
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.logs.cache import Cache, connected
from fanfold.troubleshoot.sources.logs.digest import Group, Window, digest, newest
from fanfold.troubleshoot.sources.logs.ends import End, once_each
from fanfold.troubleshoot.sources.logs.found import Finder, weight
from fanfold.troubleshoot.sources.logs.harvest import Asked, Harvest, harvest
from fanfold.troubleshoot.sources.logs.line import Level, Line, Names, clean
from fanfold.troubleshoot.sources.logs.members import Members
from fanfold.troubleshoot.sources.logs.news import News, news_in
from fanfold.troubleshoot.sources.logs.settings import LogSettings, settings_of
from fanfold.troubleshoot.sources.protocol import SourceError

SHARE_OF_TIME = 0.75
GRACE_S = 0.1
"""A search of files that sees by itself that its time is up keeps more than one that is given up."""
AFTER_S = 60.0
SKEW_S = 300.0
"""So much may a clock be ahead whose lines are the newest."""
MOST_ENDS = 1_000
MOST_NOTES = 3


class Logs:
    """Finds what logs say about jobs; asking only reads.

    Args:
        settings: where logs are, and how much of them is read.
        root: where relative paths start.
    """

    def __init__(self, settings: LogSettings, root: Path) -> None:
        self._settings, self._root = settings, root
        self._cache: Cache | None = None

    @classmethod
    def make(cls, settings: Mapping[str, object], root: Path) -> Logs:
        """The source with the settings of its table; see `LogSettings`.

        Raises:
            SourceError: a setting is unknown or wrong.
        """
        return cls(settings_of(settings, root), root)

    @property
    def name(self) -> str:
        """What reports call it."""
        return self._settings.name

    @property
    def timeout_s(self) -> float:
        """Seconds until its answer is no longer waited for."""
        return self._settings.timeout_s

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """A client of the cache, as long as the block; nothing is sent yet.

        Raises:
            SourceError: a secret or a file of certificates can't be read.
        """
        if self._settings.redis is None:
            yield
            return
        async with connected(self._settings.redis) as cache:
            self._cache = cache
            try:
                yield
            finally:
                self._cache = None

    async def ask(self, incident: Incident) -> Sequence[Evidence]:
        """What the logs say about the incident's jobs, else about the window; the most telling first.

        Raises:
            SourceError: neither the cache nor a file could be had.
        """
        names = Names(incident.jobs)
        window = self._window(incident)
        asked = Asked(names, window, time.monotonic() + SHARE_OF_TIME * self.timeout_s)
        found, trouble = await self._both(asked)
        return await asyncio.to_thread(self._evidence, incident, names, window, found, trouble)

    def _window(self, incident: Incident) -> Window:
        until = incident.until.timestamp() + (AFTER_S if incident.at else SKEW_S)
        since = incident.until.timestamp() - incident.window_s
        return Window(since, until, since - self._settings.baseline_s)

    async def _both(self, asked: Asked) -> tuple[list[Harvest], list[str]]:
        """What files and the cache hold, as far as there was time: what one has doesn't wait for the other."""
        ways = []
        if self._settings.paths:
            ways.append(self._in_time(partial(self._in_files, asked), "the log files were not looked through in time"))
        if self._settings.redis:
            ways.append(self._in_time(partial(self._cached, asked), "the cache does not answer in time"))
        came = await asyncio.gather(*ways, return_exceptions=True)
        errors = [one for one in came if isinstance(one, BaseException)]
        for error in errors:
            if not isinstance(error, SourceError) or len(errors) == len(came):
                raise error
        found = [one for one in came if isinstance(one, Harvest)]
        trouble = [error.message for error in errors if isinstance(error, SourceError)]
        trouble += [line for one in found for line in one.trouble]
        if not any(one.places for one in found) and trouble:
            raise SourceError(
                f"no log could be read: {clean(redact(trouble[0]))}", hint="correct paths, or the rights of the files"
            )
        return found, trouble

    async def _in_time(self, search: Callable[[Harvest], Awaitable[None]], late: str) -> Harvest:
        """What a search finds; where its time is up, what it has found by then."""
        found = Harvest()
        try:
            async with asyncio.timeout(SHARE_OF_TIME * self.timeout_s + GRACE_S):
                await search(found)
        except TimeoutError:
            found.is_over = True
            if not found.read:
                raise SourceError(late, hint="raise timeout_s, or lower max_lines or the window") from None
            found.trouble.append(f"{late}: this is what was found by then")
            # A thread can't be stopped: what it may still add is added to what nobody looks at.
            return replace(found, lines=found.lines.copy(), ends=found.ends.copy(), trouble=found.trouble.copy())
        return found

    async def _in_files(self, asked: Asked, found: Harvest) -> None:
        await asyncio.to_thread(harvest, self._settings, self._root, asked, found)

    async def _cached(self, asked: Asked, found: Harvest) -> None:
        cache = self._cache
        if cache is None:
            raise SourceError("the source is not open", hint="ask it within its open()")
        found.known_from = await cache.known_from()
        found.places = 1
        known: set[tuple[bytes, float]] = set()
        strange = 0
        for job in (*asked.names, None):
            async for members in self._newest_of(cache, job, asked):
                if members.since is not None and members.since >= asked.window.since:
                    found.trouble.append(
                        f"of the window only the newest {members.most} lines {_whose(job)} were looked at"
                    )
                elif members.since is not None:
                    found.known_from = max(found.known_from or 0.0, members.since)
                new, unread = await asyncio.to_thread(members.unpacked, job or "", asked.names, known)
                found.lines += new
                found.read += len(members.found)
                strange += unread
            if job:
                found.ends += await cache.ends(job, asked.window.until, most=MOST_ENDS)
        if strange:
            found.trouble.append(f"{strange} members in {cache.place} are no log lines")

    async def _newest_of(self, cache: Cache, job: str | None, asked: Asked) -> AsyncIterator[Members]:
        """Those of the window apart from those before it, so that many of the one leave room for the other."""
        most = self._settings.max_lines
        yield await cache.lines(job, asked.window.since, asked.window.until, most=most)
        yield await cache.lines(job, asked.window.before, math.nextafter(asked.window.since, -math.inf), most=most)

    def _evidence(
        self, incident: Incident, names: Names, window: Window, found: list[Harvest], trouble: list[str]
    ) -> list[Evidence]:
        finder = Finder(self.name)
        lines = _assigned(_once(found), names)
        known_from = min((one.known_from for one in found if one.known_from is not None), default=None)
        if incident.at is None:
            window = _newest(window, lines, set(map(str.upper, names)), incident.window_s)
        jobs = {name.upper(): name for name in names}
        telling = [line for line in lines if _matters(line, jobs)]
        kept, dropped = newest(telling, window, most=self._settings.max_lines)
        if len(kept) < len(telling):
            trouble = [
                *trouble,
                f"only the newest {len(kept)} of {len(telling)} lines were compared: counts may be low",
            ]
        if dropped is not None:
            known_from = max(known_from or dropped, dropped)
        groups = digest(kept, window, known_from=known_from)
        logs = self._logs(groups, jobs, window, known_from, finder)
        ends = [end for one in found for end in one.ends]
        course = [piece for name in names for piece in finder.course(name, _news(lines, name, window))]
        history = [finder.history(name, own) for name in names if (own := _of(ends, name))]
        silent = [name for name in names if not any(group.job.upper() == name.upper() for group in groups)]
        notes = [finder.note(name, _silence(name, window, found)) for name in silent]
        notes += [finder.note("logs", text) for text in list(dict.fromkeys(trouble))[:MOST_NOTES]]
        return [*logs[: self._settings.max_evidence], *course, *history, *notes]

    def _logs(
        self, groups: list[Group], jobs: Mapping[str, str], window: Window, known_from: float | None, finder: Finder
    ) -> list[Evidence]:
        """Of each job its own errors; of the others those that name no job and are new."""
        own = [group for group in groups if not jobs or group.job.upper() in jobs]
        others = [
            group for group in groups if jobs and not group.job and group.level == "error" and group.usual is not True
        ]
        others.sort(key=lambda group: -weight(group, "", window))
        chosen = [*own, *others[: self._settings.max_others]]
        return [
            finder.log(group, jobs.get(group.job.upper(), "" if jobs else group.job), window, known_from=known_from)
            for group in sorted(chosen, key=lambda group: _order(group, jobs, window))[: self._settings.max_evidence]
        ]


def _whose(job: str | None) -> str:
    return f"of {job}" if job else "of all jobs"


def _order(group: Group, jobs: Mapping[str, str], window: Window) -> tuple[float, float]:
    job = group.job if not jobs else jobs.get(group.job.upper(), "")
    return -round(weight(group, job, window), 2), group.first.at or 0.0


def _matters(line: Line, jobs: Mapping[str, str]) -> bool:
    if line.level == "info":
        return False
    return not jobs or line.job.upper() in jobs or (not line.job and line.level == "error")


def _once(found: Iterable[Harvest]) -> Iterator[Line]:
    """All lines; one that a file and the cache both have, once. In the cache it is masked, so its text doesn't tell."""
    known: set[tuple[float | None, Level, int]] = set()
    for one in found:
        lines = [line for line in one.lines if (line.at, line.level, line.offset) not in known]
        known.update((line.at, line.level, line.offset) for line in lines)
        yield from lines


def _news(lines: Iterable[Line], job: str, window: Window) -> list[tuple[News, Line]]:
    """What happened to a job in the window, the earliest first; what cache and files both tell, once."""
    own = {
        (line.at, line.text): line
        for line in lines
        if line.level == "info" and line.job.upper() == job.upper() and window.since <= (line.at or 0.0) <= window.until
    }
    found = ((news_in(line.text, job), line) for line in own.values())
    return sorted(((news, line) for news, line in found if news), key=lambda pair: pair[1].at or 0.0)


def _assigned(lines: Iterable[Line], names: Names) -> list[Line]:
    """Each line with the job of the incident that it names, if it names one, whoever else it is of."""
    if not any(True for _ in names):
        return list(lines)
    kept = []
    for line in lines:
        name = names.in_text(line.text, line.text.lower())
        kept.append(replace(line, job=name) if name and name.upper() != line.job.upper() else line)
    return kept


def _newest(window: Window, lines: Iterable[Line], jobs: set[str], window_s: float) -> Window:
    """The window, or, where nothing went wrong in it, the one that ends when something last did."""
    telling = [
        line.at
        for line in lines
        if line.at is not None and line.level == "error" and (not jobs or line.job.upper() in jobs)
    ]
    newest = max(telling, default=None)
    if newest is None or newest >= window.since:
        return window
    return Window(newest - window_s, newest, window.before)


def _of(ends: Iterable[End], job: str) -> list[End]:
    return once_each(end for end in ends if end.job.upper() == job.upper())


def _silence(job: str, window: Window, found: Iterable[Harvest]) -> str:
    minutes = (window.until - window.since) / 60
    read = sum(one.read for one in found)
    return f"No error or warning of {job} is in the logs of these {minutes:.0f} minutes; {read} lines were looked at."
