"""Start a program, say clearly why it can't be started, and learn of its end without a thread."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from fanfold.errors import FanfoldError

_SHOWN = 200


class ProcessError(FanfoldError):
    """A program could not be started."""


class ProgramNotFound(ProcessError):
    """The program to run does not exist or may not be executed."""


def start(
    argv: tuple[str, ...], *, cwd: Path | None, env: Mapping[str, str], with_stdin: bool
) -> subprocess.Popen[bytes]:
    """Start `argv` as the leader of a session of its own, with raw pipes.

    Raises:
        ProgramNotFound: the program isn't there or may not be executed.
        ProcessError: anything else that keeps it from starting.
    """
    try:
        return subprocess.Popen(  # noqa: S603
            argv,
            bufsize=0,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE if with_stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise _explained(error, argv, cwd) from error


def exit_of(process: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
    """A future that is done when the process has ended; where the system can tell, it isn't reaped by this."""
    exited: asyncio.Future[None] = loop.create_future()
    try:
        fd = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        threading.Thread(target=_wait_in_thread, args=(process, loop, exited), daemon=True).start()
        return exited

    def ended() -> None:
        loop.remove_reader(fd)
        os.close(fd)
        _settle(exited)

    loop.add_reader(fd, ended)
    return exited


def _wait_in_thread(
    process: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop, exited: asyncio.Future[None]
) -> None:
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()
    with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
        loop.call_soon_threadsafe(_settle, exited)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _explained(error: OSError | ValueError, argv: tuple[str, ...], cwd: Path | None) -> ProcessError:
    name = argv[0].encode(errors="replace").decode()[:_SHOWN]
    if not isinstance(error, OSError):
        return ProcessError(f"can't run {name!r}: {error}")
    why = error.strerror or str(error)
    if cwd is not None and error.filename in (cwd, os.fspath(cwd)):
        return ProcessError(f"can't run {name} in {cwd}: {why}")
    if error.errno == errno.E2BIG:
        return ProcessError(
            f"can't run {name}: its arguments are too long ({sum(map(len, argv))} characters)",
            hint="pass long text on standard input or in a file",
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError | PermissionError):
        return _not_found(argv[0], name, why)
    return ProcessError(f"can't run {name}: {why}")


def _not_found(program: str, name: str, why: str) -> ProgramNotFound:
    if os.sep not in program:
        return ProgramNotFound(f"{name} is not installed", hint=f"install {name}, or put its folder on PATH")
    if not Path(program).exists():
        return ProgramNotFound(f"there is no program {name}", hint="check the path")
    if not os.access(program, os.X_OK):
        return ProgramNotFound(f"{name} may not be executed: {why}", hint=f"make it executable: chmod +x {name}")
    return ProgramNotFound(
        f"can't run {name}: {why}", hint="install the interpreter that its first line names, or correct that line"
    )
