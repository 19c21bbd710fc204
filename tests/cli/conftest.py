from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Protocol

import pytest

from fanfold.cli.main import main
from fanfold.fix.findings.finding import Finding
from fanfold.fix.reporting.report import (
    CheckerLine,
    FileCount,
    LeftOut,
    QueueLine,
    Report,
    RuleCount,
    TaskLine,
    TestsLine,
)


class Typed(Protocol):
    """`fanfold` as it is typed in a folder, within this process; what it wrote, and its exit code."""

    def __call__(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    def type_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        with monkeypatch.context() as here:
            here.chdir(folder)
            code = main(arguments)
        written = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, written.out, written.err)

    return type_in


@pytest.fixture
def report() -> Report:
    """A run with something of everything: two files fixed, one in part, one refused, one checker broken."""
    return Report(
        run_id="20260101-000000-ab12",
        version="0.1.0",
        repository="shop",
        base="b" * 40,
        branch="fanfold/20260101-000000-ab12",
        tip="c" * 40,
        agent="autofix",
        wall_s=10.0,
        tests=TestsLine(
            mode="batch",
            status="passed",
            command="pytest -q",
            base_failures=2,
            taken_out=("d.py",),
            flaky=("tests.test_net::test_get",),
            runs=3,
            partial_runs=2,
            serial_runs=5,
            elapsed_s=90.0,
        ),
        queue=QueueLine(offered=4, batches=1, largest=2, sent_back=1, hook="/home/ada/hooks/pre-commit", hook_runs=2),
        checkers=(
            CheckerLine("ruff", "0.17.6", 12, 3),
            CheckerLine("mypy", "2.4.1", 0, None, "config file is broken\nsecond line"),
        ),
        tasks=(
            TaskLine(
                path="a.py",
                status="fixed",
                findings=6,
                fixed=6,
                attempts=1,
                elapsed_s=12.0,
                agent_s=9.0,
                sent_back=True,
                commit="c" * 40,
                diff="diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +0,0 @@\n-import os\n",
            ),
            TaskLine(
                path="b.py",
                status="partial",
                findings=4,
                fixed=3,
                left=1,
                attempts=3,
                elapsed_s=14.0,
                agent_s=11.0,
                commit="d" * 40,
                refused=("SIM115: adds a finding",),
            ),
            TaskLine(
                path="d.py",
                status="taken out",
                findings=2,
                left=2,
                attempts=1,
                elapsed_s=4.0,
                agent_s=1.0,
                reasons=("test_d.py::test_it no longer passes",),
            ),
        ),
        rules=(RuleCount("ruff", "F401", 10, 1), RuleCount("ruff", "E501", 2, 2)),
        files=(FileCount("a.py", 6, 0), FileCount("b.py", 4, 1), FileCount("d.py", 2, 2)),
        remaining=(
            Finding("b.py", 3, 5, "ruff", "F401", "unused", fingerprint="f1", end_line=3, end_column=7),
            Finding("d.py", 0, 0, "ruff", "E501", "too long", severity="warning", fingerprint="f2"),
            Finding("d.py", 9, 1, "ruff", "E501", "too long", severity="note", end_line=11, end_column=2),
        ),
        left_out=(LeftOut("x.py", "more than --max-files", 4), LeftOut("y.py", "more than --max-files", 1)),
        uncommitted=(Finding("z.py", 1, 1, "ruff", "F401", "unused too"),),
        notes=("a test is flaky",),
    )
