"""What a reader is told of changed lines that no test runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fanfold.cli.output import Prose, Quoted
from fanfold.cli.words import plural, seconds
from fanfold.fix.reporting.report import CoverageLine


def uncovered(coverage: CoverageLine | None) -> Iterator[tuple[str, ...]]:
    """A line for each file, with what it took to know; why it isn't known, where it isn't."""
    if coverage is None:
        return
    if coverage.unknown is not None:
        yield ("not known: ", Prose(coverage.unknown))
        return
    for file in coverage.lines:
        yield (Quoted(file.path), f": {'line' if len(file.lines) == 1 else 'lines'} {ranges(file.lines)}")
    none = "" if coverage.lines else "none; "
    yield (f"{none}it took one more run of the suite, {seconds(coverage.elapsed_s)} (--no-coverage: none)",)


def in_short(coverage: CoverageLine | None) -> str | None:
    """How many there are, for a summary; None where there is nothing to say."""
    missed = sum(len(file.lines) for file in coverage.lines) if coverage else 0
    return f"No test runs {missed} of {plural(coverage.changed, 'changed line')}" if coverage and missed else None


def ranges(lines: Sequence[int]) -> str:
    """Line numbers as a reader has them: 3, 7-9."""
    found: list[list[int]] = []
    for line in lines:
        if found and line == found[-1][1] + 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)
