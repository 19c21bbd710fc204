"""Which part of a file is shown: all of a short one, else what stands around the lines that matter."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fanfold.agents.draft import NEWLINE
from fanfold.agents.llm.outline import Outline
from fanfold.llm.size import likely_tokens

AROUND_LINES = 15
"""Shown before and after a line that matters, of its function if that is longer than `MOST_LINES`."""
MOST_LINES = 150
MOST_LINE_CHARS = 500
MOST_IMPORT_LINES = 60


@dataclass(frozen=True)
class Excerpt:
    """A part of a file.

    Args:
        code: its lines with their numbers, gaps marked.
        rows: the numbers of these lines.
    """

    code: str
    rows: frozenset[int]


def excerpt(text: str, wanted: Iterable[int], outline: Outline | None, tokens: int) -> Excerpt:
    """The code around as many of the wanted lines as there is room for, the first at any rate.

    Args:
        text: the file, without secrets.
        wanted: lines, the most important first.
        tokens: about as many there may be.
    """
    lines = NEWLINE.split(text)
    every = range(1, len(lines) + 1)
    numbered = _numbered(lines, every)
    if likely_tokens(numbered) <= tokens:
        return Excerpt(numbered, frozenset(every))
    rows = {row for row in _frame(outline) if row in every}
    for position, line in enumerate(dict.fromkeys(wanted)):
        more = rows | {row for row in _around(line, len(lines), outline) if row in every}
        if position == 0 or likely_tokens(_numbered(lines, sorted(more))) <= tokens:
            rows = more
    return Excerpt(_numbered(lines, sorted(rows)), frozenset(rows))


def _numbered(lines: Sequence[str], rows: Iterable[int]) -> str:
    shown: list[str] = []
    last = 0
    for row in rows:
        if row != last + 1:
            shown.append("      ...")
        shown.append(f"{row:5} | {lines[row - 1][:MOST_LINE_CHARS]}")
        last = row
    return "\n".join(shown + (["      ..."] if last < len(lines) else []))


def _frame(outline: Outline | None) -> Iterator[int]:
    """The lines that import something: which names there are."""
    nodes = outline.tree.body if outline is not None else ()
    rows = (
        row
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for row in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    )
    yield from (row for row, _ in zip(rows, range(MOST_IMPORT_LINES), strict=False))


def _around(line: int, count: int, outline: Outline | None) -> Iterator[int]:
    """The function around a line and the heads of what that is in; of a long one, what is near the line."""
    near = range(max(line - AROUND_LINES, 1), min(line + AROUND_LINES, count) + 1)
    around = [] if outline is None else [place for place in outline.places if place.holds(line)]
    for place in around:
        yield from range(place.first, place.node.lineno + 1)
    functions = [place for place in around if not isinstance(place.node, ast.ClassDef)]
    outer = [place for place in functions if place.last - place.first < MOST_LINES]
    if not outer:
        yield from near
        return
    yield from range(outer[0].first, outer[0].last + 1)
