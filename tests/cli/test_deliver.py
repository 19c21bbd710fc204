from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from fanfold.cli import deliver as module
from fanfold.cli.deliver import OutputError, deliver
from fanfold.fix.reporting.report import Report, StageLine

HEADLINE = "Fixed 1 of 3 files and 1 in part: 12 findings → 3"


def on_terminal(report: Report, monkeypatch: pytest.MonkeyPatch, *, height: int, diffs: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", width=100, height=height, highlight=False)
    monkeypatch.setattr(module, "_console", lambda: console)
    deliver(report, output_format="text", output_file=None, diffs=diffs, quiet=False, verbose=False)
    return out.getvalue()


def test_report_longer_than_the_screen_ends_as_it_began(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_terminal(report, monkeypatch, height=10).count(HEADLINE) == 2
    assert on_terminal(report, monkeypatch, height=1000).count(HEADLINE) == 1


def test_diff_on_a_terminal_is_coloured_and_escaped(
    report: Report, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = replace(report.tasks[0], diff="--- a/a\n+++ b/a\n@@ -1 +1 @@\n-\tx\n+[red]\x1b[2J\n")
    told = on_terminal(replace(report, tasks=(task,)), monkeypatch, height=100, diffs=True)
    assert "\x1b[32m+[red]\\x1b[2J\x1b[0m" in told
    assert "\x1b[31m-    x\x1b[0m" in told
    assert "\x1b[2J" not in told
    assert capsys.readouterr().err.startswith("Fixed 1 of 1 file: 12 findings → 3\n")


def test_diff_in_a_pipe_keeps_every_byte(report: Report, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    task = replace(report.tasks[0], diff=b"-caf\xe9\r\n+\x1b\n".decode("utf-8", "surrogateescape"))
    deliver(
        replace(report, tasks=(task,)), output_format="text", output_file=None, diffs=True, quiet=False, verbose=False
    )
    assert capfdbinary.readouterr().out == b"-caf\xe9\r\n+\x1b\n"


def test_report_that_a_file_does_not_take_goes_to_stdout(
    report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OutputError) as caught:
        deliver(
            report, output_format="text", output_file=tmp_path / "gone" / "out", diffs=False, quiet=False, verbose=False
        )
    assert caught.value.hint == "it went to standard output instead"
    assert capsys.readouterr().out.startswith(HEADLINE)


def test_report_keeps_its_line_ends_in_a_file(report: Report, tmp_path: Path) -> None:
    deliver(report, output_format="sarif", output_file=tmp_path / "out", diffs=False, quiet=True, verbose=False)
    assert (tmp_path / "out").read_bytes().endswith(b"}\n")


@pytest.mark.parametrize("to_file", [True, False])
def test_quiet_keeps_nothing_back_that_has_to_be_known(
    report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str], to_file: bool
) -> None:
    file = tmp_path / "out" if to_file else None
    silent = StageLine(stage=1, agent="strong", files=3, attempts=4, unanswered=4, error="connection refused")
    told = replace(report, stages=(silent,), not_applied="the checkout is dirty")
    deliver(told, output_format="json", output_file=file, diffs=False, quiet=True, verbose=False)
    assert capsys.readouterr().err.splitlines() == [
        "Not applied: the checkout is dirty",
        "Not checked by mypy",
        "No answer by strong for 3 files: connection refused",
    ]


def test_quiet_says_nothing_where_nothing_has_to_be_known(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    deliver(
        replace(report, checkers=report.checkers[:1]),
        output_format="json",
        output_file=None,
        diffs=False,
        quiet=True,
        verbose=False,
    )
    assert capsys.readouterr().err == ""
