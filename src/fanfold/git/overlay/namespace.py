"""Let this process mount what nobody else sees, and what the kernel takes away with its last process."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from fanfold.process import run

Entered = Literal["", "mounts", "users"]

_DEADLINE_S = 20.0
_ENDING_S = 0.5
_LOOK_S = 0.002
_entered: Entered = ""
_reason = "this program did not ask for a mount namespace of its own"


def entered() -> Entered:
    """Which namespaces this process has of its own: none, one of mounts, or one of users with one of mounts."""
    return _entered


def reason_not_entered() -> str:
    """Why the process has none."""
    return _reason


def allow_overlays(home: Path) -> str:
    """Let this program use overlay workspaces below `home`; why it can't, or nothing where it can.

    To be called early, while the program has a single thread: it moves to a mount namespace of its own, so that the
    kernel unmounts whatever it leaves, however it ends. Files are seen there as everywhere else.
    """
    return enter(partial(_reason_against, home))


async def why_no_overlays(home: Path) -> str:
    """Why a program can't use overlay workspaces below `home`, or nothing where it can; tried by a program."""
    script = f"import sys, pathlib, {__name__} as own; sys.exit(own._tried(pathlib.Path(sys.argv[1])) or None)"
    done = await run([sys.executable, "-c", script, home], deadline_s=_DEADLINE_S)
    return done.stderr.decode(errors="replace").strip() if done.returncode else ""


def _tried(home: Path) -> str:
    return allow_overlays(home) or _reason_against(home)


def _reason_against(home: Path) -> str:
    from fanfold.git.overlay.layers import reason_against  # noqa: PLC0415  loads ctypes

    return reason_against(home)


def enter(check: Callable[[], str] = lambda: "", *, other_threads: bool = False) -> str:
    """Give this process a mount namespace of its own; why it has none, or nothing where it has.

    For the rest of the process's life. Where that takes a user namespace as well, the user stays who he is, but
    programs that become root (`sudo`) no longer do; so it is tried in a child first, with `check`, which says why
    a namespace would be of no use.

    Args:
        other_threads: whether there may be other threads: these stay outside, with all that they start. Only where
            it takes no user namespace.
    """
    global _entered, _reason
    if not _entered:
        _entered, _reason = _attempted(check, other_threads=other_threads)
    return _reason


def _attempted(check: Callable[[], str], *, other_threads: bool) -> tuple[Entered, str]:
    if sys.platform != "linux":
        return "", "only Linux has overlay mounts"
    alone = _alone()
    if not alone and not other_threads:
        return "", "other threads are running already"
    try:
        return _mounts(), ""
    except OSError as error:
        if error.errno != errno.EPERM or not alone:
            return "", str(error.strerror)
    reason = _in_child(lambda: _users() and check())
    return ("", reason) if reason else (_users(), "")


def _alone() -> bool:
    """Whether there is one thread only. One that Python has seen to its end is there for a moment more."""
    given_up_s = time.monotonic() + _ENDING_S
    while len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208  as cheap as can be
        if threading.active_count() > 1 or time.monotonic() > given_up_s:
            return False
        time.sleep(_LOOK_S)
    return True


def _mounts() -> Entered:
    from fanfold.git.overlay import kernel  # noqa: PLC0415  loads ctypes

    kernel.unshare(kernel.NEW_MOUNTS)
    kernel.hide_mounts()
    return "mounts"


def _users() -> Entered:
    from fanfold.git.overlay import kernel  # noqa: PLC0415  loads ctypes

    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.NEW_USERS | kernel.NEW_MOUNTS)
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{user} {user} 1")
    (own / "gid_map").write_text(f"{group} {group} 1")
    kernel.hide_mounts()
    return "users"


def _in_child(work: Callable[[], str]) -> str:
    """What `work` says in a child process that then ends; an error of the system's is its words."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = "could not be tried"
            with contextlib.suppress(BaseException):  # whatever happens, the child must not go on as its parent
                said = _said(work)
            os.write(writer, said.encode(errors="replace")[:4096])
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        told = stream.read()
    _, status = os.waitpid(child, 0)
    return told.decode() if status == 0 else "could not be tried"


def _said(work: Callable[[], str]) -> str:
    try:
        return work()
    except OSError as error:
        return str(error.strerror or error)
