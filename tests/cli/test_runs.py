"""`fanfold runs`, `show`, `undo`, `clean` and `fix --resume` as a user types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fanfold.cli.main import main
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

BROKEN = "import os\nimport sys\n\nprint(sys.argv)\n"
FIXED = "import sys\n\nprint(sys.argv)\n"
AGENT = """\
import os, pathlib, sys, time
log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(log, (sys.argv[1] + "\\n").encode())
hold = pathlib.Path(sys.argv[2] + ".hold")
while hold.exists() and hold.read_text() == sys.argv[1]:
    time.sleep(0.01)
path = pathlib.Path(sys.argv[1])
path.write_text(path.read_text().replace("import os\\n", ""))
print("removed what isn't used; token=ghp_" + "a1" * 18)
"""
QUICK = ("--runtime", "native", "--check", "ruff", "--sandbox", "none", "--tests", "none")


@dataclass
class Here:
    """A repository that the test stands in, and the command line in this process."""

    user: TemporaryRepository
    capsys: pytest.CaptureFixture[str]

    @property
    def base(self) -> Path:
        return self.user.root.parent

    @property
    def paid(self) -> list[str]:
        log = self.base / "paid"
        return log.read_text().split() if log.exists() else []

    def agent(self) -> tuple[str, ...]:
        (self.base / "agent.py").write_text(AGENT)
        return ("--agent-command", f"{sys.executable} -S -E {self.base / 'agent.py'} {{file}} {self.base / 'paid'}")

    def __call__(self, *args: str, code: int = 0) -> str:
        """What `fanfold` writes to stdout; what it says on stderr where it refuses."""
        self.capsys.readouterr()
        found = main([*args, *(("--workspaces", str(self.base / "home")) if args[0] in ("fix", "clean") else ())])
        told = self.capsys.readouterr()
        assert found == code, told.err
        return told.err if code == 2 else told.out

    def fix(self, *more: str, code: int = 0) -> str:
        """Run, and say the name of the run."""
        report = json.loads(self("fix", *QUICK, "--quiet", "--output-format", "json", *more, code=code))
        return str(report["run_id"])

    def run(self, which: int = -1) -> dict[str, Any]:
        """What the list says of a run."""
        found: dict[str, Any] = json.loads(self("runs", "--json"))["runs"][which]
        return found

    def branches(self) -> list[str]:
        return self.user.git("for-each-ref", "--format=%(refname:short)", "refs/heads/fanfold", "refs/fanfold").split()

    def interrupted(self, *more: str, held: str, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """A run that ended by a signal when the agent was at one file and all others had landed; what it wrote."""
        (self.base / "paid.hold").write_text(held)
        process = self.started(*more)
        self.wait_until(lambda run: run["waiting"] == 1 and run["landed"] == run["files"] - 1)
        process.send_signal(number)
        told, _ = process.communicate()
        (self.base / "paid.hold").unlink()
        return process.returncode, told

    def started(self, *more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "fanfold", "fix", *QUICK, "--workspaces", str(self.base / "home")]
        return subprocess.Popen(
            [*command, *self.agent(), *more],
            cwd=self.user.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the list says so of the last run; it is asked once the agent is at the file that it holds."""
        held = (self.base / "paid.hold").read_text()
        for _ in range(600):
            if held in self.paid and holds(self.run()):
                return
            time.sleep(0.1)
        raise AssertionError("it took too long")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    files = {"pyproject.toml": "[tool.ruff]\n", "a.py": BROKEN, "b.py": BROKEN, "pkg/c.py": BROKEN, "ok.py": "x = 1\n"}
    user = make_repository(tmp_path / "user", files)
    monkeypatch.chdir(user.root)
    monkeypatch.setenv("FANFOLD_FIX_STATE", str(tmp_path / "state"))
    return Here(user, capsys)


def test_nothing_is_remembered_at_first(here: Here) -> None:
    assert here("runs") == "No run is remembered here\n"
    assert json.loads(here("runs", "--json")) == {"schema_version": 1, "runs": []}
    assert "no run is remembered" in here("show", code=2)
    assert "there is no run x here" in here("undo", "x", code=2)
    assert "no run to resume" in here("fix", "--resume", code=2)
    assert "there is no run yesterday here" in here("fix", "--resume", "yesterday", code=2)
    assert "no run to resume" in here("fix", "--resume", "a.py", code=2)


def test_runs_are_listed_with_what_came_of_them(here: Here) -> None:
    first, second = here.fix("a.py"), here.fix("b.py", "pkg")
    told = here("runs")
    assert told.splitlines()[1].split() == ["run", "when", "state", "branch", "files", "landed", "waiting"]
    lines = [json.loads(here("runs", "--json"))["runs"][n] for n in range(2)]
    assert [(one["run"], one["state"], one["files"], one["landed"], one["waiting"]) for one in lines] == [
        (first, "settled", 1, 1, 0),
        (second, "settled", 2, 2, 0),
    ]
    assert [one["branch"] for one in lines] == [f"fanfold/{first}", f"fanfold/{second}"]
    assert sorted(f"fanfold/{run}" for run in (first, second)) == here.branches()
    assert all(one["run"] in told for one in lines)


def test_what_works_on_nothing_leaves_no_record(here: Here) -> None:
    here.fix("ok.py")
    here("fix", *QUICK, "--dry-run", code=1)
    assert json.loads(here("runs", "--json"))["runs"] == []
    assert here.branches() == []
    assert not list((here.base / "state").rglob("journal*"))


def test_a_run_is_shown_as_its_own_report_told_it(here: Here) -> None:
    run = here.fix()
    told = here("show", run)
    assert told.startswith(f"Run {run}: settled\n")
    assert "Fixed 3 of 3 files: 3 findings → 0" in told
    assert told == here("show") == here("show", run[:15])
    data = json.loads(here("show", run, "--json"))
    assert (data["run"], data["report"]["run_id"], data["report"]["findings_after"]) == (run, run, 0)
    assert [task["attempts"] for task in data["tasks"]] == [1, 1, 1]


def test_what_a_stopped_attempt_took_is_told_as_unknown(here: Here) -> None:
    run = here.fix()
    [file] = [path for path in (here.base / "state").rglob("attempt-1.json") if '"a.py"' in path.read_text()]
    usage = {"requests": 1, "input_tokens": 10, "output_tokens": 2, "cost_usd": 0.5}
    trail = {**json.loads(file.read_text()), "usage": usage}
    file.write_text(json.dumps(trail))
    lost = {"id": "lost", "usage": None, "stopped": True, "error": "the worker that it ran on was lost"}
    file.with_name("attempt-2.json").write_text(json.dumps({**trail, **lost}))
    told = here("show", run, "a.py")
    assert "  took nobody knows what\n" in told
    assert "All attempts together: 1 request, 10 tokens in and 2 out, at no known cost\n" in told


def test_a_file_is_shown_with_all_that_was_said_and_without_secrets(here: Here) -> None:
    run = here.fix(*here.agent())
    told = here("show", run, "pkg/c.py")
    for part in (
        f"pkg/c.py in run {run}\n",
        "1:8 ruff F401 `os` imported but unused\n",
        "Attempt 1 of 1, ",
        "verified: fixed 1\n",
        "  Prompt:\n",
        "  Transcript:\n    removed what isn't used; token=***",
        "  Diff:\n    diff --git a/pkg/c.py b/pkg/c.py\n",
        "    -import os\n",
        "Result: fixed as ",
    ):
        assert part in told, told
    assert here("show", run, "c.py") == told
    data = json.loads(here("show", run, "pkg/c.py", "--json"))
    assert [trail["ok"] for trail in data["attempts"]] == [True]
    assert data["result"]["status"] == "fixed"
    assert [note["step"] for note in data["landing"]] == ["intend"]
    [file] = [path for path in (here.base / "state").rglob("attempt-1.json") if "pkg/c.py" in path.read_text()]
    file.write_text(json.dumps({**json.loads(file.read_text()), "session": "0f-7", "repeated": True}))
    told = here("show", run, "pkg/c.py")
    assert "the agent calls it 0f-7\n" in told
    assert "the same change had been made before: what was said of it then stands\n" in told
    kept = b"".join(path.read_bytes() for path in (here.base / "state").rglob("*") if path.is_file())
    assert b"ghp_a1" not in kept
    assert "didn't work on ok.py" in here("show", run, "ok.py", code=2)


def test_ctrl_c_says_how_to_go_on_and_that_pays_nobody_twice(here: Here) -> None:
    before = fingerprint(here.user.root)
    code, told = here.interrupted(held="b.py")
    assert code == 130
    run = here.run()
    assert f"Go on with: fanfold fix --resume {run['run']}\n" in told
    assert (run["state"], run["files"], run["waiting"]) == ("interrupted", 3, 1)
    assert f"fanfold fix --resume {run['run']}" in here("runs")
    assert here.user.git("for-each-ref", "refs/fanfold") != ""
    paid = here.paid
    told = here("fix", "--resume", "--quiet")
    assert told.startswith("Fixed 3 of 3 files")
    assert here.paid == [*paid, "b.py"]
    assert here.run()["state"] == "settled"
    assert here.branches() == [run["branch"]]
    assert fingerprint(here.user.root) == before


def test_resumed_run_works_on_what_it_was_begun_with_wherever_head_is(here: Here) -> None:
    base = here.user.git("rev-parse", "HEAD").strip()
    here.interrupted(held="b.py", number=signal.SIGKILL)
    assert here.run()["state"] == "killed"
    here.user.commit({"b.py": "x = 2\n", "pyproject.toml": "[tool.mypy]\n", "new.py": BROKEN}, "meanwhile")
    here.user.git("checkout", "-q", "--detach", "HEAD")
    (here.user.root / "a.py").write_text("def (:\n")
    told = json.loads(here("fix", "--resume", "--quiet", "--output-format", "json"))
    assert (told["base"], told["exit_code"]) == (base, 0)
    assert [checker["name"] for checker in told["checkers"]] == ["ruff"]
    assert [(task["path"], task["status"]) for task in told["tasks"]] == [
        ("a.py", "fixed"),
        ("b.py", "fixed"),
        ("pkg/c.py", "fixed"),
    ]
    assert here.user.git("show", f"{told['branch']}:b.py") == FIXED
    assert here.user.git("merge-base", told["branch"], base).strip() == base


def test_base_that_no_branch_has_any_more_is_kept_for_the_resumed_run(here: Here) -> None:
    here.interrupted(held="b.py", number=signal.SIGKILL)
    here.user.git("checkout", "-q", "--orphan", "other")
    here.user.commit({"z.py": "z = 1\n"})
    here.user.git("branch", "-D", "main")
    here.user.git("reflog", "expire", "--expire=now", "--all")
    here.user.git("gc", "-q", "--prune=now")
    assert here("fix", "--resume", "--quiet").startswith("Fixed 3 of 3 files")


def test_what_is_at_work_is_left_alone(here: Here) -> None:
    (here.base / "paid.hold").write_text("b.py")
    process = here.started()
    here.wait_until(lambda run: bool(run["waiting"] == 1))
    run = here.run()
    assert (run["state"], run["pid"]) == ("running", process.pid)
    for args in (("fix", "--resume"), ("fix", "--resume", run["run"]), ("undo", run["run"])):
        told = here(*args, code=2)
        assert f"at work in the process {process.pid}" in told
    assert f"{run['run']} in {here.user.root}: at work in the process {process.pid}" in here(
        "clean", "--older-than", "0", "--force"
    )
    (here.base / "paid.hold").unlink()
    process.communicate()
    assert process.returncode == 0
    assert here.run()["state"] == "settled"
    assert here.run()["landed"] == 3


def test_what_contradicts_how_it_was_begun_is_refused(here: Here) -> None:
    here.interrupted("a.py", "b.py", held="b.py", number=signal.SIGKILL)
    run = here.run()["run"]
    for more, option in (
        (("--select", "E"), "--select"),
        (("--apply",), "--apply"),
        (("--max-attempts", "7"), "--max-attempts"),
        (("--git-diff", "main"), "--git-diff"),
    ):
        told = here("fix", "--resume", *more, code=2)
        assert f"{option} isn't what the run {run} was begun with" in told, told
    assert f"a.py isn't what the run {run} works on, which is a.py b.py" in here("fix", "--resume", "a.py", code=2)
    assert "there is no run yesterday here" in here("fix", "--resume", "yesterday", code=2)
    assert "contradict each other" in here("fix", "--resume", "--dry-run", code=2)
    told = here("fix", "--resume", run, "--jobs", "1", "--runtime", "native", "--max-attempts", "3", "--quiet")
    assert told.startswith("Fixed 2 of 2 files")
    assert "has come to its end" in here("fix", "--resume", run, code=2)
    assert f"fanfold show {run}" in here("fix", "--resume", run, code=2)


def test_two_runs_at_once_are_both_right(here: Here) -> None:
    before = fingerprint(here.user.root)
    first, second = here.started("a.py", "b.py"), here.started("b.py", "pkg/c.py")
    for process in (first, second):
        told, said = process.communicate()
        assert process.returncode == 0, said
        assert told.startswith("Fixed 2 of 2 files")
    one, two = json.loads(here("runs", "--json"))["runs"]
    assert here.branches() == sorted([one["branch"], two["branch"]])
    for run in (one, two):
        assert (run["state"], run["landed"]) == ("settled", 2)
        assert here.user.git("show", f"{run['branch']}:b.py") == FIXED
    assert fingerprint(here.user.root) == before


def test_undo_deletes_the_result_branch_once(here: Here) -> None:
    before = fingerprint(here.user.root)
    run = here.fix()
    assert "Would have deleted the branch" in here("undo", run, "--dry-run")
    assert here.branches() == [f"fanfold/{run}"]
    assert "Deleted the branch" in here("undo", run)
    assert here.branches() == []
    assert "taken back before" in here("undo", run)
    assert here.run()["state"] == "undone"
    assert fingerprint(here.user.root) == before


def test_undo_keeps_a_branch_that_somebody_else_moved_or_is_on(here: Here) -> None:
    moved, used = here.fix("a.py"), here.fix("b.py")
    here.user.git("branch", "-f", f"fanfold/{moved}", "main")
    here.user.git("worktree", "add", "-q", str(here.base / "tree"), f"fanfold/{used}")
    assert "somebody else moved it" in here("undo", moved)
    assert "it is checked out in" in here("undo", used)
    assert here.branches() == sorted([f"fanfold/{moved}", f"fanfold/{used}"])


def test_undo_reverts_what_was_applied_as_commits(here: Here) -> None:
    head = here.user.git("rev-parse", "HEAD").strip()
    run = here.fix("--apply")
    assert here.user.git("rev-list", "--count", f"{head}..HEAD").strip() == "3"
    here.user.commit({"mine.py": "m = 1\n"}, "mine")
    (here.user.root / "untracked.txt").write_text("stays")
    assert "Would have reverted 3 commits on main" in here("undo", run, "--dry-run")
    assert "Reverted 3 commits on main" in here("undo", run)
    assert here.user.git("log", "-3", "--format=%s%n%b").count("This reverts commit ") == 3
    assert here.user.git("diff", "--stat", head, "HEAD").split()[0] == "mine.py"
    assert here.user.git("status", "--porcelain") == "?? untracked.txt\n"
    assert (here.user.root / "a.py").read_text() == BROKEN
    assert here.branches() == []
    tip = here.user.git("rev-parse", "HEAD")
    assert "taken back before" in here("undo", run)
    assert here.user.git("rev-parse", "HEAD") == tip


def test_undo_refuses_a_checkout_that_is_not_clean_or_elsewhere(here: Here) -> None:
    run = here.fix("--apply")
    (here.user.root / "b.py").write_text("mine = 1\n")
    tip = here.user.git("rev-parse", "HEAD")
    before = fingerprint(here.user.root)
    assert "uncommitted changes: b.py" in here("undo", run, code=2)
    assert fingerprint(here.user.root) == before
    here.user.git("commit", "-qam", "mine")
    assert "can't be taken out by itself" in here("undo", run, code=2)
    here.user.git("switch", "-qc", "other", tip.strip())
    assert "git switch main" in here("undo", run, code=2)
    here.user.git("branch", "-f", "main", tip.strip())
    here.user.git("switch", "-q", "main")
    assert "Reverted 3 commits" in here("undo", run)


def test_undo_takes_what_was_only_staged_out_again(here: Here) -> None:
    before = fingerprint(here.user.root)
    run = here.fix("--stage-only")
    assert here.user.git("diff", "--cached", "--name-only").split() == ["a.py", "b.py", "pkg/c.py"]
    assert "out of the index" in here("undo", run)
    assert here.user.git("status", "--porcelain") == ""
    assert {name: what for name, what in fingerprint(here.user.root).items() if "index" not in name} == {
        name: what for name, what in before.items() if "index" not in name
    }


def test_undo_of_a_killed_run_ends_it(here: Here) -> None:
    here.interrupted(held="b.py", number=signal.SIGKILL)
    run = here.run()["run"]
    assert "Deleted the branch" in here("undo", run)
    assert here.branches() == []
    assert here.run()["state"] == "undone"
    assert "has come to its end" in here("fix", "--resume", run, code=2)


def test_clean_removes_old_records_and_keeps_what_can_be_resumed(here: Here) -> None:
    settled = here.fix("a.py")
    here.interrupted("b.py", "pkg", held="b.py", number=signal.SIGKILL)
    killed = here.run()["run"]
    here.user.git("update-ref", "refs/fanfold/pins/20200101-000000-abcd", "HEAD")
    told = here("clean")
    assert settled not in told
    assert f"{killed} in {here.user.root}: fanfold fix --resume finishes it, --force removes it" in told
    assert "1 ref below refs/fanfold" in told
    told = here("clean", "--older-than", "0")
    assert f"1 record of runs: {settled}" in told
    assert " freed" in told
    assert [one["run"] for one in json.loads(here("runs", "--json"))["runs"]] == [killed]
    assert f"refs/fanfold/pins/{killed}" in here.user.git("for-each-ref", "refs/fanfold")
    assert f"1 record of runs: {killed}" in here("clean", "--older-than", "0", "--force")
    assert here.user.git("for-each-ref", "refs/fanfold") == ""
    assert here("runs") == "No run is remembered here\n"
    assert here.user.git("rev-parse", f"fanfold/{settled}")


def test_list_ends_where_its_reader_goes_away(here: Here) -> None:
    here.fix("a.py")
    done = subprocess.run(
        f"{sys.executable} -m fanfold runs | true", shell=True, cwd=here.user.root, capture_output=True, check=False,
        env=dict(os.environ),
    )  # fmt: skip
    assert done.stderr == b""
