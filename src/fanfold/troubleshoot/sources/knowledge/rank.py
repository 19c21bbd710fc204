"""Rank the entries that may answer a question by how much of it they say, and how closely."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from fanfold.troubleshoot.sources.knowledge.terms import Wanted
from fanfold.troubleshoot.sources.knowledge.told import Line, Rarity, Told

# Fitted over questions and over the entries' own "Asked" lines, each left out in turn; halves and doubles of each do
# nearly as well.
OFTEN = 4.0
COVERED = 5.0
CLOSEST_LINE = 3.5
IN_TITLE = 1.5
IN_SENTENCE = 1.5
SIMILAR = 3.0
NUMBERED = 4.0

# BM25's two.
_SATURATION = 1.2
_LENGTH = 0.75


class Ranking:
    """How well entries answer one question.

    Args:
        wanted: what the question asks for.
        rarity: how rare words are.
    """

    def __init__(self, wanted: Sequence[Wanted], rarity: Rarity) -> None:
        self._wanted = wanted
        self._mean_length = rarity.mean_length or 1.0
        self._rarity = {stem: rarity.of(stem) for one in wanted for stem in one.stems}
        self._stems = frozenset(self._rarity)
        self._concerned: dict[str, list[int]] = {}
        for number, one in enumerate(wanted):
            for stem in one.stems:
                self._concerned.setdefault(stem, []).append(number)
        self._covers: dict[frozenset[str], float] = {}
        rare = self._rarity.__getitem__
        self._all = sum(_most(one, rare) for one in wanted) or 1.0

    def score(self, told: Told, *, similarity: float, numbered: float) -> float:
        """How well an entry answers.

        Args:
            similarity: of its nearest vector.
            numbered: how likely a number of the question is a code that it explains, from 0 to 1.
        """
        return (
            OFTEN * self._often(told)
            + COVERED * self._cover(self._held(told))
            + CLOSEST_LINE * max(map(self._closeness, told.lines), default=0.0)
            + IN_TITLE * self._cover(self._stems & told.title)
            + IN_SENTENCE * max((self._cover(self._stems & line.terms) for line in told.sentences), default=0.0)
            + SIMILAR * similarity
            + NUMBERED * numbered
        )

    def _often(self, told: Told) -> float:
        """BM25, where each thing that is wanted counts in the best of its ways alone; 1 = all of it, ever so often."""
        base = _SATURATION * (1 - _LENGTH + _LENGTH * told.length / self._mean_length)

        def value(stem: str) -> float:
            count = told.counts.get(stem, 0.0)
            return self._rarity[stem] * count / (count + base)

        return self._sum(self._held(told), value) / self._all

    def _held(self, told: Told) -> frozenset[str]:
        return frozenset(stem for stem in self._stems if stem in told.counts)

    def _closeness(self, line: Line) -> float:
        """How much of the question a line says, and how little else."""
        held = self._stems & line.terms
        return self._cover(held) * math.sqrt(self._all / line.weight) if held else 0.0

    def _cover(self, held: frozenset[str]) -> float:
        """How much of the question can be said with these stems, from 0 to 1."""
        if held not in self._covers:
            self._covers[held] = self._sum(held, lambda stem: self._rarity[stem] if stem in held else 0.0) / self._all
        return self._covers[held]

    def _sum(self, held: frozenset[str], value: Callable[[str], float]) -> float:
        concerned = {number for stem in held for number in self._concerned[stem]}
        return sum(_most(self._wanted[number], value) for number in concerned)


def _most(wanted: Wanted, value: Callable[[str], float]) -> float:
    """The value of the best way to say what is wanted."""
    best = max(good * sum(map(value, stems)) / len(stems) for good, stems in wanted.ways)
    return wanted.weight * best
