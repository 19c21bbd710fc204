"""The log of a run as the scheduler keeps it: a header, what the job printed, a footer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from fanfold.testing.scheduler.plan import Plan, PlanJob, Run

RULE = "=" * 63


def lines_of(plan: Plan, job: PlanJob, run: Run, *, first: int = 1, last: int | None = None) -> Iterator[str]:
    """Lines of a run's log without their ends, from `first`, counted from 1, to `last`; None = to the end.

    They are made one by one: a log may be larger than memory.
    """
    printed = _printed(run)
    half = (len(printed) + 1) // 2 if run.filler else len(printed)
    before = [*_header(plan, job, run), *printed[:half]]
    after = [*printed[half:], *_footer(run)]
    total = len(before) + run.filler + len(after)
    for line in range(first, min(total, last or total) + 1):
        if line <= len(before):
            yield before[line - 1]
        elif line <= len(before) + run.filler:
            yield _filler(line - len(before))
        else:
            yield after[line - len(before) - run.filler - 1]


def content_of(run: Run) -> Iterator[str]:
    """What the job itself printed."""
    printed = _printed(run)
    half = (len(printed) + 1) // 2 if run.filler else len(printed)
    yield from printed[:half]
    yield from map(_filler, range(1, run.filler + 1))
    yield from printed[half:]


def _printed(run: Run) -> list[str]:
    return (run.log or "").removesuffix("\n").split("\n") if run.log else []


def _filler(number: int) -> str:
    return f"{number:09d} record processed, key {number * 7919 % 1_000_003:07d}, status ok, next block requested"


def _header(plan: Plan, job: PlanJob, run: Run) -> Iterator[str]:
    scheduled = job.scheduled or run.started or plan.now
    yield RULE
    yield f"= JOB       : {job.workstation}#{job.jobstream}[({scheduled:%H%M %m/%d/%y}),({stream_id(job)})].{job.name}"
    yield f"= USER      : {job.user}"
    yield f"= JCLFILE   : {job.script}"
    yield f"= Job Number: {number_of(plan, job, run)}"
    yield f"= {_stamp(run.started or plan.now)}"
    yield RULE
    yield f"AWSBIS307I Starting {job.script or job.name} "


def _footer(run: Run) -> Iterator[str]:
    if run.exit_status is None or run.ended is None:
        return
    yield "AWSBIS308I End of job"
    yield RULE
    yield f"= Exit Status           : {run.exit_status}"
    if run.started:
        hours, rest = divmod(int((run.ended - run.started).total_seconds()), 3600)
        yield f"= Elapsed Time (hh:mm:ss) : {hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
    yield f"= {_stamp(run.ended)}"
    yield RULE


def stream_id(job: PlanJob) -> str:
    """Sixteen letters that stand for the instance of the job stream."""
    return f"0A{job.jobstream.upper():A<14.14}"


def number_of(plan: Plan, job: PlanJob, run: Run) -> int:
    """The process number that a run's log has."""
    index = job.runs.index(run) if run in job.runs else 0
    return int(plan.run_id_of(job, index)[:6], 16) % 90_000 + 10_000


def _stamp(at: datetime) -> str:
    return f"{at:%a %m/%d/%y %H:%M:%S} {at.tzname()}"
