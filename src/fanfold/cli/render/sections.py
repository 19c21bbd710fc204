"""What a reader is told, in sections: the same for terminal, pipe and Markdown."""

from __future__ import annotations

from dataclasses import dataclass

Line = tuple[str, ...]
"""One line in parts; parts that are `Quoted` are escaped, the others are ours."""


@dataclass(frozen=True)
class Lines:
    """A section of single lines; `title` "" = the section needs no heading."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """A section of rows; columns from `numbers_from` on hold numbers, set flush right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers_from: int
    more: int = 0


Section = Lines | Table
