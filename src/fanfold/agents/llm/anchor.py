"""Find the one place of a text that a model means, though it may have copied it with other spaces."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from fanfold.agents.draft import Edit, Lines
from fanfold.agents.llm.answer import Replacement
from fanfold.llm import Refused

GUTTER = re.compile(r"[ \t]*\d+ \|(?: |$)")
MOST_LINES_TOLD = 12


@dataclass(frozen=True)
class Sought:
    """The text of a file, in which something is searched."""

    path: str
    text: str
    lines: Lines

    def edit(self, wanted: Replacement) -> Edit:
        """The replacement at its place.

        Raises:
            Refused: the text that is searched occurs nowhere, or more than once.
        """
        search, replace = _without_gutter(wanted.search, wanted.replace)
        if not search.strip():
            raise Refused("A search text is empty: copy the lines that are to be replaced.")
        if found := self._exact(search, wanted.line):
            return Edit(found[0], found[1], replace)
        return self._by_lines(search, replace, wanted.line)

    def _exact(self, search: str, line: int | None) -> tuple[int, int] | None:
        starts = [match.start() for match in re.finditer(f"(?={re.escape(search)})", self.text)]
        start = self._only([(self.lines.number(one), one) for one in starts], search, line)
        return None if start is None else (start, start + len(search))

    def _by_lines(self, search: str, replace: str, line: int | None) -> Edit:
        """Whole lines that are the same but for spaces at their ends and how deep all of them are indented."""
        sought = search.strip("\n").split("\n")
        here = [self.text[slice(*self.lines.span(row))].rstrip() for row in range(1, len(self.lines.starts) + 1)]
        wanted = _flat(sought)
        rows = [
            (row, row)
            for row in range(1, len(here) - len(sought) + 2)
            if _flat(here[row - 1 : row - 1 + len(sought)]) == wanted
        ]
        row = self._only(rows, search, line)
        if row is None:
            raise Refused(self._closest(sought, here))
        first, last = self.lines.span(row)[0], self.lines.span(row + len(sought) - 1)[1]
        shift = _indent(here[row - 1 : row - 1 + len(sought)]) - _indent(sought)
        return Edit(first, last, _ended(_shifted(replace.strip("\n"), shift), self.text[first:last]))

    def _only(self, found: list[tuple[int, int]], search: str, line: int | None) -> int | None:
        """The one that is meant of several places, each a line and what it stands for."""
        if len(found) > 1 and line is not None:
            found = sorted(found, key=lambda one: abs(one[0] - line))
            if abs(found[0][0] - line) < abs(found[1][0] - line):
                found = found[:1]
        if len(found) > 1:
            rows = ", ".join(str(one[0]) for one in found[:MOST_LINES_TOLD])
            raise Refused(
                f"This text occurs {len(found)} times in {self.path!r}, at lines {rows}; "
                f"copy more lines:\n{_told(search)}"
            )
        return found[0][1] if found else None

    def _closest(self, sought: list[str], here: list[str]) -> str:
        said = f"This text is not in {self.path!r}:\n{_told(chr(10).join(sought))}"
        first = next((one.strip() for one in sought if one.strip()), "")
        close = difflib.get_close_matches(first, [one.strip() for one in here if one.strip()][:5_000], n=1, cutoff=0.7)
        if not close:
            return said
        row = next(number for number, one in enumerate(here, start=1) if one.strip() == close[0])
        return f"{said}\nWhat it has at line {row}:\n{_told(chr(10).join(here[row - 1 : row - 1 + len(sought)]))}"


def _without_gutter(search: str, replace: str) -> tuple[str, str]:
    """Without the line numbers of the prompt, where all lines were copied with them."""
    lines = [line for line in search.split("\n") if line.strip()]
    if not lines or not all(GUTTER.match(line) for line in lines):
        return search, replace
    stripped = ("\n".join(GUTTER.sub("", line, count=1) for line in one.split("\n")) for one in (search, replace))
    return next(stripped), next(stripped)


def _flat(lines: list[str]) -> list[str]:
    """Lines as they would be if the least indented one weren't."""
    depth = _indent(lines)
    return [line.rstrip()[depth:] if line.strip() else "" for line in lines]


def _indent(lines: list[str]) -> int:
    return min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)


def _shifted(text: str, shift: int) -> str:
    def moved(line: str) -> str:
        if not line.strip():
            return line
        return " " * shift + line if shift > 0 else line[min(-shift, len(line) - len(line.lstrip())) :]

    return "\n".join(moved(line) for line in text.split("\n"))


def _ended(text: str, before: str) -> str:
    """With a line end where there was one, unless nothing is left of the lines."""
    return f"{text}\n" if text and before.endswith("\n") else text


def _told(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(lines[:MOST_LINES_TOLD]) + ("\n..." if len(lines) > MOST_LINES_TOLD else "")
