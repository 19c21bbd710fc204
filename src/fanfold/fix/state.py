"""What the flow of `fanfold fix` knows, as data: nothing in it is alive, all of it can be written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import add
from pathlib import Path
from typing import Annotated

from typing_extensions import TypedDict

from fanfold.fix.attempts.attempt import Attempted
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import Task


@dataclass(frozen=True)
class FileState:
    """One file and what is to be fixed in it: what one branch works on.

    `file_path` is relative to the repository's root, and so is unique where a file's name alone is not; `others` are
    files that may change with it.
    """

    file_path: Path
    errors: tuple[Finding, ...] = ()
    is_test: bool = False
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, task: Task) -> FileState:
        """The file of a task."""
        return cls(Path(task.path), task.findings, task.is_test, task.others)

    @property
    def key(self) -> str:
        """The path, with `/` between its parts."""
        return self.file_path.as_posix()

    @property
    def task(self) -> Task:
        """What is to be done, as the rest of `fix` calls it."""
        return Task(self.key, self.key, tuple(self.errors), self.is_test, tuple(self.others))


class FileMetric(TypedDict):
    """How long a file that was fixed took, in seconds, its verification included, and how many errors are gone."""

    file: str
    time: float
    errors_fixed: int


class FixState(TypedDict, total=False):
    """What is known of a run.

    What branches made is in `attempts`. Whether that was a fix is known only when all of it has landed and has held
    together, so the four fields behind it are written once, by the step that finds out: they count what is on the
    result branch.

    Attributes:
        session_id: names the run and its result branch.
        project_root: the repository's root.
        enabled_tools: the names of the checkers.
        dry_run: stop at the plan.
        files: what to work on, most expected work first.
        unchecked: checkers that could not check the base, each with its own words; never taken for clean.
        tests: names of the tests that each change is tested with, empty = the whole suite; None = not one by one.
        told: by the file's key, what is known before the first attempt.
        broke: by the file's key, names of the tests that its change is tested with in place of `tests`.
        attempts: what became of each file in its workspace; of one that was tried twice, both.
        successful_fixes: paths whose change has landed and stays.
        failed_fixes: paths that were tried and have nothing on the result branch.
        total_errors_fixed: findings that are gone, over all files.
        file_metrics: one for each successful fix.
    """

    session_id: str
    project_root: Path
    enabled_tools: list[str]
    dry_run: bool
    files: list[FileState]
    unchecked: list[str]
    tests: tuple[str, ...] | None
    told: Mapping[str, str]
    broke: Mapping[str, tuple[str, ...]]
    attempts: Annotated[list[Attempted], add]
    successful_fixes: Annotated[list[str], add]
    failed_fixes: Annotated[list[str], add]
    total_errors_fixed: Annotated[int, add]
    file_metrics: Annotated[list[FileMetric], add]
