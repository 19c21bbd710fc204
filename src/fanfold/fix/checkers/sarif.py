"""Any command that writes SARIF 2.1.0 to its standard output."""

from __future__ import annotations

import asyncio
import fnmatch
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from fanfold.fix.checkers.invoke import DEADLINE_S, Answer, CouldNotCheck, checked, failure, invoke, located
from fanfold.fix.checkers.paths import Tree, arguments, chunks, wrong_code
from fanfold.fix.checkers.protocol import Checked, Reach, Scope
from fanfold.fix.checkers.sariflog import NotSarif, runs_of
from fanfold.fix.checkers.sarifuri import Locator
from fanfold.fix.errors import FixError
from fanfold.process import Completed

FILES = re.compile(r"\{files(?::([^{}]+))?\}")
ROOT = "{root}"
PYTHON = "{python}"
PYTHON_FILES = ("*.py", "*.pyi")


@dataclass(frozen=True)
class SarifCommand:
    """A command as a checker; no shell is involved.

    One of its words may be `{files}`, which becomes the Python files to check, or `{files:*.js,*.ts}`, the files with
    such names; words may contain `{root}`, the tree's directory, and `{python}`, the project's interpreter. A command
    without files looks at what it likes and so at the whole project; it runs in the tree's root. Its exit code says
    nothing: SARIF that can be read is an answer.
    """

    name: str
    argv: tuple[str, ...]
    deadline_s: float = DEADLINE_S

    def __post_init__(self) -> None:
        if not self.argv or not self.argv[0]:
            raise FixError(f"checker {self.name!r} has no command", hint="write it as name=command")
        asking = [word for word in self.argv if FILES.search(word)]
        if len(asking) > 1 or any(not FILES.fullmatch(word) for word in asking):
            raise FixError(f"the command of checker {self.name!r} needs {{files}} once, as a word of its own")

    @property
    def reach(self) -> Reach:
        """A command that is given files is taken to look at each by itself."""
        return "project" if self._asking() is None else "file"

    def command(self, scope: Scope) -> tuple[str, ...]:
        """The command in full, but for the files."""
        return tuple(word for word in self._filled(scope) if not FILES.fullmatch(word))

    async def check(self, scope: Scope) -> Checked:
        """Run the command."""
        return await checked(self.name, self._answer(scope))

    async def _answer(self, scope: Scope) -> Answer:
        argv, at = self._filled(scope), self._asking()
        if at is None:
            return _only(await self._run(argv, scope), scope.paths)
        paths = await asyncio.to_thread(_files, scope, _patterns(argv[at]))
        answers = [await self._run((*argv[:at], *chunk, *argv[at + 1 :]), scope) for chunk in chunks(arguments(paths))]
        findings = [finding for answer in answers for finding in answer.findings]
        return _only(Answer(tuple(findings), answers[0].version if answers else None), scope.paths)

    async def _run(self, argv: Sequence[str], scope: Scope) -> Answer:
        done = await invoke(argv, scope, deadline_s=self.deadline_s)
        return await asyncio.to_thread(_answer_of, done, self.name, scope)

    def _asking(self) -> int | None:
        """Which of the words becomes the files; None where none does."""
        return next((at for at, word in enumerate(self.argv) if FILES.fullmatch(word)), None)

    def _filled(self, scope: Scope) -> tuple[str, ...]:
        values = {ROOT: str(scope.root), PYTHON: str(scope.project.python)}
        program, *words = (_replaced(word, values) for word in self.argv)
        return (located(program, scope), *words)


def _replaced(word: str, values: dict[str, str]) -> str:
    for placeholder, value in values.items():
        word = word.replace(placeholder, value)
    return word


def _answer_of(done: Completed, checker: str, scope: Scope) -> Answer:
    try:
        runs = runs_of(json.loads(done.stdout), checker, Locator(Tree(scope.root)))
    except ValueError as error:  # bytes that aren't text or not JSON
        raise failure(done, f"wrote no SARIF ({error}), exit code {done.returncode}") from error
    except NotSarif as error:
        raise failure(done, f"wrote SARIF that can't be read ({error})") from error
    except RecursionError as error:
        raise CouldNotCheck("wrote SARIF that is nested too deeply") from error
    findings = tuple(finding for run in runs for finding in run.findings)
    problems = [run.problem for run in runs if run.problem]
    wrong = wrong_code((path for run in runs for path in run.outside), scope.project.root, scope.project.environment)
    if wrong is not None:
        problems.append(f"looked at {wrong}, which is not in the tree that it was to check")
    if problems:
        raise CouldNotCheck("\n".join(problems), findings)
    return Answer(findings, next((run.version for run in runs if run.version), None))


def _patterns(word: str) -> tuple[str, ...]:
    match = FILES.fullmatch(word)
    return tuple(match[1].split(",")) if match and match[1] else PYTHON_FILES


def _files(scope: Scope, patterns: Sequence[str]) -> list[str]:
    """The files with such names: of those asked for, else of the tree, without git's own and hidden folders."""
    if scope.paths is not None:
        return [path for path in scope.paths if _is_named(path, patterns)]
    found = []
    for folder, folders, names in os.walk(scope.root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = os.path.relpath(folder, scope.root)
        found += [PurePosixPath(inside, name).as_posix() for name in sorted(names) if _is_named(name, patterns)]
    return found


def _is_named(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(PurePosixPath(path).name, pattern.strip()) for pattern in patterns)


def _only(answer: Answer, paths: Sequence[str] | None) -> Answer:
    """The part of an answer that is about the files asked for."""
    if paths is None:
        return answer
    wanted = frozenset(paths)
    return Answer(tuple(finding for finding in answer.findings if finding.path in wanted), answer.version)
