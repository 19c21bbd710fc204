"""Make a slot's tree exactly what a commit holds."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Collection
from dataclasses import dataclass

from fanfold.git.capture import PrivateGit, touched
from fanfold.git.command import GitError, text
from fanfold.git.objects import Objects
from fanfold.git.repository import Repository
from fanfold.git.slot import Slot
from fanfold.git.sweep import sweep
from fanfold.git.trees import GITLINK
from fanfold.process import uninterrupted


async def check_out(slot: Slot, repository: Repository, objects: Objects, wanted: str, tree: str) -> None:
    """Make the slot's tree exactly `wanted`, whose tree is `tree` and loaded, whatever is in the slot now.

    A `.git` at the top of the tree stays. What git wrote there last is compared by times and sizes, the rest is
    deleted; where that fails, all of it is made anew.

    Raises:
        GitError, OSError: it can't be done, not even in an empty folder.
    """
    try:
        await restore(slot, repository, objects, wanted, tree)
    except (GitError, OSError):
        await uninterrupted(asyncio.to_thread(slot.wipe))
        await restore(slot, repository, objects, wanted, tree)


async def restore(
    slot: Slot, repository: Repository, objects: Objects, wanted: str, tree: str, *, keep: Collection[bytes] = ()
) -> None:
    """As `check_out`, with a single try; `keep` are paths that stay though the tree doesn't hold them."""
    await uninterrupted(asyncio.to_thread(_clear, slot, objects, tree, keep))
    await PrivateGit(repository.git_dir, slot.tree, slot.index).run("read-tree", "--reset", "-u", wanted)


@dataclass(frozen=True)
class Written:
    """What git wrote last, and the index that it left: nobody else has written that since, where it is still so."""

    tree: str
    index: tuple[int, ...]

    @classmethod
    def to(cls, slot: Slot, tree: str) -> Written:
        """As the slot is now."""
        found = slot.index.stat()
        return cls(tree, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))


async def rewrite(
    slot: Slot, repository: Repository, objects: Objects, tree: str, *, keep: Collection[bytes] = ()
) -> bool:
    """As `restore`, where the index is as git left it when it wrote that same tree: only what was touched is written.

    Returns:
        Whether that was possible; if not, what doesn't belong there is gone at least.
    """
    at = PrivateGit(repository.git_dir, slot.tree, slot.index)
    await uninterrupted(asyncio.to_thread(slot.prepare))
    clearing = asyncio.to_thread(_sweep, slot, objects, tree, keep)
    _, names = await uninterrupted(_both(clearing, touched(at)))
    special = [name for name in names if name.rsplit(b"/", 1)[-1] == b".gitattributes"]
    if special or any(
        node is None or node.mode == GITLINK for node in [await objects.find(tree, text(n)) for n in names]
    ):
        return False
    if names:
        listed = b"".join(name + b"\0" for name in names)
        await at.run("checkout-index", "--force", "--index", "-z", "--stdin", stdin=listed)
    return True


async def _both(clearing: Awaitable[None], looking: Awaitable[list[bytes]]) -> tuple[None, list[bytes]]:
    return await asyncio.gather(clearing, looking)


def _clear(slot: Slot, objects: Objects, tree: str, keep: Collection[bytes]) -> None:
    slot.prepare()
    _sweep(slot, objects, tree, keep)


def _sweep(slot: Slot, objects: Objects, tree: str, keep: Collection[bytes]) -> None:
    sweep(os.fsencode(slot.tree), tree, objects.trees, keep=keep)
