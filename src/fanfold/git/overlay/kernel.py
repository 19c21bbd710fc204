"""The kernel's own calls for namespaces and mounts."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

NEW_MOUNTS, NEW_USERS = 0x00020000, 0x10000000

_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _SLAVE = 0x1, 0x20, 0x1000, 0x4000, 0x80000
_DETACH, _NO_FOLLOW = 0x2, 0x8

_KEPT = {os.ST_NOSUID: 0x2, os.ST_NODEV: 0x4, os.ST_NOEXEC: 0x8, os.ST_NOATIME: 0x400, os.ST_RELATIME: 0x200000}
"""What a mount forbids stays forbidden in a user namespace: flags of statvfs, and the same ones of mount."""

_C = ctypes.CDLL(None, use_errno=True)


def unshare(kinds: int) -> None:
    """Give the calling thread, and what it starts from now on, namespaces of its own.

    Raises:
        OSError: the kernel says no.
    """
    _done(_C.unshare(ctypes.c_int(kinds)), "unshare")


def hide_mounts() -> None:
    """Let nothing that is mounted here be seen outside; what is mounted outside is still seen here."""
    _mount("none", Path("/"), "", _RECURSIVE | _SLAVE, "")


def mount_overlay(target: Path, lower: tuple[Path, ...], upper: Path, work: Path, options: Mapping[str, str]) -> None:
    """Mount an overlay over the folder `target`; `lower` from top to bottom.

    The folders are named by open files, so that no character of their paths means anything to the kernel.

    Raises:
        OSError: the kernel says no.
    """
    with contextlib.ExitStack() as opened:
        *below, top, beside = (opened.enter_context(_opened(folder)) for folder in (*lower, upper, work))
        said = {"lowerdir": ":".join(below), "upperdir": top, "workdir": beside, **options}
        data = ",".join(f"{name}={value}" if value else name for name, value in said.items())
        _mount("overlay", target, "overlay", 0, data)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[str]:
    file = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{file}"
    finally:
        os.close(file)


def protect(folder: Path) -> None:
    """Let nobody write to a folder by its path, who sees the mounts of this process.

    Raises:
        OSError: the kernel says no.
    """
    _mount(str(folder), folder, "", _BIND, "")
    flags = os.statvfs(folder).f_flag
    kept = sum(flag for seen, flag in _KEPT.items() if flags & seen)
    _mount("none", folder, "", _REMOUNT | _BIND | _READ_ONLY | kept, "")


def unmount(target: Path) -> bool:
    """Take the topmost mount away from a path, also while programs use it; whether there was one."""
    answer: int = _C.umount2(os.fsencode(target), ctypes.c_int(_DETACH | _NO_FOLLOW))
    return answer == 0


def _mount(source: str, target: Path, kind: str, flags: int, data: str) -> None:
    asked = (os.fsencode(text) for text in (source, target, kind))
    _done(_C.mount(*asked, ctypes.c_ulong(flags), os.fsencode(data)), f"mount {kind}".strip())


def _done(answer: int, what: str) -> None:
    if answer:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
