"""What a scheduler says of jobs, their runs and workstations, read from either API's JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median
from typing import Any

FAILING = ("ABEND", "ERROR", "FAIL", "STUCK")
WAITING = ("HOLD", "READY", "WAIT", "FENCE", "INTRO", "PEND")
_TYPES = (("STREAM", "jobstream"), ("JOB", "job"), ("FILE", "file"), ("RESOURCE", "resource"), ("PROMPT", "prompt"))


@dataclass(frozen=True, slots=True)
class JobName:
    """A job as people name it: `NAME`, `STREAM.NAME`, `WORKSTATION#/FOLDER/STREAM.NAME`; "" where nothing is said."""

    name: str
    jobstream: str = ""
    folder: str = ""
    workstation: str = ""

    @classmethod
    def parse(cls, text: str) -> JobName:
        """The parts of a name."""
        workstation, sign, rest = text.strip().rpartition("#")
        folder, slash, path = rest.rpartition("/")
        jobstream, _, name = path.rpartition(".")
        return cls(name, jobstream, folder + slash, workstation.lstrip("/") if sign else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One run of a job; None where the scheduler doesn't say."""

    id: str
    number: str = ""
    status: str = ""
    return_code: int | None = None
    started: datetime | None = None
    ended: datetime | None = None
    elapsed_s: float | None = None
    estimated_s: float | None = None
    attempt: int | None = None
    workstation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One thing that a job depends on; `id` is that of a job."""

    type: str
    name: str
    id: str = ""
    jobstream: str = ""
    status: str = ""

    @property
    def is_satisfied(self) -> bool:
        """Whether the job doesn't wait for it any more."""
        return self.status.upper() in ("SATISFIED", "RELEASED", "DONE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One instance of a job in the plan."""

    id: str
    name: str
    jobstream: str = ""
    workstation: str = ""
    folder: str = ""
    status: str = ""
    substatus: str = ""
    error: str = ""
    recovery: str = ""
    scheduled: datetime | None = None
    changed: datetime | None = None
    runs: tuple[JobRun, ...] = ()
    links: tuple[Link, ...] = ()

    @property
    def title(self) -> str:
        """What people call it: `STREAM.NAME`."""
        return f"{self.jobstream}.{self.name}" if self.jobstream else self.name

    @property
    def is_failing(self) -> bool:
        """Whether it ended badly, or can't go on."""
        return self.status in FAILING

    @property
    def last_run(self) -> JobRun | None:
        """Its newest run."""
        return self.runs[-1] if self.runs else None

    @property
    def telling_run(self) -> JobRun | None:
        """The run whose log tells most: the newest, or the last one that failed where it was run again since."""
        if self.is_failing or self.status == "EXEC":
            return self.last_run
        failed = [run for run in self.runs if run.status in FAILING]
        return failed[-1] if failed else self.last_run

    @property
    def seen_at(self) -> datetime | None:
        """When something last happened to it."""
        run = self.last_run
        return (run.ended or run.started if run else None) or self.scheduled


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkstationState:
    """A workstation of the plan; None where the scheduler doesn't say."""

    id: str
    name: str
    linked: bool | None = None
    running: bool | None = None
    limit: int | None = None
    fence: int | None = None
    agents: tuple[str, ...] = ()
    healthy: bool | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What the engine says of itself and its plan."""

    name: str = ""
    version: str = ""
    plan_starts: datetime | None = None
    plan_ends: datetime | None = None


def usual_elapsed_s(runs: Sequence[JobRun]) -> float | None:
    """How long successful runs take, as their median; None where there is none."""
    known = [run.elapsed_s for run in runs if run.status == "SUCC" and run.elapsed_s is not None]
    return median(known) if known else None


def job_from_v2(data: Mapping[str, Any]) -> Job:
    """A job of the V2 API."""
    status = _table(data.get("lastRunCompositeStatus"))
    definition = _table(data.get("jobDefinition"))
    runs = tuple(_run_from_v2(_table(run)) for run in _list(data.get("jobruns")))
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
    stream, status = _table(data.get("jobStreamInPlan")), _table(data.get("status"))
    key = _table(data.get("key"))
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
        workstation=_bare(_table(key.get("workstationKey")).get("name")),
    )
    return Job(
        id=run.id,
        name=_text(data.get("name") or key.get("name")),
        jobstream=_text(stream.get("name")),
        workstation=run.workstation or _bare(_table(stream.get("workstationKey")).get("name")),
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
    times = _table(data.get("timeInfo"))
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
    for one in map(_table, _list(data)):
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


def _table(value: object) -> Mapping[str, Any]:
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
        return float(str(value))
    except ValueError:
        return None


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
