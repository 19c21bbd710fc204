"""Pyright and basedpyright, through the JSON that they share."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fanfold.fix.checkers.config import mentions, value_of
from fanfold.fix.checkers.invoke import DEADLINE_S, Answer, CouldNotCheck, checked, located
from fanfold.fix.checkers.paths import Tree
from fanfold.fix.checkers.protocol import Checked, Reach, Scope
from fanfold.fix.checkers.rules import rules_for
from fanfold.fix.checkers.typed import asked, editable_folders
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding, Severity

DOCUMENTS = {
    "pyright": "https://microsoft.github.io/pyright/#/configuration?id=type-check-rule-overrides",
    "basedpyright": "https://docs.basedpyright.com/latest/configuration/config-files/#type-check-rule-overrides",
}

SYNTAX = "syntax"
"""What has no rule: the parser's own words."""

_SEVERITIES: Mapping[str, Severity] = {"warning": "warning", "error": "error"}


@dataclass(frozen=True)
class Pyright:
    """Checks the whole project's types, as its configuration says, against the project's interpreter.

    Its errors and warnings count, what it only informs of doesn't. It looks modules up in the tree, in `src`, and
    only then in the environment; where an editable install leads from there to the user's own checkout it could not
    check. The rules that it has are a matter of its configuration: it can't be asked for one.
    """

    deadline_s: float = DEADLINE_S
    name: str = "pyright"
    reach: Reach = "project"

    @staticmethod
    def configured(root: Path) -> bool:
        """Whether the project configures pyright: `pyrightconfig.json` or `[tool.pyright]`."""
        return (root / "pyrightconfig.json").is_file() or mentions(root, "pyproject.toml", "tool", "pyright")

    def command(self, scope: Scope) -> tuple[str, ...]:
        """How it is called."""
        return (located(self.name, scope), "--outputjson", "--pythonpath", str(scope.project.python))

    async def check(self, scope: Scope) -> Checked:
        """Run it.

        Raises:
            FixError: `scope.select` asks for a rule of it.
        """
        for rule in rules_for(self.name, scope.select):
            raise FixError(
                f"{self.name} can't be asked for {rule!r} from outside", hint="switch the rule on in its configuration"
            )
        return await checked(self.name, self._answer(scope))

    async def _answer(self, scope: Scope) -> Answer:
        await asyncio.to_thread(self._refuse_checkout, scope)
        command, read = self.command(scope), partial(_finding, self.name)
        return await asked(self.name, command, scope, read, key="generalDiagnostics", deadline_s=self.deadline_s)

    def _refuse_checkout(self, scope: Scope) -> None:
        known = {"src", *_extra_paths(scope.root)}
        for folder in editable_folders(scope):
            if folder not in known:
                raise CouldNotCheck(
                    f"{self.name} would take {folder} from where the project is installed, not from the tree that it "
                    f'is to check; add extraPaths = ["{folder}"] to its configuration'
                )


@dataclass(frozen=True)
class Basedpyright(Pyright):
    """As Pyright, with the rules that its fork adds; it brings its own Node."""

    name: str = "basedpyright"

    @staticmethod
    def configured(root: Path) -> bool:
        """Whether the project configures basedpyright: `[tool.basedpyright]`."""
        return mentions(root, "pyproject.toml", "tool", "basedpyright")


def _extra_paths(root: Path) -> set[str]:
    """The folders that the configuration has for modules, without a slash at their ends."""
    try:
        own = json.loads((root / "pyrightconfig.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        own = {}
    tables = (own, *(value_of(root, "pyproject.toml", "tool", name) for name in DOCUMENTS))
    found = [folder for table in tables if isinstance(table, Mapping) for folder in table.get("extraPaths", ())]
    return {str(folder).removeprefix("./").rstrip("/") for folder in found}


def _finding(name: str, item: Mapping[str, Any], tree: Tree) -> Finding | None:
    severity = _SEVERITIES.get(item["severity"])
    if severity is None:
        return None
    place: dict[str, int | None] = {"line": 0, "column": 0}
    if "range" in item:
        start, end = item["range"]["start"], item["range"]["end"]
        place = {"line": start["line"] + 1, "column": start["character"] + 1}
        place |= {"end_line": end["line"] + 1, "end_column": end["character"] + 1}
    return Finding(
        path=tree.relative(item["file"]),
        checker=name,
        rule=item.get("rule") or SYNTAX,
        message=re.sub("[\N{NO-BREAK SPACE}]", " ", item["message"]),
        severity=severity,
        url=DOCUMENTS[name] if item.get("rule") else None,
        **place,  # type: ignore[arg-type]
    )
