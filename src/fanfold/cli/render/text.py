"""The report to read: tables on a terminal, aligned lines in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fanfold.cli.output import Prose, Quoted, visible
from fanfold.cli.render.sections import Line, Lines, Section, Table

if TYPE_CHECKING:
    from rich.console import Console

MAX_QUOTED_CHARS = 400
STYLES = {
    "fixed": "green",
    "partial": "yellow",
    "planned": "cyan",
    "unchanged": "dim",
    "skipped": "dim",
    "cancelled": "dim",
}
STATUS_COLUMN = "status"


def render_plain(sections: Iterable[Section]) -> str:
    """Sections as plain lines, columns aligned by spaces; readable without colour and by `grep`."""
    blocks = ["\n".join(_plain(section)) for section in sections]
    return "\n\n".join(blocks) + "\n"


def print_rich(sections: Sequence[Section], console: Console) -> None:
    """Print sections to a terminal; nothing quoted is read as markup."""
    from rich.text import Text  # noqa: PLC0415  only terminals need it

    for number, section in enumerate(sections):
        if number:
            console.print()
        if isinstance(section, Table):
            _print_table(section, console)
            continue
        if section.title:
            console.print(Text(section.title, style="bold"))
        for place, line in enumerate(section.lines):
            if section.title:
                _print_item(_joined(line), console)
            else:  # these hold commands to copy: the terminal itself may break them
                console.print(Text(_joined(line), style="" if place else "bold"), soft_wrap=True)


def _print_item(line: str, console: Console) -> None:
    """Print a line of a section, broken between words, the rest of it deeper than its start."""
    from rich.text import Text  # noqa: PLC0415

    whole = Text(line)
    fits = whole.cell_len <= console.width - 2
    first, *others = [whole] if fits else whole.wrap(console, max(console.width - 6, 1))
    for start, piece in [("  ", first), *(("      ", other) for other in others)]:
        console.print(Text(start + piece.plain.rstrip()), soft_wrap=True)


def _print_table(table: Table, console: Console) -> None:
    from rich import box  # noqa: PLC0415
    from rich.table import Table as RichTable  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console.print(Text(table.title, style="bold"))
    shown = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for place, column in enumerate(table.columns):
        number = place >= table.numbers_from
        shown.add_column(Text(column), justify="right" if number else "left", no_wrap=number, overflow="fold")
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        shown.add_row(*(Text(part(cell), style=_style(column, cell)) for column, cell in cells))
    console.print(shown)
    if table.more:
        console.print(Text(f"  and {table.more} more; --verbose lists all"))


def _style(column: str, cell: str) -> str:
    return STYLES.get(cell, "red") if column == STATUS_COLUMN else ""


def _plain(section: Section) -> list[str]:
    title = [f"{section.title}:"] if section.title else []
    indent = "  " if section.title else ""
    if isinstance(section, Lines):
        return title + [indent + _joined(line) for line in section.lines]
    more = [f"  and {section.more} more; --verbose lists all"] if section.more else []
    return title + [indent + line for line in _aligned(section)] + more


def _aligned(table: Table) -> list[str]:
    rows = [table.columns, *(tuple(part(cell) for cell in row) for row in table.rows)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(table.columns))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if place >= table.numbers_from else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _joined(line: Line) -> str:
    return "".join(part(piece) for piece in line)


def part(text: str) -> str:
    """A part of a line as it is shown: what is quoted on one line, escaped and bounded."""
    if not isinstance(text, Quoted):
        return text
    shown = visible(" ".join(text.split()) if isinstance(text, Prose) else text)
    return shown if len(shown) <= MAX_QUOTED_CHARS else shown[: MAX_QUOTED_CHARS - 3] + "..."
