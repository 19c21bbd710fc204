"""What an entry says, taken apart for ranking: how often it says what, and what each of its lines does."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fanfold.troubleshoot.sources.knowledge.entry import Entry
from fanfold.troubleshoot.sources.knowledge.terms import indexed, line_terms

MOST_LINES = 100
_TITLE, _TRAIL, _OTHER = 3.0, 0.5, 2.0
_SENTENCE = re.compile(r"(?<=[.;:])\s+|\n\n|\n- ")
_SHORTEST = 15


@dataclass(frozen=True, slots=True)
class Rarity:
    """How rare words are among all entries.

    Attributes:
        entries: how many entries there are.
        holding: in how many of them a stem stands.
        mean_length: how many terms an entry has.
    """

    entries: int
    holding: Mapping[str, int]
    mean_length: float

    def of(self, stem: str) -> float:
        """What a stem says: the fewer entries have it, the more."""
        held = self.holding.get(stem, 0)
        return max(math.log((self.entries - held + 0.5) / (held + 0.5)), 1e-6)


@dataclass(frozen=True, slots=True)
class Line:
    """A title, a question that people ask, or a sentence.

    Attributes:
        terms: its stems, and those of what it means in English.
        weight: what its own stems say together.
    """

    terms: frozenset[str]
    weight: float


@dataclass(frozen=True, slots=True)
class Told:
    """An entry, taken apart.

    Attributes:
        counts: how often it has each stem, more for those in the title.
        length: how many terms it has.
        title: the terms of its title.
        lines: its title, its keywords and how people ask for it.
        sentences: its text.
    """

    counts: Mapping[str, float]
    length: int
    title: frozenset[str]
    lines: tuple[Line, ...]
    sentences: tuple[Line, ...]


def told_by(entry: Entry, rarity: Rarity) -> Told:
    """Take an entry apart."""
    fields = (
        (entry.title, _TITLE),
        (" ".join(entry.trail), _TRAIL),
        (" ".join((entry.keywords, *entry.codes)), _OTHER),
        ("\n".join(entry.asked), _OTHER),
        (entry.text, _OTHER),
    )
    counts: dict[str, float] = {}
    length = 0
    for text, weight in fields:
        found = Counter(indexed(text).split())
        length += found.total()
        for stem, count in found.items():
            counts[stem] = counts.get(stem, 0.0) + weight * count
    said = (entry.title, *entry.asked, *(part.strip() for part in entry.keywords.split(",") if part.strip()))
    sentences = (part for part in _SENTENCE.split(entry.text) if len(part) > _SHORTEST)
    return Told(
        counts=counts,
        length=length,
        title=frozenset(indexed(entry.title).split()),
        lines=_lines(said, rarity),
        sentences=_lines(sentences, rarity),
    )


def _lines(texts: Iterable[str], rarity: Rarity) -> tuple[Line, ...]:
    lines: list[Line] = []
    for text in texts:
        own, terms = line_terms(text)
        if own:
            lines.append(Line(terms, sum(map(rarity.of, own)) or 1.0))
        if len(lines) == MOST_LINES:
            break
    return tuple(lines)
