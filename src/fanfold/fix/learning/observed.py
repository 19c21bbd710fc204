"""From what was said and done in a run to what is remembered of it; nothing is a success that hasn't landed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from fanfold.fix.attempts.trail import Trail
from fanfold.fix.learning.lesson import Lesson
from fanfold.fix.learning.names import encodable, known_as

Fate = Literal["landed", "taken out", "left", "open"]
"""What became of a task: its change is on the result branch; it was, or would have been, and was taken out; there was
none to land; or nobody knows yet."""


def lessons_of(
    run: str, trails: Sequence[Trail], fate: Fate, *, deadline_s: float = math.inf, sent_back: bool = False
) -> list[Lesson]:
    """What the tries at one task teach.

    Tries that were verified in a branch that a killed process left are left out: the branch was run again, and nobody
    knows what would have become of them. So are those that ended before there was an answer: a wrong key or a server
    that is down says nothing of what the agent can fix. Those that used up their time count.

    Args:
        trails: all that there are, in the order in which they were kept.
        deadline_s: how long a try might take.
        sent_back: its first change was taken out, and it was attempted once more.
    """
    if not trails:
        return []
    *earlier, last = rounds(trails)
    fixed = _fixed(last) if fate == "landed" else {}
    numbers = _numbers(trails)
    known = [trail for trail in last if fate != "open" or not trail.ok]
    known += [trail for before in earlier for trail in before if sent_back or not trail.ok]
    return [
        lesson
        for trail in known
        if _teaches(trail, deadline_s)
        for lesson in _lessons(run, trail, numbers[trail.id], fixed.get(trail.id, {}))
    ]


def _teaches(trail: Trail, deadline_s: float) -> bool:
    """Whether the try came to an answer, or used up all its time on it."""
    return not trail.stopped and (trail.error is None or trail.ok or trail.agent_s >= deadline_s)


def rounds(trails: Sequence[Trail]) -> list[list[Trail]]:
    """The tries of each branch that worked on a task; each counts its tries from 1."""
    found: list[list[Trail]] = []
    for trail in trails:
        if not found or any(trail.number == one.number for one in found[-1]):
            found.append([])
        found[-1].append(trail)
    return found


def chain(trails: Iterable[Trail]) -> list[Trail]:
    """Those tries of a branch of which its change is made: each fixed more than what it began with."""
    made: list[Trail] = []
    for lanes in _stages(trails):
        fixed = made[-1].fixed if made else 0
        gains = [gain for lane in lanes if (gain := _gains(lane, fixed))]
        first: list[Trail] = min(gains, key=_by_gain, default=[])
        made += first
    return made


def _by_gain(lane: Sequence[Trail]) -> tuple[int, float]:
    """Who fixed most wins a race; of several who was first."""
    return -lane[-1].fixed, lane[-1].started_s + lane[-1].agent_s


def _stages(trails: Iterable[Trail]) -> Iterator[list[list[Trail]]]:
    """Tries by stage, in the order in which stages began; within one by agent."""
    stages: defaultdict[int, defaultdict[str, list[Trail]]] = defaultdict(lambda: defaultdict(list))
    for trail in sorted(trails, key=lambda one: one.number):
        stages[trail.stage][trail.agent].append(trail)
    return ([*lanes.values()] for lanes in stages.values())


def _gains(lane: Iterable[Trail], fixed: int) -> list[Trail]:
    made = []
    for trail in lane:
        if trail.ok and trail.fixed > fixed:
            made.append(trail)
            fixed = trail.fixed
    return made


def _fixed(trails: Iterable[Trail]) -> dict[str, dict[str, int]]:
    """What each try added to what landed, by the try's id and by rule."""
    return {
        trail.id: {rule: max(count - trail.missed.get(rule, 0), 0) for rule, count in trail.asked.items()}
        for trail in chain(trails)
    }


def _numbers(trails: Sequence[Trail]) -> dict[str, int]:
    """Which try of its agent at the task each was, counted anew in each branch."""
    numbers: dict[str, int] = {}
    for branch in rounds(trails):
        seen: defaultdict[tuple[int, str], int] = defaultdict(int)
        for trail in sorted(branch, key=lambda one: one.number):
            seen[trail.stage, trail.agent] += not trail.stopped
            numbers[trail.id] = seen[trail.stage, trail.agent]
    return numbers


def _lessons(run: str, trail: Trail, number: int, fixed: Mapping[str, int]) -> Iterator[Lesson]:
    asked = sum(trail.asked.values())
    usage = trail.usage
    tokens = None if usage is None else usage.input_tokens + usage.output_tokens
    for name, count in trail.asked.items():
        checker, _, rule = encodable(name).partition(" ")
        share = count / asked
        yield Lesson(
            trail=trail.id,
            run=run,
            checker=checker,
            rule=rule,
            agent=known_as(trail.agent),
            stage=trail.stage,
            number=number,
            asked=count,
            fixed=fixed.get(name, 0),
            cost_usd=None if usage is None or usage.cost_usd is None else usage.cost_usd * share,
            tokens=None if tokens is None else tokens * share,
            agent_s=trail.agent_s * share,
            at_s=trail.started_s,
        )
