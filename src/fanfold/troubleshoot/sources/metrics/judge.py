"""Whether a series is unusual: the window of the failure against the same window before, by measures that a few
outliers don't move."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal, TypeAlias

Anomaly: TypeAlias = Literal["up", "down", "gone", "none"]
Point: TypeAlias = tuple[float, float]

MAD_TO_SIGMA = 1.4826
FEWEST_BEFORE = 3
USUAL_SHARE = 0.02
RUN_OUT_SHARE = 0.05
FEWEST_SHARE = 1 / 30
STRONGEST = 10.0
APPEARED = 6.0
LESS_NEAR = 0.7


@dataclass(frozen=True, slots=True)
class Span:
    """The window of the failure and those of the same length before it, in seconds since 1970.

    Attributes:
        middle_s: where the window of the failure begins.
        end_s: where it ends.
        step_s: between two points.
        windows: how many there are, with that of the failure.
    """

    middle_s: float
    end_s: float
    step_s: float
    windows: int = 2

    @property
    def start_s(self) -> float:
        """Where the first window begins."""
        return self.end_s - self.windows * (self.end_s - self.middle_s)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a value counts as unusual; see `MetricsSettings`.

    Attributes:
        full: what the values can't exceed: near it, what is left counts, as near zero what is there does.
    """

    sensitivity: float
    min_change: float
    below: float | None = None
    above: float | None = None
    follows_time: bool = False
    full: float | None = None

    def least_change(self, usual: float) -> float:
        """How far from its usual value a series must be at least."""
        rooms = [abs(usual)] if self.full is None else [abs(usual), abs(self.full - usual)]
        return self.min_change * min(rooms)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a series.

    Attributes:
        value: what it is now; of what is over by now, what was farthest from usual. None = it is gone.
        before: its median before; None = there was none.
        since_s, last_s: when it first and last was unusual; since_s None = all the time.
        strength: from 0 to 10: how far it went, as the power of two; 10 too where it went to or came from nothing.
        wrong: it is beyond a bound.
    """

    anomaly: Anomaly
    value: float | None
    before: float | None
    since_s: float | None = None
    last_s: float | None = None
    strength: float = 0.0
    wrong: bool = False


def judge(points: Sequence[Point], span: Span, limits: Limits, *, comparable: bool = True) -> Verdict | None:
    """What became of a series; None = it has no values.

    Args:
        points: in the order of time.
        comparable: whether the query had any series in the window before: where it had none, none appeared either.
    """
    before = [value for at_s, value in points if at_s < span.middle_s]
    now = [point for point in points if point[0] >= span.middle_s]
    if not points:
        return None
    usual = median(before) if before else None
    if _is_gone(points, before, span):
        return _gone(points, usual, span)
    if not now:
        return None
    if beyond := _beyond(now, usual, before, limits):
        return beyond
    if limits.follows_time:
        return Verdict("none", now[-1][1], usual)
    if usual is None:
        return _appeared(now, span, comparable=comparable)
    return _compared(before, usual, now, limits)


def judge_further(points: Sequence[Point], span: Span, limits: Limits, *, comparable: bool = True) -> Verdict | None:
    """As `judge`, of points that reach back four windows: what began in the window before is found as well.

    That is for failures whose time isn't known: they may be older than one window.
    """
    window_s = span.end_s - span.middle_s
    near = judge(
        [point for point in points if point[0] >= span.middle_s - window_s], span, limits, comparable=comparable
    )
    if near is not None and near.since_s is not None:
        return near
    wide = judge(points, replace(span, middle_s=span.middle_s - window_s), limits, comparable=comparable)
    if wide is None or wide.anomaly == "none":
        return near
    return replace(wide, strength=wide.strength * LESS_NEAR)


def _is_gone(points: Sequence[Point], before: Sequence[float], span: Span) -> bool:
    """The server itself fills gaps of some minutes: what it has no value for at the end is gone."""
    if len(before) < FEWEST_BEFORE:
        return False
    from_s = points[0][0]
    expected = (span.middle_s - from_s) / span.step_s
    return len(before) >= expected / 2 and points[-1][0] < span.end_s - 1.5 * span.step_s


def _gone(points: Sequence[Point], usual: float | None, span: Span) -> Verdict:
    return Verdict("gone", None, usual, points[-1][0] + span.step_s, span.end_s, STRONGEST)


def _appeared(now: Sequence[Point], span: Span, *, comparable: bool) -> Verdict:
    late = now[0][0] > span.middle_s + 1.5 * span.step_s
    value = now[-1][1]
    if not (late or comparable) or value == 0:
        return Verdict("none", value, None)
    return Verdict("up", value, None, now[0][0], now[-1][0], APPEARED)


def _beyond(now: Sequence[Point], usual: float | None, before: Sequence[float], limits: Limits) -> Verdict | None:
    """A value that is wrong, however usual it is."""
    for bound, anomaly, sign in ((limits.below, "down", 1), (limits.above, "up", -1)):
        if bound is None:
            continue
        out = [point for point in now if sign * (bound - point[1]) > 0]
        if out and _counts(out, now):
            always = len(out) == len(now) and all(sign * (bound - value) > 0 for value in before)
            return _verdict("down" if anomaly == "down" else "up", out, now, usual, always=always, wrong=True)
    return None


def _compared(before: Sequence[float], usual: float, now: Sequence[Point], limits: Limits) -> Verdict:
    sigma = MAD_TO_SIGMA * median(abs(value - usual) for value in before)
    away = max(limits.sensitivity * sigma, limits.least_change(usual))
    ordered = sorted(before)
    edge = math.floor(USUAL_SHARE * len(ordered))
    low, high = ordered[edge], ordered[-1 - edge]
    up = [point for point in now if point[1] > high and point[1] > usual + away]
    down = [
        point for point in now if point[1] < low and (point[1] < usual - away or 0 <= point[1] <= RUN_OUT_SHARE * usual)
    ]
    out = max(up, down, key=len)
    if len(before) < FEWEST_BEFORE or not _counts(out, now):
        return Verdict("none", now[-1][1], usual)
    return _verdict("up" if out is up else "down", out, now, usual)


def _counts(out: Sequence[Point], now: Sequence[Point]) -> bool:
    """One scrape that went wrong doesn't count, unless it is the last: then nobody knows how it goes on."""
    return bool(out) and (out[-1] == now[-1] or len(out) >= max(2, len(now) * FEWEST_SHARE))


def _verdict(
    anomaly: Anomaly,
    out: Sequence[Point],
    now: Sequence[Point],
    usual: float | None,
    *,
    always: bool = False,
    wrong: bool = False,
) -> Verdict:
    holds = out[-1] == now[-1]
    farthest = max if anomaly == "up" else min
    value = out[-1][1] if holds else farthest(at[1] for at in out)
    strength = _strength(value, usual) * (1.0 if holds else 0.5)
    return Verdict(anomaly, value, usual, None if always else out[0][0], out[-1][0], strength, wrong)


def _strength(value: float, usual: float | None) -> float:
    if usual is None:
        return APPEARED
    if value == usual:
        return 0.0
    if value * usual <= 0:
        return STRONGEST
    return min(STRONGEST, abs(math.log2(value / usual)))
