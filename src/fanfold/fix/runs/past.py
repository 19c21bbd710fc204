"""Runs as they can be seen from outside, whether or not a process is at work on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fanfold.engine import Journal, JournalUnusable
from fanfold.engine.journal import RunSummary
from fanfold.fix.attempts.trail import Trail, trails_of
from fanfold.fix.errors import FixError
from fanfold.fix.findings.plan import Plan
from fanfold.fix.landing import landed
from fanfold.fix.landing.turns import Order
from fanfold.fix.reporting.report import Report
from fanfold.fix.runs import begun, planned
from fanfold.fix.runs.begun import Begun
from fanfold.fix.runs.folder import RunFolder, folders
from fanfold.fix.runs.planned import Planned
from fanfold.fix.runs.saved import made

SETTLED = "settled"
INTERRUPTED = "interrupted"
UNDONE = "undo"

RunState = Literal["running", "interrupted", "killed", "settled", "undone"]


@dataclass(frozen=True)
class Past:
    """A run's record, as it was when it was read.

    Args:
        notes: by kind, in order.
    """

    folder: RunFolder
    summary: RunSummary
    begun: Begun
    notes: dict[str, list[Any]]

    @property
    def name(self) -> str:
        """The run's."""
        return self.folder.name

    @property
    def state(self) -> RunState:
        """Whether it is at work, came to its end, was stopped, died, or was taken back."""
        if self.summary.is_open:
            return "running"
        if self.undone:
            return "undone"
        if self.notes.get(SETTLED):
            return "settled"
        return "interrupted" if self.summary.owner_pid is None else "killed"

    @property
    def is_unfinished(self) -> bool:
        """Whether it can be resumed, or is at work."""
        return self.state not in ("settled", "undone")

    @property
    def undone(self) -> bool:
        """Whether its result was taken back."""
        return any(note["step"] == "done" for note in self.notes.get(UNDONE, ()))

    @property
    def plan(self) -> Plan:
        """What it works on; nothing as long as that isn't known."""
        noted = self.notes.get(planned.KIND)
        return made(Planned, noted[-1]).plan if noted else Plan()

    @property
    def order(self) -> Order:
        """In which it decided on its changes."""
        return Order.of(self.notes.get(landed.KIND, ()))

    @property
    def report(self) -> Report | None:
        """What it came to, or had come to when it was stopped; None where it could say nothing."""
        for kind in (SETTLED, INTERRUPTED):
            if noted := self.notes.get(kind):
                return made(Report, noted[-1])
        return None

    def trails(self, key: str) -> list[Trail]:
        """What was said and done for one task."""
        numbers = {task.key: number for number, task in enumerate(self.plan.tasks)}
        return trails_of(self.folder.trails(numbers[key])) if key in numbers else []


async def read_past(folder: RunFolder) -> Past | None:
    """One run's record; None where the process died before it had said what it was about.

    Raises:
        JournalUnusable: its journal is damaged or of a newer Fanfold. FixError: what it holds is.
    """
    if not folder.journal.exists():
        return None
    summaries = [summary for summary in await Journal.runs(folder.journal) if summary.name == folder.name]
    if not summaries:
        return None
    notes = await Journal.read_notes(folder.journal, folder.name)
    first = notes.get(begun.KIND)
    return Past(folder, summaries[0], made(Begun, first[0]), notes) if first else None


async def pasts(home: Path) -> list[Past]:
    """All runs that can be read, the oldest first."""
    found = []
    for folder in folders(home):
        try:
            past = await read_past(folder)
        except (JournalUnusable, FixError):
            continue
        if past is not None:
            found.append(past)
    return sorted(found, key=lambda past: past.begun.started_s)


async def find_past(home: Path, name: str) -> Past:
    """The run of this name, or the only one whose name begins with this.

    Raises:
        FixError: there is none, or more than one.
    """
    matching = [folder for folder in folders(home) if folder.name.startswith(name)]
    exact = [folder for folder in matching if folder.name == name] or matching
    past = await read_past(exact[0]) if len(exact) == 1 else None
    if past is None:
        what = f"{len(exact)} runs begin with {name}" if len(exact) > 1 else f"there is no run {name} here"
        raise FixError(what, hint="`fanfold runs` lists the runs of this repository")
    return past


async def find_unfinished(home: Path) -> Past:
    """The latest run that did not come to its end; one that nobody is at work on where there is such a one.

    Raises:
        FixError: there is none.
    """
    unfinished = [past for past in await pasts(home) if past.is_unfinished and past.begun.replays is None]
    idle = [past for past in unfinished if past.state != "running"]
    if not unfinished:
        raise FixError("there is no run to resume here", hint="`fanfold runs` lists the runs of this repository")
    return (idle or unfinished)[-1]
