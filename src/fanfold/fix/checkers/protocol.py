"""What a checker is asked, what it answers, and the methods that it has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from fanfold.fix.findings.finding import Finding
from fanfold.fix.project import Project

Reach = Literal["file", "project"]


@dataclass(frozen=True)
class Scope:
    """What to check, and with what.

    Args:
        root: the working tree to check; the checker runs here.
        project: the project's own interpreter and environment.
        cache: a private directory outside the tree, kept between calls.
        paths: files relative to `root`, None = all that the checker would check by itself.
        select: rules to check in addition to those that the project configures, as `checkers.rules` reads them.
        exclude: globs of paths to leave out.
    """

    root: Path
    project: Project
    cache: Path
    paths: tuple[str, ...] | None = None
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """What one checker found, or why it could not check.

    `error` holds the tool's own words, redacted and bounded; None = it ran to its end and its answer was
    understood. Findings beside an error are what was understood before it, never the whole.
    """

    checker: str
    findings: tuple[Finding, ...] = ()
    error: str | None = None
    elapsed_s: float = 0.0
    version: str | None = None


class Checker(Protocol):
    """A tool that finds errors. `reach` says whether a file's findings depend on that file alone."""

    @property
    def name(self) -> str: ...
    @property
    def reach(self) -> Reach: ...

    def command(self, scope: Scope) -> tuple[str, ...]:
        """How the tool is called for `scope`, without the paths."""
        ...

    async def check(self, scope: Scope) -> Checked:
        """Run the tool; never raises for what the tool does.

        Raises:
            FixError: the tool doesn't know a rule of `scope.select` that is its own.
        """
        ...
