"""Mypy, through its JSON lines."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fanfold.fix.checkers.config import ini_section, mentions, value_of
from fanfold.fix.checkers.invoke import (
    DEADLINE_S,
    Answer,
    CouldNotCheck,
    checked,
    failure,
    invoke,
    located,
    own_words,
    tool_environment,
    version_of,
)
from fanfold.fix.checkers.paths import OutsideTree, Tree, wrong_code
from fanfold.fix.checkers.protocol import Checked, Reach, Scope
from fanfold.fix.checkers.rules import rules_for
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding
from fanfold.fix.installed import site_directories, source_roots
from fanfold.process import Completed

CODES = "https://mypy.rtfd.io/en/stable/_refs.html#code-"
SYNTAX = "syntax"

# Said of unused sections of the configuration, as plain text among the JSON.
_CONFIG_NOTE = re.compile(r"^[^:]+: note: ")
_UNKNOWN_CODE = re.compile(r"invalid error code\(s\): (.*)", re.IGNORECASE)
_NO_JSON = re.compile(r"(unrecognized arguments|no such option).*(-O|--output)|invalid choice: 'json'")


@dataclass(frozen=True)
class Mypy:
    """Checks the whole project's types, as its configuration says, with the project's interpreter.

    Types cross files: asked for some paths it still checks all, and answers with what it found in those.
    """

    deadline_s: float = DEADLINE_S
    name: str = "mypy"
    reach: Reach = "project"

    @staticmethod
    def configured(root: Path) -> bool:
        """Whether the project configures mypy: `mypy.ini`, `.mypy.ini`, `[tool.mypy]`, or `[mypy]` in `setup.cfg`."""
        return (
            any((root / name).is_file() for name in ("mypy.ini", ".mypy.ini"))
            or mentions(root, "pyproject.toml", "tool", "mypy")
            or ini_section(root, "setup.cfg", "mypy") is not None
        )

    def command(self, scope: Scope) -> tuple[str, ...]:
        """How mypy is called: nothing it writes lands in the tree, whatever the configuration asks for."""
        return (
            *(located("mypy", scope), "-O", "json", "--no-error-summary", "--show-column-numbers", "--show-error-end"),
            *("--no-pretty", "--hide-error-context", "--no-color-output", "--soft-error-limit=-1"),
            *("--python-executable", str(scope.project.python), "--cache-dir", str(scope.cache / "mypy")),
            *_redirected(_options(scope.root), scope.cache),
            *(part for rule in rules_for(self.name, scope.select) for part in ("--enable-error-code", rule)),
        )

    async def check(self, scope: Scope) -> Checked:
        """Run mypy.

        Raises:
            FixError: mypy doesn't know a rule of `scope.select`.
        """
        return await checked(self.name, self._answer(scope))

    async def _answer(self, scope: Scope) -> Answer:
        command = self.command(scope)
        options = _options(scope.root)
        targets = [] if any(options.get(key) for key in ("files", "packages", "modules")) else ["."]
        env = tool_environment(scope, {"MYPYPATH": os.pathsep.join(_search_path(scope, options))})
        version, done = await asyncio.gather(
            version_of(command[0], scope), invoke([*command, *targets], scope, deadline_s=self.deadline_s, env=env)
        )
        self._refuse_unknown_rule(done, scope)
        report = await asyncio.to_thread(_read, done, scope)
        if report.problem is not None:
            raise CouldNotCheck(report.problem, report.findings)
        return Answer(tuple(report.findings), version)

    def _refuse_unknown_rule(self, done: Completed, scope: Scope) -> None:
        match = _UNKNOWN_CODE.search(done.stderr.decode(errors="replace")) if done.returncode == 2 else None
        asked = rules_for(self.name, scope.select)
        for code in match[1].split(",") if match else ():
            if code.strip() in asked:
                raise FixError(f"mypy knows no error code {code.strip()!r}", hint=f"they are listed at {CODES[:-6]}")


@dataclass
class _Report:
    """What mypy's output says: findings, and why they aren't all."""

    findings: list[Finding] = field(default_factory=list)
    problem: str | None = None


def _read(done: Completed, scope: Scope) -> _Report:
    if done.returncode not in (0, 1, 2):
        raise failure(done)
    diagnostics, other = _lines(done)
    strange = [line for line in other if not _CONFIG_NOTE.search(line)]
    if done.returncode != 2 and strange:
        raise failure(done, f"mypy's answer can't be read: {strange[0]}")
    if done.returncode == 1 and not diagnostics:
        raise failure(done)
    try:
        report = _findings(diagnostics, scope)
    except (TypeError, KeyError, AttributeError) as error:
        raise failure(done, f"mypy's answer can't be read ({type(error).__name__}: {error})") from error
    if done.returncode == 2:
        report.problem = report.problem or _stopped(done, diagnostics, other)
        # What mypy says of itself is no finding: duplicate modules, files that it can't read.
        report.findings = [finding for finding in report.findings if finding.rule == SYNTAX]
    return report


def _lines(done: Completed) -> tuple[list[dict[str, Any]], list[str]]:
    """The lines of mypy's output that are diagnostics, and those that aren't."""
    diagnostics: list[dict[str, Any]] = []
    other: list[str] = []
    for line in done.stdout.decode(errors="replace").split("\n"):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if isinstance(value, dict):
            diagnostics.append(value)
        else:
            other.append(line)
    return diagnostics, other


def _findings(diagnostics: Sequence[Mapping[str, Any]], scope: Scope) -> _Report:
    tree = Tree(scope.root)
    report = _Report()
    outside: list[str] = []
    for item in _with_notes(diagnostics):
        try:
            report.findings.append(_finding(item, tree))
        except OutsideTree as error:
            outside.append(error.path)
    wrong = wrong_code(outside, scope.project.root, scope.project.environment)
    if wrong is not None:
        report.problem = f"mypy looked at {wrong}, which is not in the tree that it was to check"
    if scope.paths is not None:
        wanted = frozenset(scope.paths)
        report.findings = [finding for finding in report.findings if finding.path in wanted]
    return report


def _with_notes(diagnostics: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The errors, each with the notes that follow on its line; a note by itself is no error (`reveal_type`)."""
    error: dict[str, Any] | None = None
    for item in diagnostics:
        if item["severity"] != "note":
            if error is not None:
                yield error
            error = dict(item)
        elif error is not None and (error["file"], error["line"]) == (item["file"], item["line"]):
            error["hint"] = "\n".join(text for text in (error.get("hint"), item["message"], item.get("hint")) if text)
    if error is not None:
        yield error


def _finding(item: Mapping[str, Any], tree: Tree) -> Finding:
    rule = item.get("code") or "misc"
    # Columns count from 0, but those of syntax errors come from the parser and count from 1.
    first = 0 if rule == SYNTAX else 1
    line = max(item["line"], 0)
    end_line, end_column = item.get("end_line"), item.get("end_column")
    whole = line == 0
    return Finding(
        path=tree.relative(item["file"]),
        line=line,
        column=0 if whole else max(item["column"] + first, 1),
        checker="mypy",
        rule=rule,
        message="\n".join(text for text in (item["message"], item.get("hint")) if text),
        end_line=None if whole or end_line is None else max(end_line, line),
        end_column=None if whole or end_column is None else max(end_column + first, 1),
        url=f"{CODES}{rule}" if item.get("code") else None,
    )


def _stopped(done: Completed, diagnostics: Sequence[Mapping[str, Any]], other: Sequence[str]) -> str:
    """Why mypy gave up."""
    words = own_words(Completed(done.argv, done.returncode, b"", done.stderr, done.elapsed_s))
    if _NO_JSON.search(words):
        return f"this mypy can't write JSON (mypy 1.11 or newer can): {words}"
    said = [f"{item.get('file')}:{item.get('line')}: {item.get('message')}" for item in diagnostics]
    if diagnostics and all(item.get("code") == SYNTAX for item in diagnostics):
        return f"mypy stopped at a syntax error, nothing else was checked: {said[0]}"
    words = "\n".join((*said, *([words] if words else []), *other))
    return f"mypy ended with exit code 2: {words}" if words else "mypy ended with exit code 2"


def _options(root: Path) -> Mapping[str, Any]:
    """The options that mypy would read from the project's own configuration, from the first file that has any."""
    for name in ("mypy.ini", ".mypy.ini"):
        if (section := ini_section(root, name, "mypy")) is not None:
            return section
    if isinstance(table := value_of(root, "pyproject.toml", "tool", "mypy"), Mapping):
        return table
    return ini_section(root, "setup.cfg", "mypy") or {}


def _redirected(options: Mapping[str, Any], cache: Path) -> Iterator[str]:
    """Options that turn aside what the configuration would have mypy write or install."""
    for option in options:
        if option.endswith("_report"):
            yield from (f"--{option.replace('_', '-')}", str(cache / "mypy-reports" / option))
    if "junit_xml" in options:
        yield from ("--junit-xml", str(cache / "mypy-reports" / "junit.xml"))
    if "install_types" in options:
        yield "--no-install-types"


def _search_path(scope: Scope, options: Mapping[str, Any]) -> list[str]:
    """Where mypy looks for imports before it looks into the environment.

    An editable install puts the user's own checkout into the environment: its folders are looked up in the tree
    first, and so is `src`; the root mypy looks up by itself. With explicit package bases a folder here names the
    modules below it, so there `src` is added only where an editable install has it. Folders of the tree are
    relative, which keeps mypy's cache good for a copy of the tree elsewhere.
    """
    project = scope.project
    editable = source_roots(project.root, site_directories(project.python, project.environment))
    explicit = str(options.get("explicit_package_bases", "")).lower() in ("true", "1", "yes", "on")
    folders = [name for name in (*editable, *(() if explicit else ("src",))) if (scope.root / name).is_dir()]
    users = [_moved(folder, project.root, scope.root) for folder in os.environ.get("MYPYPATH", "").split(os.pathsep)]
    return list(dict.fromkeys(folder for folder in (*folders, *users) if folder not in ("", ".")))


def _moved(folder: str, checkout: Path, tree: Path) -> str:
    """`folder` as it is in the tree, if it is one of the user's checkout."""
    real, old = os.path.realpath(folder), os.path.realpath(checkout)
    if os.path.isabs(folder) and (real == old or real.startswith(old + os.sep)):  # noqa: PTH117
        return f"{tree}{real[len(old) :]}"
    return folder
