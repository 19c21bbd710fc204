"""A run whose branches are on worker processes is killed and resumed: what came back before isn't paid for again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fanfold.config import load_settings
from fanfold.fix.runs import Past, home_of, pasts
from fanfold.git import Repository
from fanfold.testing.repositories import TemporaryRepository, make_repository

pytest.importorskip("distributed")

BROKEN = "import os\nimport sys\n\nprint(sys.argv)\n"
AGENT = """\
import os, pathlib, sys, time
log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(log, (sys.argv[1] + "\\n").encode())
hold = pathlib.Path(sys.argv[2] + ".hold")
while hold.exists() and sys.argv[1] == "c.py":
    time.sleep(0.01)
path = pathlib.Path(sys.argv[1])
path.write_text(path.read_text().replace("import os\\n", ""))
print("done with it")
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TemporaryRepository:
    monkeypatch.setenv("FANFOLD_FIX_STATE", str(tmp_path / "state"))
    files = {"pyproject.toml": "[tool.ruff]\n", "a.py": BROKEN, "b.py": BROKEN, "c.py": BROKEN}
    (tmp_path / "agent.py").write_text(AGENT)
    return make_repository(tmp_path / "user", files)


def fanfold(user: TemporaryRepository, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fanfold", *args],
        cwd=user.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    told, error = process.communicate()
    assert process.returncode == 0, error
    return told


def test_outcomes_of_workers_outlive_the_coordinator(user: TemporaryRepository, tmp_path: Path) -> None:
    paid, hold = tmp_path / "paid", tmp_path / "paid.hold"
    hold.touch()
    agent = f"{sys.executable} -S -E {tmp_path / 'agent.py'} {{file}} {paid}"
    quick = ("--check", "ruff", "--tests", "none", "--sandbox", "none", "--jobs", "3")
    running = fanfold(
        user, "fix", *quick, "--workers", "2", "--agent-command", agent, "--workspaces", str(tmp_path / "home")
    )
    while not _all_but_one_came_back(user, tmp_path / "state"):
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    hold.unlink()
    before = paid.read_text().split()
    assert sorted(set(before)) == ["a.py", "b.py", "c.py"]
    user.git("gc", "-q", "--prune=now")
    report = json.loads(said(fanfold(user, "fix", "--resume", "--output-format", "json")))
    assert report["runtime"] == "cluster"
    assert [(task["path"], task["status"]) for task in report["tasks"]] == [
        ("a.py", "fixed"),
        ("b.py", "fixed"),
        ("c.py", "fixed"),
    ]
    assert paid.read_text().split()[len(before) :] == ["c.py"]
    assert [(stage["attempts"], stage["cut_off"]) for stage in report["stages"]] == [(4, 1)]
    shown = json.loads(said(fanfold(user, "show", report["run_id"], "a.py", "--json")))
    assert [(trail["ok"], trail["transcript"]) for trail in shown["attempts"]] == [(True, "done with it\n")]
    assert "-import os" in shown["attempts"][0]["diff"]
    assert user.git("for-each-ref", "refs/fanfold") == ""


def _all_but_one_came_back(user: TemporaryRepository, state: Path) -> bool:
    async def recorded() -> list[Past]:
        return await pasts(home_of(load_settings(user.root, {"state": state}), await Repository.open(user.root)))

    return [(len(past.plan.tasks), past.summary.places) for past in asyncio.run(recorded())] == [(3, 2)]
