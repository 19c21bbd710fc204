"""Take away what git would wait for: pipes that are called like files that it reads by itself."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass

READ_BY_GIT = frozenset({b".gitignore", b".gitattributes"})
_SLACK_NS = 20_000_000
"""By how much file systems may note a time early."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The folders in a folder, and how that looked then: whatever is put into it later changes its time of change.

    `at` is its device, number and time of change; None = it was too new to tell it from one that is changed at once.
    """

    at: tuple[int, int, int] | None
    folders: tuple[bytes, ...] = ()


Folders = MutableMapping[bytes, Folder]


def take_pipes_away(tree: bytes, *, layer: bytes | None = None, known: Folders | None = None) -> None:
    """Remove what git would open in a working tree though it is no file, and then wait there for ever.

    git can hold no pipe, so none is part of a change; where one stands in the place of a file, that file is gone.

    Args:
        layer: a folder with the same paths as the tree that has whatever is new in it; without it all of the tree is
            looked through.
        known: folders by their paths, as they were looked through before: those that haven't changed since aren't
            again. It is brought up to date.
    """
    top = layer or tree
    before = dict(known or {})
    seen: dict[bytes, Folder] = {}
    left = [top]
    while left:
        folder = left.pop()
        place = tree + folder[len(top) :]
        with contextlib.suppress(OSError):
            seen[folder] = _looked_through(folder, place, before.get(folder))
            left += seen[folder].folders
    if known is not None:
        known.clear()
        known.update(seen)


def _looked_through(folder: bytes, place: bytes, before: Folder | None) -> Folder:
    """A folder that holds no such pipe any more; `place` is where it is in the tree."""
    now_ns = time.time_ns()
    found = os.lstat(folder)
    at = (found.st_dev, found.st_ino, found.st_ctime_ns)
    if before is not None and before.at == at:
        return before
    is_old = found.st_ctime_ns < now_ns - _SLACK_NS
    return Folder(at if is_old else None, tuple(_folders(folder, place)))


def _folders(folder: bytes, place: bytes) -> Iterator[bytes]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield entry.path
            elif entry.name in READ_BY_GIT:
                _take_away(os.path.join(place, entry.name))  # noqa: PTH118 bytes


def _take_away(path: bytes) -> None:
    with contextlib.suppress(OSError):
        mode = os.lstat(path).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            os.unlink(path)  # noqa: PTH108 bytes
