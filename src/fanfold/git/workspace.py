"""One private working tree over the user's repository: reset, looked at, captured."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from fanfold.git.capture import PrivateGit, capture, mode_at, untracked, without
from fanfold.git.change import ABSENT, Change
from fanfold.git.checkout import Written, restore, rewrite
from fanfold.git.command import GitError, raw, records, text
from fanfold.git.diff import LINES, FileDiff, Hunk, parse_diff
from fanfold.git.objects import Objects
from fanfold.git.pipes import Folder, take_pipes_away
from fanfold.git.repository import Repository
from fanfold.git.slot import Slot
from fanfold.git.sweep import sweep
from fanfold.git.throwaway import Throwaway
from fanfold.git.trees import GITLINK, LINK, TREE
from fanfold.process import uninterrupted

T = TypeVar("T")

_BINARY_LOOKED_AT = 8000
_HEXADECIMAL = frozenset("0123456789abcdef")


class WorkspaceError(GitError):
    """A workspace can't be made, reset or read."""


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
        self._repository = repository
        self._objects = objects
        self._throwaway = throwaway
        self._head = repository.head
        self._oid_length = len(repository.head)
        self._git = PrivateGit(repository.git_dir, slot.tree, slot.index)
        self._base_tree = ""
        self._written: Written | None = None
        self._folders: dict[bytes, Folder] = {}

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

    @property
    def usable(self) -> bool:
        """Whether the next lease may have it: an agent can have deleted all of it, with the lock that guards it."""
        return self._slot.held

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
            await self._unblock()
            kept = self._slot.kept
            return await capture(self._git, self._objects, self.base, self._base_tree, leave_out=kept)
        except GitError as error:
            raise WorkspaceError(f"can't read what changed: {error.message}", hint=error.hint) from error

    async def clean_ignored(self) -> None:
        """Remove files that git ignores or can't hold, so that what is checked is what would land.

        Files that were put beside the tree go as well: checkers read configuration there.

        Raises:
            WorkspaceError: one can't be removed.
        """
        try:
            await self._in_thread(self._slot.prepare)
            await self._unblock()
            keep = (*await untracked(self._git), *self._slot.kept)
            await self._in_thread(lambda: sweep(self._bytes, self._base_tree, self._objects.trees, keep=keep))
        except (GitError, OSError) as error:
            raise WorkspaceError(f"can't remove ignored files: {error}") from error

    @property
    def kept(self) -> tuple[str, ...]:
        """Paths that base doesn't hold, which outlive resets and leases and are no change."""
        return tuple(text(path) for path in self._slot.kept)

    async def keep(self, paths: Iterable[str]) -> None:
        """Say which paths below the root are kept from now on, instead of those that were; then reset to base.

        Raises:
            WorkspaceError: that can't be done.
        """
        await self._in_thread(lambda: self._keep([raw(path) for path in paths]))
        await self.reset()

    def _keep(self, paths: Iterable[bytes]) -> None:
        self._slot.keep(paths)

    async def strangers(self) -> tuple[str, ...]:
        """What base doesn't hold and isn't kept, ignored by git or not; a folder with nothing of base's is one path."""
        await self._unblock()
        done = await self._git.run("ls-files", "-z", "-o", "--directory")
        found = (name.rstrip(b"/") for name in records(done.stdout))
        return tuple(text(name) for name in without(found, self._slot.kept))

    async def at_base(self, path: str) -> bytes | None:
        """The content of a file at base; None = there is no such file."""
        node = await self._objects.find(self._base_tree, path)
        return None if node is None or node.mode in (TREE, GITLINK) else await self._objects.content(node)

    async def hunks(self, path: str) -> FileDiff | None:
        """Which lines of one file differ from base now; None = none do. Writes no object."""
        found = parse_diff((await self._git.run("diff-files", *LINES, "--", path)).stdout).get(path)
        if found is not None:
            same = not (found.hunks or found.binary) and found.old_mode == found.new_mode
            return None if same else found
        if await self._objects.find(self._base_tree, path) is not None:
            return None
        return await self._in_thread(lambda: new_file(self.root / path, path))

    async def _unblock(self) -> None:
        """See that git finds nothing in the tree for which it would wait."""
        await self._in_thread(lambda: take_pipes_away(self._bytes, known=self._folders))

    async def _restore(self, wanted: str, tree: str) -> None:
        await self._write(wanted, tree)
        head = self._head if wanted == tree else wanted
        await self._in_thread(lambda: self._throwaway.make(self.root / ".git", head=head, index=self._slot.index))
        self.base, self._base_tree, self._head = wanted, tree, head

    async def _write(self, wanted: str, tree: str) -> None:
        """Make the tree what it is to be; in a fraction of the time where only the last lease was there since."""
        kept, known = self._slot.kept, self._written
        self._written = None
        again = known is not None and await self._in_thread(lambda: known == _written(self._slot, tree))
        if not again or not await rewrite(self._slot, self._repository, self._objects, tree, keep=kept):
            await restore(self._slot, self._repository, self._objects, wanted, tree, keep=kept)
        self._written = await self._in_thread(lambda: _written(self._slot, tree))

    async def _from_scratch(self, wanted: str, tree: str) -> None:
        try:
            await self._in_thread(self._wipe)
            await self._restore(wanted, tree)
        except (GitError, OSError) as error:
            reason = error.message if isinstance(error, GitError) else str(error)
            raise WorkspaceError(
                f"can't make a workspace in {self._slot.folder}: {reason}",
                hint="free some space there, or set another folder for workspaces",
            ) from error

    def _wipe(self) -> None:
        self._slot.wipe()

    @property
    def _bytes(self) -> bytes:
        return os.fsencode(self.root)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Blocking work off the loop, to its end even when cancelled: the next lease must not meet it."""
        return await uninterrupted(asyncio.to_thread(work))


def _written(slot: Slot, tree: str) -> Written | None:
    try:
        return Written.to(slot, tree)
    except OSError:
        return None  # somebody deleted the index


def new_file(path: Path, name: str) -> FileDiff | None:
    """The lines of a file that base doesn't have; None where there is none."""
    mode = mode_at(os.fsencode(path))
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
