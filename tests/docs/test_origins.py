"""Whatever docs/origins.md names exists: modules, objects, commands with their options, tests, programs."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from fanfold.cli.app import app

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "origins.md").read_text()
NAMED = sorted(set(re.findall(r"`([^`]+)`", PAGE)))

MODULE = re.compile(r"fanfold(\.\w+)+")
COMMAND = re.compile(r"fanfold [a-z]+( --[\w-]+)*")
TEST = re.compile(r"(tests/[\w/]+\.py)(?:::(test_\w+))?")
PROGRAM = re.compile(r"(examples|benchmarks)/[\w/]+\.py")


def named(pattern: re.Pattern[str]) -> list[str]:
    return [name for name in NAMED if pattern.fullmatch(name)]


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or an object of one."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        home, _, last = name.rpartition(".")
        return bool(home) and exists(home) and hasattr(importlib.import_module(home), last)
    return True


@pytest.mark.parametrize("name", named(MODULE))
def test_a_module_or_object_that_is_named_exists(name: str) -> None:
    assert exists(name)


@pytest.mark.parametrize("name", named(TEST))
def test_a_test_that_is_named_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert (ROOT / path).is_file()
    assert not function or re.search(rf"^(async )?def {function}\(", (ROOT / path).read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", named(PROGRAM))
def test_a_program_that_is_named_exists(name: str) -> None:
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("name", named(COMMAND))
def test_a_command_that_is_named_has_these_options(name: str) -> None:
    _, command, *options = name.split()
    commands = typer.main.get_group(app).commands
    assert command in commands
    known = {option for parameter in commands[command].params for option in parameter.opts}
    assert set(options) <= known


@pytest.mark.parametrize(
    "check",
    [
        lambda: exists("fanfold.engine.no_such_thing"),
        lambda: exists("fanfold.no_such_package.x"),
    ],
)
def test_what_does_not_exist_is_noticed(check: Callable[[], bool]) -> None:
    assert not check()


def test_each_kind_is_named_at_all() -> None:
    assert all(len(named(pattern)) > 1 for pattern in (MODULE, COMMAND, TEST, PROGRAM))


def test_each_row_says_who_keeps_its_promise_or_that_nobody_does_yet() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    assert len(rows) > 50
    headings = re.findall(r"^(\|.*\|)\n\| ---", PAGE, re.MULTILINE)
    for row in set(rows) - set(headings):
        kept = row.split(" | ")[1:]
        assert any("**not yet**" in cell or re.search(r"`(fanfold|tests|examples|benchmarks)\b", cell) for cell in kept)
