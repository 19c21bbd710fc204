"""One run of the program over a user's repository, and all that can be looked at afterwards."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import json
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

BROKEN = "import os\nimport sys\n\nprint(sys.argv)\n"
FIXED = "import sys\n\nprint(sys.argv)\n"

MORTAL = Path(__file__).parents[1] / "fix" / "mortal.py"
PATIENCE_S = 60.0
DYING_S = 2.0
"""How long what was killed may take to disappear."""

# Findings that a repository's own configuration hides don't make a test.
PROGRAM = (
    "fix", "--quiet", "--output-format", "json", "--runtime", "native", "--tests", "none", "--check", "ruff",
    "--max-attempts", "1",
)  # fmt: skip

_AGENT = """#!{python} -IS
import os, pathlib, signal, subprocess, sys, time

path = pathlib.Path(sys.argv[1])
main = pathlib.Path({main!r})

def fix():
    path.write_bytes(path.read_bytes().replace(b"import os\\r\\n", b"").replace(b"import os\\n", b""))

def git(*args):
    identity = ("-c", "user.name=agent", "-c", "user.email=agent@example.com")
    return subprocess.run(["git", *identity, *args], capture_output=True, text=True)

def wait():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2])
    signal.sigtimedwait([signal.SIGUSR1], {patience_s})

exec({acts!r}.get(os.path.normpath(sys.argv[1]), "fix()"))
"""


class Forked:
    """A process of the program that began as a copy of one that had imported all; as `subprocess.Popen` tells it."""

    def __init__(self, args: Sequence[str], cwd: Path, env: Mapping[str, str], out: Path, err: Path) -> None:
        told = {"args": args, "cwd": str(cwd), "environment": env, "out": str(out), "err": str(err)}
        order = {**told, "kill_after_s": None, "step": None, "counted": None}
        process = _copied()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        self._answers = process.stdout
        self.pid = self._answer()
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._answers], [], [], 0)[0]:
            self.returncode = self._answer()
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = self._answer()
        return self.returncode

    def _answer(self) -> int:
        return int(self._answers.readline())


Started: TypeAlias = subprocess.Popen[bytes] | Forked


@functools.cache
def _copied() -> subprocess.Popen[bytes]:
    """What is forked for each run, until these tests end."""
    command = [sys.executable, str(MORTAL)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    atexit.register(process.__exit__, None, None, None)
    return process


@dataclass(frozen=True)
class Ran:
    """How a run ended: exit code, report (empty where there is none), what it said, its own peak of memory."""

    code: int
    report: Mapping[str, Any]
    words: str
    peak_bytes: int

    @property
    def told(self) -> str:
        """All of it, for whoever reads why a test failed."""
        tasks = [f"{path!r}: {status} {self.reasons(path)}" for path, status in self.status.items()]
        more = [f"{name}: {self.report.get(name)}" for name in ("branch", "stopped", "not_applied", "notes")]
        return "\n".join([f"exit {self.code}", *tasks, *more, self.words])

    @property
    def branch(self) -> str | None:
        """The result branch, None where nothing landed."""
        branch = self.report.get("branch")
        return None if branch is None else str(branch)

    @property
    def status(self) -> dict[str, str]:
        """What became of each file."""
        return {task["path"]: task["status"] for task in self.report.get("tasks", ())}

    def reasons(self, path: str) -> str:
        """Why a file did not (wholly) succeed, in the report's words."""
        (task,) = [task for task in self.report["tasks"] if task["path"] == path]
        return "; ".join([*task["reasons"], *task["refused"]])


@dataclass
class Scene:
    """A user's repository and home, in a folder of their own.

    Args:
        where: holds all of it.
        user: the repository that the program runs in.
        acts: what the agent does instead of a good fix, Python source by path.
        environment: what the program sees beside the test's own environment; None takes a variable away.
        wrapper: a program with arguments that starts ours, which is forked from one that runs where there is none.
    """

    where: Path
    user: TemporaryRepository
    acts: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str | None] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()
    _before: tuple[dict[str, str], set[str]] = field(default_factory=lambda: ({}, set()))

    def fix(
        self,
        *options: str,
        below: str = ".",
        meanwhile: Callable[[], object] | None = None,
        touching: Callable[[str], bool] = lambda _: False,
        sound: bool = True,
        settled: bool = True,
    ) -> Ran:
        """Run `fanfold fix` with the scripted agent and without tests; see that it left nothing behind.

        Args:
            options: further ones of the command line.
            below: where the user stands, relative to the root of the repository.
            meanwhile: what the user does while the one agent that calls `wait()` waits.
            touching: which entries of the repository's fingerprint the run may change.
            sound: git finds nothing wrong with the repository afterwards.
            settled: there is nothing left to resume, and so no object is pinned any more.
        """
        self._look()
        ran = self._run(options, below, meanwhile)
        (before, results), after = self._before, fingerprint(self.user.root)
        changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
        assert [name for name in changed if not touching(name)] == [], "the user's repository was touched"
        assert self.results() == results | ({ran.branch} if ran.branch else set()), ran.told
        self._see_that_nothing_is_left()
        assert not settled or self.user.git("for-each-ref", "refs/fanfold") == "", ("still pinned", ran.told)
        assert (
            not sound
            or self.user.git(
                "-c", "core.fsmonitor=false", "fsck", "--no-dangling", "--no-progress", "--connectivity-only"
            )
            == ""
        )
        return ran

    def results(self) -> set[str]:
        """The result branches that there are."""
        return set(self.user.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/fanfold/*").split())

    def blob(self, ran: Ran, path: str) -> bytes:
        """A file on the result branch, as git stores it."""
        return os.fsencode(self.user.git("cat-file", "blob", f"{ran.branch}:{path}"))

    def changed(self, ran: Ran) -> dict[str, str]:
        """The paths in which the result branch differs from its base, with the new mode; 000000 = removed."""
        assert ran.branch is not None, ran.told
        listed = self._git("diff-tree", "-r", "-z", "--no-renames", ran.report["base"], ran.branch)
        metas, paths = listed.split("\0")[:-1:2], listed.split("\0")[1::2]
        return {path: meta.split()[1] for path, meta in zip(paths, metas, strict=True)}

    def _git(self, *args: str) -> str:
        """Git, running no program of the user's: whatever ran was the program's doing."""
        return self.user.git("-c", "core.fsmonitor=false", *args)

    def _look(self) -> None:
        self._before = fingerprint(self.user.root), self.results()

    def _run(self, options: tuple[str, ...], below: str, meanwhile: Callable[[], object] | None) -> Ran:
        agent = f"{shlex.quote(str(self._agent()))} {{file}}"
        out, err = self.where / "out", self.where / "err"
        process = self._started((*PROGRAM, "--agent-command", agent, *options), self.user.root / below, out, err)
        try:
            if meanwhile is not None:
                self._interlude(meanwhile, process)
            peak_bytes = _wait(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        words = err.read_text(errors="replace")
        assert "Traceback" not in words, words
        report = json.loads(out.read_bytes() or "{}")
        return Ran(code, report, words, peak_bytes)

    def _started(self, args: Sequence[str], cwd: Path, out: Path, err: Path) -> Started:
        if not self.wrapper:
            return Forked(args, cwd, self._environment(), out, err)
        command = (*self.wrapper, sys.executable, "-m", "fanfold", *args)
        with out.open("wb") as stdout, err.open("wb") as stderr:
            return subprocess.Popen(
                command,
                cwd=cwd,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    def _agent(self) -> Path:
        agent = self.where / "agent"
        python = Path(sys.executable).resolve()
        main = str(self.user.root)
        agent.write_text(_AGENT.format(python=python, main=main, acts=self.acts, patience_s=PATIENCE_S))
        agent.chmod(0o755)
        return agent

    def _environment(self) -> dict[str, str]:
        home, temporary = self.where / "home", self.where / "temporary"
        for folder in (home, temporary):
            folder.mkdir(exist_ok=True)
        own = {"HOME": str(home), "TMPDIR": str(temporary), **self.environment}
        outer = {name: value for name, value in os.environ.items() if name not in own}
        return {**outer, **{name: value for name, value in own.items() if value is not None}}

    def _interlude(self, meanwhile: Callable[[], object], process: Started) -> None:
        """Act while the agent waits for its signal; found from outside, whatever it is confined to."""
        until_s = time.monotonic() + PATIENCE_S
        while not (waiting := [pid for pid in self._processes() if _awaits_signal(pid)]):
            assert process.poll() is None, (self.where / "err").read_text()
            assert time.monotonic() < until_s, "no agent waits"
            time.sleep(0.01)
        try:
            meanwhile()
            self._look()
        finally:
            os.kill(waiting[0], signal.SIGUSR1)

    def _see_that_nothing_is_left(self) -> None:
        until_s = time.monotonic() + DYING_S
        while (left := [_described(pid) for pid in self._processes()]) and time.monotonic() < until_s:
            time.sleep(0.01)
        assert left == [], "processes are left"
        assert [lock for lock in self.where.glob("home/.cache/fanfold/*/*/lock") if _is_held(lock)] == []
        temporary = self.where / "temporary"
        assert sorted(str(path.relative_to(temporary)) for path in temporary.rglob("*")) == []
        assert str(self.where) not in Path("/proc/self/mountinfo").read_text(), "a mount is left"

    def _processes(self) -> Iterator[int]:
        """Whatever runs that has this scene's folder in its environment, its arguments or as its own folder."""
        mark = os.fsencode(self.where)
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                    if mark in told or os.fsencode((entry / "cwd").readlink()).startswith(mark):
                        yield int(entry.name)


def make_scene(where: Path, files: Mapping[str, str | bytes] | None = None, *, name: str = "project") -> Scene:
    """A scene whose repository has one commit; by default of one file with one finding."""
    return Scene(where, make_repository(where / name, {"a.py": BROKEN} if files is None else files))


def _wait(process: Started) -> int:
    """Wait for the end; the peak of the program's own resident memory, which outlives no process."""
    until_s, peak_bytes = time.monotonic() + PATIENCE_S, 0
    while process.poll() is None:
        assert time.monotonic() < until_s, "the program doesn't end"
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    peak_bytes = int(line.split()[1]) * 1024
        time.sleep(0.02)
    return peak_bytes


def _awaits_signal(pid: int) -> bool:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigBlk:"):
                # The two that it blocks, but for the one that it waits for; a process that starts another blocks all.
                mask = {number for number in range(1, 65) if int(line.split()[1], 16) >> (number - 1) & 1}
                return mask - {signal.SIGUSR1} == {signal.SIGUSR2}
    return False


def _described(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return f"{pid}, gone since"


def _is_held(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
