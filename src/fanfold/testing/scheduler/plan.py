"""A plan as data: jobs with their runs and logs, what they depend on, and workstations."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from fanfold.errors import FanfoldError

DependencyType = Literal["job", "jobstream", "resource", "file", "prompt", "time"]
STATUSES = frozenset("HOLD READY FENCE INTRO FAIL EXEC WAIT SUPPR SUCC ABEND CANCL PEND STUCK ERROR".split())  # noqa: SIM905
DEFAULT_NOW = datetime(2024, 12, 11, 9, 0, tzinfo=UTC)

_CONFIG: dict[str, object] = {"extra": "forbid"}


class PlanError(FanfoldError):
    """A plan can't be: an unknown status, a dependency on nothing, two jobs that are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a job.

    Attributes:
        status: SUCC, ABEND, EXEC, ...
        return_code: None = 0 for SUCC, and none for what has not ended.
        started, ended: with a time zone; None = not yet.
        estimated_s: how long the scheduler expects it to take.
        log: what the job printed; header and footer are added when it is served. None = there is no log.
        filler: so many lines more in the middle of the log, made up when they are served.
        workstation: where it really ran; "" = the job's.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _CONFIG

    status: str = "SUCC"
    return_code: int | None = None
    started: datetime | None = None
    ended: datetime | None = None
    estimated_s: float | None = None
    log: str | None = ""
    filler: int = 0
    workstation: str = ""

    @property
    def exit_status(self) -> int | None:
        """The return code; 0 for a success that says nothing else."""
        return 0 if self.return_code is None and self.status == "SUCC" else self.return_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """What a job waits for.

    Attributes:
        on: a job as `NAME` or `JOBSTREAM.NAME`, or the name of the job stream, resource, file, prompt or time.
        satisfied: None = as the predecessor's status says; what is no job counts as not satisfied then.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _CONFIG

    on: str
    type: DependencyType = "job"
    satisfied: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanJob:
    """One instance of a job in the plan.

    Attributes:
        status: "" = that of the last run, else HOLD.
        substatus: READY_WAITING_FOR_LIMIT, for instance.
        error: what the scheduler itself says is wrong.
        runs: the oldest first; those after the first are reruns.
        after: what it depends on; a plain string is a job.
        script: the script or command.
        recovery: STOP, CONTINUE or RERUN.
        scheduled: when its job stream is scheduled; instances of one job differ in it.
        changed: when its definition was last changed; None = not known.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _CONFIG

    name: str
    jobstream: str = "DAILY"
    workstation: str = "AGENT01"
    folder: str = "/"
    status: str = ""
    substatus: str = ""
    error: str = ""
    runs: tuple[Run, ...] = ()
    after: tuple[Dependency | str, ...] = ()
    script: str = ""
    user: str = "batch"
    recovery: str = "STOP"
    scheduled: datetime | None = None
    changed: datetime | None = None

    @property
    def state(self) -> str:
        """Its status, as the scheduler has it."""
        return self.status or (self.runs[-1].status if self.runs else "HOLD")

    @property
    def qualified(self) -> str:
        """`JOBSTREAM.NAME`."""
        return f"{self.jobstream}.{self.name}"

    @property
    def dependencies(self) -> tuple[Dependency, ...]:
        """What it depends on, spelled out."""
        return tuple(Dependency(on=one) if isinstance(one, str) else one for one in self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workstation:
    """A workstation of the plan.

    Attributes:
        limit: jobs that may run at once; 0 = none.
        fence: jobs of a priority up to this one are held.
        agents: those of a pool.
        message: what a health check answers.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _CONFIG

    name: str
    type: str = "AGENT"
    linked: bool = True
    running: bool = True
    limit: int = 10
    fence: int = 0
    agents: tuple[str, ...] = ()
    healthy: bool = True
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a fake scheduler serves.

        plan = Plan(jobs=(PlanJob(name="BATCH001", runs=(Run(status="ABEND", return_code=8, log="ORA-01017"),)),))

    Attributes:
        jobs: instances; no two have name, job stream, folder, workstation and `scheduled` in common.
        workstations: those that jobs run on and that aren't here are linked and well.
        instance: the scheduler's name.
        starts, ends: what the plan covers; None = the day around `now`.
        now: the scheduler's clock; it stands still.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _CONFIG

    jobs: tuple[PlanJob, ...] = ()
    workstations: tuple[Workstation, ...] = ()
    instance: str = "TWS-PROD-01"
    version: str = "10.2.3"
    starts: datetime | None = None
    ends: datetime | None = None
    now: datetime = DEFAULT_NOW

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that JSON or TOML describes: tables with the names of these classes' attributes, times in ISO 8601.

        Raises:
            PlanError: a key is unknown, a value is wrong, or the plan can't be.
        """
        from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 for plans from files alone

        try:
            return TypeAdapter(cls).validate_python(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise PlanError(f"{where or 'the plan'}: {first['msg']}", hint="see the attributes of Plan") from None

    @classmethod
    def from_file(cls, path: Path) -> Plan:
        """The plan in a JSON or TOML file, as `from_data` has it."""
        import json  # noqa: PLC0415
        import tomllib  # noqa: PLC0415

        text = path.read_text("utf-8")
        return cls.from_data(tomllib.loads(text) if path.suffix == ".toml" else json.loads(text))

    def moved_to(self, now: datetime) -> Plan:
        """The same plan at another time: everything in it is moved by as much."""
        by = now - self.now

        def moved(at: datetime | None) -> datetime | None:
            return None if at is None else at + by

        def run(one: Run) -> Run:
            return replace(one, started=moved(one.started), ended=moved(one.ended))

        jobs = tuple(
            replace(job, runs=tuple(map(run, job.runs)), scheduled=moved(job.scheduled), changed=moved(job.changed))
            for job in self.jobs
        )
        return replace(self, jobs=jobs, starts=moved(self.starts), ends=moved(self.ends), now=now)

    def id_of(self, job: PlanJob) -> str:
        """The id under which the scheduler knows a job: made from what names it, so always the same."""
        return _uuid("job", job.workstation, job.folder, job.jobstream, job.name, str(job.scheduled))

    def run_id_of(self, job: PlanJob, index: int) -> str:
        """The id of a job's run; `index` counts from 0."""
        return _uuid("run", self.id_of(job), str(index))

    def workstation_id_of(self, name: str) -> str:
        """The id of a workstation."""
        return _uuid("workstation", name)

    def all_workstations(self) -> tuple[Workstation, ...]:
        """Those of the plan, and the ones that its jobs imply."""
        known = {workstation.name for workstation in self.workstations}
        implied = dict.fromkeys(job.workstation for job in self.jobs if job.workstation not in known)
        return (*self.workstations, *(Workstation(name=name) for name in implied))

    def predecessors_of(self, job: PlanJob) -> list[PlanJob]:
        """The jobs that it depends on directly."""
        return [found for one in job.dependencies if one.type == "job" for found in self.named(one.on, near=job)]

    def successors_of(self, job: PlanJob) -> list[PlanJob]:
        """The jobs that depend on it directly."""
        return [other for other in self.jobs if any(one is job for one in self.predecessors_of(other))]

    def named(self, name: str, *, near: PlanJob | None = None) -> list[PlanJob]:
        """The job of that name: of several instances the one scheduled when `near` is, else all of them."""
        found = [job for job in self.jobs if name in (job.name, job.qualified)]
        if near is not None and len(found) > 1:
            found = [job for job in found if job.scheduled == near.scheduled] or found
            found = [job for job in found if job.jobstream == near.jobstream] or found
        return found

    @property
    def covers(self) -> tuple[datetime, datetime]:
        """From when to when the plan is."""
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        return self.starts or midnight, self.ends or midnight + timedelta(days=1)


def _uuid(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "\0".join(("fanfold", *parts))))


def _check(plan: Plan) -> None:
    ids: set[str] = set()
    names = {name for job in plan.jobs for name in (job.name, job.qualified)}
    for job in plan.jobs:
        _known_status((job.state, *(run.status for run in job.runs)), job)
        _in_a_zone((job.scheduled, job.changed, *(at for run in job.runs for at in (run.started, run.ended))), job)
        if plan.id_of(job) in ids:
            raise PlanError(f"two jobs are {job.qualified}", hint="tell instances apart by `scheduled`")
        ids.add(plan.id_of(job))
        for one in job.dependencies:
            if one.type == "job" and one.on not in names:
                raise PlanError(f"{job.qualified} depends on {one.on!r}, which is no job of the plan")


def _known_status(statuses: Iterable[str], job: PlanJob) -> None:
    for status in statuses:
        if status not in STATUSES:
            raise PlanError(
                f"{job.qualified} has the status {status!r}", hint=f"known are {', '.join(sorted(STATUSES))}"
            )


def _in_a_zone(times: Iterable[datetime | None], job: PlanJob) -> None:
    if any(at is not None and at.tzinfo is None for at in times):
        raise PlanError(f"{job.qualified} has a time without a zone", hint="write 2024-12-11T06:00:00Z, for instance")
