"""What of a checkout and its git directory a program would change that works in the wrong place."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fanfold.git.command import GitError, git, raw, records, text
from fanfold.git.repository import Repository

OURS = ("refs/heads/fanfold/", "refs/fanfold/")
LONGEST_S = 300.0
_FETCHED = ("refs/remotes/", "refs/prefetch/", "refs/bisect/", "refs/worktree/")
"""What editors fetch by themselves, and what means something in one checkout only."""
_PRIVATE = ("HEAD", "config.worktree", "info")
_COMMON = ("config", "info", "hooks", "worktrees", "objects/info/alternates", "shallow")
_ITS_LOGS = "logs"

Look = tuple[int, ...] | None
"""Time of change, time of writing, size, file number and mode; None = nothing is there."""


@dataclass(frozen=True)
class Touched:
    """One thing that changed; `at_ns` is when by the file system's clock, None where that can't be told.

    `path` is relative to the checkout's root, or begins with `.git` for what git keeps.
    """

    path: str
    at_ns: int | None = None


@dataclass(frozen=True)
class Footprint:
    """How a checkout looked at a moment.

    Args:
        began_ns: when the look began; what changed after that may not be in it.
        files: files that differ from the index or are new, and aren't ignored; with those asked for besides.
        kept: what git keeps, by name: its files, the entries of the index, each ref, the logs of refs.
    """

    began_ns: int
    files: Mapping[str, Look]
    kept: Mapping[str, object]
    index: tuple[Look, str] = field(default=(None, ""), repr=False)


async def footprint(repository: Repository, before: Footprint | None = None) -> Footprint:
    """How the checkout looks now.

    No file's content is read, and nothing is written, not even times cached in the index. Left out are files that git
    ignores, refs of fetches, and Fanfold's own refs.

    Args:
        before: an earlier look, whose files are looked at again.
    Raises:
        GitError: the repository can't be read.
    """
    began_ns = _clock_ns()
    try:
        async with asyncio.timeout(LONGEST_S):
            changed, new, refs, index = await asyncio.gather(
                _names(repository, "diff-files", "-z", "--name-only", "--no-renames", "--ignore-submodules=all"),
                _names(repository, "ls-files", "-z", "-o", "--exclude-standard"),
                repository.refs(),
                _index(repository, before),
            )
    except TimeoutError:
        raise GitError(
            f"git couldn't tell within {LONGEST_S:g} s how the checkout looks",
            hint="look there for pipes that are called .gitignore or .gitattributes, at which git waits",
        ) from None
    names = {*changed, *new, *(before.files if before else ())}
    files, kept = await asyncio.to_thread(lambda: (_looks(repository.root, names), dict(_kept(repository))))
    kept.update((f".git/{name}", oid) for name, oid in refs.items() if _is_the_users(name))
    kept[".git/index"] = index[1]
    return Footprint(began_ns, files, kept, index)


def touched(before: Footprint, after: Footprint) -> tuple[Touched, ...]:
    """What changed from one look to the next, which was given the first."""
    found: list[Touched] = []
    for path, now in after.files.items():
        if path in before.files:
            if now != before.files[path]:
                found.append(Touched(path, now[0] if now else None))
        elif now is None:
            found.append(Touched(path))
        elif now[0] >= before.began_ns:  # else the index alone changed, and the file is as it was
            found.append(Touched(path, now[0]))
    names = {**before.kept, **after.kept}
    found += (Touched(name) for name in names if before.kept.get(name) != after.kept.get(name))
    return tuple(sorted(found, key=lambda one: one.path))


async def _names(repository: Repository, *args: str) -> list[str]:
    done = await git(*args, cwd=repository.root)
    return [text(record).rstrip("/") for record in records(done.stdout)]


async def _index(repository: Repository, before: Footprint | None) -> tuple[Look, str]:
    """What the index holds, without the times that any `git status` refreshes."""
    look = _look(os.fspath(repository.git_dir / "index"))
    if before is not None and look == before.index[0]:
        return before.index
    done = await git("ls-files", "-z", "--stage", "-v", cwd=repository.root)
    return look, hashlib.sha256(done.stdout).hexdigest()


def _is_the_users(ref: str) -> bool:
    return not ref.startswith((*OURS, *_FETCHED))


def _looks(root: Path, names: Iterable[str]) -> dict[str, Look]:
    top = os.fsencode(root)
    return {name: _look(os.path.join(top, raw(name))) for name in names}  # noqa: PTH118 bytes


def _kept(repository: Repository) -> Iterator[tuple[str, object]]:
    for folder, names in ((repository.git_dir, _PRIVATE), (repository.common_dir, _COMMON)):
        for name in names:
            yield from _all(os.fspath(folder / name), f".git/{name}")
    for folder in {repository.git_dir, repository.common_dir}:
        for name, look in _all(os.fspath(folder / _ITS_LOGS), _ITS_LOGS):
            ref = name.removeprefix(f"{_ITS_LOGS}/")
            if look and _is_the_users(ref):
                yield f".git/{name}", look[2]


def _all(path: str, name: str) -> Iterator[tuple[str, Look]]:
    """A file's look, or those of all files below a folder."""
    look = _look(path)
    if not look or not stat.S_ISDIR(look[-1]):
        yield name, look
        return
    try:
        entries = os.listdir(path)  # noqa: PTH208 names only
    except OSError:
        return
    for entry in entries:
        if name == ".git/worktrees":  # what is in each is its own: git writes there whenever it is used
            yield f"{name}/{entry}", ()
        else:
            yield from _all(f"{path}/{entry}", f"{name}/{entry}")


def _look(path: str | bytes) -> Look:
    try:
        about = os.lstat(path)
    except OSError:
        return None
    if stat.S_ISDIR(about.st_mode):  # its times change with what is in it
        return (about.st_ctime_ns, 0, 0, about.st_ino, about.st_mode)
    return (about.st_ctime_ns, about.st_mtime_ns, about.st_size, about.st_ino, about.st_mode)


def _clock_ns() -> int:
    """The time as file systems note it, which lags a little behind the exact one."""
    coarse = getattr(time, "CLOCK_REALTIME_COARSE", None)
    return time.time_ns() if coarse is None else time.clock_gettime_ns(coarse)
