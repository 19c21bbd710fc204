"""What logs say, as evidence: a few lines for people, facts for rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from fanfold.redact import redact
from fanfold.troubleshoot.evidence import Evidence, Fact
from fanfold.troubleshoot.sources.logs.clock import moment
from fanfold.troubleshoot.sources.logs.digest import DAY_S, Group, Window
from fanfold.troubleshoot.sources.logs.ends import End
from fanfold.troubleshoot.sources.logs.line import Line, clean
from fanfold.troubleshoot.sources.logs.news import News, who_in
from fanfold.troubleshoot.sources.logs.template import template_of

LINE_CHARS = 400
MOST_CODES = 20
MOST_STATES = 4
MOST_CHANGES = 3
SCORE_OF_CHANGE, SCORE_OF_COURSE = 0.5, 0.3
# Messages that every job's log has.
_COMMON = frozenset({"AWSBIS307I", "AWSBIS308I", "IEF403I", "IEF404I"})


class Finder:
    """Makes evidence of one source.

    Args:
        source: its name.
    """

    def __init__(self, source: str) -> None:
        self._source = source

    def log(self, group: Group, job: str, window: Window, *, known_from: float | None) -> Evidence:
        """Lines that say the same.

        Args:
            job: the one that was asked about, and that they belong to; "" = they belong to none.
        """
        shown = [_shown(text) for text in group.examples]
        first, last = (moment(line.at or 0.0).isoformat() for line in (group.first, group.last))
        facts: dict[str, Fact] = {
            "job": job or group.job or None,
            "host": clean(group.first.host) or None,
            "level": group.level,
            "template": _shown(template_of(redact(group.examples[0]))),
            "count": group.count,
            "first": first,
            "last": last,
            "file": clean(redact(group.first.file)) or None,
            "usual": group.usual,
            "before": group.before if group.usual is not None else None,
        }
        return Evidence(
            source=self._source,
            kind="log",
            subject=clean(job or group.job or group.first.host or Path(group.first.file).name or self._source),
            text="\n".join([_words(group, job, first, last, window, known_from), *shown]),
            facts=facts,
            codes=tuple(code for code in group.codes if code not in _COMMON)[:MOST_CODES],
            at=moment(group.first.at or 0.0),
            reference=_reference(group.first),
            score=round(weight(group, job, window), 3),
        )

    def history(self, job: str, ends: Sequence[End]) -> Evidence:
        """How the job ended so far."""
        failures = [end for end in ends if not end.succeeded]
        fine = [end for end in ends if end.succeeded]
        lasted = [end.elapsed_s for end in fine if end.elapsed_s is not None]
        usual_s = round(median(lasted), 3) if lasted else None
        facts: dict[str, Fact] = {
            "job": job,
            "failures": len(failures),
            "successes": len(fine),
            "last_failure": _newest(failures),
            "last_success": _newest(fine),
            "usual_elapsed_s": usual_s,
        }
        text = f"The logs tell of {len(ends)} ends of {job}: {len(failures)} failed, {len(fine)} succeeded."
        if failures:
            text += f" The last failure was at {_newest(failures)}."
        if fine:
            text += f" The last success was at {_newest(fine)}."
        if usual_s is not None:
            text += f" A success usually takes {usual_s:.0f} s."
        at = moment(max(end.at for end in ends))
        return Evidence(source=self._source, kind="history", subject=clean(job), text=text, facts=facts, at=at)

    def course(self, job: str, news: Sequence[tuple[News, Line]]) -> list[Evidence]:
        """What happened to the job without being an error: each change of it, and the rest as one piece.

        Args:
            news: in the order of time.
        """
        changes = [self._change(job, line) for kind, line in news if kind == "change"]
        lines = [line for kind, line in news if kind == "state"]
        if not lines:
            return changes[-MOST_CHANGES:]
        shown = lines if len(lines) <= MOST_STATES else [lines[0], *lines[1 - MOST_STATES :]]
        first, last = (moment(line.at or 0.0).isoformat() for line in (lines[0], lines[-1]))
        host = next((clean(line.host) for line in lines if line.host), "")
        times = f"{len(lines)} lines from {first} to {last}" if len(lines) > 1 else f"one line at {first}"
        facts: dict[str, Fact] = {"job": job, "host": host or None, "level": "info", "count": len(lines)}
        state = Evidence(
            source=self._source,
            kind="log",
            subject=clean(job),
            text="\n".join(
                [f"Info of {job}{f' on {host}' if host else ''}, its course: {times}", *map(_with_time, shown)]
            ),
            facts={**facts, "first": first, "last": last, "file": clean(redact(lines[0].file)) or None},
            codes=tuple(dict.fromkeys(code for line in shown for code in line.all_codes if code not in _COMMON)),
            at=moment(lines[0].at or 0.0),
            reference=_reference(lines[0]),
            score=SCORE_OF_COURSE,
        )
        return [*changes[-MOST_CHANGES:], state]

    def _change(self, job: str, line: Line) -> Evidence:
        what = _shown(line.text)
        return Evidence(
            source=self._source,
            kind="change",
            subject=clean(job),
            text=what,
            facts={"what": what, "object": job, "author": _shown(who_in(line.text)) or None},
            at=moment(line.at or 0.0),
            reference=_reference(line),
            score=SCORE_OF_CHANGE,
        )

    def note(self, subject: str, text: str) -> Evidence:
        """Something worth knowing about what was looked at, or what could not be had."""
        return Evidence(source=self._source, kind="note", subject=clean(subject), text=clean(redact(text)))


def weight(group: Group, job: str, window: Window) -> float:
    """How telling a group is, from 0 to 1: an error of the job asked about, with a code, that is new."""
    span_s = max(window.until - window.since, 1.0)
    nearness = 1.0 - min(1.0, max(0.0, window.until - (group.last.at or window.since)) / span_s)
    return (
        {"error": 0.35, "warning": 0.1, "info": 0.0}[group.level]
        + (0.25 if job else 0.0)
        + (0.2 if group.usual is False else 0.1 if group.usual is None else 0.0)
        + (0.15 if set(group.codes) - _COMMON else 0.0)
        + 0.05 * nearness
    )


def _words(group: Group, job: str, first: str, last: str, window: Window, known_from: float | None) -> str:
    whose = job or group.job
    words = f"{group.level.capitalize()} of {whose}" if whose else f"{group.level.capitalize()} that names no job"
    if group.first.host:
        words += f" on {clean(group.first.host)}"
    words += f", {group.count} times from {first} to {last}" if group.count > 1 else f", once, at {first}"
    return f"{words}; {_usual(group, window, known_from)}:"


def _usual(group: Group, window: Window, known_from: float | None) -> str:
    if group.usual is None or known_from is None:
        return "the logs don't say whether that is usual"
    since_s = window.since - max(known_from, window.before)
    span = f"{since_s / DAY_S:.1f} days" if since_s >= DAY_S else f"{since_s / 3600:.1f} hours"
    if not group.before:
        return f"new: not once in the {span} before"
    if group.usual:
        return f"usual: {group.before} times in the {span} before"
    return f"not usual: {group.before} times in the {span} before"


def _shown(text: str) -> str:
    """Masked first, for half a secret isn't recognised."""
    kept = clean(redact(text))
    return kept if len(kept) <= LINE_CHARS else f"{kept[: LINE_CHARS - 80]} … {kept[-70:]}"


def _with_time(line: Line) -> str:
    return f"{_shown(line.text)} ({moment(line.at or 0.0):%H:%M:%S} UTC)"


def _reference(line: Line) -> str:
    if not line.file:
        return ""
    return f"{clean(redact(line.file))} (byte {line.offset})"


def _newest(ends: Iterable[End]) -> str | None:
    newest = max((end.at for end in ends), default=None)
    return None if newest is None else moment(newest).isoformat()
