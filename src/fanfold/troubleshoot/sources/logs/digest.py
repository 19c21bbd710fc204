"""Many lines made few: one group for all that say the same, with how often, since when, and whether that is usual."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from fanfold.troubleshoot.sources.logs.line import Level, Line
from fanfold.troubleshoot.sources.logs.template import template_of

DAY_S = 86_400.0
MOST_GROUPS = 5_000
MOST_EXAMPLES = 3
SURGE = 5.0

Key = tuple[str, Level, str, tuple[str, ...]]
_template_of = lru_cache(maxsize=4_096)(template_of)


@dataclass(frozen=True, slots=True)
class Window:
    """The time that matters, and the time before it that says what is usual; seconds since 1970."""

    since: float
    until: float
    before: float


@dataclass(slots=True)
class Group:
    """Lines that say the same about the same job.

    Attributes:
        examples: the first of them, and others that differ in what the template leaves out.
        before: how many there were before the window.
        days: on how many days before the window.
        usual: whether that is there all the time; None = the log says nothing of the time before.
    """

    job: str
    level: Level
    template: str
    codes: tuple[str, ...]
    first: Line
    last: Line
    count: int = 0
    examples: list[str] = field(default_factory=list)
    before: int = 0
    days: int = 0
    usual: bool | None = None

    def add(self, line: Line) -> None:
        """One more."""
        self.count += 1
        if _at(line) < _at(self.first):
            self.first = line
        if _at(line) >= _at(self.last):
            self.last = line
        if len(self.examples) < MOST_EXAMPLES and line.text not in self.examples:
            self.examples.append(line.text)


def newest(lines: Iterable[Line], window: Window, *, most: int) -> tuple[list[Line], float | None]:
    """The newest lines of the window, and as many from before it: a flood must not cost more than there is time for.

    Returns:
        The lines, and when the oldest one from before was written, if older ones were dropped.
    """
    inside: list[Line] = []
    before: list[Line] = []
    for line in lines:
        (inside if _at(line) >= window.since else before).append(line)
    inside = inside if len(inside) <= most else heapq.nlargest(most, inside, key=_at)
    if len(before) <= most:
        return [*before, *inside], None
    before = heapq.nlargest(most, before, key=_at)
    return [*before, *inside], _at(before[-1])


def digest(lines: Iterable[Line], window: Window, *, known_from: float | None) -> list[Group]:
    """The groups of the lines in the window.

    Args:
        lines: those of the window and those before it.
        known_from: since when there are lines at all; None = not known.
    """
    lines = list(lines)
    groups: dict[Key, Group] = {}
    for line in lines:
        if window.since <= _at(line) <= window.until:
            _add(groups, line)
    before: dict[Key, list[float]] = {key: [] for key in groups}
    known = {key[:3] for key in groups}
    for line in lines:
        at = _at(line)
        if window.before <= at < window.since and (alike := _alike(line)) in known:
            before.get((*alike, line.all_codes), []).append(at)
    covered_s = 0.0 if known_from is None else window.since - max(known_from, window.before)
    for key, group in groups.items():
        _compare(group, before[key], window, covered_s)
    return list(groups.values())


def _alike(line: Line) -> tuple[str, Level, str]:
    return line.job.upper(), line.level, _template_of(line.text)


def _add(groups: dict[Key, Group], line: Line) -> None:
    key = (*_alike(line), line.all_codes)
    group = groups.get(key)
    if group is None:
        if len(groups) >= MOST_GROUPS:
            return
        group = groups[key] = Group(line.job, line.level, key[2], key[3], line, line)
    group.add(line)


def _compare(group: Group, before: list[float], window: Window, covered_s: float) -> None:
    """What was there on most days before is usual, unless it is there much more often now."""
    if covered_s <= 0:
        return
    group.before = len(before)
    group.days = len({math.floor((window.since - at) / DAY_S) for at in before})
    expected = group.before * (window.until - window.since) / covered_s
    surges = group.count > SURGE * max(1.0, expected)
    group.usual = group.days * 2 >= math.ceil(covered_s / DAY_S) and not surges


def _at(line: Line) -> float:
    return line.at if line.at is not None else -math.inf
