"""Make a slot's tree exactly what a commit holds."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection

from fanfold.git.capture import PrivateGit
from fanfold.git.command import GitError, uninterrupted
from fanfold.git.objects import Objects
from fanfold.git.repository import Repository
from fanfold.git.slot import Slot
from fanfold.git.sweep import sweep


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


def _clear(slot: Slot, objects: Objects, tree: str, keep: Collection[bytes]) -> None:
    slot.prepare()
    sweep(os.fsencode(slot.tree), tree, objects.trees, keep=keep)
