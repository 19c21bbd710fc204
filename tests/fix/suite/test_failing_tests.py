"""`--check pytest` from a failing test to a fix that lands: only the tests decide, and nobody bends them."""

from __future__ import annotations

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
FILES = {"lib.py": LIB, "tests/test_lib.py": TESTS, "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n'}


@dataclass
class Writing:
    """An agent that puts texts into files."""

    texts: Mapping[str, str]
    name: str = "writing"
    deterministic: bool = False

    async def work(self, assignment: Assignment) -> AgentReport:
        for path, text in self.texts.items():
            (assignment.root / path).write_text(text)
        return AgentReport()


async def fix(repository: TemporaryRepository, tmp_path: Path, texts: Mapping[str, str], **options: object) -> Report:
    told = {"workspaces": tmp_path / "home", "state": tmp_path / "state", "checks": ("pytest",), "max_attempts": 1}
    settings = load_settings(repository.root, {**told, "tests": "none", **options})
    return await run(Request(repository.root, settings), agent=Writing(texts))


@pytest.mark.parametrize("tests", ["none", "batch"])
async def test_fix_that_makes_the_test_pass_lands(tmp_path: Path, tests: str) -> None:
    repository = make_repository(tmp_path / "r", FILES)
    report = await fix(repository, tmp_path, {"lib.py": RIGHT}, tests=tests)
    assert [(task.path, task.status, task.fixed) for task in report.tasks] == [("lib.py", "fixed", 1)]
    assert [(rule.rule, rule.before, rule.after) for rule in report.rules] == [("AssertionError", 1, 0)]
    assert repository.git("show", f"{report.branch}:lib.py") == RIGHT


@pytest.mark.parametrize(
    ("texts", "status", "reason"),
    [
        ({"lib.py": BREAKS}, "refused", "adds pytest AssertionError at lib.py:5"),
        ({"lib.py": ELSEWHERE}, "unchanged", ""),
        ({"lib.py": LIB.replace("def count", "def counted")}, "refused", ""),
        ({"tests/test_lib.py": TESTS.replace("== 3", "== 4")}, "refused", "which is not its file"),
        ({"lib.py": RIGHT, "conftest.py": ""}, "refused", "which is not its file"),
    ],
)
async def test_what_is_no_fix_for_all_tests_is_refused(
    tmp_path: Path, texts: Mapping[str, str], status: str, reason: str
) -> None:
    report = await fix(make_repository(tmp_path / "r", FILES), tmp_path, texts)
    (task,) = report.tasks
    assert (task.status, report.branch) == (status, None), task.reasons
    assert any(reason in one for one in task.reasons or ("",)), task.reasons


async def test_failure_of_a_test_alone_is_told_and_nobody_works_on_it(tmp_path: Path) -> None:
    files = {"test_a.py": "def test_a():\n    assert 1 == 2\n"}
    report = await fix(make_repository(tmp_path / "r", files), tmp_path, {"test_a.py": "def test_a(): pass\n"})
    (task,) = report.tasks
    assert (task.path, task.status) == ("test_a.py", "skipped")
