"""Bandit, through its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fanfold.fix.checkers.config import mentions
from fanfold.fix.checkers.invoke import DEADLINE_S, Answer, checked, failure, invoke, located, version_of
from fanfold.fix.checkers.paths import Tree, arguments, chunks
from fanfold.fix.checkers.protocol import Checked, Reach, Scope
from fanfold.fix.checkers.rules import rules_for
from fanfold.fix.checkers.typed import inside, parsed
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding, Severity

UNREADABLE = "could-not-check"

_SEVERITIES: Mapping[str, Severity] = {"LOW": "note", "MEDIUM": "warning", "HIGH": "error"}


@dataclass(frozen=True)
class Bandit:
    """Looks for what is unsafe in each file by itself, as the project's configuration says.

    A file that it can't parse is a finding, since nothing else is known of it.
    """

    deadline_s: float = DEADLINE_S
    name: str = "bandit"
    reach: Reach = "file"

    @staticmethod
    def configured(root: Path) -> bool:
        """Whether the project configures bandit: `.bandit`, `bandit.yaml` or `[tool.bandit]`."""
        return any((root / name).is_file() for name in (".bandit", "bandit.yaml", "bandit.yml")) or mentions(
            root, "pyproject.toml", "tool", "bandit"
        )

    def command(self, scope: Scope) -> tuple[str, ...]:
        """How bandit is called; it finds `.bandit` by itself, and its other files only where it is told of them."""
        files = [name for name in ("bandit.yaml", "bandit.yml") if (scope.root / name).is_file()]
        if mentions(scope.root, "pyproject.toml", "tool", "bandit"):
            files.append("pyproject.toml")
        ini = ("--ini", ".bandit") if (scope.root / ".bandit").is_file() else ()
        return (located("bandit", scope), "--format", "json", "--quiet", *ini, *(("-c", files[0]) if files else ()))

    async def check(self, scope: Scope) -> Checked:
        """Run bandit.

        Raises:
            FixError: `scope.select` asks for a test of it.
        """
        for rule in rules_for(self.name, scope.select):
            raise FixError(f"bandit runs all of its tests, {rule!r} among them", hint="say --check bandit alone")
        return await checked(self.name, self._answer(scope))

    async def _answer(self, scope: Scope) -> Answer:
        command = self.command(scope)
        version = await version_of(command[0], scope)
        if scope.paths is None:
            return Answer(await self._run([*command, "--recursive", "."], scope), version)
        findings: list[Finding] = []
        python = [path for path in scope.paths if path.endswith(".py") and (scope.root / path).is_file()]
        for chunk in chunks(arguments(python)):
            findings += await self._run([*command, *chunk], scope)
        return Answer(tuple(findings), version)

    async def _run(self, argv: Sequence[str], scope: Scope) -> tuple[Finding, ...]:
        done = await invoke(argv, scope, deadline_s=self.deadline_s)
        if done.returncode not in (0, 1):
            raise failure(done)
        answer = parsed(self.name, done, dict)
        items, unread = answer.get("results"), answer.get("errors")
        if not isinstance(items, list) or not isinstance(unread, list) or (done.returncode == 1 and not items):
            raise failure(done)
        return inside(self.name, [*items, *unread], scope, _finding, done)


def _finding(item: Mapping[str, Any], tree: Tree) -> Finding:
    path = tree.relative(item["filename"])
    if "reason" in item:
        return Finding(path, 0, 0, "bandit", UNREADABLE, item["reason"])
    lines = item["line_range"]
    return Finding(
        path=path,
        line=item["line_number"],
        column=item["col_offset"] + 1,
        checker="bandit",
        rule=item["test_id"],
        message=f"{item['issue_text']} ({item['test_name']})",
        severity=_SEVERITIES.get(item["issue_severity"], "error"),
        end_line=max([item["line_number"], *lines]),
        end_column=None,
        url=item["more_info"],
    )
