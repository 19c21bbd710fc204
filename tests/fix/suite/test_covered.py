"""Which changed lines of a result no test runs, measured by the project's own coverage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fanfold.config import load_settings
from fanfold.fix import Report, Request, run
from fanfold.fix.installed import has_module
from fanfold.fix.reporting.report import CoverageLine, Lines
from fanfold.fix.suite import covered
from fanfold.testing.repositories import make_repository

LIB = """\
def used(x):
    if x == None:
        return 1
    return 2


def unused(x):
    \"\"\"Nobody calls this.\"\"\"
    return (
        x == None
    )


def of_a_child(x):
    return x == None


def of_a_fork(x):
    return x == None
"""
TESTS = """\
import multiprocessing
import subprocess
import sys

import lib


def test_used():
    assert lib.used(None) == 1


def test_in_a_process_of_its_own():
    code = "import lib; print(lib.of_a_child(None))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, env={}).stdout == b"True\\n"


def test_in_a_fork():
    process = multiprocessing.get_context("fork").Process(target=lib.of_a_fork, args=(None,))
    process.start()
    process.join()
    assert process.exitcode == 0
"""
FILES = {
    "lib.py": LIB,
    "never.py": "def never(x):\n    return x == None\n",
    "tests/test_lib.py": TESTS,
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n[tool.ruff.lint]\nselect = ["E711"]\n',
}
SMALL = {
    "lib.py": "def used(x):\n    return x == None\n",
    "tests/test_lib.py": "import lib\n\n\ndef test_used():\n    assert lib.used(None)\n",
    "pyproject.toml": FILES["pyproject.toml"],
}
"""Where it doesn't matter what is covered."""

Fix = Callable[..., Awaitable[Report]]


@pytest.fixture
def fix(tmp_path: Path) -> Fix:
    async def fixed(files: dict[str, str], **options: object) -> Report:
        repository = make_repository(tmp_path / "r", files)
        told = {"workspaces": tmp_path / "home", "state": tmp_path / "state", **options}
        return await run(Request(repository.root, load_settings(repository.root, told)))

    return fixed


async def test_lines_that_no_process_of_the_suite_runs_are_told(fix: Fix) -> None:
    report = await fix(FILES)
    assert report.tests.status == "passed"
    coverage = report.coverage
    assert coverage is not None
    assert coverage.unknown is None
    assert coverage.lines == (Lines("lib.py", (10,)), Lines("never.py", (2,)))
    assert coverage.changed == 5
    assert coverage.elapsed_s > 0


@pytest.mark.parametrize("options", [{"coverage": False, "test_command": "true"}, {"tests": "none"}])
async def test_nobody_looks_where_that_was_not_asked_for(fix: Fix, options: dict[str, object]) -> None:
    report = await fix(SMALL, **options)
    assert report.landed
    assert report.coverage is None


async def test_environment_without_coverage_leaves_it_unknown(fix: Fix, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str, sites: tuple[Path, ...]) -> bool:
        return name != "coverage" and has_module(name, sites)

    monkeypatch.setattr("fanfold.fix.suite.covered.has_module", without)
    report = await fix(SMALL)
    assert report.landed
    assert report.coverage == CoverageLine(unknown="coverage isn't installed in the project's environment")


@pytest.mark.parametrize(
    ("command", "why"),
    [("make check", "the test command is not pytest's"), ("coverage run -m pytest", "measures coverage itself")],
)
async def test_suite_that_can_not_be_measured_leaves_it_unknown(fix: Fix, command: str, why: str) -> None:
    report = await fix({**SMALL, "Makefile": "check:\n\ttrue\n"}, test_command=command)
    assert report.landed
    assert report.coverage is not None
    assert why in (report.coverage.unknown or "")


@pytest.mark.parametrize(
    ("text", "units"),
    [
        (b"x = 1\n", [(1, 1)]),
        (b'def f():\n    """Say."""\n    return [\n        1,\n    ]\n', [(1, 1), (3, 5)]),
        (b"@d\ndef f(\n    x,\n): return 1\n", [(1, 3), (4, 4)]),
        (b"class A: pass\n", [(1, 1), (1, 1)]),
        (b"def broken(:\n", []),
    ],
)
def test_statements_are_told_apart_by_their_lines(text: bytes, units: list[tuple[int, int]]) -> None:
    assert sorted((one.start, one.stop - 1) for one in covered._units(text)) == units
