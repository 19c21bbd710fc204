"""Pyrefly, through its JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fanfold.fix.checkers.config import mentions
from fanfold.fix.checkers.invoke import DEADLINE_S, checked, located
from fanfold.fix.checkers.paths import Tree
from fanfold.fix.checkers.protocol import Checked, Reach, Scope
from fanfold.fix.checkers.rules import rules_for
from fanfold.fix.checkers.typed import asked, search_folders
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding, Severity
from fanfold.process import Completed

KINDS = "https://pyrefly.org/en/docs/error-kinds/"

_SEVERITIES: Mapping[str, Severity] = {"info": "note", "warn": "warning", "warning": "warning"}
_UNKNOWN = re.compile(r"invalid value '([^']*)' for '--error")


@dataclass(frozen=True)
class Pyrefly:
    """Checks the whole project's types, as its configuration says, against the project's interpreter.

    Where the project has no configuration, pyrefly by itself would let the plainest errors pass; then its default
    preset is asked for.
    """

    deadline_s: float = DEADLINE_S
    name: str = "pyrefly"
    reach: Reach = "project"

    @staticmethod
    def configured(root: Path) -> bool:
        """Whether the project configures pyrefly: `pyrefly.toml` or `[tool.pyrefly]`."""
        return (root / "pyrefly.toml").is_file() or mentions(root, "pyproject.toml", "tool", "pyrefly")

    def command(self, scope: Scope) -> tuple[str, ...]:
        """How pyrefly is called; the project's own folders come before what is installed."""
        return (
            *(located("pyrefly", scope), "check", "--output-format", "json", "--progress-bar", "no"),
            *("--color", "never", "--python-interpreter-path", str(scope.project.python)),
            *(() if self.configured(scope.root) else ("--preset", "default")),
            *(part for folder in search_folders(scope) for part in ("--search-path", folder)),
            *(part for rule in rules_for(self.name, scope.select) for part in ("--error", rule)),
        )

    async def check(self, scope: Scope) -> Checked:
        """Run pyrefly.

        Raises:
            FixError: pyrefly doesn't know a rule of `scope.select`.
        """
        refuse = partial(self._refuse_unknown_rule, scope)
        command = self.command(scope)
        work = asked(self.name, command, scope, _finding, key="errors", deadline_s=self.deadline_s, refuse=refuse)
        return await checked(self.name, work)

    def _refuse_unknown_rule(self, scope: Scope, done: Completed, _: Sequence[Any]) -> None:
        match = _UNKNOWN.search(done.stderr.decode(errors="replace"))
        if match is not None and match[1] in rules_for(self.name, scope.select):
            raise FixError(f"pyrefly knows no error kind {match[1]!r}", hint=f"they are listed at {KINDS}")


def _finding(item: Mapping[str, Any], tree: Tree) -> Finding:
    rule = item["name"]
    return Finding(
        path=tree.relative(item["path"]),
        line=item["line"],
        column=item["column"],
        checker="pyrefly",
        rule=rule,
        message=item["description"],
        severity=_SEVERITIES.get(item["severity"], "error"),
        end_line=item["stop_line"],
        end_column=item["stop_column"],
        url=f"{KINDS}#{rule}",
    )
