"""Which recorded attempts a replay plays, and in which order: one after another they come to what they came to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from fanfold.fix.attempts.trail import Trail

BUDGET = "budget"


def rounds_of(trails: Sequence[Trail]) -> tuple[tuple[Trail, ...], ...]:
    """What counts of the attempts at one file, those of the second time apart.

    Args:
        trails: in the order in which they ended.
    """
    return tuple(tuple(_played([trail for trail in trails if trail.again is again])) for again in (False, True))


def _played(trails: Sequence[Trail]) -> Iterator[Trail]:
    counting = [trail for trail in _last(trails) if trail.made or not trail.stopped or trail.over == BUDGET]
    ended = {trail.id: place for place, trail in enumerate(counting)}
    best = 0
    for lanes in _stages(counting):
        yield from _in_line(lanes, best, ended)
        best = max([best, *map(_fixed, lanes)])


def _last(trails: Sequence[Trail]) -> list[Trail]:
    """The attempts of the last process that was at them: it began again where an earlier one had been killed."""
    last: dict[int, Trail] = {}
    for trail in sorted(trails, key=lambda one: (one.started_s, one.number)):
        last = {} if trail.number in last or trail.number == 1 else last
        last[trail.number] = trail
    kept = {trail.id for trail in last.values()}
    return [trail for trail in trails if trail.id in kept]


def _stages(trails: Sequence[Trail]) -> Iterator[list[list[Trail]]]:
    """The lanes of each stage, in the order in which stages were gone through."""
    stages: defaultdict[int, defaultdict[tuple[int, str], list[Trail]]] = defaultdict(lambda: defaultdict(list))
    for trail in sorted(trails, key=lambda one: one.number):
        stages[trail.stage][trail.lane, trail.agent].append(trail)
    for lanes in stages.values():
        yield [lanes[lane] for lane in sorted(lanes)]


def _in_line(lanes: list[list[Trail]], best: int, ended: Mapping[str, int]) -> Iterator[Trail]:
    """A race as it comes to the same when its lanes are played one after another.

    What was verified first is what others have to be better than; where nothing was, the last one that is as close has
    the word.

    Args:
        best: how many findings were fixed before.
        ended: by the id of an attempt, how many had ended before it.
    """
    whole = [trail for lane in lanes for trail in lane if trail.ok and not trail.left]
    first = min(whole, key=lambda trail: ended[trail.id], default=None)
    winner = max(lanes, key=lambda lane: (first in lane, _progress(lane, best)))
    others = [lane for lane in lanes if lane is not winner]
    verified = best or any(map(_fixed, lanes))
    line = [trail for lane in ([winner, *others] if verified else [*reversed(others), winner]) for trail in lane]
    yield from sorted(line, key=lambda trail: trail.over == BUDGET)  # after that nothing begins


def _progress(lane: Sequence[Trail], best: int) -> tuple[int, bool, tuple[int, bool], bool]:
    """As `Standing.progress` has it."""
    judged = [trail for trail in lane if trail.error is None or trail.made]
    closest = max(((trail.fixed, bool(trail.reasons)) for trail in judged), default=(0, False))
    return max(best, _fixed(lane)), bool(judged), closest, all(trail.error is None for trail in lane)


def _fixed(lane: Sequence[Trail]) -> int:
    return max((trail.fixed for trail in lane if trail.ok), default=0)
