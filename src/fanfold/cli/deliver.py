"""Write a report where the user asked for it, in the format that the user asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.cli.output import discard, emit, emit_bytes, tell, visible
from fanfold.cli.render.data import render_json
from fanfold.cli.render.github import render_github
from fanfold.cli.render.markdown import render_markdown
from fanfold.cli.render.sarif import render_sarif
from fanfold.cli.render.sections import Lines, Section
from fanfold.cli.render.story import tell_story
from fanfold.cli.render.summary import summary, warnings
from fanfold.cli.render.text import print_rich, render_plain
from fanfold.errors import FanfoldError
from fanfold.fix.reporting.report import Report

if TYPE_CHECKING:
    from rich.console import Console


class OutputError(FanfoldError):
    """The report can't be written."""


def deliver(
    report: Report, *, output_format: str, output_file: Path | None, diffs: bool, quiet: bool, verbose: bool
) -> None:
    """Write the report, and on stderr the summary where stdout doesn't hold it; if `quiet`, only what has to be known.

    With `diffs` and format "text", stdout holds the patches alone, so that `git apply` can read them.

    Raises:
        OutputError: `output_file` can't be written; the report went to stdout instead.
    """
    sections = (summary(report),) if quiet else tell_story(report, everything=verbose)
    patches = diffs and output_format == "text"
    if patches:
        _show_diffs(report)
    if output_file is not None:
        _write(output_file, render(report, output_format, sections))
    elif patches:
        _tell(sections)
        return
    elif output_format == "text":
        show(sections, closing=(summary(report),))
    else:
        emit(render(report, output_format, sections))
    if output_file is not None or output_format != "text":
        told = warnings(report) if quiet else summary(report)
        _tell((told,) if told.lines else ())


def render(report: Report, output_format: str, sections: tuple[Section, ...]) -> str:
    """The report as text of one of the formats."""
    if output_format == "json":
        return render_json(report)
    if output_format == "sarif":
        return render_sarif(report)
    if output_format == "github":
        return render_github(report)
    return render_markdown(sections) if output_format == "markdown" else render_plain(sections)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        emit(text)
        raise OutputError(
            f"The report can't be written to {file}: {error.strerror}", hint="it went to standard output instead"
        ) from None


def show(sections: tuple[Section, ...], *, closing: tuple[Section, ...] = ()) -> None:
    """Print sections on stdout: tables on a terminal, plain lines elsewhere.

    Args:
        closing: printed once more at the end where the sections are longer than the terminal's screen.
    """
    console = _console()
    if console is None:
        emit(render_plain(sections))
        return
    try:
        print_rich(sections + (closing if length(sections) > console.height else ()), console)
    except BrokenPipeError:
        discard(sys.stdout)


def length(sections: tuple[Section, ...]) -> int:
    """About how many lines sections take."""
    return sum(2 + len(section.lines if isinstance(section, Lines) else section.rows) for section in sections)


def _tell(sections: tuple[Section, ...]) -> None:
    if sections:
        tell(render_plain(sections).rstrip("\n"))


def _show_diffs(report: Report) -> None:
    diffs = [task.diff for task in report.tasks if task.diff]
    console = _console()
    if console is None:
        emit_bytes("".join(diffs).encode("utf-8", "surrogateescape"))
        return
    from rich.text import Text  # noqa: PLC0415  only terminals need it

    for line in "".join(diffs).removesuffix("\n").split("\n"):
        shown = "    ".join(visible(piece) for piece in line.split("\t"))
        console.print(Text(shown, style=_diff_style(line)), soft_wrap=True)


def _diff_style(line: str) -> str:
    if line.startswith(("diff ", "---", "+++", "index ")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")


def _console() -> Console | None:
    """A console where stdout is a terminal; None where plain text is to be written."""
    if not sys.stdout.isatty():
        return None
    from rich.console import Console  # noqa: PLC0415  only terminals need it

    return Console(highlight=False, markup=False, emoji=False)
