from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents.protocol import BudgetExhausted
from fanfold.cli.progress import MAX_RUNNING_SHOWN, Progress, Tally, live_lines
from fanfold.engine import BranchCancelled, BranchFinished, BranchQueued, BranchStarted, Done, Failed
from fanfold.errors import FanfoldError
from fanfold.fix.attempts.attempt import Attempted
from fanfold.fix.attempts.verify import Judgement
from fanfold.fix.events import Phase
from fanfold.fix.findings.split import Task
from fanfold.git import Change

CHANGE = Change(base="b" * 40, tree="t" * 40, paths=())


def attempted(path: str, *, change: Change | None = CHANGE, **verdict: Any) -> Attempted:
    return Attempted(Task(path, path, (), is_test=False), change, Judgement(**verdict), attempts=1, agent_s=1.0)


def finished(path: str, value: Attempted | Exception) -> BranchFinished:
    if isinstance(value, Exception):
        return BranchFinished(path, (path,), Failed(path, value, 0.0, 2.0), 2.0)
    return BranchFinished(path, (path,), Done(path, value, 0.0, 2.0), 2.0)


def tell(progress: Progress) -> None:
    progress(Phase("checking", "ruff"))
    for path in ("a.py", "b.py", "c\n::error::x.py", "d.py"):
        progress(BranchQueued(path, (path,)))
    progress(BranchStarted("a.py", ("a.py",), 0.0))
    progress(finished("a.py", attempted("a.py", ok=True, fixed=3, left=1)))
    progress(finished("b.py", attempted("b.py", change=None, ok=False, reasons=("adds\na finding",))))
    progress(finished("c\n::error::x.py", FanfoldError("it\ncrashed")))
    progress(finished("d.py", BranchCancelled("stopped")))
    progress("an event that nobody knows")


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    told = capsys.readouterr()
    assert told.out == ""
    return [re.sub(r"^ *[\d.]+ s  ", "", line) for line in told.err.splitlines()]


def test_line_of_a_file_says_why_nothing_came_of_it_as_the_report_does(capsys: pytest.CaptureFixture[str]) -> None:
    idle = attempted("a.py", change=None, ok=False)
    with Progress() as progress:
        progress(finished("a.py", replace(idle, why_left=("cheap gave no\nanswer", "strong neither"))))
        progress(finished("b.py", idle))
        progress(finished("c.py", BudgetExhausted("too little is left")))
    assert [line.partition("] ")[2] for line in lines(capsys)] == [
        "a.py: unchanged after 2.0 s: cheap gave no answer; strong neither",
        "b.py: unchanged after 2.0 s",
        "c.py: cancelled after 2.0 s: too little is left",
    ]


def test_pipe_gets_a_line_for_each_phase_and_each_file(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        tell(progress)
    assert lines(capsys) == [
        "checking ruff",
        "[1/4] a.py: fixed 3, 1 left in 2.0 s",
        "[2/4] b.py: refused after 2.0 s: adds a finding",
        "[3/4] c\\n::error::x.py: failed after 2.0 s: it crashed",
        "[4/4] d.py: cancelled",
    ]


def test_files_that_are_yet_to_be_queued_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress(Phase("fixing", "44 files, 1 at once", files=44))
        progress(BranchQueued("a.py", ("a.py",)))
        progress(finished("a.py", attempted("a.py", ok=True, fixed=3)))
        progress(Phase("fixing", "1 file once more", files=1))
        progress(finished("a.py", attempted("a.py", ok=True, fixed=3)))
    assert [line for line in lines(capsys) if "a.py" in line] == [
        "[1/44] a.py: fixed 3 in 2.0 s",
        "[2/45] a.py: fixed 3 in 2.0 s",
    ]


def test_verbose_tells_what_was_started(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(verbose=True) as progress:
        tell(progress)
    assert "started a.py" in lines(capsys)


def test_quiet_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet=True) as progress:
        tell(progress)
        progress.stopping()
    assert lines(capsys) == []


def test_stop_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.stopping()
    assert lines(capsys) == ["stopping; what has landed stays (once more to end at once)"]


def test_stderr_that_nobody_reads_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w", buffering=1)
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress() as progress:
        tell(progress)
    monkeypatch.undo()
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_live_lines_show_the_longest_running_files_first() -> None:
    tally = Tally(phase="fixing", total=20, done=3, failed=1, started_s=100.0)
    tally.running = {f"f{number}.py": 100.0 + number for number in range(MAX_RUNNING_SHOWN + 2)}
    head, first, *_, last = live_lines(tally, 112.0)
    assert head == "  12.0 s  fixing | 3 of 20 files done | 1 failed | 10 running"
    assert first == "  12.0 s    f0.py"
    assert last.strip() == "and 2 more"


def test_live_lines_before_there_are_files_are_the_phase_alone() -> None:
    assert live_lines(Tally(phase="checking ruff", started_s=0.0), 1.0) == ["   1.0 s  checking ruff"]


def test_terminal_gets_its_cursor_back(tmp_path: Path) -> None:
    import pty
    import subprocess

    script = (
        "import sys; from fanfold.cli.progress import Progress; from fanfold.fix.events import Phase\n"
        "with Progress() as progress:\n"
        "    progress(Phase('checking', 'ruff'))\n"
        "    sys.stdout.write('data')\n"
    )
    parent, child = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=child,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "TERM": "xterm"},
    )
    told = os.read(parent, 65536)
    os.close(child)
    os.close(parent)
    assert done.stdout == b"data"
    assert b"\x1b[?25l" in told
    assert told.rindex(b"\x1b[?25h") > told.rindex(b"\x1b[?25l")
    assert b"checking ruff" in told
