"""Stomper's pattern under its own names, on real repositories."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fanfold.agents.protocol import Agent, Assignment
from fanfold.config import ConfigError
from fanfold.fix import FileState, FixError, StomperState, StomperWorkflow, StomperWorkflowParallel, WorkflowConfig
from fanfold.fix.events import Phase
from fanfold.runtimes import Native
from fanfold.testing.agents import ScriptedAgent
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

UNUSED = "import os\nimport sys\n\nprint(sys.argv)\n"
TWO = "import os\nimport re\nimport sys\n\nprint(sys.argv)\n"
FIXED = "import sys\n\nprint(sys.argv)\n"
NODES = ["initialize", "collect_errors", "process_file", "aggregate_results", "cleanup"]
SUITE = {
    "lib.py": "import os\n\n\ndef one() -> int:\n    return 1\n",
    "other.py": UNUSED,
    "tests/test_lib.py": "import lib\n\n\ndef test_one():\n    assert lib.one() == 1\n",
    "pytest.ini": "[pytest]\npythonpath = .\n",
    "check.py": "import lib\n\nassert lib.one() == 1\n",
}
BARE = {"tests": "final", "test_command": f"{sys.executable} -E check.py"}
"""Settings for tests to which it doesn't matter whose suite it is."""


@pytest.fixture(autouse=True)
def _on_langgraph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FANFOLD_FIX_RUNTIME")


@pytest.fixture
def repository(tmp_path: Path) -> TemporaryRepository:
    return make_repository(
        tmp_path / "r", {"utils.py": UNUSED, "pkg/utils.py": TWO, "views.py": UNUSED, "clean.py": ""}
    )


def workflow(repository: TemporaryRepository, *given: Any, agent: Agent | None = None, **more: Any) -> StomperWorkflow:
    home = repository.root.parent / "home"
    settings = {"workspaces": home, "max_attempts": 1, **more.pop("settings", {})}
    return StomperWorkflow(repository.root, *given, agent=agent, settings=settings, **more)


def landed(repository: TemporaryRepository, session_id: str) -> list[str]:
    return sorted(repository.git("log", "--format=%s", f"main..fanfold/{session_id}").splitlines())


def test_both_names_are_one_class() -> None:
    assert StomperWorkflowParallel is StomperWorkflow


def test_names_cost_nothing_until_they_are_used() -> None:
    program = "import sys, fanfold.fix; sys.exit('fanfold.fix.stomper' in sys.modules or 'langgraph' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def test_pattern_runs_as_documented(repository: TemporaryRepository) -> None:
    before = fingerprint(repository.root)
    state: StomperState = await workflow(repository, 4, True, False).run({"enabled_tools": ["ruff"]})
    assert fingerprint(repository.root) == before
    assert state["project_root"] == repository.root
    assert state["enabled_tools"] == ["ruff"]
    assert state["files"][0] == FileState(Path("pkg/utils.py"), state["files"][0].errors)
    assert sorted(state["successful_fixes"]) == ["pkg/utils.py", "utils.py", "views.py"]
    assert (state["failed_fixes"], state["total_errors_fixed"]) == ([], 4)
    assert all(metric.keys() == {"file", "time", "errors_fixed"} for metric in state["file_metrics"])
    fixed = {metric["file"]: metric["errors_fixed"] for metric in state["file_metrics"]}
    assert fixed == {"pkg/utils.py": 2, "utils.py": 1, "views.py": 1}
    assert landed(repository, state["session_id"]) == [
        "fix(quality): 1 finding in utils.py",
        "fix(quality): 1 finding in views.py",
        "fix(quality): 2 findings in pkg/utils.py",
    ]
    assert repository.git("show", f"fanfold/{state['session_id']}:pkg/utils.py") == FIXED


async def test_report_says_the_rest(repository: TemporaryRepository) -> None:
    stomper = workflow(repository, run_tests=False)
    assert stomper.report is None
    state = await stomper.run()
    assert stomper.report is not None
    assert stomper.report.branch == f"fanfold/{state['session_id']}"
    assert stomper.report.runtime == "langgraph"


async def test_same_state_without_langgraph(repository: TemporaryRepository) -> None:
    stomper = workflow(repository, run_tests=False, runtime=Native())
    state = await stomper.run()
    assert stomper.report is not None
    assert (stomper.report.runtime, state["total_errors_fixed"]) == ("native", 4)


async def test_result_is_applied_where_that_was_asked_for(repository: TemporaryRepository) -> None:
    await workflow(repository, run_tests=False, apply=True).run()
    assert (repository.root / "utils.py").read_text() == FIXED
    assert repository.git("status", "--porcelain") == ""
    assert len(repository.git("log", "--format=%h", "main").splitlines()) == 4


async def test_no_op_is_no_fix_and_a_failure_keeps_no_other_from_landing(repository: TemporaryRepository) -> None:
    agent = ScriptedAgent({"utils.py": [RuntimeError("broke down")], "pkg/utils.py": [FIXED]})
    state = await workflow(repository, run_tests=False, agent=agent).run()
    assert state["successful_fixes"] == ["pkg/utils.py"]
    assert state["failed_fixes"] == ["utils.py", "views.py"]
    assert state["total_errors_fixed"] == 2
    assert [metric["file"] for metric in state["file_metrics"]] == ["pkg/utils.py"]


async def test_repository_without_errors_has_nothing_counted(tmp_path: Path) -> None:
    state = await workflow(make_repository(tmp_path / "r", {"a.py": "x = 1\n"})).run()
    assert (state["files"], state["successful_fixes"], state["failed_fixes"]) == ([], [], [])
    assert (state["total_errors_fixed"], state["file_metrics"]) == (0, [])


async def test_change_that_breaks_tests_is_a_failed_fix(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)
    agent = ScriptedAgent({"lib.py": ["def one() -> int:\n    return 2 + 0\n"], "other.py": [FIXED]})
    stomper = workflow(repository, agent=agent)
    state = await stomper.run()
    assert stomper.report is not None
    assert (state["successful_fixes"], state["failed_fixes"]) == (["other.py"], ["lib.py"])
    assert stomper.report.tests.mode == "each"
    assert any("test_one" in reason for task in stomper.report.tasks for reason in task.reasons)


async def test_change_that_was_taken_out_is_not_counted(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)
    agent = ScriptedAgent({"lib.py": ["def one() -> int:\n    return 2 + 0\n"], "other.py": [FIXED]})
    state = await workflow(repository, agent=agent, settings=BARE).run({"enabled_tools": ["ruff"]})
    assert (state["successful_fixes"], state["failed_fixes"]) == (["other.py"], ["lib.py"])
    assert (state["total_errors_fixed"], len(state["file_metrics"])) == (1, 1)


async def test_change_that_lands_at_the_second_go_is_counted_once(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", SUITE)

    def act(assignment: Assignment) -> None:
        told = "taken out" in assignment.feedback
        text = f"def one() -> int:\n    return {'1' if told else '2 + 0'}\n" if assignment.path == "lib.py" else FIXED
        (assignment.root / assignment.path).write_text(text)

    agent = ScriptedAgent(otherwise=act)
    state = await workflow(repository, agent=agent, settings=BARE).run({"enabled_tools": ["ruff"]})
    assert (sorted(state["successful_fixes"]), state["failed_fixes"]) == (["lib.py", "other.py"], [])
    assert (state["total_errors_fixed"], len(state["file_metrics"]), len(state["attempts"])) == (2, 2, 3)


@pytest.mark.parametrize("use_sandbox", [True, False])
async def test_every_file_has_a_workspace_of_its_own_with_or_without_a_sandbox(
    repository: TemporaryRepository, use_sandbox: bool
) -> None:
    together = asyncio.Barrier(3)
    roots: dict[str, Path] = {}

    async def act(assignment: Assignment) -> None:
        roots[assignment.path] = assignment.root
        await together.wait()
        (assignment.root / assignment.path).write_text(FIXED)

    agent = ScriptedAgent(otherwise=act)
    before = fingerprint(repository.root)
    state = await workflow(repository, 4, use_sandbox, False, agent=agent).run()
    assert fingerprint(repository.root) == before
    assert len(state["successful_fixes"]) == len(set(roots.values())) == 3
    assert repository.root not in roots.values()


@pytest.mark.parametrize(
    ("made_with", "run_with", "most"),
    [
        ({"max_parallel_files": 2}, None, 2),
        ({"max_parallel_files": 1}, None, 1),
        ({"config": WorkflowConfig()}, None, 1),
        ({"config": WorkflowConfig(parallel_mode=True, max_parallel_files=2)}, {"enabled_tools": ["ruff"]}, 2),
        ({"max_parallel_files": 2}, {"parallel_mode": False}, 1),
        ({"max_parallel_files": 2}, WorkflowConfig(), 1),
        ({"max_parallel_files": 1}, {"max_parallel_files": 3}, 3),
    ],
)
async def test_files_at_once_are_as_many_as_was_said(
    repository: TemporaryRepository, made_with: dict[str, Any], run_with: Any, most: int
) -> None:
    agent = ScriptedAgent()
    told: list[object] = []
    await workflow(repository, run_tests=False, agent=agent, **made_with).run(run_with, on_event=told.append)
    (fixing,) = [phase for phase in told if isinstance(phase, Phase) and phase.name == "fixing"]
    assert fixing.detail == f"3 files, {most} at once"
    assert agent.peak <= most


async def test_folder_of_a_repository_is_worked_on_alone(repository: TemporaryRepository) -> None:
    home = repository.root.parent / "home"
    stomper = StomperWorkflow(repository.root / "pkg", run_tests=False, settings={"workspaces": home})
    assert (await stomper.run())["successful_fixes"] == ["pkg/utils.py"]


async def test_only_enabled_tools_are_run(repository: TemporaryRepository) -> None:
    repository.commit({"prices.py": "x: int = 'one'\n", "pyproject.toml": "[tool.ruff]\n", "pkg/__init__.py": ""})
    state = await workflow(repository, run_tests=False).run({"enabled_tools": ["mypy"]})
    assert [str(file.file_path) for file in state["files"]] == ["prices.py"]
    assert {error.checker for file in state["files"] for error in file.errors} == {"mypy"}


async def test_tool_that_could_not_check_is_not_taken_for_clean(repository: TemporaryRepository) -> None:
    state = await workflow(repository, run_tests=False).run({"enabled_tools": ["mypy"]})
    assert state["files"] == []
    assert "Duplicate module" in state["unchecked"][0]


async def test_tool_that_nobody_knows_is_refused_before_anything_starts(repository: TemporaryRepository) -> None:
    with pytest.raises(FixError, match="there is no checker 'rufff'") as caught:
        await workflow(repository).run({"enabled_tools": ["rufff"]})
    assert "did you mean ruff?" in str(caught.value.hint)
    assert repository.git("for-each-ref", "refs/heads/fanfold") == ""


@pytest.mark.parametrize("number", [0, 17, "many", True])
def test_number_of_files_that_is_out_of_bounds_is_refused(repository: TemporaryRepository, number: Any) -> None:
    with pytest.raises(ConfigError, match=r"max_parallel_files is .*, but must be a whole number from 1 to 16"):
        workflow(repository, number)
    with pytest.raises(ValidationError):
        WorkflowConfig(max_parallel_files=number)


async def test_setting_that_nobody_knows_is_refused(repository: TemporaryRepository) -> None:
    with pytest.raises(ConfigError, match="'max_files' is no setting of a workflow"):
        await workflow(repository).run({"max_files": 3})
    with pytest.raises(ConfigError, match="Unknown setting 'job'"):
        workflow(repository, settings={"job": 3})


def test_configuration_has_the_documented_defaults() -> None:
    config = WorkflowConfig()
    assert (config.max_parallel_files, config.parallel_mode, config.files_at_once) == (4, False, 1)
    assert WorkflowConfig(max_parallel_files=16, parallel_mode=True).files_at_once == 16


def test_picture_shows_the_five_nodes(repository: TemporaryRepository) -> None:
    picture = workflow(repository).visualize("mermaid")
    assert picture.startswith("flowchart TD\n")
    assert all(node in picture for node in NODES)
    with pytest.raises(ConfigError):
        workflow(repository).visualize("ascii")  # type: ignore[arg-type]


def test_graph_has_the_five_nodes(repository: TemporaryRepository) -> None:
    assert set(NODES) <= set(workflow(repository).graph.get_graph().nodes)


async def test_graph_runs_by_itself_in_a_session(repository: TemporaryRepository) -> None:
    stomper = workflow(repository, run_tests=False)
    async with stomper.session() as context:
        final = await stomper.graph.ainvoke({}, config={"max_concurrency": 4}, context=context)
    assert final["total_errors_fixed"] == 4
    assert sorted(final["successful_fixes"]) == ["pkg/utils.py", "utils.py", "views.py"]
    assert len(landed(repository, final["session_id"])) == 3


async def test_graph_streams_each_file_as_it_is_done(repository: TemporaryRepository) -> None:
    stomper = workflow(repository, run_tests=False)
    seen: list[str] = []
    async with stomper.session() as context:
        async for update in stomper.graph.astream({}, context=context, stream_mode="updates"):
            seen += update
    assert [name for name in seen if name in NODES] == [*NODES[:2], *["process_file"] * 3, *NODES[3:]]
