"""Ruff, through its JSON."""

from __future__ import annotations

import asyncio
import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from fanfold.fix.checkers.config import mentions
from fanfold.fix.checkers.invoke import DEADLINE_S, Answer, CouldNotCheck, checked, failure, invoke, located, version_of
from fanfold.fix.checkers.paths import OutsideTree, Tree, arguments, chunks
from fanfold.fix.checkers.protocol import Checked, Reach, Scope
from fanfold.fix.checkers.rules import rules_for
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding
from fanfold.process import Completed

USUAL_SUFFIXES = frozenset({".py", ".pyi", ".pyw", ".ipynb"})
FIXABLE: Mapping[str, Literal["safe", "unsafe"]] = {"safe": "safe", "unsafe": "unsafe"}

_UNKNOWN_RULE = re.compile(
    r"unknown rule selector:? `([^`]*)`|invalid value '([^']*)' for '--extend-select", re.IGNORECASE
)


@dataclass(frozen=True)
class Ruff:
    """Checks each file by itself with the rules that the project configures and those that are asked for.

    What is asked for is added on the command line, where ruff lets it win over what the configuration ignores.
    """

    deadline_s: float = DEADLINE_S
    name: str = "ruff"
    reach: Reach = "file"

    @staticmethod
    def configured(root: Path) -> bool:
        """Whether the project configures ruff: `[tool.ruff]`, `ruff.toml` or `.ruff.toml`."""
        return mentions(root, "pyproject.toml", "tool", "ruff") or any(
            (root / name).is_file() for name in ("ruff.toml", ".ruff.toml")
        )

    def command(self, scope: Scope) -> tuple[str, ...]:
        """How ruff is called; `--fix` may follow, and wins over the `--no-fix` that keeps the tree as it is."""
        rules = rules_for(self.name, scope.select)
        return (
            *(located("ruff", scope), "check", "--output-format", "json", "--no-cache"),
            *("--no-fix", "--no-fix-only", "--no-show-fixes", "--force-exclude"),
            # Without E902 a file that can't be read is a warning only, and would pass for clean.
            *("--extend-select", ",".join(("E902", *rules))),
        )

    async def check(self, scope: Scope) -> Checked:
        """Run ruff.

        Raises:
            FixError: ruff doesn't know a rule of `scope.select`.
        """
        return await checked(self.name, self._answer(scope))

    async def _answer(self, scope: Scope) -> Answer:
        command = self.command(scope)
        version = await version_of(command[0], scope)
        if scope.paths is None:
            return Answer(await self._run(command, ["."], scope), version)
        findings: list[Finding] = []
        for chunk in chunks(arguments(await self._linted(scope, scope.paths))):
            findings += await self._run(command, chunk, scope)
        return Answer(tuple(findings), version)

    async def _run(self, command: Sequence[str], paths: Sequence[str], scope: Scope) -> tuple[Finding, ...]:
        done = await invoke([*command, "--", *paths], scope, deadline_s=self.deadline_s)
        if done.returncode not in (0, 1):
            await self._refuse_unknown_rule(done, scope)
            raise failure(done)
        return await asyncio.to_thread(findings_of, done, Tree(scope.root))

    async def _linted(self, scope: Scope, paths: Sequence[str]) -> list[str]:
        """Those of `paths` that ruff would check by itself; named, it would check a README as Python, too."""
        usual = [path for path in paths if _is_usual(path)]
        if len(usual) == len(paths) and not _narrows(scope.root):
            return usual
        done = await invoke([*self.command(scope), "--show-files", "."], scope, deadline_s=self.deadline_s)
        if done.returncode != 0:
            await self._refuse_unknown_rule(done, scope)
            raise failure(done)
        tree = Tree(scope.root)
        shown = {tree.relative(line) for line in done.stdout.decode(errors="replace").splitlines() if line}
        return [path for path in paths if path in shown or (_is_usual(path) and not (scope.root / path).exists())]

    async def _refuse_unknown_rule(self, done: Completed, scope: Scope) -> None:
        match = _UNKNOWN_RULE.search(done.stderr.decode(errors="replace"))
        rule = (match.group(1) or match.group(2)) if match else None
        if rule is None or rule not in rules_for(self.name, scope.select):
            return
        near = difflib.get_close_matches(rule.upper(), await self._rules(scope), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        raise FixError(
            f"ruff knows no rule {rule!r}", hint=f"{hint}`ruff rule --all` lists them; say CHECKER:RULE for another's"
        )

    async def _rules(self, scope: Scope) -> list[str]:
        done = await invoke([located("ruff", scope), "rule", "--all", "--output-format", "json"], scope)
        try:
            return [str(rule["code"]) for rule in json.loads(done.stdout)]
        except (ValueError, TypeError, KeyError):
            return []


def findings_of(done: Completed, tree: Tree) -> tuple[Finding, ...]:
    """The findings in ruff's JSON, in its order.

    Raises:
        CouldNotCheck: it isn't ruff's JSON, or it names a file outside the tree.
    """
    try:
        items = json.loads(done.stdout)
        if not isinstance(items, list) or (done.returncode == 1 and not items):
            raise TypeError(f"exit code {done.returncode} with {str(items)[:80]}")
        return tuple(_finding(item, tree) for item in items)
    except OutsideTree as error:
        raise CouldNotCheck(f"ruff looked at a file outside the tree: {error.path}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise failure(done, f"ruff's answer can't be read ({type(error).__name__}: {error})") from error


def _finding(item: Mapping[str, Any], tree: Tree) -> Finding:
    rule = item["code"] or "invalid-syntax"  # older versions give syntax errors no code
    start, end = item["location"], item.get("end_location") or {}
    place = {"line": start["row"], "column": start["column"]}
    place |= {"end_line": end.get("row"), "end_column": end.get("column")}
    message = str(item["message"])
    if item.get("cell") is not None:
        # Rows count from the cell's top, and a notebook's own lines are those of its JSON.
        message = f"cell {item['cell']}, line {start['row']}: {message}"
        place = {"line": 0, "column": 0, "end_line": None, "end_column": None}
    return Finding(
        path=tree.relative(item["filename"]),
        checker="ruff",
        rule=rule,
        message=message,
        url=item.get("url"),
        fixable=FIXABLE.get((item.get("fix") or {}).get("applicability", "")),
        **place,
    )


def _is_usual(path: str) -> bool:
    name = PurePosixPath(path)
    return name.suffix in USUAL_SUFFIXES or name.name == "pyproject.toml"


def _narrows(root: Path) -> bool:
    """Whether the project says itself which files ruff looks at."""
    return any(
        mentions(root, name, *section, key)
        for name, section in (("pyproject.toml", ("tool", "ruff")), ("ruff.toml", ()), (".ruff.toml", ()))
        for key in ("include", "extend-include")
    )
