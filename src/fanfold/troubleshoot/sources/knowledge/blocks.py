"""Documents as blocks: headings with their level, and lines of text; one shape for all formats."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LINE_CHARS = 4_000

_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_UNDERLINES = {"=": 1, "-": 2, "~": 3, "^": 4}
_NUMBERED = re.compile(r"(?P<number>\d{1,2}(?:\.\d{1,2}){0,3})\.?[ \t]{1,8}(?P<title>[^\W\d_].{2,90})")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (level 1 to 6) or a line of text (level 0), and where it stands."""

    level: int
    text: str
    place: str


def markdown_blocks(text: str) -> Iterator[Block]:
    """The blocks of a Markdown document, its front matter left out; code isn't looked into for headings."""
    fence = ""
    lines = _lines(text)
    start = _after_front_matter(lines)
    skip = False
    for number, line in enumerate(lines[start:], start + 1):
        if skip:
            skip = False
            continue
        if mark := _FENCE.match(line):
            fence = "" if fence and line.strip().startswith(fence) else fence or mark[1]
            continue
        if fence:
            yield Block(0, line, str(number))
            continue
        below = lines[number] if number < len(lines) else ""
        if heading := _ATX.match(line):
            yield Block(len(heading[1]), heading[2], str(number))
        elif level := _underlined(line, below):
            skip = True
            yield Block(level, line.strip(), str(number))
        else:
            yield Block(0, line, str(number))


def text_blocks(text: str) -> Iterator[Block]:
    """The blocks of plain text: underlined, numbered and shouted lines that stand alone are headings."""
    lines = _lines(text)
    skip = False
    for number, line in enumerate(lines, 1):
        if skip:
            skip = False
            continue
        above = lines[number - 2] if number > 1 else ""
        below = lines[number] if number < len(lines) else ""
        if level := _underlined(line, below, least=3):
            skip = True
            yield Block(level, line.strip(), str(number))
        elif level := _standing_alone(line, above, below):
            yield Block(level, line.strip(), str(number))
        else:
            yield Block(0, line, str(number))


def page_blocks(text: str, page: int) -> Iterator[Block]:
    """The blocks of one page of a PDF, which has lost its empty lines: numbered and shouted lines are headings."""
    place = f"page={page}"
    for line in _lines(text):
        level = _standing_alone(line, "", "")
        yield Block(level, line.strip(), place)


def _lines(text: str) -> list[str]:
    return [line[:LINE_CHARS] for line in text.splitlines()]


def _after_front_matter(lines: list[str]) -> int:
    if not lines or lines[0].strip() != "---":
        return 0
    ends = (number for number, line in enumerate(lines[1:200], 2) if line.strip() in ("---", "..."))
    return next(ends, 0)


def _underlined(line: str, below: str, least: int = 2) -> int:
    mark = below.strip()
    if len(mark) < least or len(set(mark)) != 1 or mark[0] not in _UNDERLINES:
        return 0
    is_title = line.strip() and not line.startswith(("    ", "\t", ">", "-", "*", "|")) and len(line) <= 200
    return _UNDERLINES[mark[0]] if is_title else 0


def _standing_alone(line: str, above: str, below: str) -> int:
    line = line.strip()
    if above.strip() or below.strip() or not 3 < len(line) <= 100 or line.endswith((".", ",", ";", ":")):
        return 0
    if numbered := _NUMBERED.fullmatch(line):
        return min(numbered["number"].count(".") + 1, 6)
    letters = [letter for letter in line if letter.isalpha()]
    return 1 if len(letters) > 4 and all(map(str.isupper, letters)) and " " in line else 0
