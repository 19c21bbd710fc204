"""The JSON of both APIs, read: what isn't there or isn't as expected is unknown, and no error."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fanfold.troubleshoot.sources.workload.plan import Engine, Job, JobRun, Link, WorkstationState

_TYPES = (("STREAM", "jobstream"), ("JOB", "job"), ("FILE", "file"), ("RESOURCE", "resource"), ("PROMPT", "prompt"))


def job_from_v2(data: Mapping[str, Any]) -> Job:
    """A job of the V2 API."""
    status = table(data.get("lastRunCompositeStatus"))
    definition = table(data.get("jobDefinition"))
    runs = tuple(_run_from_v2(table(run)) for run in _list(data.get("jobruns")))
    return Job(
        id=_text(data.get("id")),
        name=_text(data.get("name")),
        jobstream=_text(data.get("jobStreamName")),
        workstation=_bare(data.get("workstation")),
        folder=_text(data.get("folder")),
        status=_text(status.get("status")).upper(),
        substatus=_text(status.get("substatus")).upper(),
        error=_text(status.get("error")),
        recovery=_text(definition.get("recoveryOption")),
        scheduled=_time(data.get("jobStreamSchedTime")),
        changed=_time(definition.get("lastUpdateTime")),
        runs=_with_state(runs, _text(status.get("status")).upper()),
        links=tuple(_links(data.get("dependencies"))),
    )


def job_from_v1(data: Mapping[str, Any]) -> Job:
    """A job of the V1 API, which tells of its last run alone."""
    stream, status = table(data.get("jobStreamInPlan")), table(data.get("status"))
    key = table(data.get("key"))
    state = _text(status.get("commonStatus")).upper()
    started, ended = _time(data.get("startTime")), _time(data.get("endTime"))
    run = JobRun(
        id=_text(data.get("id")),
        number=_text(data.get("jobNumber")),
        status=state,
        return_code=_number(data.get("returnCode")),
        started=started,
        ended=ended,
        elapsed_s=_elapsed_s(data.get("elapsedTime"), started, ended),
        estimated_s=_estimated_s(data.get("estimatedDuration"), data.get("elapsedTime"), started, ended),
        attempt=_number(data.get("runAttempt")),
        workstation=_bare(table(key.get("workstationKey")).get("name")),
    )
    return Job(
        id=run.id,
        name=_text(data.get("name") or key.get("name")),
        jobstream=_text(stream.get("name")),
        workstation=run.workstation or _bare(table(stream.get("workstationKey")).get("name")),
        status=state,
        substatus=_text(status.get("internalStatus")).upper(),
        error=_text(status.get("message")),
        recovery=_text(data.get("recoveryOption")),
        scheduled=_time(stream.get("startTime")),
        runs=(run,) if started else (),
        links=tuple(_links(data.get("dependencies"))),
    )


def workstation_from(data: Mapping[str, Any]) -> WorkstationState:
    """A workstation, in the same words in both APIs."""
    return WorkstationState(
        id=_text(data.get("id")),
        name=_bare(data.get("name")),
        linked=_flag(data.get("linked")),
        running=_flag(data.get("running")),
        limit=_number(data.get("limit")),
        fence=_number(data.get("fence")),
        agents=tuple(map(_text, _list(data.get("agents")))),
    )


def engine_from(data: Mapping[str, Any]) -> Engine:
    """The engine, whichever API it is asked through."""
    return Engine(
        name=_text(data.get("engineName")),
        version=_text(data.get("engineVersion")),
        plan_starts=_time(data.get("planStartTime") or data.get("planStartDateTime")),
        plan_ends=_time(data.get("planEndTime") or data.get("planEndDateTime")),
    )


def _run_from_v2(data: Mapping[str, Any]) -> JobRun:
    times = table(data.get("timeInfo"))
    started, ended = _time(times.get("actualStartTime")), _time(times.get("actualEndTime"))
    return JobRun(
        id=_text(data.get("id")),
        number=_text(data.get("number") or data.get("jobNumber")),
        status=_text(data.get("status")).upper(),
        return_code=_number(data.get("returnCode")),
        started=started,
        ended=ended,
        elapsed_s=_elapsed_s(times.get("elapsedTime"), started, ended),
        estimated_s=_estimated_s(times.get("estimatedDuration"), times.get("elapsedTime"), started, ended),
        attempt=_number(data.get("runAttempt")),
        workstation=_bare(data.get("actualWorkstation")),
    )


def _with_state(runs: tuple[JobRun, ...], state: str) -> tuple[JobRun, ...]:
    """Runs that don't say how they ended: the last one as the job did, the others by their return codes."""

    def known(run: JobRun, is_last: bool) -> JobRun:
        if run.status:
            return run
        if is_last:
            return replace(run, status=state)
        return replace(run, status="SUCC" if run.return_code == 0 else "ABEND" if run.return_code else "")

    return tuple(known(run, index == len(runs) - 1) for index, run in enumerate(runs))


def _links(data: object) -> Iterator[Link]:
    for one in map(table, _list(data)):
        said = _text(one.get("dependencyType")).upper()
        kind = next((ours for theirs, ours in _TYPES if theirs in said), "time")
        yield Link(
            type=kind,
            name=_text(one.get("jobName") or one.get("name") or one.get("jobStreamName") or one.get("id")),
            id=_text(one.get("jobId")),
            jobstream=_text(one.get("jobStreamName")),
            status=_text(one.get("dependencyStatus")).upper(),
        )


def _elapsed_s(said: object, started: datetime | None, ended: datetime | None) -> float | None:
    """Seconds of a run: by its start and end where both are known, else as the scheduler says in milliseconds."""
    if started and ended:
        return max(0.0, (ended - started).total_seconds())
    number = _float(said)
    return None if number is None else number / 1000


def _estimated_s(estimated: object, said: object, started: datetime | None, ended: datetime | None) -> float | None:
    """Seconds of an estimate. It has the unit of the elapsed time: milliseconds, unless that is seen to be seconds."""
    number, elapsed = _float(estimated), _float(said)
    if number is None:
        return None
    if started and ended and elapsed and elapsed < 10 * (ended - started).total_seconds():
        return number
    return number / 1000


def table(value: object) -> Mapping[str, Any]:
    """The value where it is an object of JSON, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _bare(value: object) -> str:
    """A workstation's name without the root folder before it."""
    return _text(value).removeprefix("/")


def _flag(value: object) -> bool | None:
    if isinstance(value, str):
        return value.upper() in ("TRUE", "YES", "LINKED", "RUNNING", "Y")
    return value if isinstance(value, bool) else None


def _number(value: object) -> int | None:
    number = _float(value)
    return None if number is None else int(number)


def _float(value: object) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
