"""From findings to tasks: one for each file, those with most work first."""

from __future__ import annotations

import fnmatch
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from fanfold.fix.checkers.config import ini_section, value_of
from fanfold.fix.findings.finding import Finding

TEST_FOLDERS = frozenset({"test", "tests"})
TEST_NAMES = ("test_*.py", "*_test.py", "conftest.py")

EXPECTED_WORK: Mapping[str | None, int] = {"safe": 1, "unsafe": 2, None: 4}
"""How much work a finding is, by what its own checker can do about it: relative weights for the order alone."""


@dataclass(frozen=True)
class Task:
    """The findings of one file, by place. `key` is the path.

    `others` are files that may change, too, because a finding's cause may lie there.
    """

    key: str
    path: str
    findings: tuple[Finding, ...]
    is_test: bool = False
    others: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """All files that may change, the task's own first."""
        return (self.path, *self.others)

    @property
    def expected_work(self) -> int:
        """A weight to order tasks by."""
        return sum(EXPECTED_WORK[finding.fixable] for finding in self.findings)


@dataclass(frozen=True)
class Layout:
    """Where a project keeps its tests, besides where most do.

    `folders` hold nothing but tests; `names` are patterns of test files' names.
    """

    folders: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def split(findings: Iterable[Finding], layout: Layout | None = None) -> tuple[Task, ...]:
    """One task for each file, ordered so that the longest one doesn't start last; ties by path."""
    layout = layout or Layout()
    tasks = [
        Task(path, path, tuple(group), is_test(path, layout))
        for path, group in groupby(sorted(findings), key=lambda finding: finding.path)
    ]
    return tuple(sorted(tasks, key=lambda task: (-task.expected_work, task.path)))


def is_test(path: str, layout: Layout | None = None) -> bool:
    """Whether a file belongs to the tests: by its own name, or by a folder that it lies in."""
    layout = layout or Layout()
    pure = PurePosixPath(path)
    if any(part in TEST_FOLDERS for part in pure.parts[:-1]):
        return True
    if any(fnmatch.fnmatchcase(pure.name, pattern) for pattern in (*TEST_NAMES, *layout.names)):
        return True
    above = [parent.as_posix() for parent in pure.parents]
    return any(fnmatch.fnmatchcase(folder, pattern) for folder in above for pattern in layout.folders)


def layout_of(root: Path) -> Layout:
    """What pytest's configuration says of where a project's tests are.

    A folder of `testpaths` counts where its name speaks of tests, as `testing` and `src/pkg/tests` do: many projects
    list `src` or `.` there, too, for the examples in docstrings. A pattern that any Python file matches says nothing.
    """
    options = _pytest_options(root)
    folders = tuple(PurePosixPath(folder).as_posix() for folder in _words(options.get("testpaths")))
    names = _words(options.get("python_files"))
    return Layout(
        folders=tuple(folder for folder in folders if "test" in PurePosixPath(folder).name.lower()),
        names=tuple(name for name in names if "/" not in name and name not in ("*", "*.py")),
    )


def _pytest_options(root: Path) -> Mapping[str, Any]:
    """The options of the first configuration that pytest would read."""
    for name in ("pytest.toml", ".pytest.toml"):
        if isinstance(table := value_of(root, name, "pytest"), Mapping):
            return table
    for name in ("pytest.ini", ".pytest.ini"):
        if (section := ini_section(root, name, "pytest")) is not None:
            return section
    for keys in (("tool", "pytest"), ("tool", "pytest", "ini_options")):
        table = value_of(root, "pyproject.toml", *keys)
        if isinstance(table, Mapping) and {"testpaths", "python_files"} & table.keys():
            return table
    return ini_section(root, "tox.ini", "pytest") or ini_section(root, "setup.cfg", "tool:pytest") or {}


def _words(value: object) -> Sequence[str]:
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError:
            return value.split()
    return [str(item) for item in value] if isinstance(value, list) else []
