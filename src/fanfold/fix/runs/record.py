"""Keep a record of a run while it is at work, so that another process can finish it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

from fanfold.engine import Journal
from fanfold.engine.journal import JournalInUse
from fanfold.fix.errors import FixError
from fanfold.fix.record import Run
from fanfold.fix.reporting.report import Report
from fanfold.fix.runlog import Journaled
from fanfold.fix.runs import begun
from fanfold.fix.runs.begun import Begun, begun_of
from fanfold.fix.runs.budgeted import till_of
from fanfold.fix.runs.folder import RunFolder, home_of, make_folder
from fanfold.fix.runs.past import INTERRUPTED, SETTLED, UNDONE, Past
from fanfold.fix.runs.saved import plain
from fanfold.git import Pins
from fanfold.git.sweep import remove

VERSION = "1"
"""Of what branches come to: another one when a newer Fanfold can't use what an older one has recorded."""

open_journal = Journal.open


class Record:
    """The record of a run at work.

    Attributes:
        journal: what branches come to, None where nobody is to resume the run.
    """

    def __init__(self, run: Run, journal: Journal | None = None) -> None:
        self._run = run
        self.journal = journal

    async def end(self, report: Report) -> None:
        """Note what the run came to; nothing is left to resume unless it was cut off."""
        if self.journal is None:
            return
        if not report.is_unfinished and self._run.pins is not None:
            await self._run.pins.drop()
        await self.journal.note(INTERRUPTED if report.is_unfinished else SETTLED, plain(Report, report))


@contextlib.asynccontextmanager
async def recorded(run: Run, past: Past | None = None) -> AsyncIterator[Record]:
    """Own the run's record until it ends; what it was asked comes first, so that it can always be resumed.

    A run that works on nothing leaves no record.

    Args:
        past: the run as it was left, None = it begins now.
    Raises:
        FixError: another process is at work on it, or it has come to its end; or nothing can be kept.
    """
    if run.request.dry_run:
        yield Record(run)
        return
    folder = past.folder if past else await asyncio.to_thread(_made, run)
    try:
        async with open_journal(folder.journal, run=run.name, version=VERSION) as journal:
            await _begin(run, folder, journal)
            async with Pins(run.repository, run.repository.head, run.name) as run.pins:
                try:
                    yield Record(run, journal)
                finally:
                    if not run.plan.tasks:
                        await run.pins.drop()
    except JournalInUse as error:
        raise FixError(error.message, hint="wait for it, or stop it with Ctrl-C") from error
    finally:
        if run.folder is not None and not run.plan.tasks:
            await asyncio.to_thread(remove, os.fsencode(folder.path))


def _made(run: Run) -> RunFolder:
    return make_folder(home_of(run.settings, run.repository), run.name)


async def _begin(run: Run, folder: RunFolder, journal: Journal) -> None:
    """What the run was asked is in its journal from here on, and so is what it notes of itself."""
    if journal.notes(SETTLED) or any(note["step"] == "done" for note in journal.notes(UNDONE)):
        raise ended(run.name)
    if not journal.notes(begun.KIND):
        await journal.note(begun.KIND, plain(Begun, begun_of(run)))
    run.folder, run.log = folder.path, Journaled(journal)
    run.till = till_of(run.settings, folder.path)
    run.closing.callback(run.till.budget.close)


def ended(name: str) -> FixError:
    """The error of who wants to go on with a run that came to its end."""
    return FixError(f"the run {name} has come to its end", hint=f"`fanfold show {name}` tells what it came to")
