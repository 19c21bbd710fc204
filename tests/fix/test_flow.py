"""`fix` as a flow: its state is data, and who runs it changes nothing but a name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents.protocol import Assignment, Material
from fanfold.config import FixSettings, load_settings
from fanfold.engine import BranchFinished, Codec, Done, Failed
from fanfold.fix import Finding, Report, Request, run
from fanfold.fix.attempts.attempt import Attempted
from fanfold.fix.attempts.bench import Brief
from fanfold.fix.attempts.verify import Judgement
from fanfold.fix.findings.split import Task
from fanfold.fix.flow import AGAIN, FIX
from fanfold.fix.landing.landed import Landing
from fanfold.fix.landing.restored import Restored
from fanfold.fix.run import Ended, carry_out
from fanfold.fix.state import FileState
from fanfold.git import Change, Repository, ResultBranch, WorkspacePool
from fanfold.git.change import PathChange
from fanfold.runtimes.types import type_of
from fanfold.testing.agents import ScriptedAgent
from fanfold.testing.repositories import TemporaryRepository, make_repository

UNUSED = "import os\nimport sys\n\nprint(sys.argv)\n"
FIXED = "import sys\n\nprint(sys.argv)\n"
FINDING = Finding("a/b.py", 1, 8, "ruff", "F401", "`os` imported but unused", "error", 1, 10, "https://x", "safe", "f")
ATTEMPTED = Attempted(
    task=Task("a/b.py", "a/b.py", (FINDING,), is_test=True),
    change=Change("b" * 40, "c" * 40, (PathChange("a/b.py", "M", "100644", "100644", "d" * 40, "e" * 40),)),
    verdict=Judgement(ok=True, reasons=("so",), fixed=1, left=2, added=(FINDING,), gone=(FINDING, FINDING)),
    attempts=2,
    agent_s=1.5,
    refused=("F401: adds a finding",),
    parcel="cGFjaw==",
)
TIMES = ("elapsed_s", "agent_s", "wall_s", "tasks_s", "average_s", "speedup", "batches", "largest")


def test_what_a_branch_returns_comes_back_from_json() -> None:
    codec: Codec[Any] = Codec(type_of(FIX, FIX.hops[-1]))
    update = {"attempts": [ATTEMPTED]}
    assert codec.decode(codec.encode(update)) == update


@pytest.mark.parametrize("odd", ["a\udcff.py", "\ud800", "é\0", "undecodable"])
def test_file_names_that_are_no_text_come_back_from_json(odd: str) -> None:
    codec: Codec[Any] = Codec(type_of(FIX, FIX.hops[-1]))
    paths = (PathChange(odd, "M", "100644", "100644", "d" * 40, "e" * 40),)
    finding = replace(FINDING, path=odd)
    made = replace(
        ATTEMPTED,
        task=Task(odd, odd, (finding,)),
        change=Change("b" * 40, "c" * 40, paths),
        verdict=Judgement(ok=True, reasons=(odd,), gone=(finding,)),
        refused=(odd,),
    )
    assert codec.decode(codec.encode({"attempts": [made]})) == {"attempts": [made]}


def test_what_a_branch_is_given_comes_back_from_json() -> None:
    file = FileState.of(ATTEMPTED.task)
    assert (file.key, file.task) == ("a/b.py", ATTEMPTED.task)
    codec = Codec(FileState)
    assert codec.decode(codec.encode(file)) == file


def test_what_all_attempts_have_in_common_comes_back_from_json() -> None:
    material = Material({"F401": "unused"}, conventions="tidy", examples={"F401": ("-import os",)})
    brief = Brief("b" * 40, FixSettings(jobs=3, select=("F",)), ("ruff",), (FINDING,), material)
    codec = Codec(Brief)
    assert codec.decode(codec.encode(brief)) == brief


def test_second_attempt_is_the_same_branch_with_the_same_landing() -> None:
    assert (AGAIN.branch, AGAIN.on_outcome, AGAIN.state) == (FIX.branch, FIX.on_outcome, FIX.state)
    assert AGAIN.name != FIX.name


def broken(path: Path) -> TemporaryRepository:
    return make_repository(
        path, {"a.py": UNUSED, "b/a.py": UNUSED, "c.py": UNUSED, "d.py": UNUSED, "clean.py": "x = 1\n"}
    )


async def fix(repository: TemporaryRepository, home: Path, runtime: str, **more: Any) -> Ended:
    settings = load_settings(
        repository.root, {"workspaces": home, "tests": "none", "jobs": 1, "runtime": runtime, "max_attempts": 1}
    )
    agent = ScriptedAgent(
        {"a.py": [FIXED], "b/a.py": [FIXED], "c.py": [RuntimeError("broke down")], "d.py": ["import os, re\n"]}
    )
    return await carry_out(Request(repository.root, settings), agent=agent, **more)


def without_times(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: without_times(item) for key, item in value.items() if key not in (*TIMES, "time")}
    return [without_times(item) for item in value] if isinstance(value, list | tuple) else value


def told(report: Report) -> Any:
    """The report without what differs from one run to the next."""
    plain = without_times(asdict(report))
    for name in ("run_id", "branch", "tip", "runtime", "repository"):
        del plain[name]
    for task in plain["tasks"]:
        task["commit"] = task["commit"] is not None
    return plain


def commits(repository: TemporaryRepository, report: Report) -> list[str]:
    """What each commit of the result says and holds, in their order."""
    return repository.git("log", "--reverse", "--format=%s%n%b%T", f"main..{report.branch}").splitlines()


async def test_each_runtime_makes_the_same_commits_and_the_same_report(tmp_path: Path) -> None:
    ended, made = {}, {}
    for runtime in ("native", "langgraph"):
        repository = broken(tmp_path / runtime)
        ended[runtime] = await fix(repository, tmp_path / "home", runtime)
        made[runtime] = commits(repository, ended[runtime].report)
    native, langgraph = ended["native"], ended["langgraph"]
    assert (native.report.runtime, langgraph.report.runtime) == ("native", "langgraph")
    assert [task.status for task in native.report.tasks] == ["fixed", "fixed", "failed", "refused"]
    assert made["native"] == made["langgraph"]
    assert len([line for line in made["native"] if line.startswith("fix(quality)")]) == 2
    assert told(native.report) == told(langgraph.report)
    differs = {"session_id", "project_root", "attempts", "file_metrics"}
    assert {key: value for key, value in native.state.items() if key not in differs} == {
        key: value for key, value in langgraph.state.items() if key not in differs
    }


@pytest.mark.parametrize("runtime", ["native", "langgraph"])
async def test_state_at_the_end_counts_what_is_on_the_result_branch(tmp_path: Path, runtime: str) -> None:
    repository = broken(tmp_path / "r")
    ended = await fix(repository, tmp_path / "home", runtime)
    state = ended.state
    assert state["session_id"] == ended.report.run_id
    assert state["project_root"] == repository.root
    assert [str(file.file_path) for file in state["files"]] == ["a.py", "b/a.py", "c.py", "d.py"]
    assert state["successful_fixes"] == ["a.py", "b/a.py"]
    assert state["failed_fixes"] == ["c.py", "d.py"]
    assert state["total_errors_fixed"] == 2
    assert [(one["file"], one["errors_fixed"]) for one in state["file_metrics"]] == [("a.py", 1), ("b/a.py", 1)]
    assert all(one.keys() == {"file", "time", "errors_fixed"} and one["time"] > 0 for one in state["file_metrics"])
    assert [one.task.key for one in state["attempts"]] == ["a.py", "b/a.py", "d.py"]


async def test_dry_run_has_files_and_tries_none(tmp_path: Path) -> None:
    repository = broken(tmp_path / "r")
    settings = load_settings(repository.root, {"workspaces": tmp_path / "home"})
    agent = ScriptedAgent()
    state = (await carry_out(Request(repository.root, settings, dry_run=True), agent=agent)).state
    assert len(state["files"]) == 4
    assert (agent.asked, state["attempts"], state["successful_fixes"], state["failed_fixes"]) == ([], [], [], [])


async def test_interrupted_run_counts_what_has_landed(tmp_path: Path) -> None:
    repository = broken(tmp_path / "r")
    settings = load_settings(repository.root, {"workspaces": tmp_path / "home", "tests": "none", "jobs": 1})

    async def act(assignment: Assignment) -> None:
        (assignment.root / assignment.path).write_text(FIXED)

    running: Any = None

    def stop(event: object) -> None:
        if isinstance(event, BranchFinished) and event.key == "b/a.py":
            running.cancel()

    running = asyncio.create_task(
        carry_out(Request(repository.root, settings), agent=ScriptedAgent(otherwise=act), on_event=stop)
    )
    ended = await running
    assert ended.report.interrupted
    assert ended.state["successful_fixes"] == [task.path for task in ended.report.landed]
    assert ended.state["total_errors_fixed"] == len(ended.report.landed) >= 1
    assert len(ended.state["files"]) == 4


async def test_watchers_are_told_of_attempts_and_not_of_updates(tmp_path: Path) -> None:
    events: list[object] = []
    await fix(broken(tmp_path / "r"), tmp_path / "home", "native", on_event=events.append)
    came_to = {event.key: event.outcome for event in events if isinstance(event, BranchFinished)}
    assert isinstance(came_to["a.py"], Done)
    assert isinstance(came_to["a.py"].value, Attempted)
    assert isinstance(came_to["c.py"], Failed)


async def test_outcome_that_comes_once_more_is_offered_once(tmp_path: Path) -> None:
    made = make_repository(tmp_path / "r", {"a.py": UNUSED})
    repository = await Repository.open(made.root)
    async with (
        WorkspacePool(repository, home=tmp_path / "home") as pool,
        ResultBranch(repository, repository.head, "fanfold/x") as branch,
    ):
        async with pool.lease(repository.head) as workspace:
            (workspace.root / "a.py").write_text(FIXED)
            change = await workspace.capture()
        landing = Landing(branch, "scripted")
        attempted = Attempted(Task("a.py", "a.py", (FINDING,)), change, Judgement(ok=True, fixed=1), 1, 1.0)
        outcome = Done("a.py", attempted, 0.0, 2.0)
        offer = landing.receive(outcome)
        assert offer is not None
        assert (offer.key, offer.change) == ("a.py", change)
        assert landing.receive(outcome) is None
        landing.took([offer], await branch.publish([(offer.change, offer.message)]))
        assert landing.receive(outcome) is None
        assert landing.outcomes["a.py"].elapsed_s == 2.0
        resumed = Landing(branch, "scripted")
        resumed.restore(Restored(landed={"a.py": branch.commits[0].commit}))
        assert resumed.receive(outcome) is None
        assert (resumed.offered, landing.offered) == (1, 1), "what an earlier process landed had been offered, too"


async def test_runtime_that_is_given_runs_the_flow(tmp_path: Path) -> None:
    from fanfold.runtimes import Native

    repository = broken(tmp_path / "r")
    settings = load_settings(
        repository.root, {"workspaces": tmp_path / "home", "tests": "none", "runtime": "langgraph"}
    )
    report = await run(Request(repository.root, settings), runtime=Native())
    assert (report.runtime, report.exit_code) == ("native", 0)
