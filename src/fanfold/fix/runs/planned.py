"""What was found in the base and who works on what, noted once: a run that is resumed works on exactly that."""

from __future__ import annotations

from dataclasses import dataclass

from fanfold.fix.attempts.trail import Written
from fanfold.fix.checkers import Census, Checked
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.plan import Plan
from fanfold.fix.record import Run
from fanfold.fix.runs.folder import RunFolder
from fanfold.fix.runs.saved import made, plain

KIND = "plan"


@dataclass(frozen=True)
class Planned:
    """What is known before anybody works."""

    checked: tuple[Checked, ...]
    plan: Plan
    uncommitted: tuple[Finding, ...] = ()


async def note_plan(run: Run) -> None:
    """Write down what the run is to work on."""
    planned = Planned(run.census.checked, run.plan, run.uncommitted)
    await run.log.note(KIND, plain(Planned, planned))


def take_up_plan(run: Run) -> bool:
    """Have the run work on what was noted; whether something was."""
    noted = run.log.noted(KIND)
    if not noted:
        return False
    planned = made(Planned, noted[-1])
    run.census, run.plan, run.uncommitted = Census(planned.checked), planned.plan, planned.uncommitted
    return True


def trails_of(run: Run) -> Written | None:
    """Where to write what is said and done in the attempts at the run's tasks; None where nothing is kept."""
    if run.folder is None:
        return None
    return Written(RunFolder(run.folder).trails(), {task.key: number for number, task in enumerate(run.plan.tasks)})
