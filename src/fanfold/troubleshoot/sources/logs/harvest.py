"""What log files hold about some jobs: read in a thread, within a budget of bytes and of time."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fanfold.troubleshoot.sources.logs.clock import Clock
from fanfold.troubleshoot.sources.logs.digest import Window
from fanfold.troubleshoot.sources.logs.ends import End
from fanfold.troubleshoot.sources.logs.files import NO_TEXT, LogFile, Part, find, read_back
from fanfold.troubleshoot.sources.logs.line import Line, Names
from fanfold.troubleshoot.sources.logs.reader import Reader
from fanfold.troubleshoot.sources.logs.settings import LogSettings

MOST_LINES = 100_000
LOOK_EVERY = 2_000
AHEAD_S = 1_200.0
LEAST_BYTES = 64 * 1024
_WORDS = re.compile(r"[\w$@-]+")


@dataclass
class Harvest:
    """What was found, whatever it was found in.

    Attributes:
        lines: errors, warnings and lines that name a job that is asked about; the newest ones.
        known_from: when the first line was written that was read, telling or not; None = none had a time.
        read: so many lines were looked at.
        trouble: what couldn't be had, in words.
        places: where it was looked.
        is_over: whether nobody waits for more: what is found from then on is left out.
    """

    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=MOST_LINES))
    ends: list[End] = field(default_factory=list)
    known_from: float | None = None
    read: int = 0
    trouble: list[str] = field(default_factory=list)
    places: int = 0
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What files are searched for.

    Attributes:
        window: only lines in it, and before it, count.
        stop_at: on the monotonic clock; what has been found by then has to do.
    """

    names: Names
    window: Window
    stop_at: float


def harvest(settings: LogSettings, root: Path, asked: Asked, found: Harvest) -> None:
    """Add what the files that are configured hold; it is there as it is found."""
    files, trouble = find(
        settings.paths, root, since=asked.window.before, most=settings.max_files, stop_at=asked.stop_at
    )
    found.trouble += trouble
    left = settings.max_bytes
    for index, file in enumerate(files):
        if time.monotonic() > asked.stop_at:
            found.trouble.append(f"there was no time for {len(files) - index} of {len(files)} log files")
            break
        share = max(LEAST_BYTES, left // (len(files) - index))
        left -= _read(file, share, settings, asked, found)
        if left <= 0 and index + 1 < len(files):
            found.trouble.append(f"{len(files) - index - 1} older log files were not read: max_bytes was reached")
            break


def _read(file: LogFile, max_bytes: int, settings: LogSettings, asked: Asked, found: Harvest) -> int:
    """Take what one file has; so many bytes were read."""
    try:
        part = read_back(
            file,
            max_bytes=max_bytes,
            until=asked.window.until,
            time_of=_TimeOf(settings, file.written),
            stop_at=asked.stop_at,
        )
    except OSError as error:
        found.trouble.append(f"{file.path} can't be read: {error.strerror or 'it is no regular file'}")
        return 0
    if part.trouble and part.trouble != NO_TEXT:
        found.trouble.append(f"{file.path}: {part.trouble}")
    reader = Reader(
        str(file.path),
        near=file.written,
        zone=settings.zone,
        day_first=settings.day_first,
        job=job_of(file.path, asked.names),
        names=asked.names,
    )
    found.places += 1
    _take(reader, part, asked, found)
    if reader.at is not None and reader.at > file.written + AHEAD_S:
        hours = (reader.at - file.written) / 3600
        found.trouble.append(
            f"{file.path} has times {hours:.1f} hours after it was last written: set timezone to that of its times"
        )
    found.ends += [end for end in reader.ends if end.at <= asked.window.until]
    lines = found.lines
    if len(lines) == MOST_LINES:  # what was earlier has been dropped
        found.known_from = max(found.known_from or 0.0, min(line.at or 0.0 for line in lines))
    return sum(map(len, part.lines)) + len(part.lines)


def _take(reader: Reader, part: Part, asked: Asked, found: Harvest) -> None:
    offset = part.first
    for number, raw in enumerate(part.lines):
        if found.is_over:
            return
        if number % LOOK_EVERY == 0 and time.monotonic() > asked.stop_at:
            found.trouble.append(f"there was no time to read the end of {reader.file}")
            return
        line = reader.read(raw, offset)
        offset += len(raw) + 1
        found.read += 1
        at = reader.at
        if at is not None and (found.known_from is None or at < found.known_from):
            found.known_from = at
        if line and (line.level != "info" or line.job):
            if line.at is None:  # a log without times: it was written when the file was
                line = Line(reader.near, line.level, line.text, line.host, line.job, line.codes, line.file, line.offset)
            if asked.window.before <= (line.at or 0.0) <= asked.window.until:
                found.lines.append(line)


class _TimeOf:
    """Reads times for a search within a file, where lines don't follow one another."""

    def __init__(self, settings: LogSettings, near: float) -> None:
        self._clock = Clock(settings.zone, near=near, day_first=settings.day_first)

    def __call__(self, line: str) -> float | None:
        self._clock.at = None
        found = self._clock.read(line)
        return found[0] if found else None


def job_of(path: Path, names: Iterable[str]) -> str:
    """The job that a file is named after: BATCH001.log, BATCH001_20241211.out; "" = none of these."""
    words: Sequence[str] = _WORDS.findall(path.name.upper())
    for name in names:
        upper = name.upper()
        for word in words:
            rest = word.removeprefix(upper)
            if rest != word and (
                not rest or (rest[0] in "_-" and rest[1:].replace("_", "").replace("-", "").isdigit())
            ):
                return name
    return ""
