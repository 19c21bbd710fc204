"""What lies below the layers: one checkout of a commit, shared by all leases and by later runs."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path

from fanfold.git.checkout import check_out
from fanfold.git.command import GitError
from fanfold.git.objects import Objects
from fanfold.git.overlay import kernel
from fanfold.git.repository import Repository
from fanfold.git.slot import Slot, hold, is_still
from fanfold.git.sweep import remove
from fanfold.git.trees import Node
from fanfold.process import uninterrupted

Difference = tuple[str, Node | None, Node | None]

FEW = 256
"""Up to so many files are written anew for a lease of another commit, rather than having it checked out as a whole."""
PART = 4
"""In large repositories up to one in so many."""
_TRIES = 100


@dataclass(eq=False)
class Snapshot:
    """A checkout of a tree that nobody changes as long as it is held; `users` counts the layers over it."""

    slot: Slot
    tree: str
    files: int
    users: int = 0
    last_use: int = field(default=0)


class Snapshots:
    """The snapshots that one pool holds; the first one made for it stays.

    A snapshot is written by the process that holds its lock alone, which then shares the lock: so it is not
    written again until the last process that uses it is gone.
    """

    def __init__(self, home: Path, repository: Repository, objects: Objects) -> None:
        self._home = home
        self._repository = repository
        self._objects = objects
        self._held: list[Snapshot] = []
        self._turn = asyncio.Lock()
        self._uses = itertools.count(1)

    async def nearest(self, tree: str) -> tuple[Snapshot, list[Difference]]:
        """A snapshot of `tree`, or of one that little differs from, with what differs; its use is counted.

        Raises:
            GitError, OSError: it can't be checked out.
        """
        return await uninterrupted(self._nearest(tree))

    def leave(self, snapshot: Snapshot) -> None:
        """A layer over the snapshot is gone."""
        snapshot.users -= 1

    async def close(self) -> None:
        """Let others have the snapshots."""
        for each in self._held:
            await asyncio.to_thread(_release, each)
        self._held = []

    async def _nearest(self, tree: str) -> tuple[Snapshot, list[Difference]]:
        async with self._turn:
            found = await self._known(tree)
            if found is None:
                await self._make_room()
                found = await self._taken(tree), []
                self._held.append(found[0])
            found[0].users += 1
            found[0].last_use = next(self._uses)
            return found

    async def _known(self, tree: str) -> tuple[Snapshot, list[Difference]] | None:
        """The held one that differs least, where that is little; the latest ones are looked at first."""
        best: tuple[Snapshot, list[Difference]] | None = None
        for each in sorted(self._held, key=lambda one: (one.tree != tree, -one.last_use)):
            if not each.slot.held:
                continue  # somebody deleted it
            if each.tree == tree:
                return each, []
            differences = await self._objects.differences(each.tree, tree)
            few = max(FEW, each.files // PART)
            if len(differences) <= few and (best is None or len(differences) < len(best[1])):
                best = each, differences
        return best

    async def _make_room(self) -> None:
        for each in [each for each in self._held[1:] if not each.users]:
            await asyncio.to_thread(_release, each)
            self._held.remove(each)

    async def _taken(self, tree: str) -> Snapshot:
        await self._objects.load(tree)
        files = self._objects.count(tree)
        for _ in range(_TRIES):
            slot, alone = await asyncio.to_thread(_open, self._home, tree)
            try:
                if alone:
                    await self._written(slot, tree)
                if await asyncio.to_thread(_shared, slot, tree):
                    return Snapshot(slot, tree, files)
            except BaseException:
                slot.release()
                raise
            slot.release()
        raise GitError("other processes keep taking the snapshots", hint="try again, or use plain workspaces")

    async def _written(self, slot: Slot, tree: str) -> None:
        _marker(slot).unlink(missing_ok=True)
        await check_out(slot, self._repository, self._objects, tree, tree)
        await asyncio.to_thread(remove, os.fsencode(slot.tree / ".git"))
        _marker(slot).write_text(tree)


def _open(home: Path, tree: str) -> tuple[Slot, bool]:
    """A snapshot's slot: one that holds the tree, else the first that nobody uses; whether it is held alone."""
    there = [path for path in home.glob("snapshot-*") if path.suffix == "" and _content(path / "holds") == tree]
    for folder in itertools.chain(there, (home / f"snapshot-{number}" for number in itertools.count())):
        if (slot := hold(folder)) is not None:
            return slot, True
        if folder in there and (slot := _join(folder)) is not None:
            return slot, False
    raise AssertionError("unreachable")


def _join(folder: Path) -> Slot | None:
    """Share a slot with the processes that hold it already; None = one of them is writing it."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return Slot(folder, lock)


def _shared(slot: Slot, tree: str) -> bool:
    """Share the lock from now on; False where another process came first and made something else of the slot."""
    try:
        fcntl.flock(slot.lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    if not is_still(slot.folder / "lock", slot.lock) or _content(_marker(slot)) != tree:
        return False
    with contextlib.suppress(OSError):  # it is a safeguard against writing there by accident, no more
        kernel.protect(slot.tree)
    return True


def _release(snapshot: Snapshot) -> None:
    kernel.unmount(snapshot.slot.tree)
    snapshot.slot.release()


def _marker(slot: Slot) -> Path:
    return slot.folder / "holds"


def _content(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
