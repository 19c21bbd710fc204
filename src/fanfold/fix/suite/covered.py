"""Which of the lines that changed no test runs: green tests say nothing of these."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fanfold.errors import FanfoldError
from fanfold.fix.findings.split import is_test, layout_of
from fanfold.fix.installed import has_module, site_directories
from fanfold.fix.record import Run
from fanfold.fix.reporting.report import CoverageLine, Lines
from fanfold.fix.suite.run import Suite
from fanfold.fix.suite.tested import Tester, comparable
from fanfold.fix.written import opened
from fanfold.git import FileDiff
from fanfold.process import Completed, ProcessError, allowed_environment, run
from fanfold.redact import redact
from fanfold.syntax import parse

DEADLINE_S = 300.0
MAX_WORDS = 500
NO_DATA = "no data"
"""What coverage says where none of the files was imported: that is an answer."""
MEASURES = frozenset({"coverage", "--cov"})
CONFIGURATION = """\
[run]
branch = false
parallel = true
concurrency = thread,multiprocessing
data_file = {data}
disable_warnings =
    module-not-imported
    module-not-measured
    module-not-python
    no-data-collected
    couldnt-parse
    already-imported
    trace-changed
    include-ignored
include =
{include}
[report]
ignore_errors = true
exclude_lines =
"""


@dataclass
class Coverage:
    """Sees which lines of some files of a workspace are run, with the project's own `coverage`.

    Args:
        python: the interpreter that the tests run on.
        root: the workspace.
        paths: files below it.
        options: for pytest, so that nothing else measures beside it.
        measured: whether anything was; then `run` and `missed` are lines by path, of files that were imported.
        error: why there are no figures.
    """

    python: Path
    root: Path
    paths: Sequence[str]
    options: Sequence[str] = ()
    measured: bool = False
    run: Mapping[str, Collection[int]] | None = None
    missed: Mapping[str, Collection[int]] | None = None
    error: str | None = None

    def lay_out(self, report_dir: Path) -> None:
        """Every Python process of the run that finds this file measures."""
        include = "".join(f"    {_pattern(self.root / path)}\n" for path in self.paths)
        text = CONFIGURATION.format(data=report_dir / "coverage" / "data", include=include)
        (report_dir / "coverage").mkdir()
        (report_dir / "coveragerc").write_text(text, encoding="utf-8", errors="surrogateescape")

    async def read(self, report_dir: Path) -> None:
        """Put together what the processes measured, while the files that it is about are still there."""
        self.measured = (report_dir / "coverage" / "started").exists()
        if not self.measured:
            return
        told = report_dir / "coverage.json"
        self.run, self.missed = {}, {}
        try:
            done = await self._coverage(report_dir, "combine", "--quiet")
            if done.returncode == 0:
                done = await self._coverage(report_dir, "json", "--quiet", "-o", str(told))
            if done.returncode == 0:
                await asyncio.to_thread(self._take, told)
            elif NO_DATA not in (said := (done.stdout + done.stderr).decode(errors="replace")).lower():
                self.error = redact(f"coverage ended with exit code {done.returncode}: {said.strip()[-MAX_WORDS:]}")
        except (ProcessError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self.error = f"what coverage wrote can't be read: {error}"

    async def _coverage(self, report_dir: Path, command: str, *options: str) -> Completed:
        argv: list[str | Path] = [
            self.python,
            "-I",
            "-m",
            "coverage",
            command,
            f"--rcfile={report_dir / 'coveragerc'}",
            *options,
        ]
        return await run(argv, cwd=report_dir, env=allowed_environment(), deadline_s=DEADLINE_S)

    def _take(self, told: Path) -> None:
        with opened(told) as content:
            files: Mapping[str, Any] = json.load(content)["files"]
        by_path = {str(self.root / path): path for path in self.paths}
        known = {by_path[name]: lines for name, lines in files.items() if name in by_path}
        self.run = {path: frozenset(lines["executed_lines"]) for path, lines in known.items()}
        self.missed = {path: frozenset(lines["missing_lines"]) for path, lines in known.items()}


async def uncovered(this: Run) -> CoverageLine | None:
    """Run the suite once more on what has landed, and see which of its changed lines are run; None = not asked for."""
    if not this.settings.coverage or not this.landing.landed or this.tester is None:
        return None
    try:
        return await _uncovered(this, this.tester)
    except FanfoldError as error:  # what has landed is right, whatever can't be said of it
        return CoverageLine(unknown=error.message)


async def _uncovered(this: Run, tester: Tester) -> CoverageLine | None:
    tip, layout = this.landing.branch.tip, layout_of(this.repository.root)
    hunks = await this.repository.hunks(this.repository.head, tip)
    changed = {path: lines for path, diff in hunks.items() if path.endswith(".py") and (lines := _written(diff))}
    changed = {path: lines for path, lines in changed.items() if not is_test(path, layout)}
    if not changed:
        return None
    suite, base = tester.suite, tester.known_base()
    if why := _unmeasurable(suite) or (None if base and comparable(base) else "the suite can't run on the base commit"):
        return CoverageLine(unknown=why)
    this.phase("measuring", "which changed lines the tests run")
    async with this.pool.lease(tip) as workspace:
        texts = {path: (workspace.root / path).read_bytes() for path in changed if (workspace.root / path).is_file()}
        coverage = Coverage(suite.python or suite.project.python, workspace.root, tuple(texts), _options(suite))
        result = await suite.run(workspace.root, workspace.cache, coverage)
    why = result.error or coverage.error or (None if coverage.measured else "coverage did not start in the tests")
    if why:
        return CoverageLine(unknown=why, elapsed_s=result.elapsed_s)
    found = {path: _missed(coverage, path, text, changed[path]) for path, text in texts.items()}
    never = tuple(Lines(path, tuple(missed)) for path, (_, missed) in sorted(found.items()) if missed)
    return CoverageLine(lines=never, changed=sum(count for count, _ in found.values()), elapsed_s=result.elapsed_s)


def _unmeasurable(suite: Suite) -> str | None:
    """Why it can't be known what the suite runs."""
    if suite.kind != "pytest":
        return "the test command is not pytest's"
    if any(word in MEASURES or word.startswith("--cov=") for word in suite.argv):
        return "the test command measures coverage itself"
    sites = site_directories(suite.python or suite.project.python, suite.project.environment)
    if sites and not has_module("coverage", sites):
        return "coverage isn't installed in the project's environment"
    return None


def _options(suite: Suite) -> tuple[str, ...]:
    """Two that measure at once would take each other's figures."""
    sites = site_directories(suite.python or suite.project.python, suite.project.environment)
    return ("--no-cov",) if has_module("pytest_cov", sites) else ()


def _written(diff: FileDiff) -> tuple[int, ...]:
    """The lines of the new text that a change wrote."""
    return tuple(line for hunk in diff.hunks for line in range(hunk.new_start, hunk.new_start + hunk.new_count))


def _missed(coverage: Coverage, path: str, text: bytes, changed: Iterable[int]) -> tuple[int, list[int]]:
    """How many of the changed lines are code, and those of them that nothing runs."""
    was_run, was_missed = (coverage.run or {}).get(path), (coverage.missed or {}).get(path, ())
    units = list(_units(text))
    code, missed = 0, []
    for line in changed:
        unit = next((one for one in units if line in one), None)
        if unit is None:
            continue
        code += 1
        if was_run is None or (not any(one in was_run for one in unit) and any(one in was_missed for one in unit)):
            missed.append(line)
    return code, missed


def _units(text: bytes) -> Iterator[range]:
    """The lines of each statement, of one with a body those before it; docstrings and what only declares are none."""
    try:
        tree = parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or isinstance(node, ast.Global | ast.Nonlocal) or _is_text(node):
            continue
        body = getattr(node, "body", None)
        end = body[0].lineno - 1 if isinstance(body, list) and body else (node.end_lineno or node.lineno)
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        yield range(first, max(end, node.lineno) + 1)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _pattern(path: Path) -> str:
    """A path as a pattern that matches it alone, as far as coverage's patterns can."""
    return "".join("?" if letter in "*[" else letter for letter in str(path))
