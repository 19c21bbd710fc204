"""Remove what is kept of runs that nobody needs any more."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fanfold.engine import Journal
from fanfold.engine.journal import JournalError
from fanfold.errors import FanfoldError
from fanfold.fix.runs.folder import RunFolder, all_homes, folders
from fanfold.fix.runs.past import Past, read_past
from fanfold.git import Repository, drop_pin, pins
from fanfold.git.pin import PINS
from fanfold.git.sweep import remove

DAY_S = 86_400.0
MAKING_S = 3600.0
"""So old is a record without a first note only where its process died before it."""


@dataclass(frozen=True)
class Tidied:
    """What was removed, and what stays.

    Args:
        removed: names of runs whose records are gone.
        unfinished: runs that could be resumed or are at work, so that their records stay.
        damaged: records that can't be read, and stay.
        pins: refs that are gone.
        freed_bytes: that became free on the disk.
    """

    removed: tuple[str, ...] = ()
    unfinished: tuple[Past, ...] = ()
    damaged: tuple[Path, ...] = ()
    pins: tuple[str, ...] = ()
    freed_bytes: int = 0


async def tidy(state: Path, repository: Repository | None, *, older_than_s: float, force: bool = False) -> Tidied:
    """Remove the records of runs that came to their end so long ago, and the pins of runs that are gone.

    Args:
        state: the folder of all records, those of all repositories.
        repository: whose leftover pins go too, None = no pins.
        force: remove records of runs that could be resumed, too, if nobody is at work on them.
    """
    removed: list[str] = []
    unfinished: list[Past] = []
    damaged: list[Path] = []
    freed = 0
    for folder in [folder for home in all_homes(state) for folder in folders(home)]:
        try:
            past = await read_past(folder)
        except FanfoldError:
            damaged.append(folder.path)
            continue
        size = folder.size_bytes()
        may_go = past is None or not past.is_unfinished or (force and past.state != "running")
        if may_go and _is_old(folder, past, older_than_s) and await _removed(folder, past):
            removed.append(folder.name)
            freed += size
        elif past is not None and past.is_unfinished:
            unfinished.append(past)
    dropped = await _drop_pins(repository, state, older_than_s, {*removed}) if repository else ()
    return Tidied(tuple(removed), tuple(unfinished), tuple(damaged), tuple(dropped), freed)


def _is_old(folder: RunFolder, past: Past | None, older_than_s: float) -> bool:
    if past is not None:
        return time.time() - past.summary.last_used_s >= older_than_s
    with contextlib.suppress(FileNotFoundError):
        return time.time() - folder.path.stat().st_mtime > MAKING_S
    return False


async def _removed(folder: RunFolder, past: Past | None) -> bool:
    """Whether the record could be removed: a process may have taken it up meanwhile."""
    if past is not None:
        try:
            await Journal.forget(folder.journal, folder.name)
        except JournalError:
            return False
    await _let_go(past)
    await asyncio.to_thread(remove, os.fsencode(folder.path))
    with contextlib.suppress(OSError):
        folder.path.parent.rmdir()
    return True


async def _let_go(past: Past | None) -> None:
    """What the run pinned in its own repository, if that is still there."""
    if past is None or not Path(past.begun.start).is_dir():  # noqa: ASYNC240 one look
        return
    with contextlib.suppress(FanfoldError):
        repository = await Repository.open(Path(past.begun.start))
        await drop_pin(repository, PINS + past.name)


async def _drop_pins(repository: Repository, state: Path, older_than_s: float, removed: set[str]) -> list[str]:
    """Refs of runs that came to their end, or that nothing is known of any more and that are old."""
    known = await _known(state)
    dropped = []
    for ref in await pins(repository):
        name = ref.removeprefix(PINS)
        ended = name in known and not known[name]
        if name in removed or ended or (name not in known and _age_s(name) >= older_than_s):
            await drop_pin(repository, ref)
            dropped.append(ref)
    return dropped


async def _known(state: Path) -> dict[str, bool]:
    """All runs, with whether they are unfinished."""
    found = {}
    for folder in [folder for home in all_homes(state) for folder in folders(home)]:
        found[folder.name] = True  # what can't be read counts as unfinished
        with contextlib.suppress(FanfoldError):
            past = await read_past(folder)
            found[folder.name] = past is None or past.is_unfinished
    return found


def _age_s(name: str) -> float:
    """How long ago a run of this name began."""
    try:
        began = datetime.strptime(name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return 0.0
    return time.time() - began.timestamp()
