"""Commits that came from another machine: each in a repository of its own, kept for the next run within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path

from fanfold.git.bundle import Bundle, BundleError, filters_of
from fanfold.git.command import GitError, git, raw
from fanfold.git.pool import slot_home
from fanfold.git.repository import Repository
from fanfold.git.slot import is_still
from fanfold.git.sweep import remove
from fanfold.git.throwaway import quoted
from fanfold.process import uninterrupted

MAX_KEPT_BYTES = 10 << 30
MAX_AGE_S = 30 * 86_400.0

_FOLDER = "bases"
_NAME = re.compile(r"[0-9a-f]{12}-[0-9a-f]{16}(\.removed)?")
_ASIDE = ".removed"
_POLL_S = 0.02
_CONFIG = """[core]
\tautocrlf = {autocrlf}
\teol = {eol}
\tsafecrlf = false
\thooksPath = /dev/null
\tfsmonitor = false
\tuntrackedCache = false
\texcludesFile = {exclude}
\tattributesFile = {attributes}
[gc]
\tauto = 0
"""
_NO_FILTER = """[filter {name}]
\tclean =
\tsmudge =
\tprocess =
\trequired = false
"""


@contextlib.asynccontextmanager
async def unpacked(
    bundle: Bundle, *, home: Path, max_kept_bytes: int = MAX_KEPT_BYTES, max_age_s: float = MAX_AGE_S
) -> AsyncIterator[Repository]:
    """A private repository that holds the bundle's commit and nothing else, with a checkout of it.

    What is there already isn't unpacked again; any number of processes use it together. At the end, bases that nobody
    has used for `max_age_s`, and the longest unused ones past `max_kept_bytes`, are removed with their workspaces.

    Args:
        home: the folder of the workspaces.
    Raises:
        BundleError: the pack is damaged or incomplete, or there is no room for it.
    """
    folder = home / _FOLDER / _key(bundle)
    try:
        lock, repository = await _shared(folder, bundle)
    except (GitError, OSError) as error:
        reason = error.message if isinstance(error, GitError) else str(error)
        raise BundleError(f"can't unpack {bundle.commit[:12]} in {folder}: {reason}") from error
    try:
        yield repository
    finally:
        os.close(lock)
    await asyncio.to_thread(evict, home, max_bytes=max_kept_bytes, max_age_s=max_age_s)


async def _shared(folder: Path, bundle: Bundle) -> tuple[int, Repository]:
    """The repository, and the lock that keeps it there."""
    while True:
        lock, complete = await _held(folder)
        try:
            if not complete:
                await uninterrupted(_unpack(folder, bundle))
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            os.utime(lock)
            return lock, await Repository.open(_root(folder))
        except BlockingIOError:  # somebody took it while it changed hands
            os.close(lock)
        except BaseException:
            os.close(lock)
            raise


async def _held(folder: Path) -> tuple[int, bool]:
    """The folder's lock, and whether its repository is complete: then it's shared, else it's this call's alone."""
    while True:
        with contextlib.suppress(FileNotFoundError):  # it is being removed
            folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 a moment's work, before anything else runs
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            complete = _complete(folder).exists()
            try:
                fcntl.flock(lock, (fcntl.LOCK_SH if complete else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
            else:
                if is_still(folder / "lock", lock) and _complete(folder).exists() == complete:
                    return lock, complete
                os.close(lock)
        await asyncio.sleep(_POLL_S)


async def _unpack(folder: Path, bundle: Bundle) -> None:
    """Make the repository; only with its last line it counts as there."""
    root, git_dir = _root(folder), _root(folder) / ".git"
    await asyncio.to_thread(remove, os.fsencode(root))
    await git(
        "init", "--quiet", "--template=", f"--object-format={bundle.object_format}", "--initial-branch=base", str(root),
        cwd=folder,
    )  # fmt: skip
    (git_dir / "shallow").write_text(f"{bundle.commit}\n")
    (git_dir / "HEAD").write_text(f"{bundle.commit}\n")
    pack = git_dir / "objects" / "pack" / "pack-base.pack"
    await asyncio.to_thread(_write, pack, bundle.pack)
    await git("index-pack", str(pack), cwd=root)
    await git("rev-list", "--quiet", "--objects", bundle.commit, cwd=root)
    _write_rules(folder, git_dir, bundle)
    repository = await Repository.open(root)
    with (git_dir / "config").open("ab") as config:
        for name in sorted(await filters_of(repository, bundle.commit)):
            config.write(raw(_NO_FILTER.format(name=quoted(name))))
    await git("read-tree", "--reset", "-u", bundle.commit, cwd=root)
    _complete(folder).write_text(slot_home(repository))


def _write(path: Path, content: memoryview) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_rules(folder: Path, git_dir: Path, bundle: Bundle) -> None:
    """The user's own files of rules lie outside of the repository, as they do where they come from."""
    rules, outside = bundle.rules, {"exclude": folder / "exclude", "attributes": folder / "attributes"}
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info" / "exclude").write_bytes(raw(rules.exclude))
    (git_dir / "info" / "attributes").write_bytes(raw(rules.attributes))
    outside["exclude"].write_bytes(raw(rules.own_exclude))
    outside["attributes"].write_bytes(raw(rules.own_attributes))
    places = {name: quoted(str(path.absolute())) for name, path in outside.items()}
    with (git_dir / "config").open("ab") as config:
        config.write(raw(_CONFIG.format(autocrlf=quoted(rules.autocrlf), eol=quoted(rules.eol), **places)))


def evict(home: Path, *, max_bytes: int, max_age_s: float) -> int:
    """Remove bases that nobody uses and that are too old or too much, with their workspaces; the bytes freed."""
    now_s, freed, kept = time.time(), 0, 0
    for used_s, folder in sorted(_bases(home), reverse=True):
        slots = _slots_of(folder)
        size = size_of(folder) + (size_of(home / slots) if slots else 0)
        kept += size
        stale = folder.suffix == _ASIDE or now_s - used_s > max_age_s
        if (stale or kept > max_bytes) and _remove_unused(home, folder):
            kept -= size
            freed += size
    return freed


def _bases(home: Path) -> Iterator[tuple[float, Path]]:
    """Each base with the time when it was last asked for."""
    for lock in (home / _FOLDER).glob("*/lock"):
        if _NAME.fullmatch(lock.parent.name) and not lock.parent.is_symlink():
            with contextlib.suppress(FileNotFoundError):
                yield lock.stat().st_mtime, lock.parent


def _remove_unused(home: Path, folder: Path) -> bool:
    """Remove a base with its workspaces, unless a process uses it."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not is_still(folder / "lock", lock):
            return False
        slots = _slots_of(folder)
        # First aside, at once and as a whole: whoever comes now makes a new one.
        aside = folder.with_suffix(_ASIDE)
        if aside != folder:
            remove(os.fsencode(aside))
            folder.rename(aside)
        if slots:
            remove(os.fsencode(home / slots))
        remove(os.fsencode(aside))
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def _slots_of(folder: Path) -> str | None:
    """The name of the folder that its workspaces are in."""
    try:
        name = _complete(folder).read_text()
    except (OSError, UnicodeDecodeError):
        return None
    return name if re.fullmatch(r"base-[0-9a-f]{12}", name) else None


def _key(bundle: Bundle) -> str:
    facts = json.dumps([bundle.commit, bundle.object_format, asdict(bundle.rules)], sort_keys=True)
    return f"{bundle.commit[:12]}-{hashlib.sha256(facts.encode()).hexdigest()[:16]}"


def _root(folder: Path) -> Path:
    return folder / "base"


def _complete(folder: Path) -> Path:
    return folder / "complete"


def size_of(folder: Path) -> int:
    """Bytes that the files below a folder take, a file with several names counted once."""
    sizes: dict[tuple[int, int], int] = {}
    for above, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                info = os.lstat(os.path.join(above, name))  # noqa: PTH118 os.walk gives text
                sizes[info.st_dev, info.st_ino] = info.st_blocks * 512
    return sum(sizes.values())
