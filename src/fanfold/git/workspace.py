"""Private working trees over the user's repository, leased to one branch at a time."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import os
import re
import shutil
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeVar

from fanfold.git.change import ABSENT, Change, path_changes
from fanfold.git.command import GitError, git, raw, records, text, uninterrupted
from fanfold.git.diff import LINES, FileDiff, Hunk, parse_diff
from fanfold.git.objects import GITLINK, LINK, Node, Objects
from fanfold.git.repository import Repository
from fanfold.git.slot import Slot, hold
from fanfold.git.sweep import sweep
from fanfold.git.throwaway import Throwaway
from fanfold.process import Completed

T = TypeVar("T")

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
_BINARY_LOOKED_AT = 8000
_HEXADECIMAL = frozenset("0123456789abcdef")
_NUMBERS = itertools.count()


class WorkspaceError(GitError):
    """A workspace can't be made, reset or read."""


class WorkspacePool:
    """Workspaces of one repository: any number leased at once, kept in folders that outlive the process.

    A slot holds a tree that git last wrote and an index that knows what was written, so a lease costs one walk
    over the tree instead of a checkout. Every lease restores its commit exactly, whatever the one before left
    there, so that a process may be killed at any moment. A slot stays locked until the pool is closed.

    Args:
        home: where the slots are; outside of the repository.
    Raises:
        WorkspaceError: on entering, when `home` is inside the checkout.
    """

    def __init__(self, repository: Repository, *, home: Path) -> None:
        self.repository = repository
        self.home = home / slot_home(repository)
        self._objects = Objects(repository.root, repository.git_dir, repository.object_format)
        self._throwaway: Throwaway | None = None
        self._free: list[Workspace] = []
        self._slots: list[Slot] = []

    async def __aenter__(self) -> WorkspacePool:
        if self.home.resolve().is_relative_to(self.repository.root.resolve()):
            raise WorkspaceError(
                f"workspaces would lie inside the repository, in {self.home}",
                hint="choose a folder outside of it",
            )
        self._throwaway = await Throwaway.over(self.repository)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await asyncio.gather(*(workspace.tidy() for workspace in self._free))
        finally:
            for slot in self._slots:
                slot.release()
            self._slots, self._free = [], []
            await uninterrupted(self._objects.close())

    @contextlib.asynccontextmanager
    async def lease(self, commit: str) -> AsyncIterator[Workspace]:
        """A workspace that is exactly `commit`, for as long as the context lasts.

        Raises:
            WorkspaceError: no workspace can be made, with the reason.
        """
        workspace = self._free.pop() if self._free else await asyncio.to_thread(self._grow)
        try:
            await workspace.reset(commit)
            yield workspace
        finally:
            self._free.append(workspace)

    def _grow(self) -> Workspace:
        if self._throwaway is None:
            raise WorkspaceError("the pool is not open", hint="async with pool: ...")
        held = {slot.folder for slot in self._slots}
        number = 0
        try:
            while True:
                folder = self.home / f"slot-{number}"
                slot = hold(folder) if folder not in held else None
                if slot is not None:
                    self._slots.append(slot)
                    return Workspace(slot, self.repository, self._objects, self._throwaway)
                number += 1
        except OSError as error:
            raise WorkspaceError(
                f"can't make a workspace: {error}", hint="set another folder for workspaces"
            ) from error


class Workspace:
    """A private working tree of one commit, with a throwaway git directory of its own.

    `root` is the tree, `base` the commit (or tree) that it is compared with, `cache` a folder outside of the
    tree that outlives the lease.
    """

    def __init__(self, slot: Slot, repository: Repository, objects: Objects, throwaway: Throwaway) -> None:
        self.root = slot.tree
        self.cache = slot.cache
        self.base = repository.head
        self._slot = slot
        self._objects = objects
        self._throwaway = throwaway
        self._head = repository.head
        self._oid_length = len(repository.head)
        self._places = {"GIT_DIR": str(repository.git_dir), "GIT_WORK_TREE": str(slot.tree)}
        self._base_tree = ""

    async def reset(self, commit: str | None = None) -> None:
        """Make the tree exactly `commit` (None = base), which is then the base; with a fresh git directory.

        Everything else below the root goes: changed, untracked and ignored files, whatever their kind or mode.

        Args:
            commit: a commit or a tree; with a tree, the agent's HEAD stays where it was.
        Raises:
            WorkspaceError: it can't be done, not even from an empty folder.
        """
        wanted = commit or self.base
        if len(wanted) != self._oid_length or not set(wanted) <= _HEXADECIMAL:
            raise WorkspaceError(f"{wanted} is not the full id of a commit", hint="resolve it first")
        try:
            tree = await self._objects.root_of(wanted)
            await self._objects.load(tree)
        except GitError as error:
            raise WorkspaceError(f"can't check out {wanted}: {error.message}", hint=error.hint) from error
        try:
            await self._restore(wanted, tree)
        except (GitError, OSError):
            await self._from_scratch(wanted, tree)

    async def tidy(self) -> None:
        """Leave base behind at the end, if that is possible; the next lease doesn't depend on it."""
        with contextlib.suppress(WorkspaceError):
            await self.reset()

    async def capture(self) -> Change:
        """What the tree is now, compared with base; the tree itself stays as it is.

        What differs is written to the user's object store, converted as `git add` would, with the user's filters;
        ignored files are left out. No ref names these objects until they land.

        Raises:
            WorkspaceError: a file can't be read, or a filter failed.
        """
        try:
            touched, untracked = await self._walk()
            if not touched and not untracked:
                return Change(self.base, self._base_tree, ())
            return await self._captured({*touched, *untracked})
        except GitError as error:
            raise WorkspaceError(f"can't read what changed: {error.message}", hint=error.hint) from error

    async def clean_ignored(self) -> None:
        """Remove files that git ignores or can't hold, so that what is checked is what would land."""
        _, untracked = await self._walk()
        keep = [name.rstrip(b"/") for name in untracked]
        await self._in_thread(lambda: sweep(self._bytes, self._base_tree, self._objects.trees, keep=keep))

    async def hunks(self, path: str) -> FileDiff | None:
        """Which lines of one file differ from base now; None = none do. Writes no object."""
        found = parse_diff((await self._git("diff-files", *LINES, "--", path)).stdout).get(path)
        if found is not None:
            same = not (found.hunks or found.binary) and found.old_mode == found.new_mode
            return None if same else found
        if await self._objects.find(self._base_tree, path) is not None:
            return None
        return await self._in_thread(lambda: _new_file(self.root / path, path))

    async def _restore(self, wanted: str, tree: str) -> None:
        await self._in_thread(lambda: self._clear(tree))
        await self._git("read-tree", "--reset", "-u", wanted)
        head = self._head if wanted == tree else wanted
        await self._in_thread(lambda: self._throwaway.make(self.root / ".git", head=head, index=self._slot.index))
        self.base, self._base_tree, self._head = wanted, tree, head

    def _clear(self, tree: str) -> None:
        self._slot.prepare()
        sweep(self._bytes, tree, self._objects.trees)

    async def _from_scratch(self, wanted: str, tree: str) -> None:
        try:
            await self._in_thread(self._slot.wipe)
            await self._restore(wanted, tree)
        except (GitError, OSError) as error:
            reason = error.message if isinstance(error, GitError) else str(error)
            raise WorkspaceError(
                f"can't make a workspace in {self._slot.folder}: {reason}",
                hint="free some space there, or set another folder for workspaces",
            ) from error

    async def _walk(self) -> tuple[list[bytes], list[bytes]]:
        """Tracked paths that may differ from base, and untracked ones; a repository in the tree ends in `/`.

        `ls-files` and not `status`: that would run git inside such a repository, with its configuration.
        """
        done = await self._git("ls-files", "-z", "-t", "-m", "-o", "--exclude-standard")
        touched: list[bytes] = []
        untracked: list[bytes] = []
        for record in records(done.stdout):
            (untracked if record.startswith(b"?") else touched).append(record[2:])
        return touched, untracked

    async def _captured(self, names: set[bytes]) -> Change:
        plain, gone, repositories = [], [], []
        for name in sorted(names):
            base = await self._objects.find(self._base_tree, text(name.rstrip(b"/")))
            was_repository = base is not None and base.mode == GITLINK
            match self._stands_at(name.rstrip(b"/")):
                case "folder" if name.endswith(b"/") or was_repository:
                    repositories.append((text(name.rstrip(b"/")), base))
                case "nothing" if was_repository:
                    pass  # an empty folder holds no work
                case "file" | "nothing":
                    plain.append(name)
                case _:
                    gone.append(name)
        tree = await self._written(plain, gone)
        differences = {path: (old, new) for path, old, new in await self._objects.differences(self._base_tree, tree)}
        nowhere = Node(GITLINK, "0" * self._oid_length)
        differences.update((path, (base, nowhere)) for path, base in repositories)
        ordered = sorted(differences.items(), key=lambda item: raw(item[0]))
        changes = path_changes(((path, old, new) for path, (old, new) in ordered), self._oid_length)
        return Change(self.base, tree, changes)

    async def _written(self, plain: list[bytes], gone: list[bytes]) -> str:
        """The tree of base with these paths as they are now; written through a copy of the private index."""
        index = self._slot.folder / f"capture-{next(_NUMBERS)}"
        try:
            shutil.copy2(self._slot.index, index)
            if gone:
                lines = b"".join(b"0 " + b"0" * self._oid_length + b"\t" + name + b"\0" for name in gone)
                await self._git("update-index", "-z", "--index-info", stdin=lines, index=index)
            if plain:
                listed = b"".join(name + b"\0" for name in plain)
                await self._git(
                    "update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=listed, index=index
                )
            return text((await self._git("write-tree", "--missing-ok", index=index)).stdout).strip()
        finally:
            for left in (index, Path(f"{index}.lock")):
                left.unlink(missing_ok=True)

    def _stands_at(self, name: bytes) -> Literal["file", "folder", "nothing", "hidden"]:
        """What is at a path; "hidden" = a link or a file is in place of one of its folders, or git can't hold it."""
        path = self._bytes
        *folders, last = name.split(b"/")
        for folder in folders:
            path = os.path.join(path, folder)  # noqa: PTH118 bytes
            mode = _mode(path)
            if mode and not stat.S_ISDIR(mode):
                return "hidden"
        mode = _mode(os.path.join(path, last))  # noqa: PTH118 bytes
        if not mode:
            return "nothing"
        if stat.S_ISDIR(mode):
            return "folder"
        return "file" if stat.S_ISREG(mode) or stat.S_ISLNK(mode) else "hidden"

    @property
    def _bytes(self) -> bytes:
        return os.fsencode(self.root)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Blocking work off the loop, to its end even when cancelled: the next lease must not meet it."""
        return await uninterrupted(asyncio.to_thread(work))

    async def _git(self, *args: str, stdin: bytes = b"", index: Path | None = None) -> Completed:
        places = {**self._places, "GIT_INDEX_FILE": str(index or self._slot.index)}
        return await git(*args, cwd=self.root, settings=_PRIVATE, places=places, stdin=stdin)


def slot_home(repository: Repository) -> str:
    """The name of the folder for a repository's slots; linked worktrees have one each."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", repository.root.name)[:40]
    return f"{plain}-{hashlib.sha256(os.fsencode(repository.git_dir)).hexdigest()[:12]}"


def _mode(path: bytes) -> int:
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _new_file(path: Path, name: str) -> FileDiff | None:
    mode = _mode(os.fsencode(path))
    if stat.S_ISLNK(mode):
        return FileDiff(name, "A", ABSENT, LINK, hunks=(Hunk(0, 0, 1, 1),))
    if not stat.S_ISREG(mode):
        return None
    content = path.read_bytes()
    git_mode = "100755" if mode & stat.S_IXUSR else "100644"
    if b"\0" in content[:_BINARY_LOOKED_AT]:
        return FileDiff(name, "A", ABSENT, git_mode, binary=True)
    lines = content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
    return FileDiff(name, "A", ABSENT, git_mode, hunks=(Hunk(0, 0, 1, lines),) if lines else ())
