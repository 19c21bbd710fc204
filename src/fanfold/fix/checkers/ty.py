"""ty, through its report for GitLab, which is the JSON that it has."""

from __future__ import annotations

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

RULES = "https://docs.astral.sh/ty/reference/rules/#"

_SEVERITIES: Mapping[str, Severity] = {"info": "note", "minor": "warning"}
"""GitLab's words, where they aren't errors."""
UNKNOWN = "unknown-rule"


@dataclass(frozen=True)
class Ty:
    """Checks the whole project's types, as its configuration says, against the project's environment."""

    deadline_s: float = DEADLINE_S
    name: str = "ty"
    reach: Reach = "project"

    @staticmethod
    def configured(root: Path) -> bool:
        """Whether the project configures ty: `ty.toml` or `[tool.ty]`."""
        return (root / "ty.toml").is_file() or mentions(root, "pyproject.toml", "tool", "ty")

    def command(self, scope: Scope) -> tuple[str, ...]:
        """How ty is called; the project's own folders come before what is installed."""
        return (
            *(located("ty", scope), "check", "--output-format", "gitlab", "--no-progress", "--color", "never"),
            *("--python", str(scope.project.environment or scope.project.python)),
            *(part for folder in search_folders(scope) for part in ("--extra-search-path", folder)),
            *(part for rule in rules_for(self.name, scope.select) for part in ("--error", rule)),
        )

    async def check(self, scope: Scope) -> Checked:
        """Run ty.

        Raises:
            FixError: ty doesn't know a rule of `scope.select`.
        """
        refuse = partial(self._refuse_unknown_rule, scope)
        command = self.command(scope)
        work = asked(self.name, command, scope, _finding, deadline_s=self.deadline_s, refuse=refuse)
        return await checked(self.name, work)

    def _refuse_unknown_rule(self, scope: Scope, _: Completed, items: Sequence[Any]) -> None:
        for item in items:
            if isinstance(item, Mapping) and item.get("check_name") == UNKNOWN:
                for rule in rules_for(self.name, scope.select):
                    if f"`{rule}`" in str(item.get("description")):
                        raise FixError(f"ty knows no rule {rule!r}", hint=f"they are listed at {RULES[:-1]}")


def _finding(item: Mapping[str, Any], tree: Tree) -> Finding | None:
    rule = item["check_name"]
    if rule == UNKNOWN:
        return None  # it is of the project's configuration, where nobody asked
    begin, end = (item["location"]["positions"][side] for side in ("begin", "end"))
    return Finding(
        path=tree.relative(item["location"]["path"]),
        line=begin["line"],
        column=begin["column"],
        checker="ty",
        rule=rule,
        message=str(item["description"]).removeprefix(f"{rule}: "),
        severity=_SEVERITIES.get(item["severity"], "error"),
        end_line=end["line"],
        end_column=end["column"],
        url=f"{RULES}{rule}",
    )
