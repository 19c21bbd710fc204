from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fanfold.process.tree import kill_marked, marked

MINE = secrets.token_hex(12)
"""A marker that no other run of these tests holds, though it be on the same machine at the same time."""


@contextmanager
def sleeping(**env: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"], env={"PATH": os.defpath, **env}) as process:
        try:
            yield process
        finally:
            process.kill()


def test_only_processes_with_the_marker_die() -> None:
    with sleeping(FANFOLD_BRANCH=f"outer:{MINE}:inner") as mine, sleeping(FANFOLD_BRANCH="other") as other:
        assert kill_marked(MINE) == 1
        assert mine.wait(timeout=60) == -signal.SIGKILL
        assert other.poll() is None


def test_process_started_before_is_not_looked_at_among_the_young_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("fanfold.process.tree._PROC", tmp_path)
    with sleeping(FANFOLD_BRANCH=MINE) as early, sleeping(FANFOLD_BRANCH=MINE) as late:
        # Whatever else the machine starts meanwhile, the newest process is this one.
        (tmp_path / "loadavg").write_text(f"0.00 0.00 0.00 1/99 {late.pid}\n")
        assert kill_marked(MINE, born_after=late.pid - 1) == 1
        assert late.wait(timeout=60) == -signal.SIGKILL
        assert early.poll() is None


def test_wrapped_process_ids_are_all_looked_at() -> None:
    with sleeping(FANFOLD_BRANCH=MINE) as mine:
        assert kill_marked(MINE, born_after=mine.pid + 100_000_000) == 1
        assert mine.wait(timeout=60) == -signal.SIGKILL


def test_a_run_inside_a_marked_one_does_not_kill_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "fanfold.process.tree._environment_of", lambda pid: MINE.encode() if pid == os.getpid() else b""
    )
    assert kill_marked(MINE) == 0


def test_system_without_proc_kills_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("fanfold.process.tree._PROC", tmp_path / "gone")
    assert kill_marked(MINE) == 0
    assert kill_marked(MINE, born_after=1) == 0


def test_marker_is_put_into_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FANFOLD_BRANCH", raising=False)
    given = {"A": "1"}
    assert marked(given, "mine") == {"A": "1", "FANFOLD_BRANCH": "mine"}
    assert given == {"A": "1"}
    assert marked({"FANFOLD_BRANCH": "outer"}, "mine") == {"FANFOLD_BRANCH": "outer:mine"}


def test_processes_in_the_midst_of_their_start_are_seen() -> None:
    for _ in range(100):
        with sleeping(FANFOLD_BRANCH=MINE) as mine:
            assert kill_marked(MINE, born_after=mine.pid - 1) == 1
            assert mine.wait(timeout=60) == -signal.SIGKILL


def test_a_look_at_all_processes_waits_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    sleep = time.sleep

    def long_enough_for_what_really_starts(seconds: float) -> None:
        slept.append(seconds)
        sleep(0.05)

    monkeypatch.setattr("fanfold.process.tree.time.sleep", long_enough_for_what_really_starts)
    assert kill_marked("no such marker") == 0
    assert len(slept) < 20


def test_process_without_an_environment_holds_up_nothing() -> None:
    with subprocess.Popen(["/bin/sleep", "600"], env={}) as bare:
        assert kill_marked(MINE, born_after=bare.pid - 1) == 0
        assert bare.poll() is None
        bare.kill()
