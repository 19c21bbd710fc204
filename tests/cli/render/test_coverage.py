"""Changed lines that no test runs, as a reader is told of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fanfold.cli.render.coverage import in_short, ranges, uncovered
from fanfold.cli.render.sections import Lines as Section
from fanfold.cli.render.story import tell_story
from fanfold.fix.reporting.report import CoverageLine, Lines, Report


@pytest.mark.parametrize(("lines", "words"), [((), ""), ((3,), "3"), ((3, 4), "3-4"), ((1, 3, 4, 5, 9), "1, 3-5, 9")])
def test_line_numbers_are_put_together(lines: tuple[int, ...], words: str) -> None:
    assert ranges(lines) == words


def test_files_are_listed_with_what_it_took() -> None:
    told = ["".join(line) for line in uncovered(CoverageLine(lines=(Lines("a.py", (2, 3)),), changed=5, elapsed_s=2.0))]
    assert told == ["a.py: lines 2-3", "it took one more run of the suite, 2.0 s (--no-coverage: none)"]
    assert in_short(CoverageLine(lines=(Lines("a.py", (2, 3)),), changed=5)) == "No test runs 2 of 5 changed lines"


def test_what_is_not_known_is_never_told_as_none() -> None:
    assert ["".join(line) for line in uncovered(CoverageLine(unknown="no coverage"))] == ["not known: no coverage"]
    assert "none; " in "".join(next(uncovered(CoverageLine(changed=3))))
    assert list(uncovered(None)) == []
    assert in_short(CoverageLine(unknown="no coverage")) is None


def test_story_has_a_section_only_where_somebody_looked(report: Report) -> None:
    titles = [section.title for section in tell_story(report)]
    assert "Changed lines that no test runs" not in titles
    told = tell_story(replace(report, coverage=CoverageLine(lines=(Lines("a.py", (2,)),), changed=1)))
    (section,) = [one for one in told if one.title == "Changed lines that no test runs"]
    assert isinstance(section, Section)
    assert "".join(section.lines[0]) == "a.py: line 2"
    assert ("No test runs 1 of 1 changed line",) in told[0].lines  # type: ignore[union-attr]
