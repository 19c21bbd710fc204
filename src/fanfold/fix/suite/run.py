"""Run the project's test suite on a workspace's code, and say what it came to."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from fanfold.fix.errors import FixError
from fanfold.fix.guard import GuardReport, read_reports
from fanfold.fix.installed import has_module, site_directories
from fanfold.fix.project import Project, workspace_environment
from fanfold.fix.suite.command import parse
from fanfold.fix.suite.files import configures_pytest, has_tests
from fanfold.fix.suite.junit import CaseStatus, JUnitError, read_cases
from fanfold.git import GitError, paths_at_head
from fanfold.process import Completed, ProcessError, ProgramNotFound, find_program, run
from fanfold.redact import redact

TAIL_BYTES = 8 * 1024
MAX_OUTPUT_BYTES = 16 * 1024 * 1024
PYTEST_EXITS = {
    2: "pytest was interrupted",
    3: "pytest had an internal error",
    4: "pytest was called in a wrong way, or could not load a conftest.py",
    5: "pytest found no tests",
}
REPEATED = re.compile(r" \(\d+\)$")


@dataclass(frozen=True)
class SuiteResult:
    """What one run of the suite came to.

    Args:
        ok: it ran to its end, all of it passed, and the code that ran was the workspace's.
        cases: what became of each test; None for a command that is known by its exit code alone.
        returncode: of the command; negative where a signal ended it.
        error: why nothing can be said of the code: it could not run, or other code than the workspace's ran.
        output_tail: the end of what it wrote; without secrets, as `error` is.
        elapsed_s: seconds that the command ran.
        warnings: what could not be watched, in a sentence each.
    """

    ok: bool
    cases: Mapping[str, CaseStatus] | None
    returncode: int
    error: str | None
    output_tail: str
    elapsed_s: float
    warnings: tuple[str, ...] = ()


class Instrument(Protocol):
    """Sees more of a run of pytest than what became of each test."""

    @property
    def options(self) -> Sequence[str]:
        """For pytest, beside the suite's own."""
        ...

    def lay_out(self, report_dir: Path) -> None:
        """Put what it needs into the directory of a run."""
        ...

    async def read(self, report_dir: Path) -> None:
        """Take what a run left in its directory, which is gone afterwards."""
        ...


@dataclass(frozen=True)
class Suite:
    """The project's test suite and how it is called.

    Args:
        argv: the command; the word `pytest` alone stands for pytest's own command on `python`.
        kind: pytest is compared test by test, any other command by its exit code.
        deadline_s: seconds for one run.
        python: the interpreter that pytest runs on, None = the project's.
        variables: set for each run, as pairs of name and value.
        notes: what is done otherwise than the user wrote, in a sentence each.
        redirect: turn imports to the workspace; without it a run of an editable install is an error.
        stops_early: end at the first failure, where only red or green is asked for.
    """

    argv: tuple[str, ...]
    kind: Literal["pytest", "command"]
    deadline_s: float
    project: Project
    python: Path | None = None
    variables: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    redirect: bool = True
    stops_early: bool = False

    @property
    def command(self) -> str:
        """The command as it would be typed."""
        return shlex.join(self.argv)

    async def run(self, workspace_root: Path, cache: Path, instrument: Instrument | None = None) -> SuiteResult:
        """Run the suite once on what is in a workspace.

        Args:
            workspace_root: the working tree to test; the command's working directory.
            cache: a private directory outside of the tree; nothing of the run is left there.
            instrument: sees more of the run, where the suite is pytest's.
        Returns:
            A result with `error` where the suite could not run; never raises for what the suite does.
        """
        report_dir = _own_directory(cache)
        try:
            tracked = await _tracked(self.project.root)
            environment = workspace_environment(
                self.project, workspace_root, tracked, report_dir, redirect=self.redirect
            )
            environment |= dict(self.variables)
            if instrument is not None:
                await asyncio.to_thread(instrument.lay_out, report_dir)
            argv = self._argv(workspace_root, report_dir, () if instrument is None else instrument.options)
            completed = await run(
                argv,
                cwd=workspace_root,
                env=environment,
                deadline_s=self.deadline_s,
                max_bytes=MAX_OUTPUT_BYTES,
            )
            if instrument is not None:
                await instrument.read(report_dir)
            return self._judge(completed, report_dir)
        except (ProgramNotFound, ProcessError) as error:
            return SuiteResult(False, None, 127, error.message, "", 0.0)
        finally:
            shutil.rmtree(report_dir, ignore_errors=True)

    def _argv(self, workspace_root: Path, report_dir: Path, options: Sequence[str] = ()) -> tuple[str, ...]:
        argv = self.argv
        if self.kind == "command":
            program = argv[0]
            # A program of the environment's, named by its place in the checkout: workspaces don't have it.
            if "/" in program and not (workspace_root / program).exists():
                program = str(self.project.root / program)
            return (program, *argv[1:])
        if argv[0] == "pytest":
            argv = (str(self.python or self.project.python), str(report_dir / "guard/fanfold_pytest.py"), *argv[1:])
        ours = (
            *("-p", "fanfold_guard", f"--junitxml={_report(report_dir)}"),
            # The cache is moved instead of switched off: tests may ask for it, and options like --ff need it.
            *("-o", f"cache_dir={report_dir / 'pytest-cache'}"),
            # One broken module or test must not hide what became of the others.
            *("--continue-on-collection-errors", f"--maxfail={int(self.stops_early)}"),
        )
        end = argv.index("--") if "--" in argv else len(argv)
        return (*argv[:end], *ours, *options, *argv[end:])

    def _judge(self, completed: Completed, report_dir: Path) -> SuiteResult:
        cases, problem = self._read(report_dir)
        guard = read_reports(report_dir)
        error = _offence(guard, self.project) or self._failure(completed, problem) or self._unverified(guard, cases)
        bad = cases is not None and any(status in ("failed", "error") for status in cases.values())
        return SuiteResult(
            ok=error is None and completed.returncode == 0 and not bad,
            cases=cases,
            returncode=completed.returncode,
            error=None if error is None else redact(error),
            output_tail=redact(_tail(completed)),
            elapsed_s=completed.elapsed_s,
            warnings=self._warnings(guard),
        )

    def _read(self, report_dir: Path) -> tuple[dict[str, CaseStatus] | None, str | None]:
        """What became of each test, or why that can't be told."""
        if self.kind == "command":
            return None, None
        try:
            return read_cases(_report(report_dir)), None
        except JUnitError as error:
            return None, error.message

    def _failure(self, completed: Completed, problem: str | None) -> str | None:
        """Why the suite did not run to its end."""
        code = completed.returncode
        if completed.timed_out:
            return f"the tests did not end within {self.deadline_s:g} s"
        if self.kind == "command":
            return {126: "the command could not be executed", 127: "the command was not found"}.get(code)
        if code not in (0, 1):
            said = PYTEST_EXITS.get(code) or (
                f"signal {-code} ended pytest" if code < 0 else f"pytest ended with {code}"
            )
            return f"{said}{_last_words(completed)}" if code != 5 else said
        return f"{problem}{_last_words(completed)}" if problem else None

    def _unverified(self, guard: GuardReport, cases: Mapping[str, CaseStatus] | None) -> str | None:
        """Why a pytest run that went to its end does not show which code ran.

        Another command may run no Python at all, or in environments that it makes of the workspace itself as tox
        does; there it is a warning.
        """
        if self.kind == "command":
            return None
        if not guard.sessions:
            return "could not verify which code ran: no pytest session reported, is the environment ignored (-I, -E)?"
        if not guard.workspace and "passed" in (cases or {}).values():
            return "could not verify which code ran: no module at all was loaded from the workspace"
        return None

    def _warnings(self, guard: GuardReport) -> tuple[str, ...]:
        found = tuple(
            f"not verified which code ran in `{command}`, which ignores the environment" for command in guard.unguarded
        )
        if self.kind == "command" and not guard.processes:
            found += ("not verified which code ran: no Python process reported",)
        return found


def find_suite(root: Path, project: Project, command: str | None, deadline_s: float) -> Suite | None:
    """The suite that a command names, or pytest where the project has tests and its environment has pytest.

    Args:
        root: the checkout's root, where tests and their configuration are looked for.
        command: as the user types it, None = find it.
        deadline_s: seconds for one run.
    Raises:
        FixError: the command can't be understood, or its program isn't there.
    """
    if command is not None:
        called = parse(command, project)
        program = called.argv[0]
        if (
            called.kind == "command"
            and "/" not in program
            and not find_program(program, environment=project.environment)
        ):
            raise FixError(
                f"the test command's program {program!r} is not installed",
                hint="install it, put its folder on PATH, or run no tests: --tests none",
            )
        return Suite(called.argv, called.kind, deadline_s, project, called.python, called.variables, called.notes)
    sites = site_directories(project.python, project.environment)
    # An interpreter laid out in an unknown way is asked by running it: its own words then say what is missing.
    if not (has_module("pytest", sites) or not sites) or not (configures_pytest(root) or has_tests(root)):
        return None
    return Suite((str(project.python), "-m", "pytest"), "pytest", deadline_s, project)


def regressions(base: SuiteResult, now: SuiteResult) -> tuple[str, ...]:
    """Names of tests that passed on the base and no longer do, those that are missing included.

    A suite that is known by its exit code counts as one test. So does the session itself, where pytest ended well on
    the base and no longer does although no single test is to blame (a coverage limit, warnings turned to errors).
    """
    if base.cases is None:
        return (f"the whole command (exit code {now.returncode})",) if base.ok and not now.ok else ()
    before, after = _tally(base.cases), _tally(now.cases or {})
    found = tuple(name for name, counts in before.items() if _is_worse(counts, after.get(name, (0, 0))))
    if not found and base.ok and not now.ok:
        return (f"the test session (exit code {now.returncode})",)
    return found


def _tally(cases: Mapping[str, CaseStatus]) -> dict[str, tuple[int, int]]:
    """How many of each name passed, and how many did not."""
    passed, others = Counter[str](), Counter[str]()
    for name, status in cases.items():
        (passed if status == "passed" else others)[REPEATED.sub("", name)] += 1
    return {name: (passed[name], others[name]) for name in (passed | others)}


def _is_worse(before: tuple[int, int], after: tuple[int, int]) -> bool:
    return before[0] > 0 and (after[1] > before[1] or (after[0] < before[0] and after[1] == before[1]))


async def _tracked(root: Path) -> tuple[str, ...] | None:
    """What git knows of the main checkout's files, None where that can't be told."""
    try:
        return await paths_at_head(root)
    except (GitError, ProcessError, ProgramNotFound):
        return None


def _own_directory(cache: Path) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="suite-", dir=cache.resolve()))


def _report(report_dir: Path) -> Path:
    return report_dir / "junit.xml"


def _offence(guard: GuardReport, project: Project) -> str | None:
    if not guard.offences:
        return None
    name, file = guard.offences[0]
    more = f", and {len(guard.offences) - 1} more" if len(guard.offences) > 1 else ""
    return f"module {name} was not loaded from the workspace but from {file} (checkout {project.root}){more}"


def _tail(completed: Completed) -> str:
    output = b"\n".join(part for part in (completed.stdout.strip(), completed.stderr.strip()) if part)
    return output[-TAIL_BYTES:].decode(errors="replace")


def _last_words(completed: Completed) -> str:
    """The last lines of either stream: pytest complains of its arguments on stderr, of tests on stdout."""
    streams = (stream.decode(errors="replace").split("\n") for stream in (completed.stdout, completed.stderr))
    lines = [line.strip()[:200] for stream in streams for line in [one for one in stream if one.strip()][-4:]]
    return ": " + " / ".join(lines) if lines else ""
