"""A recorded run is verified and landed again from its record alone; what can't be is said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents.protocol import Agent, AgentError, Assignment, Report
from fanfold.config import FixSettings, load_settings
from fanfold.fix import Request
from fanfold.fix.errors import FixError
from fanfold.fix.replay import Replayed, replay
from fanfold.fix.run import carry_out
from fanfold.fix.runs import Past, home_of, pasts
from fanfold.git import Repository
from fanfold.llm.usage import Usage
from fanfold.testing.agents import ScriptedAgent
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

UNUSED = "import os\nimport re\nimport sys\n\nprint(sys.argv)\n"
PART = "import re\nimport sys\n\nprint(sys.argv)\n"
FIXED = "import sys\n\nprint(sys.argv)\n"
WORSE = "import os\nimport re\nimport sys\nimport json\n\nprint(sys.argv)\n"
NAMES = ("a.py", "b.py", "pkg/c.py")
SECRET = "ghp_" + "a1" * 18


@dataclass
class Place:
    """A repository with a place for what runs keep, and runs in it."""

    user: TemporaryRepository
    home: Path

    def settings(self, **more: Any) -> FixSettings:
        overrides = {"workspaces": self.home / "copies", "state": self.home / "state", "checks": ["ruff"]}
        return load_settings(self.user.root, {**overrides, "tests": "none", "runtime": "native", **more})

    async def run(self, *agents: Agent, **more: Any) -> Past:
        """A run of these agents, as it is remembered."""
        settings = self.settings(**more)
        await carry_out(Request(self.user.root, settings), agent=agents)
        return (await pasts(home_of(settings, await Repository.open(self.user.root))))[-1]

    async def replay(self, past: Past, **more: Any) -> Replayed:
        return await replay(past, self.settings(**more), self.user.root)

    def forget(self, past: Past) -> None:
        """Have the repository hold nothing any more of what the run made."""
        for ref in self.user.git("for-each-ref", "--format=%(refname)", "refs/heads/fanfold", "refs/fanfold").split():
            self.user.git("update-ref", "-d", ref)
        self.user.git("reflog", "expire", "--expire=now", "--all")
        self.user.git("gc", "-q", "--prune=now")
        assert past.report is not None
        assert self.user.git("cat-file", "--batch-check", stdin=str(past.report.tip).encode()).endswith("missing\n")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    files = dict.fromkeys(NAMES, UNUSED) | {"pyproject.toml": "[tool.ruff]\n"}
    return Place(make_repository(tmp_path / "user", files), tmp_path)


class Paid(ScriptedAgent):
    """Takes half a dollar for each answer."""

    async def work(self, assignment: Assignment) -> Report:
        """As the script has it."""
        return replace(await super().work(assignment), usage=Usage(requests=1, input_tokens=120, cost_usd=0.5))


def statuses(replayed: Replayed) -> dict[str, str]:
    return {task.path: task.status for task in replayed.report.tasks}


def trees(place: Place, *branches: str | None) -> set[str]:
    return {place.user.git("rev-parse", f"{branch}^{{tree}}") for branch in branches}


@pytest.mark.parametrize("forgotten", [False, True])
async def test_same_result_on_a_branch_of_its_own_with_no_agent(place: Place, forgotten: bool) -> None:
    answers: Sequence[Any] = [AgentError("lost"), WORSE, PART, FIXED]
    agent = ScriptedAgent({"a.py": [FIXED], "b.py": answers, "pkg/c.py": [PART]})
    past = await place.run(agent, max_attempts=4)
    assert past.report is not None
    tree = trees(place, past.report.branch)
    if forgotten:
        place.forget(past)
    asked, before = len(agent.asked), fingerprint(place.user.root)
    replayed = await place.replay(past)
    assert (replayed.differences, replayed.unplayable, replayed.compared) == ((), (), True)
    assert len(agent.asked) == asked
    assert fingerprint(place.user.root) == before
    assert replayed.report.branch not in (None, past.report.branch)
    assert trees(place, replayed.report.branch) == tree
    assert statuses(replayed) == {"a.py": "fixed", "b.py": "fixed", "pkg/c.py": "partial"}
    assert [task.attempts for task in replayed.report.tasks] == [task.attempts for task in past.report.tasks]


async def test_what_was_paid_once_is_not_said_to_be_paid_again(place: Place) -> None:
    past = await place.run(Paid({"a.py": [FIXED], "b.py": [AgentError("lost")]}), max_attempts=1)
    assert past.report is not None
    assert past.report.usage is not None
    assert past.report.usage.cost_usd == 1.0
    replayed = await place.replay(past)
    assert replayed.report.usage == Usage(cost_usd=0.0)
    assert not any(stage.unmeasured for stage in replayed.report.stages)


async def test_replay_stands_on_the_recorded_base(place: Place) -> None:
    past = await place.run(ScriptedAgent(otherwise=FIXED))
    place.user.git("rm", "-q", "-r", "a.py", "pkg")
    place.user.git("commit", "-q", "-m", "gone")
    replayed = await place.replay(past)
    assert replayed.report.base == past.begun.base
    assert set(statuses(replayed).values()) == {"fixed"}


async def test_all_stages_of_a_cascade_are_played_in_their_order(place: Place) -> None:
    first = ScriptedAgent({"a.py": [PART], "b.py": [FIXED], "pkg/c.py": [WORSE]}, name="cheap")
    second = ScriptedAgent({"a.py": [FIXED], "pkg/c.py": [PART]}, name="strong")
    past = await place.run(first, second, max_attempts=2)
    replayed = await place.replay(past)
    assert replayed.differences == ()
    assert statuses(replayed) == {"a.py": "fixed", "b.py": "fixed", "pkg/c.py": "partial"}
    assert past.report is not None
    assert len(trees(place, past.report.branch, replayed.report.branch)) == 1


async def test_tasks_of_two_files_may_change_the_second_one_again(tmp_path: Path) -> None:
    loud = "def greet(name: str, *, loud: bool = False) -> str:\n    return name.upper() if loud else name\n"
    files = {
        "pyproject.toml": '[tool.mypy]\nstrict = true\nfiles = ["shop"]\n',
        "shop/__init__.py": "",
        "shop/words.py": "def greet(name: str) -> str:\n    return name\n",
        "shop/app.py": 'from shop.words import greet\n\n\ndef main() -> str:\n    return greet("a", loud=True)\n',
    }
    place = Place(make_repository(tmp_path / "user", files), tmp_path)

    def write(assignment: Assignment) -> None:
        (assignment.root / "shop/words.py").write_text(loud)

    past = await place.run(ScriptedAgent({"shop/app.py": [(write,)]}), checks=["mypy"])
    replayed = await place.replay(past)
    assert (statuses(replayed), replayed.differences) == ({"shop/app.py": "fixed"}, ())
    assert place.user.git("show", f"{replayed.report.branch}:shop/words.py") == loud


async def test_race_is_played_without_those_who_lost(place: Place) -> None:
    def agents() -> tuple[ScriptedAgent, ...]:
        return ScriptedAgent(name="quick", otherwise=FIXED), ScriptedAgent(name="other", otherwise=PART)

    past = await place.run(*agents(), race=True)
    replayed = await place.replay(past)
    assert set(statuses(replayed).values()) == {"fixed"}


async def test_other_verdict_is_told_as_a_difference(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that a later version has refuses what was let through."""
    from fanfold.fix.attempts.verify import Judge

    past = await place.run(ScriptedAgent(otherwise=FIXED))
    real = Judge._judge

    async def stricter(judge: Any, *args: Any) -> Any:
        verdict = await real(judge, *args)
        return replace(verdict, ok=False, reasons=("is refused now",)) if judge.task.path == "b.py" else verdict

    monkeypatch.setattr(Judge, "_judge", stricter)
    replayed = await place.replay(past)
    (difference,) = replayed.differences
    assert difference.before is not None
    assert difference.now is not None
    assert (difference.path, difference.before.status, difference.now.status) == ("b.py", "fixed", "refused")
    assert "is refused now" in difference.now.reasons
    assert replayed.report.exit_code == 1


async def test_file_whose_diff_was_masked_is_named_and_the_others_are_played(place: Place) -> None:
    agent = ScriptedAgent({"a.py": [FIXED + f'TOKEN = "{SECRET}"\n']}, otherwise=FIXED)
    past = await place.run(agent)
    assert SECRET not in (past.folder.path / "tasks" / "0" / "attempt-1.json").read_text()
    place.forget(past)
    replayed = await place.replay(past)
    ((path, why),) = replayed.unplayable
    assert (path, "a secret in it was masked" in why) == ("a.py", True)
    assert statuses(replayed) == {"a.py": "failed", "b.py": "fixed", "pkg/c.py": "fixed"}
    assert [one.path for one in replayed.differences] == ["a.py"]
    assert replayed.report.exit_code == 1


async def test_diff_that_somebody_edited_is_not_taken_for_what_was_made(place: Place) -> None:
    past = await place.run(ScriptedAgent({"a.py": [FIXED + "print(1)\n"]}, otherwise=FIXED))
    place.forget(past)
    (file,) = [one for one in past.folder.path.rglob("attempt-1.json") if "print(1)" in one.read_text()]
    file.write_text(file.read_text().replace("+print(1)", "+print(2)"))
    replayed = await place.replay(past)
    assert [path for path, _ in replayed.unplayable] == ["a.py"]
    assert statuses(replayed) == {"a.py": "failed", "b.py": "fixed", "pkg/c.py": "fixed"}


async def test_paths_that_lead_out_of_the_working_copy_are_refused(place: Place, tmp_path: Path) -> None:
    past = await place.run(ScriptedAgent(otherwise=FIXED))
    file = past.folder.path / "tasks" / "0" / "attempt-1.json"
    told = json.loads(file.read_text())
    told["made"] = {"../../../../planted": next(iter(told["made"].values()))}
    file.write_text(json.dumps(told))
    replayed = await place.replay(past)
    assert sorted(statuses(replayed).values()) == ["failed", "fixed", "fixed"]
    assert not list(tmp_path.rglob("planted"))


async def test_what_an_agent_did_beyond_its_file_is_refused_again(place: Place) -> None:
    def stray(assignment: Assignment) -> None:
        (assignment.root / assignment.path).write_text(FIXED)
        (assignment.root / "new.py").write_text("x = 1\n")

    past = await place.run(ScriptedAgent(otherwise=stray), max_attempts=1)
    replayed = await place.replay(past)
    assert replayed.differences == ()
    assert set(statuses(replayed).values()) == {"refused"}
    assert any("new.py" in reason for task in replayed.report.tasks for reason in task.reasons)


async def test_run_without_attempts_cannot_be_replayed(place: Place) -> None:
    past = await place.run(ScriptedAgent(otherwise=FIXED))
    for file in past.folder.path.rglob("attempt-*.json"):
        file.unlink()
    with pytest.raises(FixError, match=r"no attempt of the run .* was recorded"):
        await place.replay(past)


async def test_files_with_other_line_ends_and_without_a_last_one_come_out_the_same(place: Place) -> None:
    odd = b"import os\r\nimport sys\r\n\r\nprint(sys.argv, '\xc3\xa9')"
    (place.user.root / "odd.py").write_bytes(odd)
    place.user.git("add", "odd.py")
    place.user.git("commit", "-q", "-m", "odd")
    past = await place.run(ScriptedAgent({"odd.py": [odd.removeprefix(b"import os\r\n")]}, otherwise=FIXED))
    assert past.report is not None
    tree = trees(place, past.report.branch)
    place.forget(past)
    replayed = await place.replay(past)
    assert trees(place, replayed.report.branch) == tree
    assert replayed.differences == ()
