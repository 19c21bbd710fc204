"""Remove the workspaces that earlier runs left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fanfold.git.bases import evict, size_of
from fanfold.git.slot import SLOT, Slot, hold
from fanfold.git.sweep import remove


@dataclass(frozen=True)
class Cleaned:
    """Which slots were removed, which were left because a process uses them, and the bytes that became free."""

    removed: tuple[Path, ...]
    in_use: tuple[Path, ...]
    freed_bytes: int


async def clean(home: Path) -> Cleaned:
    """Remove every workspace below `home` that no process holds, and every commit that came from another machine.

    Whatever else lies there stays.

    Raises:
        OSError: one can't be removed.
    """
    return await asyncio.to_thread(_clean, home)


def _clean(home: Path) -> Cleaned:
    removed: list[Path] = []
    in_use: list[Path] = []
    freed = 0
    for folder in sorted(_slots(home)):
        slot = hold(folder)
        if slot is None:
            in_use.append(folder)
            continue
        freed += size_of(folder)
        _remove(slot)
        removed.append(folder)
    for parent in {folder.parent for folder in removed}:
        with contextlib.suppress(OSError):  # not empty, or no longer there
            parent.rmdir()
    freed += evict(home, max_bytes=0, max_age_s=0.0)
    return Cleaned(tuple(removed), tuple(in_use), freed)


def _slots(home: Path) -> Iterator[Path]:
    """What a pool made: two levels down, with a slot's name and a lock in it."""
    for lock in home.glob("*/*/lock"):
        if SLOT.fullmatch(lock.parent.name) and not lock.parent.is_symlink():
            yield lock.parent


def _remove(slot: Slot) -> None:
    """Move the slot aside first: whoever waits for its lock then makes a new one instead of using half of this."""
    aside = slot.folder.with_name(f"{slot.folder.name.removesuffix('.removed')}.removed")
    if aside != slot.folder:
        remove(os.fsencode(aside))
        slot.folder.rename(aside)
    try:
        remove(os.fsencode(aside))
    finally:
        slot.release()
