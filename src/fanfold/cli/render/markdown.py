"""The report for a pull request or a job's summary, in GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fanfold.cli.output import Quoted
from fanfold.cli.render.sections import Line, Lines, Section, Table
from fanfold.cli.render.text import part


def render_markdown(sections: Iterable[Section]) -> str:
    """Sections as headings, lists and tables; what is quoted stands in code spans, where nothing is markup."""
    blocks = ["\n".join(_lines(section) if isinstance(section, Lines) else _table(section)) for section in sections]
    return "\n\n".join(blocks) + "\n"


def _lines(section: Lines) -> list[str]:
    if section.title:
        return [f"### {section.title}", "", *(f"- {_joined(line)}" for line in section.lines)]
    first, *others = (_joined(line) for line in section.lines)
    return ["## Fanfold", "", f"**{first}**", *([""] if others else []), *(f"- {line}" for line in others)]


def _table(table: Table) -> list[str]:
    marks = ["---:" if place >= table.numbers_from else "---" for place in range(len(table.columns))]
    rows = [_row(table.columns), _row(marks), *(_row([_cell(cell) for cell in row]) for row in table.rows)]
    more = ["", f"and {table.more} more"] if table.more else []
    return [f"### {table.title}", "", *rows, *more]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _joined(line: Line) -> str:
    return "".join(code(piece) if isinstance(piece, Quoted) else piece for piece in line)


def _cell(text: str) -> str:
    """A pipe ends a cell even inside a code span, and renderers differ on how it is escaped: it is spelled out."""
    return (code(text) if isinstance(text, Quoted) else text).replace("|", "\\x7c")


def code(text: Quoted) -> str:
    """A code span that shows `text` whatever it holds: the fence is longer than any run of backticks in it."""
    shown = part(text)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{pad}{shown}{pad}{fence}"
