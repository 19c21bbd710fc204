"""What lands was verified together: real git, real checkers, a real suite and a real hook."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents.protocol import Assignment
from fanfold.config import load_settings
from fanfold.engine import BranchFinished
from fanfold.fix import Report, Request, run
from fanfold.fix.events import Phase
from fanfold.testing.agents import ScriptedAgent
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

BAD = "import os\n\n\ndef value() -> int:\n    return 1\n"
GOOD = BAD.replace("import os\n\n\n", "")
CONFIG = "[tool.pytest.ini_options]\npythonpath = ['.']\n[tool.ruff]\nexclude = ['tests']\n"
NAMES = ("a", "b", "c", "d")
SUITE = {
    **{f"{name}.py": BAD for name in NAMES},
    "tests/test_values.py": "import a, b, c, d\n\n\ndef test_sum():\n"
    "    assert sum(one.value() for one in (a, b, c, d)) in (4, 5)\n",
    "tests/test_other.py": "def test_other():\n    assert True\n",
    "pyproject.toml": CONFIG,
}
SUM = "python -S -B -c 'from tests.test_values import test_sum; test_sum()'"
"""The suite as a command that is known by its exit code alone, where it doesn't matter which test fails."""

Act = Callable[[Assignment], Awaitable[None]]


def returning(**values: int) -> Act:
    """An agent's way to work: each file gets rid of its finding, and returns its value (else what it returned)."""

    async def act(assignment: Assignment) -> None:
        value = values.get(Path(assignment.path).stem, 0)
        text = GOOD.replace("return 1", f"return {value} + 0") if value else GOOD
        (assignment.root / assignment.path).write_text(text)

    return act


async def fix(
    repository: TemporaryRepository, tmp_path: Path, agent: ScriptedAgent, on_event: Any = None, **options: Any
) -> Report:
    diff = options.pop("diff", False)
    settings = load_settings(repository.root, {"workspaces": tmp_path / "home", "max_attempts": 1, **options})
    return await run(Request(repository.root, settings, diff=diff), agent=agent, on_event=on_event)


def statuses(report: Report) -> dict[str, str]:
    return {task.path: task.status for task in report.tasks}


def tips(repository: TemporaryRepository, branch: str) -> list[str]:
    """All commits that the branch ever pointed to, the first one first."""
    return repository.git("reflog", "show", "--format=%H", branch).split()[::-1]


def is_green(repository: TemporaryRepository, place: Path, commit: str) -> bool:
    """Whether the suite passes on a commit, in a checkout of its own that nobody of the run has seen."""
    repository.git("worktree", "add", "-q", "--detach", str(place), commit)
    done = subprocess.run([sys.executable, *shlex.split(SUM)[1:]], cwd=place, capture_output=True, check=False)
    repository.git("worktree", "remove", "--force", str(place))
    return done.returncode == 0


def details(told: list[str]) -> Callable[[object], None]:
    """Who watches a run and notes what it says of its phases."""

    def watch(event: object) -> None:
        if isinstance(event, Phase):
            told.append(f"{event.name} {event.detail}")

    return watch


@dataclass(frozen=True)
class Clash:
    """A run in which two changes are green alone and red together."""

    repository: TemporaryRepository
    report: Report
    told: list[str]


@pytest.fixture(scope="module")
def clash(tmp_path_factory: pytest.TempPathFactory) -> Clash:
    where, told = tmp_path_factory.mktemp("clash"), list[str]()
    repository = make_repository(where / "r", SUITE)
    agent = ScriptedAgent(otherwise=returning(b=2, d=2))
    report = asyncio.run(fix(repository, where, agent, details(told)))
    return Clash(repository, report, told)


def test_two_changes_green_alone_and_red_together_leave_every_tip_green(clash: Clash, tmp_path: Path) -> None:
    report = clash.report
    assert sorted(statuses(report).values()) == ["fixed", "fixed", "fixed", "taken out"]
    [out] = [task for task in report.tasks if task.status == "taken out"]
    assert (out.path in {"b.py", "d.py"}, out.sent_back) == (True, True)
    assert "test_sum" in out.reasons[0]
    assert (report.tests.status, report.tests.mode, report.queue.sent_back) == ("passed", "batch", 1)
    assert report.exit_code == 1
    commits = tips(clash.repository, str(report.branch))
    assert [is_green(clash.repository, tmp_path / commit[:8], commit) for commit in commits] == [True] * len(commits)


def test_who_watches_is_told_what_lands_and_what_is_sent_back_and_why(clash: Clash) -> None:
    [out] = [task for task in clash.report.tasks if task.status == "taken out"]
    assert out.reasons == ("on top of what has landed it breaks tests.test_values::test_sum",)
    assert f"sending back {out.path}: it breaks tests.test_values::test_sum" in clash.told
    landed = [line for line in clash.told if line.startswith("landing ")]
    assert sum(int(line.split()[1]) for line in landed) == 3


async def test_guilty_change_goes_back_once_with_the_reason_on_the_new_tip(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)

    async def act(assignment: Assignment) -> None:
        told = "taken out" in assignment.feedback
        await returning(b=2, d=0 if told else 2)(assignment)
        if told:
            assert "import os" not in (assignment.root / "b.py").read_text()

    agent = ScriptedAgent(otherwise=act)
    report = await fix(repository, tmp_path, agent, jobs=1, test_command=SUM)
    assert set(statuses(report).values()) == {"fixed"}
    [again] = [one for one in agent.asked if one.feedback]
    assert again.path == "d.py"
    assert "it breaks the whole command" in again.prompt
    assert (report.exit_code, report.queue.sent_back) == (0, 1)
    assert [task.path for task in report.tasks if task.sent_back] == ["d.py"]
    assert report.findings_after == 0


async def test_second_attempt_is_tested_with_what_the_first_one_broke(tmp_path: Path) -> None:
    """It breaks the same test again, which its own verification finds: it isn't offered at all."""
    repository = make_repository(tmp_path / "r", SUITE)
    agent = ScriptedAgent(otherwise=returning(c=9))
    report = await fix(repository, tmp_path, agent, jobs=1, test_command=SUM)
    assert statuses(report)["c.py"] == "taken out"
    assert [one.path for one in agent.asked].count("c.py") == 2
    assert report.queue.offered == 4


async def test_suite_runs_are_fewer_than_one_for_each_change(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)
    report = await fix(repository, tmp_path, ScriptedAgent(otherwise=returning()), jobs=4, test_command=SUM)
    assert set(statuses(report).values()) == {"fixed"}
    assert report.tests.serial_runs == 5
    assert report.tests.runs == 1 + report.queue.batches < 5
    assert report.tests.partial_runs == 0


async def test_flaky_test_is_named_and_does_not_count(tmp_path: Path) -> None:
    marker = tmp_path / "runs"
    flaky = (
        f"import pathlib\n\n\ndef test_now_and_then():\n    runs = pathlib.Path({str(marker)!r})\n"
        "    count = len(runs.read_text()) if runs.exists() else 0\n    runs.write_text('x' * (count + 1))\n"
        "    assert count != 1\n"
    )
    repository = make_repository(tmp_path / "r", {"a.py": BAD, "tests/test_flaky.py": flaky, "pyproject.toml": CONFIG})
    report = await fix(repository, tmp_path, ScriptedAgent(otherwise=returning()))
    assert set(statuses(report).values()) == {"fixed"}
    assert report.tests.flaky == ("tests.test_flaky::test_now_and_then",)
    assert (report.tests.status, report.exit_code) == ("passed", 0)


async def test_others_land_before_the_slowest_is_done(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)
    landed = asyncio.Event()

    async def act(assignment: Assignment) -> None:
        if assignment.path == "d.py":
            while "fanfold" not in repository.git("for-each-ref", "refs/heads/fanfold"):
                await asyncio.sleep(0.05)
            landed.set()
        await returning()(assignment)

    report = await fix(repository, tmp_path, ScriptedAgent(otherwise=act), jobs=4, deadline_s=120, test_command=SUM)
    assert landed.is_set()
    assert set(statuses(report).values()) == {"fixed"}


def add_hook(repository: TemporaryRepository, script: str, folder: str = ".git/hooks") -> Path:
    path = repository.root / folder / "pre-commit"
    path.parent.mkdir(exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)
    return path


async def test_hook_sees_what_is_staged_and_refuses_what_it_does_not_like(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": BAD, "b.py": BAD, "pyproject.toml": "[tool.ruff]\n"})
    seen = tmp_path / "seen"
    hook = add_hook(
        repository,
        f"#!/bin/sh\ngit diff --cached --name-only >> {seen}\n"
        "if git diff --cached --name-only | grep -q b.py; then echo 'nobody touches b.py' >&2; exit 1; fi\n",
    )
    before = fingerprint(repository.root)
    report = await fix(repository, tmp_path, ScriptedAgent(otherwise=returning()), tests="none")
    assert statuses(report) == {"a.py": "fixed", "b.py": "taken out"}
    [refused] = [task for task in report.tasks if task.path == "b.py"]
    assert "nobody touches b.py" in refused.reasons[0]
    assert set(seen.read_text().split()) == {"a.py", "b.py"}
    assert (report.queue.hook, report.queue.hook_runs > 0) == (str(hook), True)
    assert fingerprint(repository.root) == before
    without = await fix(repository, tmp_path, ScriptedAgent(otherwise=returning()), tests="none", hooks=False)
    assert (set(statuses(without).values()), without.queue.hook) == ({"fixed"}, None)


async def test_hook_that_changes_files_refuses(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": BAD, "pyproject.toml": "[tool.ruff]\n"})
    add_hook(repository, "#!/bin/sh\nif ! git diff --cached --quiet; then echo '# mine' >> a.py; fi\n")
    report = await fix(repository, tmp_path, ScriptedAgent(otherwise=returning()), tests="none")
    assert statuses(report) == {"a.py": "taken out"}
    assert "changes a.py" in report.tasks[0].reasons[0]


async def test_hook_that_fails_without_any_change_does_not_count(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": BAD, "pyproject.toml": "[tool.ruff]\n"})
    add_hook(repository, "exit 1\n")
    report = await fix(repository, tmp_path, ScriptedAgent(otherwise=returning()), tests="none")
    assert statuses(report) == {"a.py": "fixed"}
    assert any("pre-commit fails even where nothing is to be committed" in note for note in report.notes)


async def test_hook_is_the_one_of_the_checkout_and_never_one_of_a_workspace(tmp_path: Path) -> None:
    files = {"a.py": BAD, "pyproject.toml": "[tool.ruff]\n", "hooks/pre-commit": "#!/bin/sh\nexit 0\n"}
    repository = make_repository(tmp_path / "r", files)
    repository.git("config", "core.hooksPath", "hooks")
    add_hook(repository, "#!/bin/sh\ngit diff --cached --quiet\n", "hooks")
    report = await fix(repository, tmp_path, ScriptedAgent(otherwise=returning()), tests="none")
    assert statuses(report) == {"a.py": "taken out"}
    assert report.queue.hook == str(repository.root / "hooks/pre-commit")


async def test_finding_that_two_changes_make_together_lands_with_neither_of_both(tmp_path: Path) -> None:
    """Each change is fine for the type checker by itself."""
    files = {
        "size.py": "import os\n\n\ndef size(of: int | str = 0) -> int:\n    return len(str(of))\n",
        "use.py": "import os\nfrom size import size\n\nprint(size())\n",
        "pyproject.toml": "[tool.ty.rules]\n[tool.ruff]\n",
    }
    fixed = {
        "size.py": ["def size(of: str = '') -> int:\n    return len(str(of))\n"],
        "use.py": ["from size import size\n\nprint(size(1))\n"],
    }
    repository = make_repository(tmp_path / "r", files)
    report = await fix(repository, tmp_path, ScriptedAgent(fixed), tests="none", jobs=2)
    assert sorted(statuses(report).values()) == ["fixed", "taken out"]
    [out] = [task for task in report.tasks if task.status == "taken out"]
    assert "ty invalid-argument-type" in out.reasons[0]
    assert report.new_findings == ()


async def test_branch_that_somebody_moves_ends_the_run_and_what_had_landed_is_reported(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)
    never = asyncio.Event()

    async def act(assignment: Assignment) -> None:
        if assignment.path in {"c.py", "d.py"}:
            while not (refs := repository.git("for-each-ref", "--format=%(refname)", "refs/heads/fanfold").split()):
                await asyncio.sleep(0.05)
            repository.git("update-ref", refs[0], "HEAD")
            if assignment.path == "d.py":
                await never.wait()
        await returning()(assignment)

    report = await fix(repository, tmp_path, ScriptedAgent(otherwise=act), tests="none", jobs=4)
    assert "moved by somebody else" in str(report.stopped)
    assert statuses(report)["d.py"] == "cancelled"
    assert (report.exit_code, report.interrupted) == (1, False)
    assert "fixed" in statuses(report).values()


async def test_interrupted_run_keeps_what_landed_and_says_what_did_not(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)
    tested: list[str] = []

    def stop(event: object) -> None:
        if isinstance(event, Phase) and event.name == "testing":
            tested.append(event.detail)
            if len(tested) == 2:
                running.cancel()

    agent = ScriptedAgent(otherwise=returning())
    running = asyncio.create_task(fix(repository, tmp_path, agent, stop, tests="each", jobs=1, test_command=SUM))
    report = await running
    assert (report.interrupted, report.exit_code) == (True, 130)
    assert [task.status for task in report.tasks].count("fixed") == 1
    assert set(statuses(report).values()) <= {"fixed", "cancelled"}
    assert is_green(repository, tmp_path / "check", str(report.tip))


async def test_diff_shows_only_what_was_verified_together(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)
    agent = ScriptedAgent(otherwise=returning(b=2, d=2))
    report = await fix(repository, tmp_path, agent, diff=True, test_command=SUM)
    assert sorted(bool(task.diff) for task in report.tasks) == [False, True, True, True]
    assert (report.branch, repository.git("for-each-ref", "refs/heads/fanfold")) == (None, "")
    assert report.tests.status == "passed"


@pytest.mark.parametrize("mode", ["each", "final", "none"])
async def test_each_way_to_test_lands_what_is_good(tmp_path: Path, mode: str) -> None:
    repository = make_repository(tmp_path / "r", SUITE)
    report = await fix(repository, tmp_path, ScriptedAgent(otherwise=returning()), tests=mode, test_command=SUM)
    assert set(statuses(report).values()) == {"fixed"}
    assert report.tests.status == ("not run" if mode == "none" else "passed")
    assert len(tips(repository, str(report.branch))) == {"each": 4, "final": 1}.get(mode, report.queue.batches)


async def test_suite_that_is_known_by_its_exit_code_alone_finds_the_guilty_one(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {name: text for name, text in SUITE.items() if "other" not in name})
    report = await fix(repository, tmp_path, ScriptedAgent(otherwise=returning(c=9)), test_command=SUM)
    assert {path for path, status in statuses(report).items() if status == "taken out"} == {"c.py"}
    assert (report.tests.partial_runs, report.tests.status) == (0, "passed")


async def test_outcomes_are_told_while_the_suite_runs(tmp_path: Path) -> None:
    """The queue works beside the attempts: no branch waits for what becomes of another's change."""
    repository = make_repository(tmp_path / "r", SUITE)
    told: list[str] = []

    def watch(event: object) -> None:
        if isinstance(event, Phase):
            told.append(event.name)
        if isinstance(event, BranchFinished):
            told.append(event.key)

    await fix(repository, tmp_path, ScriptedAgent(otherwise=returning()), watch, jobs=1, tests="each", test_command=SUM)
    assert told.index("testing") < told.index("d.py")


async def test_who_watches_is_told_that_changes_wait_for_the_suite_on_the_base(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)
    told: list[str] = []

    def watch(event: object) -> None:
        if isinstance(event, Phase):
            told.append(f"{event.name} {event.detail}")
        if told[-1].startswith("waiting"):
            (tmp_path / "told").touch()

    wait = f"import pathlib, time\nwhile not pathlib.Path({str(tmp_path / 'told')!r}).exists(): time.sleep(0.05)"
    options = {"test_command": shlex.join(["python", "-c", wait]), "test_deadline_s": 30.0}
    report = await fix(repository, tmp_path, ScriptedAgent(otherwise=returning()), on_event=watch, **options)
    assert set(statuses(report).values()) == {"fixed"}
    assert told.count("waiting for the suite to end on the base, before anything lands") == 1
    (on,) = [place for place, line in enumerate(told) if line.startswith("going on now that the suite has run")]
    assert told.index("waiting for the suite to end on the base, before anything lands") == on - 1
