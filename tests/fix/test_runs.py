"""A run's record: an outcome that was committed is never paid again, on any runtime, and what it needs is kept."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents.protocol import Assignment
from fanfold.config import load_settings
from fanfold.engine import BranchFinished, Journal
from fanfold.fix import Request
from fanfold.fix.checkers import Census, Checked
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.plan import Plan
from fanfold.fix.findings.split import Task
from fanfold.fix.reporting.report import LeftOut, Report
from fanfold.fix.run import carry_out
from fanfold.fix.runs import Past, find_past, home_of, pasts
from fanfold.fix.runs.begun import Begun, request_again
from fanfold.fix.runs.planned import Planned
from fanfold.fix.runs.saved import made, plain
from fanfold.fix.runs.tidy import tidy
from fanfold.git import Repository, pins
from fanfold.testing.agents import Answer, ScriptedAgent
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

UNUSED = "import os\nimport sys\n\nprint(sys.argv)\n"
FIXED = "import sys\n\nprint(sys.argv)\n"
NAMES = ("a.py", "b.py", "c.py", "pkg/a.py")
SECRET = "ghp_" + "a1" * 18


@dataclass
class Place:
    """A repository with a place for what runs keep, and runs in it."""

    user: TemporaryRepository
    home: Path

    def request(self, runtime: str = "native", **more: Any) -> Request:
        overrides = {"workspaces": self.home / "copies", "state": self.home / "state", "checks": ["ruff"]}
        settings = load_settings(self.user.root, {**overrides, "tests": "none", "runtime": runtime, "jobs": 4, **more})
        return Request(self.user.root, settings)

    async def last(self) -> Past:
        repository = await Repository.open(self.user.root)
        return (await pasts(home_of(self.request().settings, repository)))[-1]

    async def stopped(self, runtime: str = "native", *, at: str = "c.py", landed: bool = True) -> Past:
        """A run that was cancelled when the agent was at one file, and all others had landed."""
        waiting, finished = asyncio.Event(), asyncio.Event()

        async def hold(_: Assignment) -> None:
            waiting.set()
            await asyncio.Event().wait()

        seen: set[str] = set()

        def watch(event: object) -> None:
            if isinstance(event, BranchFinished):
                seen.add(event.key)
                if len(seen) == len(NAMES) - 1:
                    finished.set()

        agent = ScriptedAgent({name: [hold if name == at else FIXED] for name in NAMES})
        running = asyncio.create_task(carry_out(self.request(runtime), agent=agent, on_event=watch))
        await waiting.wait()
        await finished.wait()
        while landed and len(self.user.git("rev-list", "--branches=fanfold", "^main").split()) < len(NAMES) - 1:
            await asyncio.sleep(0.01)
        running.cancel()
        ended = await running
        assert ended.report.interrupted
        return await self.last()

    async def resumed(self, past: Past, agent: ScriptedAgent, runtime: str = "native") -> Report:
        now = self.request(runtime).settings
        request = request_again(past.begun, {"runtime": runtime}, now, self.user.root)
        return (await carry_out(request, agent=agent, past=past)).report


@pytest.fixture
def place(tmp_path: Path) -> Place:
    files = dict.fromkeys(NAMES, UNUSED) | {"pyproject.toml": "[tool.ruff]\n"}
    return Place(make_repository(tmp_path / "user", files), tmp_path)


@pytest.mark.parametrize(("first", "then"), [("native", "native"), ("langgraph", "langgraph"), ("native", "langgraph")])
async def test_who_was_paid_before_is_not_paid_again_on_any_runtime(place: Place, first: str, then: str) -> None:
    before = fingerprint(place.user.root)
    past = await place.stopped(first)
    assert (past.state, past.summary.places) == ("interrupted", 3)
    agent = ScriptedAgent({name: [FIXED] for name in NAMES})
    report = await place.resumed(past, agent, then)
    assert [assignment.path for assignment in agent.asked] == ["c.py"]
    assert [(task.path, task.status) for task in report.tasks] == [(name, "fixed") for name in NAMES]
    assert {place.user.git("show", f"{report.branch}:{name}") for name in NAMES} == {FIXED}
    assert place.user.git("for-each-ref", "refs/fanfold") == ""
    assert fingerprint(place.user.root) == before


async def test_who_goes_on_is_told_what_the_others_were_told(place: Place) -> None:
    place.user.commit({"AGENTS.md": f"Write short lines. {SECRET}\n", ".fanfold/advice/ruff/F401.md": "Remove it.\n"})
    past = await place.stopped()
    (kept,) = past.folder.trails(next(n for n, task in enumerate(past.plan.tasks) if task.key == "c.py")).glob("*.json")
    place.user.write({"AGENTS.md": "Write long lines.\n", ".fanfold/advice/ruff/F401.md": "Keep it.\n"})
    agent = ScriptedAgent({name: [FIXED] for name in NAMES})
    await place.resumed(past, agent)
    assert [assignment.prompt for assignment in agent.asked] == [json.loads(kept.read_text())["prompt"]]
    assert "Write short lines" in agent.asked[0].prompt
    assert not [file for file in past.folder.path.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]


async def test_what_had_not_landed_outlives_gc(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The landing is cut off, so that only the journal knows what was made."""
    from fanfold.fix.landing.queue import MergeQueue

    with monkeypatch.context() as patch:
        patch.setattr(MergeQueue, "offer", lambda *_: None)
        past = await place.stopped(landed=False)
    assert place.user.git("for-each-ref", "refs/heads/fanfold") == ""
    place.user.git("reflog", "expire", "--expire=now", "--all")
    place.user.git("gc", "-q", "--prune=now")
    agent = ScriptedAgent({name: [FIXED] for name in NAMES})
    report = await place.resumed(past, agent)
    assert [assignment.path for assignment in agent.asked] == ["c.py"]
    assert {task.status for task in report.tasks} == {"fixed"}


async def test_trails_are_written_when_an_attempt_ends_and_not_kept_in_memory(place: Place) -> None:
    past = await place.stopped()
    assert {len(past.trails(name)) for name in NAMES if name != "c.py"} == {1}
    assert [(one.stopped, one.diff) for one in past.trails("c.py")] == [(True, "")]
    (trail,) = past.trails("a.py")
    assert (trail.path, trail.ok, trail.fixed, trail.agent) == ("a.py", True, 1, "scripted")
    assert "-import os" in trail.diff
    assert "F401" in trail.prompt


async def test_attempts_that_failed_are_kept_with_what_went_wrong(place: Place) -> None:
    from fanfold.agents.protocol import AgentError

    answers: list[Answer] = [AgentError(f"lost, with {SECRET}"), "import os, re\n", FIXED]
    agent = ScriptedAgent(dict.fromkeys(NAMES, answers))
    await carry_out(place.request(max_attempts=3), agent=agent)
    first, second, third = (await place.last()).trails("b.py")
    assert first.error == "lost, with ***"
    assert (second.error, second.ok, third.ok) == (None, False, True)
    assert second.reasons
    assert second.reasons[0] in third.prompt


async def test_a_failed_request_leaves_no_record(place: Place) -> None:
    with pytest.raises(FixError, match="outside the repository"):
        await carry_out(replace(place.request(), paths=("../elsewhere",)), agent=ScriptedAgent())
    assert not list((place.home / "state").rglob("journal.sqlite"))
    assert await pins(await Repository.open(place.user.root)) == {}


async def test_only_one_process_goes_on_with_a_run(place: Place) -> None:
    past = await place.stopped()
    async with Journal.open(past.folder.journal, run=past.name, version="1"):
        with pytest.raises(FixError, match=f"open in the process {os.getpid()}"):
            await place.resumed(past, ScriptedAgent())
    report = await place.resumed(past, ScriptedAgent({"c.py": [FIXED]}))
    assert report.findings_after == 0
    with pytest.raises(FixError, match="has come to its end"):
        await place.resumed(past, ScriptedAgent())
    assert (await place.last()).state == "settled"


async def test_branch_that_somebody_moved_is_not_gone_on_with(place: Place) -> None:
    past = await place.stopped()
    place.user.git("branch", "-f", past.begun.branch, "main")
    with pytest.raises(Exception, match="somebody else moved it"):
        await place.resumed(past, ScriptedAgent())
    assert place.user.git("rev-parse", past.begun.branch) == place.user.git("rev-parse", "main")


async def test_run_that_an_error_ended_is_gone_on_with_once_the_cause_is_gone(place: Place) -> None:
    place.user.git("config", "commit.gpgsign", "true")
    place.user.git("config", "gpg.program", "false")
    stopped = (await carry_out(place.request(), agent=ScriptedAgent({name: [FIXED] for name in NAMES}))).report
    assert "gpg failed" in str(stopped.stopped)
    past = await place.last()
    assert (past.state, past.is_unfinished, past.summary.places) == ("interrupted", True, len(NAMES))
    place.user.git("config", "commit.gpgsign", "false")
    agent = ScriptedAgent()
    report = await place.resumed(past, agent)
    assert agent.asked == []
    assert {task.status for task in report.tasks} == {"fixed"}
    assert (await place.last()).state == "settled"
    assert place.user.git("for-each-ref", "refs/fanfold") == ""


async def test_base_that_is_gone_is_said(place: Place) -> None:
    past = await place.stopped()
    lost = replace(past, begun=replace(past.begun, base="1" * 40))
    with pytest.raises(FixError, match="which is no longer in the repository"):
        await place.resumed(lost, ScriptedAgent())


async def test_settings_that_hold_a_secret_are_not_kept_and_come_from_the_configuration_again(place: Place) -> None:
    request = place.request(agent_command=f"/bin/true --key {SECRET} {{file}}")
    await carry_out(request, agent=ScriptedAgent({name: [FIXED] for name in NAMES}))
    past = await place.last()
    assert "agent_command" in past.begun.masked
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in past.folder.path.rglob("*") if path.is_file())
    again = request_again(past.begun, {}, request.settings, place.user.root)
    assert again.settings.agent_command == request.settings.agent_command
    assert again.settings == request.settings


async def test_runs_are_found_by_how_their_names_begin(place: Place) -> None:
    for _ in range(2):
        await carry_out(place.request(), agent=ScriptedAgent({name: [FIXED] for name in NAMES}))
    home = home_of(place.request().settings, await Repository.open(place.user.root))
    one, two = await pasts(home)
    assert (await find_past(home, two.name)).name == two.name
    with pytest.raises(FixError, match="2 runs begin with 2"):
        await find_past(home, "2")
    with pytest.raises(FixError, match="there is no run x"):
        await find_past(home, "x")
    assert one.report != two.report


async def test_records_that_cannot_be_read_hide_no_others_and_stay(place: Place) -> None:
    past = await place.stopped()
    broken = past.folder.path.with_name("20200101-000000-0000")
    broken.mkdir()
    (broken / "journal.sqlite").write_bytes(b"no database at all, whatever the name says")
    assert (await place.last()).name == past.name
    repository = await Repository.open(place.user.root)
    tidied = await tidy(place.home / "state", repository, older_than_s=0)
    assert tidied.damaged == (broken,)
    assert [each.name for each in tidied.unfinished] == [past.name]
    assert broken.exists()


async def test_a_process_that_died_before_it_said_anything_leaves_what_clean_removes(place: Place) -> None:
    past = await place.stopped()
    empty = past.folder.path.with_name("20200101-000000-0000")
    empty.mkdir()
    assert [each.name for each in await pasts(empty.parent)] == [past.name]
    repository = await Repository.open(place.user.root)
    assert (await tidy(place.home / "state", repository, older_than_s=0)).removed == ()  # it may be in the making
    os.utime(empty, (0, 0))
    assert (await tidy(place.home / "state", repository, older_than_s=0)).removed == (empty.name,)


ODD = "caf\udce9.py"
FINDING = Finding(ODD, 1, 8, "ruff", "F401", "`os` imported but unused\0", "error", 1, 10, "https://x", "safe", "f")
TASK = Task(ODD, ODD, (FINDING,), is_test=True)


@pytest.mark.parametrize(
    "value",
    [
        Planned(
            (Checked("ruff", (FINDING,), None, 0.5, "1.0"), Checked("mypy", error="crashed")),
            Plan((FINDING,), (TASK,), ((TASK, "why"),), (LeftOut(ODD, "so", 3),)),
            (FINDING,),
        ),
        Begun(name="n", base="b" * 40, head=None, branch="fanfold/n", agent="a", checkers=("ruff",), start=ODD,
              request={"paths": [ODD]}, settings={}, masked=("x",), version="1", pid=1, boot="", started_s=1.5),
    ],
)  # fmt: skip
async def test_what_is_noted_comes_back_equal(value: Any, tmp_path: Path) -> None:
    async with Journal.open(tmp_path / "j", run="r", version="1") as journal:
        await journal.note("kind", plain(type(value), value))
    assert made(type(value), (await Journal.read_notes(tmp_path / "j", "r"))["kind"][0]) == value


def test_report_comes_back_equal(report_of_all: Report) -> None:
    assert made(Report, plain(Report, report_of_all)) == report_of_all


@pytest.fixture
def report_of_all() -> Report:
    from fanfold.fix.reporting.report import CheckerLine, FileCount, RuleCount, TaskLine, TestsLine

    return Report(
        run_id="r", version="1", repository="r", base="b" * 40, agent="a", tests=TestsLine(mode="batch"), wall_s=1.5,
        checkers=(CheckerLine("ruff", None, 3),),
        tasks=(TaskLine(path=ODD, status="fixed", findings=1, diff="\udcff"),),
        rules=(RuleCount("ruff", "F401", 1, None),), files=(FileCount(ODD, 1, 0),), remaining=(FINDING,),
        left_out=(LeftOut(ODD, "so", 3),), notes=("n",),
    )  # fmt: skip


def test_what_another_version_wrote_is_said() -> None:
    with pytest.raises(FixError, match="can't be read: Begun"):
        made(Begun, {"name": "n"})


@pytest.mark.parametrize("census", [Census(()), Census((Checked("ruff", (FINDING,)),))])
def test_census_is_made_of_what_is_noted(census: Census) -> None:
    planned = Planned(census.checked, Plan())
    assert Census(made(Planned, plain(Planned, planned)).checked) == census
