"""Pylint, through its JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fanfold.fix.checkers.config import ini_section, mentions
from fanfold.fix.checkers.invoke import DEADLINE_S, CouldNotCheck, checked, located, tool_environment
from fanfold.fix.checkers.paths import Tree
from fanfold.fix.checkers.protocol import Checked, Reach, Scope
from fanfold.fix.checkers.rules import rules_for
from fanfold.fix.checkers.typed import asked
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding, Severity
from fanfold.process import Completed

MESSAGES = "https://pylint.readthedocs.io/en/stable/user_guide/messages/"
USAGE = 32
"""The bit of pylint's exit code that says that it didn't run; the others say which kinds of messages there are."""
ABOUT_OPTIONS = frozenset({"unknown-option-value", "unrecognized-option", "useless-option-value", "bad-plugin-value"})

_SEVERITIES: Mapping[str, Severity] = {"fatal": "error", "error": "error", "warning": "warning"}
_ASKED = re.compile(r"got '([^']*)'")


@dataclass(frozen=True)
class Pylint:
    """Checks the whole project, as its configuration says, with the pylint that is installed beside its code.

    Some messages depend on several files: cycles of imports, lines that are alike.
    """

    deadline_s: float = DEADLINE_S
    name: str = "pylint"
    reach: Reach = "project"

    @staticmethod
    def configured(root: Path) -> bool:
        """Whether the project configures pylint: `.pylintrc` and the like, `[tool.pylint]`, or in `setup.cfg`."""
        files = (".pylintrc", "pylintrc", ".pylintrc.toml", "pylintrc.toml")
        return (
            any((root / name).is_file() for name in files)
            or mentions(root, "pyproject.toml", "tool", "pylint")
            or ini_section(root, "setup.cfg", "pylint") is not None
        )

    def command(self, scope: Scope) -> tuple[str, ...]:
        """How pylint is called."""
        rules = rules_for(self.name, scope.select)
        return (
            *(located("pylint", scope), "--output-format", "json2", "--reports", "n", "--persistent", "n"),
            *(("--enable", ",".join(rules)) if rules else ()),
        )

    async def check(self, scope: Scope) -> Checked:
        """Run pylint.

        Raises:
            FixError: pylint doesn't know a message of `scope.select`.
        """
        work = asked(
            self.name,
            (*self.command(scope), "--recursive", "y", "."),
            scope,
            _finding,
            key="messages",
            deadline_s=self.deadline_s,
            env=tool_environment(scope, {"PYLINTHOME": str(scope.cache / "pylint")}),
            ran=lambda code: not code & USAGE,
            refuse=partial(self._refuse_unknown_rule, scope),
        )
        return await checked(self.name, work)

    def _refuse_unknown_rule(self, scope: Scope, _: Completed, items: Sequence[Any]) -> None:
        for item in items:
            if isinstance(item, Mapping) and item.get("symbol") in ABOUT_OPTIONS:
                match = _ASKED.search(str(item.get("message")))
                if match is not None and match[1] in rules_for(self.name, scope.select):
                    raise FixError(f"pylint knows no message {match[1]!r}", hint=f"they are listed at {MESSAGES}")
        _refuse_crash(items)


def _refuse_crash(items: Sequence[Any]) -> None:
    """Pylint goes on after one of its checks has crashed; what that check would have found is not known."""
    for item in items:
        if isinstance(item, Mapping) and item.get("symbol") == "astroid-error":
            raise CouldNotCheck(f"pylint could not look at {item.get('path')}: {item.get('message')}")


def _finding(item: Mapping[str, Any], tree: Tree) -> Finding | None:
    symbol, kind = item["symbol"], item["type"]
    if symbol in ABOUT_OPTIONS:
        return None
    end_column = item["endColumn"]
    return Finding(
        path=tree.relative(item["path"]),
        line=item["line"],
        column=item["column"] + 1,
        checker="pylint",
        rule=symbol,
        message=item["message"],
        severity=_SEVERITIES.get(kind, "note"),
        end_line=item["endLine"],
        end_column=None if end_column is None else end_column + 1,
        url=f"{MESSAGES}{kind}/{symbol}.html",
    )
