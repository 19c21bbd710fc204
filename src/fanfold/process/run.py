"""Run one program: argv, its own process group, a deadline, bounded output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fanfold.errors import FanfoldError

DEFAULT_MAX_BYTES = 64 * 1024 * 1024


class ProgramNotFound(FanfoldError):
    """The program to run does not exist or may not be executed."""


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
) -> Completed:
    """Run `argv` in a process group of its own and wait for its end.

    Args:
        argv: the program and its arguments; never a shell string.
        cwd: working directory, None = the caller's.
        env: the whole environment of the program, None = the caller's.
        stdin: written to the program's standard input, then closed.
        deadline_s: seconds until the whole process group is killed, None = no deadline.
        max_bytes: bytes kept of each of stdout and stderr.
    Returns:
        Completed; a non-zero exit or a deadline is a value, not an exception.
    Raises:
        ProgramNotFound: the program can't be started.
    When the caller is cancelled the process group is killed before the cancellation goes on.
    """
    raise NotImplementedError
