"""The log of a run as the scheduler keeps it: a header, what the job printed, a footer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain, islice

from fanfold.testing.scheduler.plan import Plan, PlanJob, Run

RULE = "=" * 63


def lines_of(plan: Plan, job: PlanJob, run: Run, *, content_only: bool = False) -> Iterator[str]:
    """The lines of a run's log, without their ends; made one by one, for a log may be larger than memory."""
    if content_only:
        return _content(run)
    return chain(_header(plan, job, run), _content(run), _footer(run))


def page_of(lines: Iterator[str], first: int, last: int | None) -> Iterator[str]:
    """Lines `first` to `last`, counted from 1, both included; None = to the end."""
    return islice(lines, first - 1, last)


def _content(run: Run) -> Iterator[str]:
    printed = (run.log or "").splitlines()
    half = (len(printed) + 1) // 2 if run.filler else len(printed)
    yield from printed[:half]
    for number in range(1, run.filler + 1):
        yield f"{number:09d} record processed, key {number * 7919 % 1_000_003:07d}, status ok, next block requested"
    yield from printed[half:]


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
