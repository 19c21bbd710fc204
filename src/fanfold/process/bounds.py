"""Keep a program from filling the disk: a limit for each file, and a watch over what it writes together."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from fanfold.errors import FanfoldError

_BLOCK = 512
_LOOK_S = 0.5
_RESTING = 20
"""How much longer than a look over the files the pause behind it is."""
_LIMITED = 'ulimit -f "$1" 2>/dev/null; shift; exec "$@"'


class TooLarge(FanfoldError):
    """A program wrote more than it may."""


def limited(argv: Sequence[str], max_file_bytes: int) -> tuple[str, ...]:
    """The command line that runs `argv` where no file can grow beyond a size, its children included.

    The system stops a write beyond it, also one that leaves a hole.
    """
    return ("/bin/sh", "-c", _LIMITED, "sh", str(max(1, max_file_bytes // _BLOCK)), *argv)


class Growth:
    """What was written below some folders since this was made.

    Args:
        folders: looked through to their ends, links not followed.
        max_bytes: how much may be written.
    """

    def __init__(self, folders: Iterable[Path], max_bytes: int) -> None:
        self.folders = tuple(folders)
        self.max_bytes = max_bytes
        self._since_ns = time.time_ns()
        self._free = self._free_bytes()

    async def watch(self) -> None:
        """Look on until more was written than may be.

        Raises:
            TooLarge: when it was.
        """
        while True:
            await asyncio.sleep(_LOOK_S)
            started_s = time.monotonic()
            await self.check()
            await asyncio.sleep(_RESTING * (time.monotonic() - started_s))

    async def check(self) -> None:
        """Look once.

        Raises:
            TooLarge: more was written than may be.
        """
        if await asyncio.to_thread(self._is_large):
            raise TooLarge(
                f"more than {self.max_bytes:,} bytes were written",
                hint="if that is right, raise workspace_max_bytes",
            )

    def _is_large(self) -> bool:
        # Asking the file system costs nothing. What others write on it meanwhile only makes this look closer.
        if self._free - self._free_bytes() < self.max_bytes // 2:
            return False
        return self.written_bytes() > self.max_bytes

    def written_bytes(self) -> int:
        """The size of all files that were changed since."""
        return sum(self._written_in(os.fspath(folder)) for folder in self.folders)

    def _written_in(self, top: str) -> int:
        total, folders = 0, [top]
        while folders:
            for entry in _listed(folders.pop()):
                try:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    about = entry.stat(follow_symlinks=False)
                except OSError:  # gone meanwhile
                    continue
                if stat.S_ISREG(about.st_mode) and about.st_ctime_ns >= self._since_ns:
                    total += about.st_blocks * _BLOCK
        return total

    def _free_bytes(self) -> int:
        free = 0
        for device in {folder.stat().st_dev: folder for folder in self.folders}.values():
            about = os.statvfs(device)
            free += about.f_bavail * about.f_frsize
        return free


def _listed(folder: str) -> list[os.DirEntry[str]]:
    """The entries of a folder, which may have been closed to hide them."""
    for mode in (None, 0o700):
        try:
            if mode is not None:
                Path(folder).chmod(mode)
            with os.scandir(folder) as entries:
                return list(entries)
        except PermissionError:
            continue
        except OSError:  # gone, or its writer put something else there
            break
    return []
