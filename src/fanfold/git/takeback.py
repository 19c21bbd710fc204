"""Take out of a clean checkout what a fast-forward wrote before it failed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from pathlib import Path

from fanfold.git.command import git, records, text
from fanfold.git.diff import FileDiff
from fanfold.git.repository import Repository

_EXECUTABLE = "100755"
_REGULAR = frozenset({"100644", _EXECUTABLE})
_ABSENT = "000000"


async def take_back(repository: Repository, tip: str) -> None:
    """Make files and index those of HEAD again where git left them as in `tip`, cut off, or away.

    The checkout was clean a moment ago. Whatever else a file holds by now is the user's, and stays.

    Raises:
        GitError, OSError: it can't be done.
    """
    if (await Repository.open(repository.root)).head != repository.head:
        return
    sparse = await _not_checked_out(repository)
    for path, diff in (await repository.hunks(repository.head, tip)).items():
        if path not in sparse and {diff.old_mode, diff.new_mode} <= _REGULAR | {_ABSENT}:
            old = await _content(repository, repository.head, path, diff.old_mode)
            new = await _content(repository, tip, path, diff.new_mode)
            await asyncio.to_thread(_restore, repository.root / path, diff, old, new)
    staged = await git("diff-index", "--cached", "--quiet", tip, cwd=repository.root, ok=(0, 1))
    if staged.returncode == 0:
        await git("read-tree", "--reset", repository.head, cwd=repository.root)


async def _not_checked_out(repository: Repository) -> set[str]:
    """The paths that a sparse checkout leaves out."""
    done = await git("ls-files", "-t", "-z", cwd=repository.root)
    return {text(record[2:]) for record in records(done.stdout) if record.startswith(b"S ")}


async def _content(repository: Repository, commit: str, path: str, mode: str) -> bytes | None:
    """A file as a checkout writes it, with the user's filters; None = it isn't there."""
    if mode == _ABSENT:
        return None
    return (await git("cat-file", "--filters", f"{commit}:{path}", cwd=repository.root)).stdout


def _restore(place: Path, diff: FileDiff, old: bytes | None, new: bytes | None) -> None:
    now = _bytes_at(place)
    if now == old or (now is not None and not (new or b"").startswith(now)):
        return
    if now is not None:
        place.unlink()
    if old is None:
        _remove_empty(place.parent)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o777 if diff.old_mode == _EXECUTABLE else 0o666
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(old)


def _bytes_at(place: Path) -> bytes | None:
    try:
        mode = place.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(mode):
        raise OSError(f"{place.name} is no regular file any more")
    return place.read_bytes()


def _remove_empty(folder: Path) -> None:
    """Git makes folders for new files; one that holds nothing else goes with them."""
    with contextlib.suppress(OSError):
        while True:
            folder.rmdir()
            folder = folder.parent
