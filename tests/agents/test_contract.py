"""What every agent keeps to, whoever wrote it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents import Agent, AgentError, Report
from fanfold.agents.autofix import Autofix
from fanfold.agents.command import Command
from fanfold.testing.agents import ScriptedAgent, Sleep

MakeBench = Callable[..., Any]

BEFORE = b"import os\r\nimport re\r\nx = 1\r\n"
AFTER = b"x = 1\r\n"


@pytest.fixture(params=["autofix", "command", "scripted"])
def agent(request: pytest.FixtureRequest, make_settings: Callable[..., Any]) -> Agent:
    """Agents that can delete unused imports."""
    if request.param == "autofix":
        return Autofix.make(make_settings())
    if request.param == "scripted":
        return ScriptedAgent({"module.py": ((Sleep(0.01), AFTER),)})
    argv = (sys.executable, "-m", "fanfold.testing.waiting_agent", "{file}")
    return Command.make(make_settings(agent_command=argv))


async def test_it_fixes_its_file_and_touches_no_other(agent: Agent, make_bench: MakeBench) -> None:
    bench = make_bench(BEFORE)
    other = bench.root / "other.py"
    other.write_bytes(BEFORE)
    before = {path.name for path in bench.root.iterdir()}
    report = await agent.work(bench.assignment())
    assert bench.file.read_bytes() == AFTER
    assert other.read_bytes() == BEFORE
    assert before <= {path.name for path in bench.root.iterdir()} <= before | {".ruff_cache"}
    assert isinstance(report, Report)
    assert report.refused == ()


async def test_what_it_did_is_verified_as_good(agent: Agent, make_bench: MakeBench) -> None:
    bench = make_bench(BEFORE)
    await agent.work(bench.assignment())
    verdict = await bench.verify()
    assert verdict.ok
    assert verdict.fixed == 2


async def test_assignments_side_by_side_do_not_meet(agent: Agent, make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench(BEFORE)
    assignments = []
    for number in range(3):
        root, scratch = tmp_path / f"root-{number}", tmp_path / f"scratch-{number}"
        root.mkdir()
        scratch.mkdir()
        (root / "ruff.toml").write_bytes((bench.root / "ruff.toml").read_bytes())
        (root / "module.py").write_bytes(BEFORE)
        assignments.append(bench.assignment(root=root, scratch=scratch, verify=_good(root / "module.py")))
    await asyncio.gather(*(agent.work(assignment) for assignment in assignments))
    assert [(one.root / one.path).read_bytes() for one in assignments] == [AFTER] * 3
    assert bench.file.read_bytes() == BEFORE


async def test_a_second_run_changes_nothing(agent: Agent, make_bench: MakeBench) -> None:
    bench = make_bench(AFTER)
    await agent.work(bench.assignment())
    assert bench.file.read_bytes() == AFTER


async def test_it_ends_when_it_is_cancelled(agent: Agent, make_bench: MakeBench) -> None:
    bench = make_bench(BEFORE)
    working = asyncio.create_task(agent.work(bench.assignment()))
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


def test_it_has_a_name_and_says_whether_it_is_worth_a_second_try(agent: Agent) -> None:
    assert agent.name in {"autofix", "command", "scripted"}
    assert isinstance(agent.deterministic, bool)


async def test_its_failures_are_agent_errors(make_bench: MakeBench, make_settings: Callable[..., Any]) -> None:
    bench = make_bench(BEFORE)
    broken = {"ruff": (sys.executable, "-c", "raise SystemExit(2)")}
    failing: list[tuple[Agent, dict[str, Any]]] = [
        (Autofix(), {"commands": broken}),
        (Command.make(make_settings(agent_command=(sys.executable, "-c", "raise SystemExit(2)"))), {}),
        (ScriptedAgent(otherwise=AgentError("no answer")), {}),
    ]
    for agent, changes in failing:
        with pytest.raises(AgentError):
            await agent.work(bench.assignment(**changes))


def _good(file: Path) -> Callable[[], Any]:
    from fanfold.agents import Verdict

    async def verify() -> Verdict:
        return Verdict(ok=file.read_bytes() != BEFORE, fixed=1)

    return verify
