"""Understand how the user calls their tests."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from fanfold.fix.errors import FixError
from fanfold.fix.project import Project

SHELL_WORDS = frozenset({"&&", "||", "|", ";", "&", ">", "<", ">>", "2>&1"})
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
PYTHON = re.compile(r"python(\d+(\.\d+)*)?$")
PYTEST = ("pytest", "py.test")
RUNNERS = ("uv", "poetry", "pdm", "pipenv", "rye")
WITH_VALUE = frozenset(
    {
        *("-p", "--python", "--extra", "--no-extra", "--group", "--no-group", "--only-group", "--with", "--env-file"),
        *("--with-editable", "--with-requirements", "--package", "--directory", "--project", "--config-file"),
        *("--index", "--default-index", "--index-url", "--extra-index-url", "--find-links", "-C", "-P", "-w", "-f"),
    }
)
"""Options of `uv run` and its like that are followed by a value."""


@dataclass(frozen=True)
class TestCommand:
    """How the tests are called.

    Args:
        argv: the program and its arguments; `pytest` alone stands for pytest's own command on `python`.
        kind: pytest is compared test by test, any other command by its exit code.
        python: the interpreter that pytest runs on.
        variables: set for the run, as pairs of name and value.
        notes: what is done otherwise than the user wrote, in a sentence each.
    """

    __test__ = False

    argv: tuple[str, ...]
    kind: Literal["pytest", "command"]
    python: Path
    variables: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def parse(command: str, project: Project) -> TestCommand:
    """What a command line asks for.

    Args:
        command: words as a shell splits them; NAME=value in front sets variables. No shell runs it.
    Raises:
        FixError: empty, an open quote, or words that only a shell understands.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise FixError(f"the test command {command!r} can't be split into words: {error}") from error
    if odd := next((word for word in words if word in SHELL_WORDS), None):
        hint = f"write: sh -c {shlex.quote(command)}"
        raise FixError(f"the test command has {odd!r}, and no shell runs it", hint=hint)
    count = next((place for place, word in enumerate(words) if not VARIABLE.match(word)), len(words))
    variables = tuple((name, value) for name, _, value in (word.partition("=") for word in words[:count]))
    if not words[count:]:
        raise FixError("the test command is empty", hint='give one, as in --test-command "pytest -q"')
    return _called(words[count:], project, variables)


def _called(words: Sequence[str], project: Project, variables: tuple[tuple[str, str], ...]) -> TestCommand:
    inner = _without_runner(words)
    found = _as_pytest(inner, project)
    if found is None:
        return TestCommand(tuple(words), "command", project.python, variables)
    python, argv = found
    notes: tuple[str, ...] = ()
    if len(inner) < len(words):
        runner = shlex.join(words[: len(words) - len(inner)])
        notes = (f"pytest runs on {python}, not through `{runner}`, which could change the environment",)
    return TestCommand(argv, "pytest", python, variables, notes)


def _without_runner(words: Sequence[str]) -> Sequence[str]:
    """The words after `uv run` and its options, where they lead to pytest."""
    if len(words) < 3 or words[0] not in RUNNERS or words[1] != "run":
        return words
    place = 2
    while place < len(words) and words[place].startswith("-"):
        if words[place] in ("-m", "--module"):
            return ("python", "-m", *words[place + 1 :])
        place += 2 if words[place] in WITH_VALUE else 1
    return words[place:] or words


def _as_pytest(words: Sequence[str], project: Project) -> tuple[Path, tuple[str, ...]] | None:
    """The interpreter and the command line where `words` call pytest, also below `coverage run`."""
    program, rest = PurePath(words[0]), tuple(words[1:])
    if program.name in PYTEST:
        return _interpreter(words[0], "python", project), ("pytest", *rest)
    if program.name == "coverage" and rest[:1] == ("run",) and _runs_pytest(rest):
        python = _interpreter(words[0], "python", project)
        return python, (str(python), "-m", "coverage", *rest)
    if PYTHON.match(program.name) and _runs_pytest(rest):
        python = _interpreter(words[0], program.name, project)
        return python, (str(python), *rest)
    return None


def _runs_pytest(words: tuple[str, ...]) -> bool:
    """Whether arguments of an interpreter lead to `-m pytest`, `-m coverage run -m pytest` included."""
    if "-m" not in words:
        return False
    place = words.index("-m")
    module = words[place + 1 : place + 2]
    if any(word.endswith(".py") for word in words[:place]):
        return False  # a script's own option
    return module in (("pytest",), ("py.test",)) or (module == ("coverage",) and _runs_pytest(words[place + 2 :]))


def _interpreter(word: str, name: str, project: Project) -> Path:
    """The project's interpreter, or the one that a word with a folder in it names."""
    if "/" not in word:
        return project.python
    path = (project.root / word).parent / name
    return path.absolute() if path.is_file() else project.python
