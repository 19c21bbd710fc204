"""`fix.run` end to end: real git, real ruff, real processes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fanfold.agents.protocol import AgentError, Assignment
from fanfold.agents.protocol import Report as AgentReport
from fanfold.config import load_settings
from fanfold.errors import FanfoldError
from fanfold.fix import Report, Request, run
from fanfold.fix.events import Phase
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

UNUSED = "import os\nimport sys\n\nprint(sys.argv)\n"
FIXED = "import sys\n\nprint(sys.argv)\n"

on_each_runtime = pytest.mark.parametrize("runtime", ["native", "langgraph"])


@dataclass
class Doing:
    """An agent that does what a function says, and counts how many are at it together."""

    action: Callable[[Assignment], Awaitable[None]]
    name: str = "doing"
    deterministic: bool = False
    running: int = 0
    peak: int = 0
    assignments: list[Assignment] = field(default_factory=list)

    async def work(self, assignment: Assignment) -> AgentReport:
        self.assignments.append(assignment)
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await self.action(assignment)
        finally:
            self.running -= 1
        return AgentReport(summary="done")


def writes(text: str) -> Callable[[Assignment], Awaitable[None]]:
    async def action(assignment: Assignment) -> None:
        (assignment.root / assignment.path).write_text(text)

    return action


async def fix(repository: TemporaryRepository, tmp_path: Path, agent: Doing | None = None, **options: object) -> Report:
    asked = {
        name: options.pop(name)
        for name in ("apply", "diff", "dry_run", "git_changed", "git_staged", "git_diff")
        if name in options
    }
    paths = options.pop("paths", ())
    overrides: Mapping[str, object] = {"workspaces": tmp_path / "home", "tests": "none", **options}
    settings = load_settings(repository.root, overrides)
    request = Request(repository.root, settings, paths=paths, **asked)  # type: ignore[arg-type]
    return await run(request, agent=agent)


def statuses(report: Report) -> dict[str, str]:
    return {task.path: task.status for task in report.tasks}


def text(repository: TemporaryRepository, commit: str | None, path: str) -> str:
    return repository.git("show", f"{commit}:{path}")


async def test_each_fixed_file_is_a_commit_and_the_checkout_stays_as_it_was(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED, "pkg/a.py": UNUSED, "clean.py": "X = 1\n"})
    before = fingerprint(repository.root)
    report = await fix(repository, tmp_path)
    assert statuses(report) == {"a.py": "fixed", "pkg/a.py": "fixed"}
    assert report.exit_code == 0
    assert fingerprint(repository.root) == before
    commits = repository.git("log", "--format=%s", f"main..{report.branch}").splitlines()
    assert sorted(commits) == ["fix(quality): 1 finding in a.py", "fix(quality): 1 finding in pkg/a.py"]
    assert text(repository, report.tip, "pkg/a.py") == FIXED
    assert "Fixed-by: fanfold" in repository.git("log", "-1", "--format=%B", str(report.tip))
    assert repository.git("log", "-1", "--format=%an <%ae>", str(report.tip)).strip() == "Ada <ada@example.com>"


async def test_clean_repository_is_exit_zero_without_a_branch(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": "X = 1\n"})
    report = await fix(repository, tmp_path)
    assert (report.exit_code, report.branch, report.tasks) == (0, None, ())


async def test_dirty_and_staged_text_is_named_and_left_out(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED, "b.py": "X = 1\n"})
    repository.write({"a.py": UNUSED + "import json\n", "b.py": "import re\nX = 1\n", "new.py": "import abc\n"})
    repository.git("add", "b.py")
    before = fingerprint(repository.root)
    report = await fix(repository, tmp_path)
    assert fingerprint(repository.root) == before
    assert statuses(report) == {"a.py": "fixed"}
    named = {(one.path, one.rule) for one in report.uncommitted}
    assert {("a.py", "F401"), ("b.py", "F401"), ("new.py", "F401")} <= named
    assert text(repository, report.tip, "a.py") == FIXED


async def test_uncommitted_file_below_what_was_a_link_writes_nothing_outside(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.py").write_text("precious = 1\n")
    (repository.root / "lib").symlink_to(outside)
    repository.git("add", "lib")
    repository.git("commit", "-qm", "link")
    (repository.root / "lib").unlink()
    repository.write({"lib/x.py": "import os\n", "lib/y.py": "import os\n"})
    report = await fix(repository, tmp_path)
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"x.py": "precious = 1\n"}
    assert {one.path for one in report.uncommitted} == {"lib/x.py", "lib/y.py"}


@pytest.mark.parametrize(("committed", "now"), [("pkg", "pkg/a.py"), ("b.py/a.py", "b.py")])
async def test_uncommitted_text_where_a_file_was_a_folder_or_a_folder_a_file(
    tmp_path: Path, committed: str, now: str
) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED, committed: "x = 1\n"})
    repository.git("rm", "-qr", "--cached", committed)
    (repository.root / committed).unlink()
    if (repository.root / now).is_dir():
        (repository.root / now).rmdir()
    repository.write({now: "import os\n"})
    report = await fix(repository, tmp_path)
    assert [one.path for one in report.uncommitted] == [now]


async def test_exactly_as_many_agents_as_jobs_run_together(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {f"m{number}.py": UNUSED for number in range(8)})
    together = asyncio.Barrier(4)

    async def action(assignment: Assignment) -> None:
        await together.wait()
        await writes(FIXED)(assignment)

    agent = Doing(action)
    report = await fix(repository, tmp_path, agent, jobs=4)
    assert agent.peak == 4
    assert set(statuses(report).values()) == {"fixed"}


async def test_no_op_is_not_a_fix(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    report = await fix(repository, tmp_path, Doing(writes(UNUSED)), max_attempts=1)
    assert report.tasks[0].status in {"unchanged", "refused"}
    assert (report.branch, report.exit_code) == (None, 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("import os  # noqa: F401\nimport sys\n\nprint(sys.argv)\n", "silences"),
        ("import sys\n\nprint(sys.argv\n", "compile"),
        ("import sys\n\nprint(sys.argv, undefined)\n", "F821"),
    ],
)
async def test_fix_that_breaks_a_rule_is_refused_and_says_why(tmp_path: Path, content: str, reason: str) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    report = await fix(repository, tmp_path, Doing(writes(content)), max_attempts=2)
    assert report.tasks[0].status == "refused"
    assert any(reason in words for words in report.tasks[0].reasons)
    assert report.tasks[0].attempts == 2
    assert (report.branch, report.exit_code) == (None, 1)


async def test_next_attempt_hears_why_the_last_was_refused(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})

    async def action(assignment: Assignment) -> None:
        assert (assignment.root / assignment.path).read_text() == UNUSED
        await writes("import sys\n\nprint(nothing)\n" if assignment.attempt == 1 else FIXED)(assignment)

    agent = Doing(action)
    report = await fix(repository, tmp_path, agent)
    assert statuses(report) == {"a.py": "fixed"}
    assert "F821" in agent.assignments[1].feedback
    assert "F821" in agent.assignments[1].prompt


async def test_change_beyond_the_file_is_refused(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED, "b/a.py": "X = 1\n"})

    async def action(assignment: Assignment) -> None:
        await writes(FIXED)(assignment)
        (assignment.root / "b" / "a.py").write_text("X = 2\n")
        (assignment.root / "added.py").write_text("X = 3\n")

    report = await fix(repository, tmp_path, Doing(action), max_attempts=1)
    assert report.tasks[0].status == "refused"
    assert len([words for words in report.tasks[0].reasons if "not its file" in words]) == 2


async def test_renamed_or_deleted_file_is_refused(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED, "b.py": UNUSED, "c.py": UNUSED})

    async def action(assignment: Assignment) -> None:
        path = assignment.root / assignment.path
        if assignment.path == "a.py":
            path.rename(path.with_name("renamed.py"))
        elif assignment.path == "b.py":
            path.unlink()
        else:
            path.unlink()
            path.symlink_to("/etc/passwd")

    report = await fix(repository, tmp_path, Doing(action), max_attempts=1)
    assert set(statuses(report).values()) == {"refused"}


async def test_planted_configuration_that_git_ignores_does_not_sway_the_checker(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED, ".gitignore": "ruff.toml\n"})

    async def action(assignment: Assignment) -> None:
        (assignment.root / "ruff.toml").write_text("lint.select = []\n")
        await writes("import os\nimport sys\n\nprint(sys.argv, 1)\n")(assignment)

    report = await fix(repository, tmp_path, Doing(action), max_attempts=1)
    assert report.tasks[0].status != "fixed"
    assert report.branch is None


@pytest.mark.parametrize("place", ["..", "../.."])
async def test_configuration_planted_above_the_workspace_does_not_sway_the_checker(tmp_path: Path, place: str) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})

    async def action(assignment: Assignment) -> None:
        (assignment.root / place / "ruff.toml").write_text("lint.ignore = ['F401']\n")
        await writes(UNUSED + "\nprint()\n")(assignment)

    report = await fix(repository, tmp_path, Doing(action), max_attempts=1)
    assert report.branch is None
    assert (await fix(repository, tmp_path, Doing(writes(UNUSED)))).remaining


async def test_verified_change_is_kept_when_a_later_attempt_wrecks_its_workspace(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": "import os\nimport re\n\nprint(1)\n"})

    async def action(assignment: Assignment) -> None:
        if assignment.attempt == 1:
            await writes("import re\n\nprint(1)\n")(assignment)
        else:
            (assignment.root / ".gitattributes").write_text("*.py working-tree-encoding=UTF-16\n")
            await writes("print(1)\n")(assignment)

    report = await fix(repository, tmp_path, Doing(action))
    assert statuses(report) == {"a.py": "partial"}


async def test_commit_that_can_not_be_signed_ends_the_run_and_loses_no_report(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED, "b.py": UNUSED})
    repository.git("config", "commit.gpgsign", "true")
    repository.git("config", "gpg.program", "false")
    report = await fix(repository, tmp_path)
    assert set(statuses(report).values()) == {"cancelled"}
    assert "gpg failed" in str(report.stopped)
    assert (report.branch, report.exit_code) == (None, 1)


async def test_what_an_agent_does_with_git_stays_in_its_workspace(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    repository.write({"a.py": UNUSED + "\n"})
    repository.git("stash")
    before = fingerprint(repository.root)

    async def action(assignment: Assignment) -> None:
        await writes(FIXED)(assignment)
        inside = TemporaryRepository(assignment.root)
        inside.git("config", "core.fsmonitor", "false")
        inside.git("commit", "-qam", "mine")
        inside.git("branch", "other")
        inside.git("stash", "clear")
        inside.git("update-ref", "-d", "refs/heads/main", check=False)

    report = await fix(repository, tmp_path, Doing(action))
    assert statuses(report) == {"a.py": "fixed"}
    assert fingerprint(repository.root) == before


async def test_one_failing_agent_does_not_stop_the_others(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED, "b.py": UNUSED, "c.py": UNUSED, "d.py": UNUSED})

    async def action(assignment: Assignment) -> None:
        if assignment.path == "a.py":
            raise AgentError("out of words")
        if assignment.path == "b.py":
            raise RuntimeError("bug in the agent")
        if assignment.path == "c.py":
            await asyncio.Event().wait()
        await writes(FIXED)(assignment)

    report = await fix(repository, tmp_path, Doing(action), max_attempts=1, deadline_s=0.5)
    assert statuses(report) == {"a.py": "failed", "b.py": "failed", "c.py": "timed out", "d.py": "fixed"}
    assert any("out of words" in words for task in report.tasks for words in task.reasons)
    assert report.exit_code == 1


async def test_partial_fix_lands_and_work_remains(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": "import os\n\nprint(undefined)\n"})
    report = await fix(repository, tmp_path)
    task = report.tasks[0]
    assert (task.status, task.fixed, task.left) == ("partial", 1, 1)
    assert [one.rule for one in report.remaining] == ["F821"]
    assert report.exit_code == 1


async def test_what_autofix_does_not_fix_at_all_is_told_with_who_may(tmp_path: Path) -> None:
    files = {**dict.fromkeys(("a.py", "test_a.py"), "import os\n\nx: int = 'a'\n"), "c.py": "print(undefined)\n"}
    repository = make_repository(tmp_path / "r", files)
    report = await fix(repository, tmp_path, checks=("ruff", "mypy"), select=("F", "mypy:assignment"))
    may = "autofix doesn't fix what mypy finds; {}".format
    assert {task.path: (task.status, task.reasons) for task in report.tasks} == {
        "a.py": ("partial", (may("agents that read code may: --agent llm:MODEL or --agent claude, for instance"),)),
        "test_a.py": ("partial", (may("other agents may, but don't edit tests"),)),
        "c.py": ("unchanged", ()),
    }


async def test_test_that_other_agents_were_not_asked_about_says_so(tmp_path: Path) -> None:
    both = '[fix]\nagent = ["autofix", "command"]\nagent_command = "true"\nmax_attempts = 1\n'
    names = ("a.py", "test_a.py", "test_b.py")
    files = {**dict.fromkeys(names, "print(undefined)\n"), "test_b.py": "import os\n", "fanfold.toml": both}
    report = await fix(make_repository(tmp_path / "r", files), tmp_path)
    told = {task.path: (task.status, task.reasons) for task in report.tasks}
    assert told["test_a.py"] == ("unchanged", ("it is a test, and of the agents only autofix edits tests",))
    assert told["test_b.py"] == ("fixed", ())
    assert told["a.py"] == ("unchanged", ())


async def test_who_asked_another_agent_is_told_nothing_of_autofix(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": "x: int = 'a'\n"})
    nothing = Doing(writes("x: int = 'a'\n"))
    report = await fix(repository, tmp_path, nothing, checks=("mypy",), max_attempts=1)
    assert not any("autofix" in words for words in report.tasks[0].reasons)


async def test_only_selected_rules_are_fixed_but_all_are_verified(tmp_path: Path) -> None:
    source = "import os\nx = {1: 2, 1: 3}\nif x == None:\n    print(f'')\n"
    repository = make_repository(tmp_path / "r", {"a.py": source})
    report = await fix(repository, tmp_path, select=("F401",))
    assert {(rule.rule, rule.before, rule.after) for rule in report.rules} == {("F401", 1, 0)}
    assert text(repository, report.tip, "a.py") == source.replace("import os\n", "")


async def test_paths_bind_what_is_worked_on(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a/x.py": UNUSED, "b/x.py": UNUSED})
    report = await fix(repository, tmp_path, paths=("b",))
    assert statuses(report) == {"b/x.py": "fixed"}
    assert text(repository, report.tip, "a/x.py") == UNUSED


async def test_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    with pytest.raises(FanfoldError, match="nowhere"):
        await fix(repository, tmp_path, paths=("nowhere.py",))
    with pytest.raises(FanfoldError, match="outside"):
        await fix(repository, tmp_path, paths=("../x.py",))


async def test_dry_run_plans_and_changes_nothing(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    report = await fix(repository, tmp_path, Doing(writes("never\n")), dry_run=True)
    assert statuses(report) == {"a.py": "planned"}
    assert repository.git("for-each-ref", "refs/heads/fanfold") == ""


async def test_diff_shows_what_would_land_and_lands_nothing(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    report = await fix(repository, tmp_path, diff=True)
    assert "-import os" in str(report.tasks[0].diff)
    assert repository.git("for-each-ref", "refs/heads/fanfold") == ""
    assert report.branch is None


async def test_apply_moves_a_clean_branch(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    report = await fix(repository, tmp_path, apply=True)
    assert report.applied
    assert repository.git("rev-parse", "main").strip() == report.tip
    assert (repository.root / "a.py").read_text() == FIXED
    assert repository.git("status", "--porcelain") == ""


async def test_apply_to_a_dirty_checkout_keeps_the_result_and_says_how(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED, "b.py": "X = 1\n"})
    repository.write({"b.py": "X = 2\n"})
    report = await fix(repository, tmp_path, apply=True)
    assert not report.applied
    assert "git merge" in str(report.not_applied)
    assert report.exit_code == 1
    assert text(repository, report.branch, "a.py") == FIXED
    assert (repository.root / "b.py").read_text() == "X = 2\n"


async def test_missing_identity_is_said_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    repository.git("config", "--unset", "user.name")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    agent = Doing(writes(FIXED))
    with pytest.raises(FanfoldError, match="who you are"):
        await fix(repository, tmp_path, agent)
    assert agent.assignments == []


@pytest.mark.parametrize("name", ["with space.py", "new\nline.py", "naïve.py", "-dash.py", "quote'\".py"])
async def test_odd_file_names_land(tmp_path: Path, name: str) -> None:
    repository = make_repository(tmp_path / "r", {name: UNUSED})
    report = await fix(repository, tmp_path)
    assert statuses(report) == {name: "fixed"}
    assert text(repository, report.tip, name) == FIXED
    subject = repository.git("log", "-1", "--format=%s", str(report.tip))
    assert subject.startswith("fix(quality): 1 finding in ")


async def test_crlf_stays_crlf(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED.replace("\n", "\r\n")})
    report = await fix(repository, tmp_path)
    assert text(repository, report.tip, "a.py") == FIXED.replace("\n", "\r\n")


async def test_file_that_is_no_utf8_is_left_and_said(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": b"import os\nx = '\xe9'\n", "b.py": UNUSED})
    report = await fix(repository, tmp_path)
    assert statuses(report)["b.py"] == "fixed"
    assert statuses(report).get("a.py") in {"unchanged", "skipped", "refused"}
    assert report.exit_code == 1


async def test_symbolic_link_is_not_worked_on(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text(UNUSED)
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    (repository.root / "link.py").symlink_to(outside)
    repository.commit()
    report = await fix(repository, tmp_path)
    assert statuses(report)["a.py"] == "fixed"
    assert statuses(report).get("link.py", "skipped") == "skipped"
    assert outside.read_text() == UNUSED


async def test_file_deleted_meanwhile_in_the_checkout_still_lands(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})

    async def action(assignment: Assignment) -> None:
        (repository.root / "a.py").unlink()
        await writes(FIXED)(assignment)

    report = await fix(repository, tmp_path, Doing(action))
    assert text(repository, report.tip, "a.py") == FIXED
    assert not (repository.root / "a.py").exists()


async def test_detached_head_lands_on_a_branch_of_its_own(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    repository.git("checkout", "-q", "--detach")
    report = await fix(repository, tmp_path)
    assert statuses(report) == {"a.py": "fixed"}
    assert any("detached" in note for note in report.notes)


async def test_crashed_checker_is_never_clean(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": "X = 1\n"})
    report = await fix(repository, tmp_path, checks=("broken=python -c 'import sys; sys.exit(\"boom\")'",))
    assert report.exit_code == 1
    assert any("boom" in words for words in report.unchecked)


async def test_test_file_is_left_to_autofix(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"tests/test_a.py": UNUSED})
    agent = Doing(writes(FIXED))
    report = await fix(repository, tmp_path, agent)
    assert statuses(report) == {"tests/test_a.py": "skipped"}
    assert agent.assignments == []
    assert statuses(await fix(repository, tmp_path)) == {"tests/test_a.py": "fixed"}


@on_each_runtime
async def test_interrupted_run_keeps_what_landed_and_leaves_nothing_behind(tmp_path: Path, runtime: str) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED, "b.py": UNUSED})
    blocked = asyncio.Event()

    async def action(assignment: Assignment) -> None:
        if assignment.path == "b.py":
            while repository.git("for-each-ref", "refs/heads/fanfold") == "":
                await asyncio.sleep(0.01)
            blocked.set()
            await asyncio.Event().wait()
        await writes(FIXED)(assignment)

    running = asyncio.create_task(fix(repository, tmp_path, Doing(action), runtime=runtime))
    await blocked.wait()
    running.cancel()
    report = await running
    assert report.interrupted
    assert (report.exit_code, report.runtime) == (130, runtime)
    assert statuses(report) == {"a.py": "fixed", "b.py": "cancelled"}
    assert text(repository, report.branch, "a.py") == FIXED
    assert asyncio.all_tasks() == {asyncio.current_task()}


SUITE = {
    "left.py": "import os\n\n\ndef value() -> int:\n    return 1\n",
    "right.py": "import os\n\n\ndef value() -> int:\n    return 1\n",
    "third.py": UNUSED,
    "tests/test_sum.py": "import left, right\n\n\ndef test_sum():\n    assert left.value() + right.value() in (2, 3)\n"
    "\n\ndef test_red():\n    assert False\n",
    "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['.']\n[tool.ruff]\nexclude = ['tests']\n",
}


async def test_two_changes_green_alone_and_red_together_do_not_both_stay(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)

    async def action(assignment: Assignment) -> None:
        value = "2 + 0" if assignment.path in {"left.py", "right.py"} else ""
        fixed = {"third.py": FIXED}.get(assignment.path, f"def value() -> int:\n    return {value}\n")
        await writes(fixed)(assignment)

    report = await fix(repository, tmp_path, Doing(action), tests="final")
    assert sorted(statuses(report).values()) == ["fixed", "fixed", "taken out"]
    assert statuses(report)["third.py"] == "fixed"
    assert report.tests.status == "passed"
    assert report.tests.base_failures == 1
    assert report.tests.taken_out
    assert report.exit_code == 1
    values = [text(repository, report.branch, path) for path in ("left.py", "right.py")]
    assert sum("return 2" in value for value in values) == 1


async def test_each_change_is_tested_where_that_is_asked_for(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)

    async def action(assignment: Assignment) -> None:
        await writes(FIXED if assignment.path == "third.py" else "def value() -> int:\n    return 7 + 0\n")(assignment)

    report = await fix(repository, tmp_path, Doing(action), tests="each", max_attempts=1)
    assert statuses(report) == {"left.py": "refused", "right.py": "refused", "third.py": "fixed"}
    assert any("test_sum" in words for task in report.tasks for words in task.reasons)


async def test_type_error_that_a_change_causes_elsewhere_is_refused(tmp_path: Path) -> None:
    files = {
        "lib.py": "import os\n\n\ndef size() -> int:\n    return 1\n",
        "use.py": "from lib import size\n\nx: int = size()\n",
        "pyproject.toml": "[tool.mypy]\nstrict = true\n[tool.ruff]\n",
    }
    repository = make_repository(tmp_path / "r", files)
    agent = Doing(writes("def size() -> str:\n    return '1'\n"))
    report = await fix(repository, tmp_path, agent, max_attempts=1)
    assert {line.name for line in report.checkers} == {"ruff", "mypy"}
    assert report.tasks[0].status == "refused"
    assert any("use.py:3" in words for words in report.tasks[0].reasons)


async def test_change_that_broke_tests_gets_one_more_attempt_that_is_told_of_them(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)

    async def action(assignment: Assignment) -> None:
        told = "taken out" in assignment.feedback
        fixed = "def value() -> int:\n    return " + ("1" if told or assignment.path == "right.py" else "9 + 0") + "\n"
        await writes(FIXED if assignment.path == "third.py" else fixed)(assignment)

    agent = Doing(action)
    report = await fix(repository, tmp_path, agent, tests="final")
    assert statuses(report) == {"left.py": "fixed", "right.py": "fixed", "third.py": "fixed"}
    assert (report.tests.status, report.exit_code) == ("passed", 0)
    again = [assignment for assignment in agent.assignments if assignment.feedback]
    assert [assignment.path for assignment in again] == ["left.py"]
    assert "test_sum" in again[0].prompt


async def test_what_was_verified_before_a_deadline_is_kept(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": "import os\nimport re\nimport sys\n\nprint(sys.argv)\n"})

    async def action(assignment: Assignment) -> None:
        await writes("import re\nimport sys\n\nprint(sys.argv)\n")(assignment)
        assert (await assignment.verify()).ok
        await writes("half of somethi")(assignment)
        await asyncio.Event().wait()

    report = await fix(repository, tmp_path, Doing(action), max_attempts=1, deadline_s=3)
    assert statuses(report) == {"a.py": "partial"}
    assert text(repository, report.tip, "a.py") == "import re\nimport sys\n\nprint(sys.argv)\n"
    assert any("within 3 s" in words for words in report.tasks[0].reasons)


async def test_file_that_can_not_be_read_is_never_left_out_by_a_selection_of_rules(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": "def broken(:\n"})
    report = await fix(repository, tmp_path, select=("F401",))
    assert {one.rule for one in report.remaining} == {"invalid-syntax"}
    assert report.exit_code == 1


async def test_run_interrupted_while_bisecting_claims_nothing_of_its_result(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)
    settings = load_settings(repository.root, {"workspaces": tmp_path / "home", "tests": "final"})
    agent = Doing(writes("def value() -> int:\n    return 9 + 0\n"))

    def stop(event: object) -> None:
        if isinstance(event, Phase) and event.name == "bisecting":
            running.cancel()

    running = asyncio.create_task(run(Request(repository.root, settings), agent=agent, on_event=stop))
    report = await running
    assert report.interrupted
    assert (report.branch, report.findings_after) == (None, report.findings_before)
    assert report.tests.status != "passed"
    assert report.exit_code == 130
