from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanfold.cli.render.github import render_github
from fanfold.fix.findings.finding import Finding
from fanfold.fix.reporting.report import Report

COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")


def read(report: Report) -> list[tuple[str, dict[str, str], str]]:
    """The commands as the runner reads them: one a line, properties first, escapes undone."""

    def undo(text: str) -> str:
        for escape, letter in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            text = text.replace(escape, letter)
        return text

    commands = []
    for line in render_github(report).removesuffix("\n").split("\n"):
        match = COMMAND.fullmatch(line)
        assert match is not None, line
        properties = dict(pair.split("=", 1) for pair in match[2].split(","))
        commands.append((match[1], {key: undo(value) for key, value in properties.items()}, undo(match[3])))
    return commands


def test_every_remaining_finding_is_an_annotation_at_its_place(report: Report) -> None:
    first, second, third, *_ = read(report)
    assert first == (
        "error",
        {"title": "ruff F401", "file": "b.py", "line": "3", "endLine": "3", "col": "5", "endColumn": "7"},
        "unused",
    )
    assert second == ("warning", {"title": "ruff E501", "file": "d.py"}, "too long")
    assert third == ("notice", {"title": "ruff E501", "file": "d.py", "line": "9", "endLine": "11"}, "too long")


def test_what_could_not_be_checked_is_an_error(report: Report) -> None:
    assert ("error", {"title": "Could not check"}, "mypy: config file is broken\nsecond line") in read(report)


def test_summary_comes_last(report: Report) -> None:
    kind, properties, message = read(report)[-1]
    assert (kind, properties) == ("notice", {"title": "Fanfold"})
    assert "git merge fanfold/20260101-000000-ab12" in message


def test_new_finding_is_an_error_once(report: Report) -> None:
    new = Finding("n.py", 1, 1, "ruff", "E501", "too long", severity="note")
    told = [one for one in read(replace(report, new_findings=(new,), remaining=(new,))) if one[1].get("file") == "n.py"]
    assert [(kind, message) for kind, _, message in told] == [("error", "new finding: too long")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=()), min_size=1))
def test_no_text_makes_a_command_or_a_property_of_its_own(report: Report, text: str) -> None:
    finding = Finding(text, 1, 1, "ruff", text, text)
    bare = replace(report, remaining=(finding,), checkers=report.checkers[:1])
    commands = read(bare)
    assert len(commands) == 2
    assert set(commands[0][1]) == {"title", "file", "line", "endLine", "col", "endColumn"}


def test_escapes_are_undone_to_the_same_text(report: Report) -> None:
    text = "100% of a:b,c\nnext ::error::x"
    finding = Finding("a,b:c%0A.py", 1, 1, "ruff", "F401", text)
    _, properties, message = read(replace(report, remaining=(finding,)))[0]
    assert (properties["file"], message) == ("a,b:c%0A.py", text)
