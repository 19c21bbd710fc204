"""`--check pytest` from a failing test to a fix that lands: only the tests decide, and nobody bends them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from fanfold.agents.protocol import Assignment
from fanfold.agents.protocol import Report as AgentReport
from fanfold.config import load_settings
from fanfold.fix import Report, Request, run
from fanfold.testing.repositories import TemporaryRepository, make_repository

LIB = "def total(prices):\n    return sum(prices) + 1\n\n\ndef count(prices):\n    return len(prices)\n"
RIGHT = LIB.replace(" + 1", "")
BREAKS = RIGHT.replace("len(prices)", "len(prices) + 1")
ELSEWHERE = LIB.replace("sum(prices) + 1", "sum(prices) / 0")
TESTS = """\
from lib import count, total


def test_total():
    assert total([1, 2]) == 3


def test_count():
    assert count([1]) == 1
"""
CASES: dict[str, tuple[Mapping[str, str], str, str]] = {
    "right": ({"right.py": RIGHT}, "fixed", ""),
    "breaks": ({"breaks.py": BREAKS}, "refused", "adds pytest AssertionError at breaks.py:5"),
    "elsewhere": ({"elsewhere.py": ELSEWHERE}, "unchanged", ""),
    "renames": ({"renames.py": LIB.replace("def count", "def counted")}, "refused", "removes count"),
    "bends": ({"tests/test_bends.py": TESTS.replace("== 3", "== 4")}, "refused", "which is not its file"),
    "steers": ({"steers.py": RIGHT, "conftest.py": ""}, "refused", "which is not its file"),
}
"""What an agent makes of a file by its name, what becomes of that, and why."""
FILES = {
    **{f"{name}.py": LIB for name in CASES},
    **{f"tests/test_{name}.py": TESTS.replace("lib", name) for name in CASES},
    "tests/test_alone.py": "def test_a():\n    assert 1 == 2\n",
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
}


@dataclass
class Writing:
    """An agent that makes of each file what its case says."""

    name: str = "writing"
    deterministic: bool = False

    async def work(self, assignment: Assignment) -> AgentReport:
        for path, text in CASES[Path(assignment.path).stem][0].items():
            (assignment.root / path).write_text(text)
        return AgentReport()


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[TemporaryRepository, Report]:
    """A run over a file of each case, all of them with a failing test."""
    where = tmp_path_factory.mktemp("failing")
    repository = make_repository(where / "r", FILES)
    told = {"workspaces": where / "home", "state": where / "state", "checks": ("pytest",), "max_attempts": 1}
    request = Request(repository.root, load_settings(repository.root, told))
    return repository, asyncio.run(run(request, agent=Writing()))


def test_fix_that_makes_the_test_pass_lands_and_no_other(fixed: tuple[TemporaryRepository, Report]) -> None:
    repository, report = fixed
    assert [(task.path, task.status, task.fixed) for task in report.landed] == [("right.py", "fixed", 1)]
    [rule] = [rule for rule in report.rules if rule.rule == "AssertionError"]
    assert (rule.before, rule.after) == (len(CASES) + 1, len(CASES))
    assert repository.git("diff", "--name-only", "main", str(report.branch)).split() == ["right.py"]
    assert repository.git("show", f"{report.branch}:right.py") == RIGHT


@pytest.mark.parametrize("name", CASES)
def test_only_what_is_a_fix_for_all_tests_is_taken(fixed: tuple[TemporaryRepository, Report], name: str) -> None:
    _, status, reason = CASES[name]
    [task] = [task for task in fixed[1].tasks if task.path == f"{name}.py"]
    assert task.status == status, task.reasons
    assert any(reason in one for one in task.reasons or ("",)), task.reasons


def test_failure_of_a_test_alone_is_told_and_nobody_works_on_it(fixed: tuple[TemporaryRepository, Report]) -> None:
    assert [task.path for task in fixed[1].tasks if task.status == "skipped"] == ["tests/test_alone.py"]
