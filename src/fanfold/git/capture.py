"""Read what differs between a working tree and its base, and write it as objects."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fanfold.git.change import Change, path_changes
from fanfold.git.command import UNSYNCED, git, raw, records, text
from fanfold.git.objects import Objects
from fanfold.git.trees import GITLINK, Node
from fanfold.process import Completed

# How the private index is kept: whole, and trusting nothing but times, sizes and content.
_PRIVATE = {
    "core.splitIndex": "false",
    "core.untrackedCache": "false",
    "core.sparseCheckout": "false",
    "core.sparseCheckoutCone": "false",
    "index.sparse": "false",
    "core.ignoreStat": "false",
    "core.trustctime": "true",
    "core.checkStat": "default",
}
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class PrivateGit:
    """The user's repository with another working tree, and an index of its own that lies beside that."""

    git_dir: Path
    tree: Path
    index: Path

    async def run(self, *args: str, stdin: bytes = b"", index: Path | None = None) -> Completed:
        """Run git on the tree; with a copy of the index where one is given."""
        places = {
            "GIT_DIR": str(self.git_dir),
            "GIT_WORK_TREE": str(self.tree),
            "GIT_INDEX_FILE": str(index or self.index),
        }
        return await git(*args, cwd=self.tree, settings={**_PRIVATE, **UNSYNCED}, places=places, stdin=stdin)


async def untracked(at: PrivateGit) -> list[bytes]:
    """Paths that git neither tracks nor ignores; a repository inside the tree is one path.

    `ls-files` and not `status`: that would run git inside such a repository, with its configuration.
    """
    done = await at.run("ls-files", "-z", "-o", "--exclude-standard")
    return [name.rstrip(b"/") for name in records(done.stdout)]


async def touched(at: PrivateGit) -> list[bytes]:
    """Tracked paths whose times, size, kind or content differ, also below a link that replaced a folder."""
    done = await at.run("diff-files", "-z", "--name-only", "--no-renames", "--ignore-submodules=dirty")
    return records(done.stdout)


def without(names: Iterable[bytes], left_out: Collection[bytes]) -> list[bytes]:
    """The names that are none of those to leave out, nor below one of them."""
    if not left_out:
        return list(names)
    below = tuple(each + b"/" for each in left_out)
    return [name for name in names if name not in left_out and not name.startswith(below)]


async def capture(
    at: PrivateGit, objects: Objects, base: str, base_tree: str, *, leave_out: Collection[bytes] = ()
) -> Change:
    """The working tree compared with `base`, whose tree the index describes; the tree and index stay as they are.

    Args:
        leave_out: paths that are no change where base doesn't hold them, with all below them.
    Raises:
        GitError: a file can't be read, or a filter failed.
    """
    differ, new = await asyncio.gather(touched(at), untracked(at))
    new = without(new, leave_out)
    if not differ and not new:
        return Change(base, base_tree, ())
    sorted_out = await _sort_out(at, objects, base_tree, {*differ, *new})
    tree = await _write(at, sorted_out, len(base))
    found = {path: (old, now) for path, old, now in await objects.differences(base_tree, tree)}
    somewhere = Node(GITLINK, "0" * len(base))
    found.update((path, (was, somewhere)) for path, was in sorted_out.repositories.items())
    ordered = sorted(found.items(), key=lambda item: raw(item[0]))
    return Change(base, tree, path_changes(((path, *sides) for path, sides in ordered), len(base)))


@dataclass(frozen=True)
class _SortedOut:
    """Paths by what the index has to do: read what is there, if anything; forget; nothing, but they are named."""

    plain: Collection[bytes]
    gone: Collection[bytes]
    repositories: Mapping[str, Node | None]


async def _sort_out(at: PrivateGit, objects: Objects, base_tree: str, names: set[bytes]) -> _SortedOut:
    plain, gone = [], []
    repositories: dict[str, Node | None] = {}
    for name in sorted(names):
        was = await objects.find(base_tree, text(name))
        match _stands_at(at.tree, name):
            case "repository":
                repositories[text(name)] = was
            case "nothing" | "folder" if was is not None and was.mode == GITLINK:
                pass  # a submodule's folder holds no work
            case "file" | "nothing":
                plain.append(name)
            case _:
                gone.append(name)
    return _SortedOut(plain, gone, repositories)


async def _write(at: PrivateGit, paths: _SortedOut, oid_length: int) -> str:
    """The tree of base with these paths as they are now; written through a copy of the index."""
    index = at.index.with_name(f"capture-{next(_NUMBERS)}")
    try:
        shutil.copy2(at.index, index)
        if paths.gone:
            lines = (b"0 " + b"0" * oid_length + b"\t" + name + b"\0" for name in paths.gone)
            await at.run("update-index", "-z", "--index-info", stdin=b"".join(lines), index=index)
        if paths.plain:
            listed = b"".join(name + b"\0" for name in paths.plain)
            flags = ("--add", "--remove", "--replace")
            await at.run("update-index", *flags, "-z", "--stdin", stdin=listed, index=index)
        return text((await at.run("write-tree", "--missing-ok", index=index)).stdout).strip()
    finally:
        for left in (index, Path(f"{index}.lock")):
            left.unlink(missing_ok=True)


def _stands_at(tree: Path, name: bytes) -> Literal["file", "folder", "repository", "nothing", "hidden"]:
    """What is at a path; "hidden" = a link or a file is in place of one of its folders, or git can't hold it."""
    path = os.fsencode(tree)
    *folders, last = name.split(b"/")
    for folder in folders:
        path = os.path.join(path, folder)  # noqa: PTH118 bytes
        mode = mode_at(path)
        if mode and not stat.S_ISDIR(mode):
            return "hidden"
    path = os.path.join(path, last)  # noqa: PTH118 bytes
    mode = mode_at(path)
    if stat.S_ISDIR(mode):
        return "repository" if mode_at(os.path.join(path, b".git")) else "folder"  # noqa: PTH118 bytes
    if not mode:
        return "nothing"
    return "file" if stat.S_ISREG(mode) or stat.S_ISLNK(mode) else "hidden"


def mode_at(path: bytes) -> int:
    """The mode of what stands at a path, a link itself; 0 = nothing."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
