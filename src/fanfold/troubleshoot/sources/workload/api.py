"""The scheduler's two REST APIs behind one Protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol
from urllib.parse import quote
from uuid import uuid4

from fanfold.troubleshoot.sources.workload import oql
from fanfold.troubleshoot.sources.workload.plan import (
    FAILING,
    Engine,
    Job,
    JobName,
    JobRun,
    WorkstationState,
    engine_from,
    job_from_v1,
    job_from_v2,
    workstation_from,
)
from fanfold.troubleshoot.sources.workload.transport import Transport, WorkloadError

Relation = Literal["predecessor", "successor"]
V1, V2 = "/twsd", "/twsd/api/v2"
PAGE = 100
MOST_RELATED = 300
_COUNTED = {"Include-Count": "true"}


@dataclass(frozen=True, slots=True)
class Jobs:
    """Some jobs, and how many there are in all."""

    jobs: tuple[Job, ...]
    count: int


class PlanApi(Protocol):
    """What is asked of a scheduler; all of it raises WorkloadError."""

    @property
    def transport(self) -> Transport:
        """What requests go through."""

    async def find(self, name: JobName, *, most: int) -> Jobs:
        """Instances of a job, by its exact name."""

    async def near(self, name: JobName, *, most: int) -> tuple[str, ...]:
        """Names of jobs that begin alike."""

    async def failing(self, *, most: int) -> Jobs:
        """Jobs that ended badly or can't go on."""

    async def count(self) -> int | None:
        """How many jobs the plan has; None where the API doesn't say."""

    async def related(self, job: Job, relation: Relation, *, depth: int) -> tuple[Job, ...] | None:
        """Its predecessors or successors to a depth; None where the API doesn't tell."""

    async def log_lines(self, run: JobRun, *, first: int, last: int, max_bytes: int) -> tuple[str, bool]:
        """Lines of a run's log, counted from 1, and whether they were cut."""

    async def workstation(self, name: str) -> WorkstationState | None:
        """A workstation and its health; None where there is none of that name."""

    async def engine(self) -> Engine:
        """What the engine says of itself."""

    def action_path(self, action: str, job: Job) -> str:
        """Where an action on one job is sent."""


def api_of(transport: Transport) -> PlanApi:
    """The API that the settings name."""
    return OldApi(transport) if transport.settings.api == 1 else Api(transport)


@dataclass(frozen=True, slots=True)
class Api:
    """V2."""

    transport: Transport

    async def find(self, name: JobName, *, most: int) -> Jobs:
        """Instances of a job, by its name as it was written, else in capitals, as schedulers have them."""
        for spelling in dict.fromkeys((name.name, name.name.upper())):
            query = oql.all_of(oql.equals("name", spelling), name.folder and oql.begins("folder", name.folder))
            found = await self._jobs(most, oql=query)
            jobs = tuple(job for job in found.jobs if _is_meant(job, name))
            if jobs:
                return Jobs(jobs, found.count if len(jobs) == len(found.jobs) else len(jobs))
        return Jobs((), 0)

    async def near(self, name: JobName, *, most: int) -> tuple[str, ...]:
        """Names of jobs that begin as this one does, with fewer and fewer letters in common."""
        for letters in (len(name.name) - 1, 4, 2):
            prefix = name.name.upper()[:letters]
            if prefix and letters > 0:
                found = await self._jobs(most, oql=oql.begins("name", prefix))
                if found.jobs:
                    return tuple(dict.fromkeys(job.name for job in found.jobs))
        return ()

    async def failing(self, *, most: int) -> Jobs:
        """Jobs that ended badly or can't go on."""
        try:
            return await self._jobs(most, oql=oql.any_of("lastRunCompositeStatus.status", FAILING))
        except WorkloadError as error:
            if error.code != "OQL_FILTER_SYNTAX_ERROR":
                raise
        # Not every version queries for a status; those take the filter of its command line.
        found = [await self._jobs(most, plan_filter=f"@#@.@+state={state.lower()}") for state in FAILING]
        jobs = tuple(job for one in found for job in one.jobs)
        return Jobs(jobs[:most], sum(one.count for one in found))

    async def count(self) -> int | None:
        """How many jobs the plan has."""
        data = await self.transport.get(f"{V2}/plan/job/count")
        number = data.get("count") if isinstance(data, Mapping) else data
        return number if isinstance(number, int) else None

    async def related(self, job: Job, relation: Relation, *, depth: int) -> tuple[Job, ...] | None:
        """Its predecessors or successors to a depth."""
        found = await self._pages(f"{V2}/plan/job/{quote(job.id, safe='')}/{relation}s", MOST_RELATED, depth=depth)
        return found.jobs

    async def log_lines(self, run: JobRun, *, first: int, last: int, max_bytes: int) -> tuple[str, bool]:
        """Lines of a run's log."""
        path = f"{V2}/plan/job/run/{quote(run.id, safe='')}/joblog"
        return await self.transport.text(path, max_bytes=max_bytes, from_line=first, to_line=last)

    async def workstation(self, name: str) -> WorkstationState | None:
        """A workstation and its health, which not every version tells."""
        data = await self.transport.get(
            f"{V2}/plan/workstation", oql=oql.equals("name", name.rpartition("/")[2]), limit=2, plan_id="current"
        )
        found = _results(data)
        if not found:
            return None
        state = workstation_from(found[0])
        try:
            health = await self.transport.get(f"{V2}/plan/workstation/{quote(state.id, safe='')}/action/health-status")
        except WorkloadError:
            return state
        return _with_health(state, health)

    async def engine(self) -> Engine:
        """What the engine says of itself."""
        return engine_from(_table(await self.transport.get(f"{V2}/engine/info")))

    def action_path(self, action: str, job: Job) -> str:
        """Where an action on one job is sent; a rerun is one of a run."""
        if action == "rerun":
            run = job.last_run
            if run is None:
                raise WorkloadError(f"{job.title} has not run yet, so it can't be run again", hint="release it instead")
            return f"{V2}/plan/job/run/{quote(run.id, safe='')}/action/rerun"
        return f"{V2}/plan/job/{quote(job.id, safe='')}/action/{action}"

    async def _jobs(self, most: int, **params: str) -> Jobs:
        return await self._pages(f"{V2}/plan/job", most, plan_id="current", **params)

    async def _pages(self, path: str, most: int, **params: str | int) -> Jobs:
        """Results page by page: as many as there are, at most `most`."""
        jobs: list[Job] = []
        count: int | None = None
        while len(jobs) < most:
            limit = min(PAGE, most - len(jobs))
            data = await self.transport.get(path, headers=_COUNTED, **params, limit=limit, offset=len(jobs))
            page = _results(data)
            jobs += [job_from_v2(one) for one in page]
            table = _table(data)
            count = table["count"] if isinstance(table.get("count"), int) else count
            if not page or table.get("next") is None:
                break
        return Jobs(tuple(jobs[:most]), max(count or 0, len(jobs)))


@dataclass(frozen=True, slots=True)
class OldApi:
    """V1: it tells of last runs alone, and of no successors."""

    transport: Transport

    async def find(self, name: JobName, *, most: int) -> Jobs:
        """Instances of a job; in capitals where it isn't there as it was written."""
        wanted = {"jobName": name.name, "lastInRerunChain": True}
        if name.jobstream:
            wanted["jobStreamName"] = name.jobstream
        if name.workstation:
            wanted["workstationName"] = name.workstation
        found = await self._jobs(wanted, most)
        if not found.jobs and name.name != name.name.upper():
            found = await self._jobs({**wanted, "jobName": name.name.upper()}, most)
        # Signs in a name that match anything would find other jobs.
        jobs = tuple(job for job in found.jobs if job.name.casefold() == name.name.casefold())
        return Jobs(jobs, len(jobs))

    async def near(self, name: JobName, *, most: int) -> tuple[str, ...]:
        """Names of jobs that begin alike."""
        found = await self._jobs({"jobName": f"{_plain(name.name.upper())[:4]}*", "lastInRerunChain": True}, most)
        return tuple(dict.fromkeys(job.name for job in found.jobs))

    async def failing(self, *, most: int) -> Jobs:
        """Jobs that ended badly: chosen here, for the query has no status."""
        found = await self._jobs({"jobName": "*", "lastInRerunChain": True}, 1_000)
        jobs = tuple(job for job in found.jobs if job.is_failing)
        return Jobs(jobs[:most], len(jobs))

    async def count(self) -> int | None:
        """It doesn't say."""
        return None

    async def related(self, job: Job, relation: Relation, *, depth: int) -> tuple[Job, ...] | None:
        """Its predecessors, one after another by what each one depends on; of successors it doesn't tell."""
        if relation == "successor":
            return None
        found: dict[str, Job] = {}
        level: Sequence[Job] = [job]
        for _ in range(depth):
            wanted = [link.id for one in level for link in one.links if link.id and link.id not in found]
            level = [job_from_v1(_table(await self._job(identity))) for identity in dict.fromkeys(wanted)]
            found |= {one.id: one for one in level}
        return tuple(found.values())

    async def log_lines(self, run: JobRun, *, first: int, last: int, max_bytes: int) -> tuple[str, bool]:
        """Lines of the last run's log."""
        path = f"{V1}/plan/current/job/{quote(run.id, safe='')}/joblog"
        return await self.transport.text(path, max_bytes=max_bytes, from_line=first, to_line=last)

    async def workstation(self, name: str) -> WorkstationState | None:
        """A workstation, without its health."""
        body = {"filters": {"workstationInPlanFilter": {"workstationName": name}}}
        found = await self.transport.query(f"{V1}/plan/current/workstation/query", body, headers=_headers(2))
        states = [workstation_from(_table(one)) for one in found if isinstance(found, list)]
        return next((state for state in states if state.name == name), None)

    async def engine(self) -> Engine:
        """What the engine says of itself."""
        return engine_from(_table(await self.transport.get(f"{V1}/engine/info")))

    def action_path(self, action: str, job: Job) -> str:
        """Where an action on one job is sent."""
        return f"{V1}/plan/current/job/{quote(job.id, safe='')}/action/{action}"

    async def _job(self, identity: str) -> Any:
        return await self.transport.get(f"{V1}/plan/current/job/{quote(identity, safe='')}")

    async def _jobs(self, wanted: Mapping[str, object], most: int) -> Jobs:
        body = {"filters": {"jobInPlanFilter": dict(wanted)}}
        found = await self.transport.query(f"{V1}/plan/current/job/query", body, headers=_headers(most))
        jobs = tuple(job_from_v1(_table(one)) for one in found) if isinstance(found, list) else ()
        return Jobs(jobs, len(jobs))


def _is_meant(job: Job, name: JobName) -> bool:
    """Whether what else was said of the job fits."""
    said = ((name.jobstream, job.jobstream), (name.workstation, job.workstation))
    return all(not wanted or wanted.casefold() == there.casefold() for wanted, there in said)


def _headers(how_many: int) -> dict[str, str]:
    return {"How-Many": str(how_many), "Request-Id": str(uuid4())}


def _results(data: object) -> list[Mapping[str, Any]]:
    found = data.get("results") if isinstance(data, Mapping) else data
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _plain(name: str) -> str:
    return "".join(letter for letter in name if letter not in "*?@")


def _with_health(state: WorkstationState, health: object) -> WorkstationState:
    table = _table(health)
    said = str(table.get("status") or table.get("healthStatus") or "").upper()
    healthy = None if not said else said in ("HEALTHY", "OK", "UP", "SUCCESS")
    return replace(state, healthy=healthy, message=str(table.get("message") or "")[:300])
