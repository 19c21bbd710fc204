"""Call a checker's program, and put into words why it could not check."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fanfold.errors import FanfoldError
from fanfold.fix.checkers.protocol import Checked, Scope
from fanfold.fix.findings.finding import Finding
from fanfold.process import Completed, ProcessError, ProgramNotFound, allowed_environment, find_program, run
from fanfold.redact import redact

DEADLINE_S = 900.0
MAX_OUTPUT_BYTES = 512 * 1024 * 1024
MAX_WORDS = 2_000

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_VERSION = re.compile(rb"\d+(?:\.\d+)+\S*")


class CouldNotCheck(FanfoldError):
    """The checker gave no answer, or none that can be relied on; never leaves this package.

    `findings` are what was understood all the same.
    """

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


@dataclass(frozen=True)
class Answer:
    """What a checker found, and its version where that is known."""

    findings: tuple[Finding, ...]
    version: str | None = None


async def checked(checker: str, work: Awaitable[Answer]) -> Checked:
    """The answer of `work`, or why there is none, with the time that it took."""
    started_s = time.monotonic()
    try:
        answer = await work
    except CouldNotCheck as error:
        return Checked(checker, error.findings, error=bounded(error.message), elapsed_s=time.monotonic() - started_s)
    return Checked(checker, answer.findings, elapsed_s=time.monotonic() - started_s, version=answer.version)


def located(program: str, scope: Scope) -> str:
    """Where `program` is: in the project's environment, else beside our own interpreter, else on PATH.

    The bare name where it is nowhere: starting it will say so.
    """
    found = find_program(program, environment=scope.project.environment)
    return str(found) if found else program


def tool_environment(scope: Scope, overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a checker sees of the environment: no secrets, and the project's own programs first on PATH."""
    environment = scope.project.environment
    own = {"PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    if environment is not None:
        path = os.pathsep.join((str(environment / "bin"), os.environ.get("PATH", os.defpath)))
        own |= {"VIRTUAL_ENV": str(environment), "PATH": path}
    return allowed_environment(overrides={**own, **(overrides or {})})


async def invoke(
    argv: Sequence[str],
    scope: Scope,
    *,
    deadline_s: float = DEADLINE_S,
    env: Mapping[str, str] | None = None,
    max_bytes: int = MAX_OUTPUT_BYTES,
) -> Completed:
    """Run a checker in the tree until its own end; which exit codes are good is the caller's to say.

    Raises:
        CouldNotCheck: it can't be started, ended by a signal, ran out of time, or wrote more than can be read.
    """
    name = Path(argv[0]).name
    try:
        done = await run(
            argv,
            cwd=scope.root,
            env=tool_environment(scope) if env is None else env,
            deadline_s=deadline_s,
            max_bytes=max_bytes,
        )
    except ProgramNotFound as error:
        what = error.message if os.sep in argv[0] else f"{name} isn't installed"
        raise CouldNotCheck(f"{what}: {error.hint}" if error.hint else what) from error
    except ProcessError as error:
        raise CouldNotCheck(f"{name} can't be started: {error.message}") from error
    if done.timed_out:
        raise CouldNotCheck(_with_words(f"{name} didn't end within {deadline_s:g} s", done))
    if done.returncode < 0:
        raise CouldNotCheck(_with_words(f"{name} was ended by {_signal_name(-done.returncode)}", done))
    if done.truncated and len(done.stdout) >= max_bytes:
        raise CouldNotCheck(f"{name} wrote more than {max_bytes / 1024**2:g} MiB")
    return done


def failure(done: Completed, what: str | None = None) -> CouldNotCheck:
    """Why a program that ended by itself gave no answer, in its own words."""
    return CouldNotCheck(_with_words(what or f"{Path(done.argv[0]).name} ended with exit code {done.returncode}", done))


def own_words(done: Completed) -> str:
    """What the program said on stderr, or else on stdout; "" if nothing."""
    return (done.stderr.strip() or done.stdout.strip()[-MAX_WORDS:]).decode(errors="replace")


def bounded(text: str) -> str:
    """`text` fit to be shown: no secrets, no control characters, the middle left out where it is long."""
    text = redact(_CONTROL.sub("", text)).strip()
    if len(text) <= MAX_WORDS:
        return text
    half = MAX_WORDS // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters …]\n{text[-half:]}"


def _with_words(what: str, done: Completed) -> str:
    words = own_words(done)
    return f"{what}: {words}" if words else what


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


_versions: dict[tuple[str, int, int], str | None] = {}


async def version_of(program: str, scope: Scope) -> str | None:
    """What `program --version` says, asked once per installed file; None where it says nothing usable."""
    try:
        stat = os.stat(program)  # noqa: PTH116
    except OSError:
        return None
    key = (program, stat.st_mtime_ns, stat.st_size)
    if key not in _versions:
        try:
            done = await invoke([program, "--version"], scope, deadline_s=60.0)
        except CouldNotCheck:
            return None
        match = _VERSION.search(done.stdout)
        _versions[key] = match.group().decode(errors="replace") if match else None
    return _versions[key]
