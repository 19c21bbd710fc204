"""`fanfold replay` and the options of budgets as a user types them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fanfold.cli.main import main
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

BROKEN = "import os\nimport sys\n\nprint(sys.argv)\n"
AGENT = """\
import pathlib, sys
with open(sys.argv[2], "a") as log:
    log.write(sys.argv[1] + "\\n")
path = pathlib.Path(sys.argv[1])
path.write_text(path.read_text().replace("import os\\n", ""))
"""
QUICK = ("--runtime", "native", "--check", "ruff", "--sandbox", "none", "--tests", "none", "--quiet")


@dataclass
class Here:
    """A repository that the test stands in, and the command line in this process."""

    user: TemporaryRepository
    capsys: pytest.CaptureFixture[str]

    @property
    def paid(self) -> list[str]:
        return (self.user.root.parent / "paid").read_text().split()

    def __call__(self, *args: str, code: int = 0) -> str:
        """What `fanfold` writes to stdout; what it says on stderr where it refuses."""
        self.capsys.readouterr()
        found = main(list(args))
        told = self.capsys.readouterr()
        assert found == code, told.err
        return told.err if code == 2 else told.out

    def fix(self, *more: str, code: int = 0) -> dict[str, Any]:
        base = self.user.root.parent
        (base / "agent.py").write_text(AGENT)
        command = f"{sys.executable} -S -E {base / 'agent.py'} {{file}} {base / 'paid'}"
        told = self("fix", *QUICK, "--output-format", "json", "--agent-command", command, *more, code=code)
        report: dict[str, Any] = json.loads(told)
        return report


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    files = {"pyproject.toml": "[tool.ruff]\n", "a.py": BROKEN, "b.py": BROKEN}
    user = make_repository(tmp_path / "user", files)
    monkeypatch.chdir(user.root)
    monkeypatch.setenv("FANFOLD_FIX_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FANFOLD_FIX_WORKSPACES", str(tmp_path / "home"))
    return Here(user, capsys)


def test_replay_starts_no_program_and_says_that_nothing_differs(here: Here) -> None:
    run = here.fix()
    paid, before = here.paid, fingerprint(here.user.root)
    told = here("replay", run["run_id"], "--quiet")
    assert "Fixed 2 of 2 files: 2 findings → 0" in told
    assert f"Compared with the run {run['run_id']}:\n" in told
    assert "the same came of every file" in told
    assert here.paid == paid
    assert fingerprint(here.user.root) == before
    assert len(here.user.git("for-each-ref", "refs/heads/fanfold").splitlines()) == 2


def test_replay_as_json_has_the_report_and_what_differs(here: Here) -> None:
    run = here.fix()
    for file in (here.user.root.parent / "state").rglob("attempt-1.json"):
        told = json.loads(file.read_text())
        if told["path"] == "b.py":
            file.write_text(json.dumps({**told, "made": {"b.py": f"100644 {'1' * 40}"}, "altered": "it was cut"}))
    replayed = json.loads(here("replay", run["run_id"][:15], "--json", "--quiet", code=1))
    assert replayed["replay_of"] == run["run_id"]
    assert replayed["run_id"] != run["run_id"]
    ((difference),) = replayed["differences"]
    assert (difference["path"], difference["before"]["status"], difference["now"]["status"]) == (
        "b.py",
        "fixed",
        "failed",
    )
    ((unplayable),) = replayed["unplayable"]
    assert (unplayable["path"], "it was cut" in unplayable["reason"]) == ("b.py", True)
    assert [task["status"] for task in replayed["tasks"]] == ["fixed", "failed"]


def test_run_that_is_not_there_is_refused(here: Here) -> None:
    assert "there is no run x here" in here("replay", "x", code=2)


def test_limit_that_cannot_be_kept_is_refused_before_anything_runs(here: Here) -> None:
    told = here("fix", *QUICK, "--agent-command", "true {file}", "--max-cost", "1", code=2)
    assert "agent command doesn't say what it takes" in told
    assert "max_cost_usd in the agent's table" in told
    assert "max_tokens" in here("fix", *QUICK, "--max-tokens", "0", code=2)


def test_what_was_taken_of_the_limits_is_in_the_report(here: Here) -> None:
    report = here.fix("--max-minutes", "60", "--max-minutes-per-task", "5")
    assert (report["budget"]["max_minutes"], report["budget"]["task_max_minutes"]) == (60, 5)
    assert report["budget"]["exhausted"] is None
    told = here("show", report["run_id"])
    assert "of 60" in told
    assert "for each file: 5 minutes" in told
