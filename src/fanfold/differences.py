"""Where two sequences differ."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import TypeVar

LONG = 4000
"""Items among which difflib leaves out those that are there often, since it takes time by the square of these."""
Item = TypeVar("Item", bound=Hashable)
Pair = tuple[int, int]
Chain = tuple[Pair, "Chain | None"]


def differences(before: Sequence[Item], after: Sequence[Item]) -> Iterator[tuple[range, range]]:
    """Places in one sequence with those in the other that stand in their stead.

    What both begin and end with is set apart. Then what is there once in both, in the same order, is laid side by side,
    so that only what is between two such places is compared item by item.
    """
    head = _alike(before, after)
    tail = _alike(before[head:][::-1], after[head:][::-1])
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    for gone, come in _between(old, new):
        yield range(head + gone.start, head + gone.stop), range(head + come.start, head + come.stop)


def _alike(before: Sequence[Item], after: Sequence[Item]) -> int:
    """How many items both begin with."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))


def _between(before: Sequence[Item], after: Sequence[Item]) -> Iterator[tuple[range, range]]:
    ends = [(-1, -1), *_anchors(before, after), (len(before), len(after))]
    for (first, start), (last, end) in itertools.pairwise(ends):
        old, new = before[first + 1 : last], after[start + 1 : end]
        if old != new:
            for one, another in _compared(old, new):
                yield (
                    range(first + 1 + one.start, first + 1 + one.stop),
                    range(start + 1 + another.start, start + 1 + another.stop),
                )


def _compared(before: Sequence[Item], after: Sequence[Item]) -> Iterator[tuple[range, range]]:
    matcher = SequenceMatcher(None, before, after, autojunk=len(before) + len(after) > LONG)
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind != "equal":
            yield range(first, last), range(start, end)


def _anchors(before: Sequence[Item], after: Sequence[Item]) -> list[Pair]:
    """The most pairs of places of what is there once in both that have the same order in both."""
    there, here = Counter(before), Counter(after)
    place = {item: number for number, item in enumerate(after) if here[item] == 1}
    pairs = [(number, place[item]) for number, item in enumerate(before) if item in place and there[item] == 1]
    piles: list[int] = []
    tops: list[Chain] = []
    for pair in pairs:
        pile = bisect_left(piles, pair[1])
        piles[pile : pile + 1] = [pair[1]]
        tops[pile : pile + 1] = [(pair, tops[pile - 1] if pile else None)]
    found = []
    chain = tops[-1] if tops else None
    while chain:
        found.append(chain[0])
        chain = chain[1]
    return found[::-1]
