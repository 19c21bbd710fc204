"""Verify and land once more what agents made in an earlier run, without them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fanfold.config import FixSettings
from fanfold.fix.attempts.replayed import Tape
from fanfold.fix.errors import FixError
from fanfold.fix.findings.plan import Request
from fanfold.fix.record import OnEvent
from fanfold.fix.reporting.report import Report, TaskLine
from fanfold.fix.run import carry_out
from fanfold.fix.runs import Past
from fanfold.fix.runs.begun import BUDGETS, ELSEWHERE, Begun, judged_by, request_again
from fanfold.git import Repository


@dataclass(frozen=True)
class Difference:
    """A file that another thing came of; None = it isn't among the files of that run."""

    path: str
    before: TaskLine | None
    now: TaskLine | None


@dataclass(frozen=True)
class Replayed:
    """What a replay came to.

    Args:
        report: of the replay itself.
        differences: to the report of the recorded run, by path; without files that it was cut off at.
        unplayable: files whose recorded answers can't be put in place, each with the reason.
        compared: whether the recorded run had a report.
    """

    report: Report
    differences: tuple[Difference, ...]
    unplayable: tuple[tuple[str, str], ...]
    compared: bool


async def replay(
    past: Past, now: FixSettings, start: Path, *, tests: str | None = None, on_event: OnEvent | None = None
) -> Replayed:
    """Put what was recorded of each attempt in place of the attempt, on a new branch from the same base.

    Args:
        past: the recorded run.
        now: the settings as they are now, of which those count that say where to work and what is let through.
        start: where the user stands, in the checkout of the run.
        tests: when the suite runs, None = as in the recorded run.
    Raises:
        FixError: nothing was recorded, or the base is gone.
        FanfoldError: the run can't be carried out.
    """
    repository = await Repository.open(start)
    tape = await Tape.of(past, repository)
    if tape.empty:
        raise FixError(f"no attempt of the run {past.name} was recorded", hint=f"fanfold show {past.name}")
    request = request_of(past, now, repository.root, tests)
    ended = await carry_out(request, agent=tape, on_event=on_event, of=past, policy=tape)
    return Replayed(
        report=ended.report,
        differences=tuple(_differences(past.report, ended.report)) if past.report else (),
        unplayable=tuple(sorted(tape.unplayable.items())),
        compared=past.report is not None,
    )


def request_of(past: Past, now: FixSettings, root: Path, tests: str | None = None) -> Request:
    """The request of a replay: the recorded one; the checkout stays as it is."""
    request = request_again(past.begun, {}, now, root)
    here = {name: getattr(now, name) for name in ELSEWHERE - {"runtime", "cluster", "workers"}}
    judged = {name: getattr(now, name) for name in _configured_anew(past.begun, now)}
    native = {"runtime": "native" if now.runtime == "cluster" else now.runtime, "cluster": None, "workers": None}
    free = dict.fromkeys(BUDGETS) | {"race": False, "learn": False}
    settings = request.settings.model_copy(
        update={**here, **judged, **native, **free, **({"tests": tests} if tests else {})}
    )
    return replace(request, start=root, settings=settings, apply=False, stage_only=False, diff=False)


def _configured_anew(begun: Begun, now: FixSettings) -> Iterator[str]:
    """Settings of what is let through that aren't what they were, to see what others would have come to."""
    then = begun.configured or {}
    return (name for name, value in judged_by(now).items() if name not in then or then[name] != value)


def _differences(before: Report, now: Report) -> Iterator[Difference]:
    """Other things that came of files; what came of those that a run was cut off at isn't known."""
    then, after = ({line.path: line for line in report.tasks} for report in (before, now))
    for path in sorted({*then, *after}):
        one, other = then.get(path), after.get(path)
        if all(line is None or line.status == "skipped" for line in (one, other)):
            continue
        if before.is_unfinished and one is not None and one.status == "cancelled":
            continue
        if one is None or other is None or _came_to(one) != _came_to(other):
            yield Difference(path, one, other)


def _came_to(line: TaskLine) -> tuple[str, int, int]:
    return line.status, line.fixed, line.left
