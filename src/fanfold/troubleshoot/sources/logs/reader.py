"""Lines of one log, one after another, each understood from those before it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import tzinfo

from fanfold.troubleshoot.sources.logs.clock import AHEAD_S, Clock
from fanfold.troubleshoot.sources.logs.ends import End, Ends
from fanfold.troubleshoot.sources.logs.line import (
    Level,
    Line,
    Names,
    Record,
    clean,
    codes_of,
    decoded,
    host_field,
    host_in,
    job_in,
    judged,
    may_tell,
    priority,
    record_in,
)
from fanfold.troubleshoot.sources.logs.news import may_be_news

_HEADER = re.compile(
    r"^= (?P<name>JOB|Exit Status|Elapsed Time \(hh:mm:ss\)|Elapsed Time \(Minutes\))\s*: ?(?P<value>.*)$"
)
_MINUTES = re.compile(r"Elapsed Time \(Minutes\)\s*:\s*(\d+)")
_DAY = re.compile(r"^= (?:[A-Z][a-z]{2} )?\d{2}/\d{2}/\d{2,4} \d\d:\d\d")
NOBODY = Names(())
_INDENTED = (" ", "\t", "Caused by:", "... ")


@dataclass
class Block:
    """A job's own log within a log: from its header to its footer."""

    job: str
    began: float | None = None
    status: int | None = None
    elapsed_s: float | None = None


@dataclass
class Reader:
    """Reads the lines of one log in their order.

    Args:
        file: what lines are said to be from.
        near: about when the last lines were written; a time after that is a wrong clock, and isn't believed.
        job: whose log it is, where it is one job's.
        host: where it was written, where lines don't say.
        names: of jobs; lines that have one count, whatever else they say.
        every: all lines count.
        all_ends: what happened to any job counts, and how it ended; not only to those in `names`.
    Attributes:
        ends: of jobs, as far as lines told of them.
        block: the job's log that the last line stands in.
    """

    file: str
    near: float
    zone: tzinfo | None = None
    day_first: bool | None = None
    job: str = ""
    host: str = ""
    names: Names = NOBODY
    every: bool = False
    all_ends: bool = False
    block: Block | None = None
    ends: list[End] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._clock = Clock(self.zone, near=self.near, day_first=self.day_first)
        # The scheduler writes the month first in what it adds to a job's log.
        self._scheduler = Clock(self.zone, near=self.near, day_first=False)
        self._ends = Ends()
        self._level: Level = "info"

    @property
    def at(self) -> float | None:
        """When the last line was written."""
        return self._clock.at

    def resume(self, at: float | None, block: Block | None) -> None:
        """Go on where another reader of the same log stopped."""
        self._clock.at, self.block = at, block
        if block and block.began is not None:
            self._ends.started(block.job, block.began)

    def read(self, raw: bytes | str, offset: int) -> Line | None:
        """The line, if it tells something."""
        text = decoded(raw).rstrip("\r\n") if isinstance(raw, bytes) else raw.rstrip("\r\n")
        if not text or text.isspace():
            return None
        if text.startswith("=") and (text.startswith("= ") or not text.strip("=")):
            return self._header(text, offset)
        level, text = priority(text) if text[0] == "<" else (None, text)
        record = record_in(text) if "{" in text[:64] else None
        if record:
            return self._record(record, offset)
        found = self._time(text)
        lowered = text.lower()
        if level in (None, "info") and not self._may_matter(text, lowered):
            self._level = "info"
            return None
        host = ""
        if found:
            host = host_in(text[found[2] :])
            text = _without(text, found[1], found[2])
        return self._line(clean(text), level, host, "", offset, continued=found is None)

    def _may_matter(self, text: str, lowered: str) -> bool:
        if self.every or may_tell(lowered) or self.names.in_text(text, lowered):
            return True
        return self.all_ends and self.at is not None and may_be_news(lowered) and bool(job_in(text))

    def _line(
        self, text: str, level: Level | None, host: str, job: str, offset: int, *, continued: bool = False
    ) -> Line:
        judgement, codes = judged(text)
        lowered = text.lower()
        asked = job or self.names.in_text(text, lowered)
        named = asked or job_in(text)
        if named and not self.block and (asked or self.all_ends):
            self._end(text, lowered, named, offset)
        if continued and text.startswith(_INDENTED):
            judgement = self._level if judgement == "info" else judgement
        else:
            judgement = level if level in ("error", "warning") else judgement
        self._level = judgement
        job = named or (self.block.job if self.block else self.job)
        host = host or host_field(text) or self.host
        return Line(self.at, judgement, text, host, job, codes, self.file, offset)

    def _record(self, record: Record, offset: int) -> Line | None:
        if record.at is not None:
            at = self._clock.value(record.at)
            self._clock.at = self._believed(at) if at is not None else self._clock.at
        text = clean(record.text)
        job = clean(record.job)[:120]
        if job and record.status and self.at is not None:
            said = f"job status={record.status}"
            self._end(said, said.lower(), job, offset)
        lowered = text.lower()
        named = self.names.in_text(f"{job} {text}", f"{job} {text}".lower())
        telling = record.level in ("error", "warning") or may_tell(lowered)
        if not (self.every or named or telling or (job and self.all_ends and may_be_news(lowered))):
            return None
        judgement, codes = judged(text)
        codes = codes_of(text) if codes is None else codes
        if record.level in ("error", "warning"):
            judgement = record.level
        elif record.level == "info" and judgement == "error":
            judgement = "warning" if codes else "info"
        self._level = judgement
        job = named or job or job_in(text) or self.job
        return Line(self.at, judgement, text, clean(record.host)[:120] or self.host, job, codes, self.file, offset)

    def _time(self, text: str) -> tuple[float, int, int] | None:
        before = self._clock.at
        found = self._clock.read(text)
        if found and found[0] > self.near + AHEAD_S:
            self._clock.at = before if before is not None else self.near
        return found

    def _believed(self, at: float) -> float:
        return at if at <= self.near + AHEAD_S else self.near if self._clock.at is None else self._clock.at

    def _end(self, text: str, lowered: str, job: str, offset: int) -> None:
        if job and self.at is not None:
            end = self._ends.read(text, lowered, job, self.at, file=self.file, offset=offset)
            if end:
                self.ends.append(end)

    def _header(self, text: str, offset: int) -> Line | None:
        """A line that the scheduler adds before and after what a job printed."""
        match = _HEADER.match(text)
        if match and match["name"] == "JOB":
            self.block = Block(match["value"].strip().rpartition(".")[2])
        elif self.block is None:
            return None
        elif match and match["name"] == "Exit Status":
            status = match["value"].strip()
            self.block.status = int(status) if status.lstrip("-").isdigit() else None
        elif _DAY.match(text):
            return self._dated(text, offset)
        elif match:
            self.block.elapsed_s = _elapsed_s(match["name"], match["value"])
        elif minutes := _MINUTES.search(text):
            self.block.elapsed_s = int(minutes[1]) * 60.0
        return None

    def _dated(self, text: str, offset: int) -> Line | None:
        block, found = self.block, self._scheduler.read(text)
        if block is None or found is None:
            return None
        self._clock.at = self._believed(found[0])
        if block.status is None:
            block.began = self._clock.at
            self._ends.started(block.job, self._clock.at)
            return None
        self.block = None
        self.ends.append(
            self._ends.ended(
                block.job,
                self._clock.at,
                succeeded=block.status == 0,
                elapsed_s=block.elapsed_s or None,
                file=self.file,
                offset=offset,
            )
        )
        if block.status == 0:
            return None
        said = f"{block.job} ended with exit status {block.status}"
        return Line(self.at, "error", said, self.host, block.job, (f"RC={block.status}",), self.file, offset)


def _elapsed_s(name: str, value: str) -> float | None:
    parts = value.strip().split(":")
    if not all(part.isdigit() for part in parts):
        return None
    if name.endswith("(Minutes)"):
        return int(parts[0]) * 60.0
    return float(sum(int(part) * 60**power for power, part in enumerate(reversed(parts))))


def _without(text: str, start: int, end: int) -> str:
    """A line without its time and the brackets around that."""
    before, after = text[:start].rstrip("[( \t"), text[end:].lstrip("]) \t|")
    return f"{before} {after}" if before else after
