"""Let this process mount what nobody else sees, and what the kernel takes away with its last process."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

Entered = Literal["", "mounts", "users"]

_entered: Entered = ""

NOT_ENTERED = "this program did not ask for a mount namespace of its own"


def entered() -> Entered:
    """Which namespaces this process has of its own: none, one of mounts, or one of users with one of mounts."""
    return _entered


def enter(check: Callable[[], str] = lambda: "", *, other_threads: bool = False) -> str:
    """Give this process a mount namespace of its own; why it has none, or nothing where it has.

    For the rest of the process's life. Where that takes a user namespace as well, the user stays who he is, but
    programs that become root (`sudo`) no longer do; so it is tried in a child first, with `check`, which says why
    a namespace would be of no use.

    Args:
        other_threads: whether there may be other threads: these stay outside, with all that they start.
    """
    global _entered  # noqa: PLW0603  of the process, and there is only one
    if _entered:
        return ""
    if sys.platform != "linux":
        return "only Linux has overlay mounts"
    if not other_threads and len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208  as cheap as can be
        return "other threads are running already"
    try:
        _entered = _mounts()
    except OSError as error:
        if error.errno != errno.EPERM:
            return str(error.strerror)
        reason = _in_child(lambda: _users() and check())
        if not reason:
            _entered = _users()
        return reason
    return ""


def tried(check: Callable[[], str]) -> str:
    """What `check` says inside, tried in a child: this process stays where it is."""
    return _in_child(lambda: enter(check) or check())


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
