"""How a user's test command is understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.fix.errors import FixError
from fanfold.fix.project import Project
from fanfold.fix.suite.command import parse

PROJECT = Project(Path("/shop"), Path("/env/bin/python"), Path("/env"))
PY = "/env/bin/python"

PYTEST = {
    "pytest": ("pytest",),
    "py.test -q tests": ("pytest", "-q", "tests"),
    ".venv/bin/pytest -k 'a and b'": ("pytest", "-k", "a and b"),
    "python -m pytest -x": (PY, "-m", "pytest", "-x"),
    "python3.12 -m pytest": (PY, "-m", "pytest"),
    "python -X dev -W error -m pytest": (PY, "-X", "dev", "-W", "error", "-m", "pytest"),
    "coverage run -m pytest -q": (PY, "-m", "coverage", "run", "-m", "pytest", "-q"),
    "coverage run --source shop -m pytest": (PY, "-m", "coverage", "run", "--source", "shop", "-m", "pytest"),
    "python -m coverage run -m pytest": (PY, "-m", "coverage", "run", "-m", "pytest"),
    "uv run pytest -q": ("pytest", "-q"),
    "uv run --frozen --extra tests --with x pytest": ("pytest",),
    "uv run -m pytest -q": (PY, "-m", "pytest", "-q"),
    "uv run python -m pytest": (PY, "-m", "pytest"),
    "poetry run pytest": ("pytest",),
    "CI=1 uv run pytest": ("pytest",),
}
OTHERS = (
    "make test",
    "tox -e py311",
    "python -m unittest",
    "python tests/run.py -m pytest",
    "python -c 'import pytest'",
    "uv run make test",
    "uv run",
    "uv sync pytest",
    "coverage run tests.py",
    "coverage report",
    "echo pytest",
    "sh -c 'pytest && true'",
)


@pytest.mark.parametrize("command", PYTEST)
def test_pytest_is_recognised(command: str) -> None:
    called = parse(command, PROJECT)
    assert (called.kind, called.argv, called.python) == ("pytest", PYTEST[command], PROJECT.python)


@pytest.mark.parametrize("command", OTHERS)
def test_other_commands_stay_as_they_are(command: str) -> None:
    called = parse(command, PROJECT)
    assert called.kind == "command"
    assert called.argv[0] == command.split(maxsplit=1)[0]
    assert called.notes == ()


def test_running_pytest_otherwise_than_asked_is_said() -> None:
    (note,) = parse("uv run --group tests pytest -q", PROJECT).notes
    assert note == f"pytest runs on {PY}, not through `uv run --group tests`, which could change the environment"
    assert parse("pytest -q", PROJECT).notes == ()


def test_interpreter_that_is_named_by_its_place_is_taken(tmp_path: Path) -> None:
    (tmp_path / "old/bin").mkdir(parents=True)
    (tmp_path / "old/bin/python").write_text("")
    project = Project(tmp_path, Path("/env/bin/python"))
    assert parse("old/bin/python -m pytest", project).python == tmp_path / "old/bin/python"
    assert parse("old/bin/pytest", project).python == tmp_path / "old/bin/python"
    assert parse("gone/bin/pytest", project).python == Path("/env/bin/python")


def test_variables_in_front_are_set() -> None:
    called = parse("A=1 B='x y=z' pytest C=2", PROJECT)
    assert (called.variables, called.argv) == ((("A", "1"), ("B", "x y=z")), ("pytest", "C=2"))


@pytest.mark.parametrize("command", ["", "   ", "A=1"])
def test_empty_command_is_refused(command: str) -> None:
    with pytest.raises(FixError, match="the test command is empty"):
        parse(command, PROJECT)


def test_open_quote_is_refused() -> None:
    with pytest.raises(FixError, match="can't be split"):
        parse("pytest 'a", PROJECT)


@pytest.mark.parametrize("command", ["make && pytest", "pytest | tee log", "pytest > log"])
def test_words_for_a_shell_are_refused_with_a_way_out(command: str) -> None:
    with pytest.raises(FixError, match="no shell runs it") as caught:
        parse(command, PROJECT)
    assert caught.value.hint == f"write: sh -c '{command}'"
