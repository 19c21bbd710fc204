from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from fanfold.agents import AgentError, Assignment, Verdict
from fanfold.testing.agents import Git, ScriptedAgent, Sleep
from fanfold.testing.repositories import make_repository


def assignment(root: Path, path: str = "a.py", attempt: int = 1) -> Assignment:
    async def verify() -> Verdict:
        return Verdict(ok=True)

    return Assignment(root, path, (), "", root, verify, attempt=attempt)


async def test_each_attempt_has_its_answer_and_the_last_one_stays(tmp_path: Path) -> None:
    agent = ScriptedAgent({"a.py": ("one", b"two", AgentError("three"))}, otherwise="other")
    texts = []
    for attempt in (1, 2):
        await agent.work(assignment(tmp_path, attempt=attempt))
        texts.append((tmp_path / "a.py").read_text())
    assert texts == ["one", "two"]
    for attempt in (3, 4):
        with pytest.raises(AgentError, match="three"):
            await agent.work(assignment(tmp_path, attempt=attempt))
    await agent.work(assignment(tmp_path, "b.py"))
    assert (tmp_path / "b.py").read_text() == "other"
    assert [one.path for one in agent.asked] == ["a.py"] * 4 + ["b.py"]


async def test_steps_are_taken_one_after_another(tmp_path: Path) -> None:
    async def add(assignment: Assignment) -> None:
        path = assignment.root / assignment.path
        path.write_text(path.read_text() + "!")

    def plain(assignment: Assignment) -> None:
        (assignment.root / "seen").write_text((assignment.root / assignment.path).read_text())

    await ScriptedAgent({"a.py": (("one", Sleep(0), add, plain),)}).work(assignment(tmp_path))
    assert (tmp_path / "seen").read_text() == "one!"


async def test_the_peak_counts_attempts_at_the_same_time(tmp_path: Path) -> None:
    agent = ScriptedAgent(otherwise=Sleep(0.01))
    await asyncio.gather(*(agent.work(assignment(tmp_path)) for _ in range(3)))
    await agent.work(assignment(tmp_path))
    assert (agent.peak, agent.running) == (3, 0)


async def test_git_is_run_in_the_workspace(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository", {"a.py": "x\n"})
    await ScriptedAgent(otherwise=("y\n", Git(("add", "a.py")))).work(assignment(repository.root))
    assert repository.git("diff", "--cached", "--name-only").split() == ["a.py"]


def test_the_waiting_agent_deletes_the_lines_that_the_prompt_names(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"import os\r\nimport re\nx = re\n")
    prompt = "- line 1, column 8: ruff F401: `os` imported but unused\n- line 3, column 1: ruff E501: long\n"
    argv = [sys.executable, "-m", "fanfold.testing.waiting_agent", "--wait", "0", str(file)]
    done = subprocess.run(argv, input=prompt, capture_output=True, text=True, check=True)
    assert file.read_bytes() == b"import re\nx = re\n"
    assert done.stdout == "deleted 1 lines\n"
