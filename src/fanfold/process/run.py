"""Run one program: argv, its own process group, a deadline, bounded output."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import IO, cast

from fanfold.process.start import ProcessError, ProgramNotFound, exit_of, start
from fanfold.process.streams import Drain, Feed
from fanfold.process.tree import kill_marked, marked, signal_group

__all__ = ["Completed", "ProcessError", "ProgramNotFound", "run"]

DEFAULT_MAX_BYTES = 64 * 1024 * 1024

TERMINATE_S = 0.5
"""How long a program may tidy up after SIGTERM before SIGKILL."""
LINGER_S = 0.5
"""How long what a program left running may go on writing after the program's own end."""
KILL_S = 5.0
"""How long a killed program may take to disappear; only one stuck in the kernel needs it."""
_YOUNG_S = 0.5


@dataclass(frozen=True)
class Completed:
    """How a program ended.

    `returncode` is negative where a signal ended it, as in `subprocess`. Output past `max_bytes` of either
    stream is dropped and `truncated` says so; the program is not stopped by it.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes
    elapsed_s: float
    timed_out: bool = False
    truncated: bool = False


async def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    deadline_s: float | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    keep_daemons: bool = False,
) -> Completed:
    """Run `argv` in a process group of its own and wait for its end.

    Nothing that it started outlives it: the rest of its group is killed, and so are daemons, which left the
    group, found by a marker in their environment (on Linux).

    Args:
        argv: the program and its arguments; never a shell string.
        cwd: working directory, None = the caller's.
        env: the whole environment of the program, None = the caller's.
        stdin: written to the program's standard input, then closed.
        deadline_s: seconds until the whole process group is killed, None = no deadline.
        max_bytes: bytes kept of each of stdout and stderr.
        keep_daemons: leave daemons alone when the program ends by itself, for programs whose daemons serve
            the user beyond this run, as gpg's agent does.
    Returns:
        Completed; a non-zero exit or a deadline is a value, not an exception.
    Raises:
        ProgramNotFound: the program isn't there or may not be executed.
        ProcessError: it can't be started, with the reason.
    When the caller is cancelled the processes are killed before the cancellation goes on.
    """
    program = _Program(argv, cwd=cwd, env=env, stdin=stdin, max_bytes=max_bytes)
    ended = False
    try:
        ended = await _within(deadline_s, program.exited)
        if ended:
            await _within(LINGER_S, program.out.ended, program.err.ended)
        else:
            await program.terminate()
    except asyncio.CancelledError:
        await program.terminate()
        raise
    finally:
        await program.kill(daemons=not (ended and keep_daemons))
    return program.completed(timed_out=not ended)


class _Program:
    """One running program with its pipes."""

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path | None,
        env: Mapping[str, str] | None,
        stdin: bytes,
        max_bytes: int,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._started_s = time.monotonic()
        self._argv = tuple(os.fspath(part) for part in argv)
        self._marker = secrets.token_hex(12)
        self._process = start(self._argv, cwd=cwd, env=marked(env, self._marker), with_stdin=bool(stdin))
        self.exited = exit_of(self._process, loop)
        self.out = Drain(loop, _raw(self._process.stdout), max_bytes)
        self.err = Drain(loop, _raw(self._process.stderr), max_bytes)
        self._feed = Feed(loop, _raw(self._process.stdin), stdin) if stdin else None

    async def terminate(self) -> None:
        """Ask the whole group to end, and give it a moment."""
        signal_group(self._process.pid, signal.SIGTERM)
        await _within(TERMINATE_S, self.exited, self.out.ended, self.err.ended)

    async def kill(self, *, daemons: bool) -> None:
        """End whatever still runs and reap the program; a cancellation meanwhile waits until that is done."""
        # Unreaped, the program keeps its process id, and so its group's, from being given to a stranger.
        signal_group(self._process.pid, signal.SIGKILL)
        if daemons:
            young = time.monotonic() - self._started_s < _YOUNG_S
            kill_marked(self._marker, born_after=self._process.pid if young else None)
        try:
            await _surely_within(KILL_S, self.exited)
        finally:
            self._process.poll()
            self.out.finish()
            self.err.finish()
            if self._feed:
                self._feed.close()

    def completed(self, *, timed_out: bool) -> Completed:
        """How it ended, once it was killed or ended by itself."""
        code = self._process.returncode
        return Completed(
            argv=self._argv,
            returncode=-signal.SIGKILL if code is None else code,
            stdout=self.out.kept,
            stderr=self.err.kept,
            elapsed_s=time.monotonic() - self._started_s,
            timed_out=timed_out,
            truncated=self.out.truncated or self.err.truncated,
        )


def _raw(pipe: IO[bytes] | None) -> FileIO:
    return cast("FileIO", pipe)  # what Popen makes with bufsize=0


async def _within(seconds: float | None, *futures: asyncio.Future[None]) -> bool:
    """Whether all futures were done in time."""
    if waiting := [future for future in futures if not future.done()]:
        await asyncio.wait(waiting, timeout=seconds)
    return all(future.done() for future in futures)


async def _surely_within(seconds: float, *futures: asyncio.Future[None]) -> None:
    """Wait as `_within`, through cancellations, which are raised at the end."""
    clock = asyncio.get_running_loop().time
    until_s = clock() + seconds
    cancelled: asyncio.CancelledError | None = None
    while True:
        try:
            await _within(max(0.0, until_s - clock()), *futures)
        except asyncio.CancelledError as error:
            cancelled = error
        else:
            break
    if cancelled is not None:
        raise cancelled
