"""Search: codes first, then words and vectors: fused by their ranks, and the likeliest weighed one by one."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from fanfold.troubleshoot.codes import codes_in
from fanfold.troubleshoot.sources.knowledge.entry import Hit
from fanfold.troubleshoot.sources.knowledge.rank import Ranking
from fanfold.troubleshoot.sources.knowledge.store import CodeMatch, Store
from fanfold.troubleshoot.sources.knowledge.terms import asked, wanted
from fanfold.troubleshoot.sources.knowledge.told import Told, told_by
from fanfold.troubleshoot.sources.knowledge.vectors import Embedder, vectors_of

MAX_QUERY_CHARS = 4_000
CANDIDATES = 100
WEIGHED = 40
MOST_HELD = 10_000
FUSION = 10
WORDS_WEIGHT = 1.0
VECTORS_WEIGHT = 0.3
LEAST_SIMILARITY = 0.25

# Numbers that may be codes: of two digits at least, with a sign of three, of one after a word for "ended with".
_NUMBER = re.compile(
    r"(?<![\w=:.,/-])(?P<number>[0-9A-F]{3}|[0-9]{2,5})(?![\w:/]|[.,]\d)"
    r"|(?<!\S)-(?P<negative>[0-9]{3,5})(?![\w:/]|[.,]\d)"
    r"|\b(?:gave|gives|returned|returns|code|status|with|deu|devolveu|retornou|com)[ ](?P<digit>[1-9])"
    r"(?![\w:/]|[.,]\d)",
    re.IGNORECASE,
)


class Search:
    """Searches a store; keeps what it needs again and again in memory for as long as nobody changes the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._held: _Held | None = None

    def hits(
        self,
        query: str,
        codes: Sequence[str],
        limit: int,
        *,
        starter: bool,
        embedder: Embedder | None,
        with_words: bool,
    ) -> list[Hit]:
        """The best entries, ranked from 1.

        Raises:
            VectorsUnavailable: the embedder has none now.
        """
        query = query[:MAX_QUERY_CHARS]
        left_out = frozenset() if starter else self._store.starter_entries()
        codes_wanted = tuple(dict.fromkeys([*(code.upper() for code in codes), *codes_in(query)]))
        matches = [match for match in self._store.explaining(codes_wanted) if match.entry not in left_out]
        held = self._now()
        similar = {entry: near for entry, near in _near(held, query, embedder).items() if entry not in left_out}
        if with_words:
            meant = self._store.numbered(_numbers(query))
            numbered = {entry: likely for entry, likely in meant.items() if entry not in left_out}
            explaining = {match.entry for match in matches}
            scores = self._scores(held, query, similar, explaining, numbered, left_out)
        else:
            scores = similar
        order = _ordered(matches, codes_wanted, scores)
        return list(self._made(order, matches, scores, similar, limit))

    def _scores(
        self,
        held: _Held,
        query: str,
        similar: Mapping[int, float],
        explaining: Iterable[int],
        numbered: Mapping[int, float],
        left_out: Set[int],
    ) -> dict[int, float]:
        """The likeliest entries by words and by vectors, fused by their ranks, then weighed one by one."""
        by_word = [entry for entry, _ in self._store.worded(asked(query), CANDIDATES) if entry not in left_out]
        by_vector = sorted(similar, key=lambda entry: (-similar[entry], entry))[:CANDIDATES]
        fused = _fused([(by_word, WORDS_WEIGHT), (by_vector, VECTORS_WEIGHT)])
        likely = sorted(fused, key=lambda entry: (-fused[entry], entry))[:WEIGHED]
        ranking = Ranking(wanted(query), held.rarity)
        return {
            entry: ranking.score(told, similarity=similar.get(entry, 0.0), numbered=numbered.get(entry, 0.0))
            for entry in dict.fromkeys([*likely, *sorted(numbered), *explaining])
            if (told := self._told(held, entry)) is not None
        }

    def _told(self, held: _Held, number: int) -> Told | None:
        known = held.told.get(number)
        if known is None and (found := self._store.entry(number)) is not None:
            if len(held.told) >= MOST_HELD:
                held.told.clear()
            known = held.told[number] = told_by(found[0], held.rarity)
        return known

    def _now(self) -> _Held:
        """What is in memory, made anew where the store was changed."""
        with self._lock:
            generation = self._store.generation()
            if self._held is None or self._held.generation != generation:
                self._held = _Held(generation, self._store)
            return self._held

    def _made(
        self,
        order: Sequence[int],
        matches: Sequence[CodeMatch],
        scores: Mapping[int, float],
        similar: Mapping[int, float],
        limit: int,
    ) -> Iterable[Hit]:
        best = max(scores.values(), default=1.0) or 1.0
        tiers: dict[int, int] = {}
        for match in matches:
            tiers[match.entry] = min(match.tier, tiers.get(match.entry, match.tier))
        rank = 0
        for number in order:
            found = self._store.entry(number)
            if found is None:
                continue
            rank += 1
            exact = tuple(match.code for match in matches if match.entry == number and match.tier < 2)
            score = 0.8 * scores.get(number, 0.0) / best
            if number in tiers:
                score = (1.0, 0.95, 0.85)[tiers[number]]
            yield Hit(
                entry=found[0],
                path=found[1],
                rank=rank,
                score=round(score, 3),
                exact=exact,
                similarity=round(similar[number], 3) if number in similar else None,
            )
            if rank == limit:
                return


class _Held:
    """What a store has, as it is needed for each search."""

    def __init__(self, generation: int, store: Store) -> None:
        self.generation = generation
        self.rarity = store.rarity()
        self.told: dict[int, Told] = {}
        self._store = store
        self._vectors: dict[tuple[str, int], tuple[list[int], Any, Any]] = {}

    def vectors(self, model: str, dimensions: int) -> tuple[list[int], Any, Any]:
        """Entries that have vectors of a model, where in the matrix those of each begin, and the matrix."""
        import numpy as np  # noqa: PLC0415 heavy, and optional

        if (model, dimensions) not in self._vectors:
            size = 2 * dimensions
            rows = [(entry, row) for entry, row in self._store.vectors(model) if row and len(row) % size == 0]
            starts = np.cumsum([0, *(len(row) // size for _, row in rows)])[:-1]
            matrix = np.frombuffer(b"".join(row for _, row in rows), dtype="<f2").astype(np.float32)
            self._vectors[model, dimensions] = [entry for entry, _ in rows], starts, matrix.reshape(-1, dimensions)
        return self._vectors[model, dimensions]


def _near(held: _Held, query: str, embedder: Embedder | None) -> dict[int, float]:
    """How similar each entry is to a question: its nearest line counts."""
    if embedder is None or not query.strip():
        return {}
    import numpy as np  # noqa: PLC0415 heavy, and optional

    asked_for = vectors_of(embedder, [query])[0]
    entries, starts, matrix = held.vectors(embedder.model, len(asked_for))
    if not entries:
        return {}
    # Not matrix @ asked_for: its threads wait for one another for milliseconds where the machine is busy.
    near = np.maximum.reduceat(np.einsum("ij,j->i", matrix, asked_for), starts)
    return {entries[at]: float(near[at]) for at in np.flatnonzero(near >= LEAST_SIMILARITY)}


def _fused(rankings: Sequence[tuple[Sequence[int], float]]) -> dict[int, float]:
    """Entries by the sum of their weighted reciprocal ranks."""
    fused: dict[int, float] = {}
    for ranking, weight in rankings:
        for rank, entry in enumerate(ranking, 1):
            fused[entry] = fused.get(entry, 0.0) + weight / (FUSION + rank)
    return fused


def _ordered(matches: Sequence[CodeMatch], codes: Sequence[str], scores: Mapping[int, float]) -> list[int]:
    """All candidates: those that explain a code, one for each code in turn, then the others."""

    def weight(entry: int) -> float:
        return -scores.get(entry, 0.0)

    turns: dict[int, tuple[int, int, int]] = {}
    for position, code in enumerate(codes):
        those = sorted(
            (match for match in matches if match.code == code), key=lambda match: (match.tier, weight(match.entry))
        )
        explained = any(match.tier < 2 for match in those)
        for turn, match in enumerate(those):
            place = (int(match.tier == 2 and explained), turn, position)
            turns[match.entry] = min(place, turns.get(match.entry, place))
    exact = sorted(turns, key=lambda entry: turns[entry])
    return [*exact, *sorted(scores.keys() - turns.keys(), key=lambda entry: (weight(entry), entry))]


def _numbers(query: str) -> list[str]:
    found = [(match["number"] or match["negative"] or match["digit"]).upper() for match in _NUMBER.finditer(query)]
    return [number for number in dict.fromkeys(found) if any(map(str.isdigit, number))]
