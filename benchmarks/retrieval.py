"""How well knowledge is found: questions about 300 entries and more, by words, by vectors, and by both.

    python benchmarks/retrieval.py [--entries] [--misses] [--questions FILE]

The entries are the package's starter set, and the runbooks and incidents in benchmarks/retrieval; its README has the
formats. Prints Markdown: hit@1, hit@5 and the mean reciprocal rank (of the first right entry, 0 beyond the tenth), for
all questions and for the Portuguese ones. Questions that the glossary, the entries' other wordings and the ranking were
developed with are reported apart and decide nothing. Exits 1 where a floor is missed:
hit@5 of 95%, a mean reciprocal rank of 0.75, over at least 100 questions, 30 of them in Portuguese, and at least 300
entries.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fanfold.troubleshoot.sources.knowledge import Index

HERE = Path(__file__).parent / "retrieval"
DOCUMENTS = (HERE / "runbooks", HERE / "incidents")
QUESTIONS = HERE / "questions.json"
SEEN = HERE / "questions_seen.json"
OWN = HERE / "questions_own.json"
DEPTH = 10
LEAST_ENTRIES, LEAST_QUESTIONS, LEAST_PORTUGUESE = 300, 100, 30
LEAST_HIT5, LEAST_MRR = 0.95, 0.75
WAYS = {"words": "words", "vectors": "vectors (wordllama)", "both": "both"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its language, and the entries that answer it."""

    question: str
    language: str
    right: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of a question: the place of the first right entry (0 = none), what came before it, how long it took."""

    question: Question
    place: int
    found: tuple[str, ...]
    took_ms: float


class QuestionError(Exception):
    """A file of questions can't be used."""


def load_questions(path: Path, names: frozenset[str]) -> list[Question]:
    """The questions of a file.

    Raises:
        QuestionError: it isn't in the format of the README, or names an entry that isn't there.
    """
    questions = []
    for number, told in enumerate(json.loads(path.read_text(encoding="utf-8")), 1):
        if set(told) != {"question", "language", "right"} or told["language"] not in ("en", "pt") or not told["right"]:
            raise QuestionError(f"{path.name}, question {number}: needs question, language (en or pt) and right")
        if unknown := sorted(set(told["right"]) - names):
            raise QuestionError(f"{path.name}, question {number}: there is no entry {', '.join(unknown)}")
        questions.append(Question(told["question"], told["language"], tuple(told["right"])))
    return questions


def ask(index: Index, questions: Iterable[Question], by: str) -> list[Asked]:
    """Search for each question."""
    asked = []
    for question in questions:
        began = time.perf_counter()
        found = tuple(hit.entry.name for hit in index.search(question.question, limit=DEPTH, by=by))
        took_ms = (time.perf_counter() - began) * 1000
        place = next((place for place, name in enumerate(found, 1) if name in question.right), 0)
        asked.append(Asked(question, place, found, took_ms))
    return asked


def hit_at(asked: Sequence[Asked], depth: int) -> float:
    """The share of questions with a right entry among the first `depth`."""
    return sum(0 < one.place <= depth for one in asked) / len(asked) if asked else 0.0


def mean_reciprocal_rank(asked: Sequence[Asked]) -> float:
    """The mean of 1 / place of the first right entry."""
    return sum(1 / one.place for one in asked if one.place) / len(asked) if asked else 0.0


def table(index: Index, questions: Sequence[Question]) -> tuple[str, list[Asked]]:
    """The figures of each way to search, and what came of the questions by both."""
    lines = [
        "| searched by | questions | hit@1 | hit@5 | MRR | median ms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    asked: list[Asked] = []
    for by, title in WAYS.items():
        asked = ask(index, questions, by)
        portuguese = [one for one in asked if one.question.language == "pt"]
        for part, said in ((asked, title), (portuguese, f"{title}, Portuguese")):
            if part:
                lines.append(_row(said, part))
    return "\n".join(lines), asked


def misses(asked: Iterable[Asked]) -> str:
    """The questions whose right entry isn't first, with what came before it."""
    lines = []
    for one in asked:
        if one.place != 1:
            lines += [f"{one.place or '-'} {one.question.question}", f"    right: {', '.join(one.question.right)}"]
            lines += [f"    {place}. {name}" for place, name in enumerate(one.found[: one.place or 5], 1)]
    return "\n".join(lines)


def missed_floors(entries: int, asked: Sequence[Asked]) -> list[str]:
    """What was promised and isn't so."""
    portuguese = sum(one.question.language == "pt" for one in asked)
    floors = [
        ("entries", entries, LEAST_ENTRIES),
        ("questions", len(asked), LEAST_QUESTIONS),
        ("Portuguese questions", portuguese, LEAST_PORTUGUESE),
        ("hit@5", hit_at(asked, 5), LEAST_HIT5),
        ("MRR", mean_reciprocal_rank(asked), LEAST_MRR),
    ]
    return [f"{what} is {value:.4g}, not {least}" for what, value, least in floors if value < least]


def main(argv: list[str] | None = None) -> int:
    """Index, ask, tell; 1 where a floor is missed, 2 where there are no questions."""
    options = _options(argv)
    with Index.open(None) as index:
        index.update_starter()
        index.update(DOCUMENTS)
        entries = index.entries()
        if options.entries:
            print("\n\n".join(f"{entry.name}\n{entry.title}\n{entry.text}" for entry, _ in entries))
            return 0
        if index.without_vectors:
            print(f"error: there are no vectors: {index.without_vectors}", file=sys.stderr)
            return 2
        names = frozenset(entry.name for entry, _ in entries)
        print(f"# Retrieval\n\n{len(entries)} entries.")
        try:
            asked = _told(index, options.questions, names, "Questions", options.misses)
            _told(index, SEEN, names, "Questions that were developed with", with_misses=False)
            _told(index, OWN, names, "The developer's own questions", with_misses=False)
        except (OSError, json.JSONDecodeError, QuestionError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        missed = missed_floors(len(entries), asked)
    for floor in missed:
        print(f"missed: {floor}", file=sys.stderr)
    return 1 if missed else 0


def _told(index: Index, path: Path, names: frozenset[str], title: str, with_misses: bool) -> list[Asked]:
    told, asked = table(index, load_questions(path, names))
    print(f"\n## {title}\n\n{told}")
    if with_misses:
        print(f"\n{misses(asked)}")
    return asked


def _row(title: str, asked: Sequence[Asked]) -> str:
    figures = f"{hit_at(asked, 1):.1%} | {hit_at(asked, 5):.1%} | {mean_reciprocal_rank(asked):.3f}"
    return f"| {title} | {len(asked)} | {figures} | {statistics.median(one.took_ms for one in asked):.1f} |"


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", action="store_true", help="print the entries instead")
    parser.add_argument("--misses", action="store_true", help="also print what was not found first")
    parser.add_argument("--questions", type=Path, default=QUESTIONS, help="the file of questions")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
