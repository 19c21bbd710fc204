"""A run whose branches are on worker processes is killed and resumed: what came back before isn't paid for again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fanfold.cli.main import main
from fanfold.cli.render.data import report_data
from fanfold.cli.resume import run_to_resume
from fanfold.config import load_settings
from fanfold.fix import run
from fanfold.fix.runs import home_of, pasts
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


async def test_outcomes_of_workers_outlive_the_coordinator(
    user: TemporaryRepository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paid, hold = tmp_path / "paid", tmp_path / "paid.hold"
    hold.touch()
    agent = f"{sys.executable} -S -E {tmp_path / 'agent.py'} {{file}} {paid}"
    quick = ("--check", "ruff", "--tests", "none", "--sandbox", "none", "--jobs", "3", "--workers", "1")
    places = ("--agent-command", agent, "--workspaces", str(tmp_path / "home"))
    running = subprocess.Popen(
        [sys.executable, "-m", "fanfold", "fix", *quick, *places],
        cwd=user.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not await _all_but_one_came_back(user, tmp_path / "state"):
        assert running.poll() is None, running.communicate()
        await asyncio.sleep(0.05)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    hold.unlink()
    before = paid.read_text().split()
    assert sorted(set(before)) == ["a.py", "b.py", "c.py"]
    user.git("gc", "-q", "--prune=now")
    request, past = await run_to_resume(user.root, {}, (), {})
    report = report_data(await run(request, past=past))
    assert report["runtime"] == "cluster"
    assert [(task["path"], task["status"]) for task in report["tasks"]] == [
        ("a.py", "fixed"),
        ("b.py", "fixed"),
        ("c.py", "fixed"),
    ]
    assert paid.read_text().split()[len(before) :] == ["c.py"]
    assert [(stage["attempts"], stage["cut_off"]) for stage in report["stages"]] == [(4, 1)]
    with contextlib.chdir(user.root):
        assert await asyncio.to_thread(main, ["show", report["run_id"], "a.py", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(trail["ok"], trail["transcript"]) for trail in shown["attempts"]] == [(True, "done with it\n")]
    assert "-import os" in shown["attempts"][0]["diff"]
    assert user.git("for-each-ref", "refs/fanfold") == ""


async def _all_but_one_came_back(user: TemporaryRepository, state: Path) -> bool:
    home = home_of(load_settings(user.root, {"state": state}), await Repository.open(user.root))
    return [(len(past.plan.tasks), past.summary.places) for past in await pasts(home)] == [(3, 2)]
