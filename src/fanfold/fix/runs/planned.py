"""What was found in the base and who works on what, noted once: a run that is resumed works on exactly that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fanfold.agents.protocol import Material
from fanfold.fix.attempts.stages import Course
from fanfold.fix.attempts.trail import Written
from fanfold.fix.checkers import Census, Checked
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.plan import Plan
from fanfold.fix.record import Run
from fanfold.fix.runs.folder import RunFolder
from fanfold.fix.runs.saved import made, plain
from fanfold.redact import redact

KIND = "plan"
TOLD = "told"


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


@dataclass(frozen=True)
class Told:
    """What agents are told and how tasks go through them, as it was when the run began.

    Args:
        notes: what the user should know of it.
    """

    material: Material
    courses: Mapping[str, Course] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


async def note_told(run: Run, told: Told) -> None:
    """Write down what agents are told; what is secret in it isn't told to them either."""
    material = replace(
        told.material,
        own_advice={rule: redact(words) for rule, words in told.material.own_advice.items()},
        templates={name: redact(text) for name, text in told.material.templates.items()},
    )
    await run.log.note(TOLD, plain(Told, replace(told, material=material)))


def told_before(run: Run) -> Told | None:
    """What was noted of it; None = nothing was."""
    noted = run.log.noted(TOLD)
    return made(Told, noted[-1]) if noted else None


def trails_of(run: Run) -> Written | None:
    """Where to write what is said and done in the attempts at the run's tasks; None where nothing is kept."""
    if run.folder is None:
        return None
    return Written(RunFolder(run.folder).trails(), {task.key: number for number, task in enumerate(run.plan.tasks)})
