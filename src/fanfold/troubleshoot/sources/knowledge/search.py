"""Search: codes first, then words and vectors, fused by their ranks."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fanfold.troubleshoot.codes import codes_in
from fanfold.troubleshoot.sources.knowledge.entry import Hit
from fanfold.troubleshoot.sources.knowledge.store import CodeMatch, Store
from fanfold.troubleshoot.sources.knowledge.terms import asked, translated

if TYPE_CHECKING:
    from fanfold.troubleshoot.sources.knowledge.vectors import Vectors

MAX_QUERY_CHARS = 4_000
CANDIDATES = 100
FUSION = 10
WORDS_WEIGHT = 1.0
VECTORS_WEIGHT = 0.3
NUMBER_WEIGHT = 1.0
LEAST_SIMILARITY = 0.25

# Numbers that may be codes: of two letters at least, or of one after a word for "ended with".
_NUMBER = re.compile(
    r"(?<![\w=:.,/-])(?P<number>[0-9A-F]{3}|[0-9]{2,5})(?![\w:/]|[.,]\d)"
    r"|\b(?:gave|gives|returned|returns|code|status|with|deu|devolveu|retornou|com)[ ](?P<digit>[1-9])"
    r"(?![\w:/]|[.,]\d)",
    re.IGNORECASE,
)


class Search:
    """Searches a store; keeps its vectors in memory for as long as nobody changes it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._known: tuple[int, list[int], Any] | None = None

    def hits(
        self,
        query: str,
        codes: Sequence[str],
        limit: int,
        *,
        starter: bool,
        vectors: Vectors | None,
        with_words: bool,
    ) -> list[Hit]:
        """The best entries, ranked from 1."""
        query = query[:MAX_QUERY_CHARS]
        left_out = frozenset() if starter else self._store.starter_entries()
        wanted = tuple(dict.fromkeys([*(code.upper() for code in codes), *codes_in(query)]))
        matches = [match for match in self._store.explaining(wanted) if match.entry not in left_out]
        by_word: list[int] = []
        if with_words:
            by_word = [entry for entry, _ in self._store.worded(asked(query), CANDIDATES) if entry not in left_out]
        similar = {entry: near for entry, near in self._near(query, vectors).items() if entry not in left_out}
        by_vector = sorted(similar, key=lambda entry: (-similar[entry], entry))
        fused = _fused([(by_word, WORDS_WEIGHT), (by_vector[:CANDIDATES], VECTORS_WEIGHT)])
        for entry in self._store.numbered(_numbers(query)) - left_out:
            fused[entry] = fused.get(entry, 0.0) + NUMBER_WEIGHT / (FUSION + 1)
        order = _ordered(matches, wanted, fused)
        return list(self._made(order, matches, fused, similar, limit))

    def _near(self, query: str, vectors: Vectors | None) -> dict[int, float]:
        if vectors is None or not query.strip():
            return {}
        numbers, matrix = self._matrix()
        if not numbers:
            return {}
        near = matrix @ vectors.of([translated(query)])[0]
        return {number: float(value) for number, value in zip(numbers, near, strict=True) if value >= LEAST_SIMILARITY}

    def _matrix(self) -> tuple[list[int], Any]:
        import numpy as np  # noqa: PLC0415 heavy, and optional

        with self._lock:
            generation = self._store.generation()
            if self._known is None or self._known[0] != generation:
                rows = self._store.vectors()
                numbers = [number for number, _ in rows]
                matrix = np.frombuffer(b"".join(row for _, row in rows), dtype="<f2").astype(np.float32)
                self._known = generation, numbers, matrix.reshape(len(numbers), -1) if numbers else matrix
            return self._known[1], self._known[2]

    def _made(
        self,
        order: Sequence[int],
        matches: Sequence[CodeMatch],
        fused: dict[int, float],
        similar: dict[int, float],
        limit: int,
    ) -> Iterable[Hit]:
        best = max(fused.values(), default=1.0)
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
            score = 0.8 * fused.get(number, 0.0) / best
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


def _fused(rankings: Sequence[tuple[Sequence[int], float]]) -> dict[int, float]:
    """Entries by the sum of their weighted reciprocal ranks."""
    fused: dict[int, float] = {}
    for ranking, weight in rankings:
        for rank, entry in enumerate(ranking, 1):
            fused[entry] = fused.get(entry, 0.0) + weight / (FUSION + rank)
    return fused


def _ordered(matches: Sequence[CodeMatch], codes: Sequence[str], fused: dict[int, float]) -> list[int]:
    """All candidates: those that explain a code, one for each code in turn, then the others."""

    def weight(entry: int) -> float:
        return -fused.get(entry, 0.0)

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
    return [*exact, *sorted(fused.keys() - turns.keys(), key=lambda entry: (weight(entry), entry))]


def _numbers(query: str) -> list[str]:
    found = [(match["number"] or match["digit"]).upper() for match in _NUMBER.finditer(query)]
    return [number for number in dict.fromkeys(found) if any(map(str.isdigit, number))]
