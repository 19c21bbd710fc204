"""The V2 REST API, under /twsd/api/v2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from fanfold.troubleshoot.sources.workload import oql
from fanfold.troubleshoot.sources.workload.api import Jobs, Relation
from fanfold.troubleshoot.sources.workload.plan import FAILING, Engine, Job, JobName, JobRun, WorkstationState
from fanfold.troubleshoot.sources.workload.read import engine_from, job_from_v2, table, workstation_from
from fanfold.troubleshoot.sources.workload.refusal import WorkloadError
from fanfold.troubleshoot.sources.workload.transport import Transport

BASE = "/twsd/api/v2"
PAGE = 100
MOST_RELATED = 300
_COUNTED = {"Include-Count": "true"}


@dataclass(frozen=True, slots=True)
class V2:
    """What the plan's resources of V2 tell."""

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

    async def job(self, identity: str) -> Job:
        """The job with an id."""
        return job_from_v2(table(await self.transport.get(f"{BASE}/plan/job/{quote(identity, safe='')}")))

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
        data = await self.transport.get(f"{BASE}/plan/job/count")
        number = data.get("count") if isinstance(data, Mapping) else data
        return number if isinstance(number, int) else None

    async def related(self, job: Job, relation: Relation, *, depth: int) -> tuple[Job, ...] | None:
        """Its predecessors or successors to a depth."""
        found = await self._pages(f"{BASE}/plan/job/{quote(job.id, safe='')}/{relation}s", MOST_RELATED, depth=depth)
        return found.jobs

    async def log_lines(self, run: JobRun, *, first: int, last: int, max_bytes: int) -> tuple[str, bool]:
        """Lines of a run's log."""
        path = f"{BASE}/plan/job/run/{quote(run.id, safe='')}/joblog"
        return await self.transport.text(path, max_bytes=max_bytes, from_line=first, to_line=last)

    async def workstation(self, name: str) -> WorkstationState | None:
        """A workstation and its health, which not every version tells."""
        data = await self.transport.get(
            f"{BASE}/plan/workstation", oql=oql.equals("name", name.rpartition("/")[2]), limit=2, plan_id="current"
        )
        found = _results(data)
        if not found:
            return None
        state = workstation_from(found[0])
        try:
            health = await self.transport.get(
                f"{BASE}/plan/workstation/{quote(state.id, safe='')}/action/health-status"
            )
        except WorkloadError:
            return state
        return _with_health(state, health)

    async def engine(self) -> Engine:
        """What the engine says of itself."""
        return engine_from(table(await self.transport.get(f"{BASE}/engine/info")))

    def action_path(self, action: str, job: Job) -> str:
        """Where an action on one job is sent; a rerun is one of a run."""
        if action == "rerun":
            run = job.last_run
            if run is None:
                raise WorkloadError(f"{job.title} has not run yet, so it can't be run again", hint="release it instead")
            return f"{BASE}/plan/job/run/{quote(run.id, safe='')}/action/rerun"
        return f"{BASE}/plan/job/{quote(job.id, safe='')}/action/{action}"

    async def _jobs(self, most: int, **params: str) -> Jobs:
        return await self._pages(f"{BASE}/plan/job", most, plan_id="current", **params)

    async def _pages(self, path: str, most: int, **params: str | int) -> Jobs:
        """Results page by page: as many as there are, at most `most`."""
        jobs: list[Job] = []
        count: int | None = None
        while len(jobs) < most:
            limit = min(PAGE, most - len(jobs))
            data = await self.transport.get(path, headers=_COUNTED, **params, limit=limit, offset=len(jobs))
            page = _results(data)
            jobs += [job_from_v2(one) for one in page]
            told = table(data)
            count = told["count"] if isinstance(told.get("count"), int) else count
            if not page or told.get("next") is None:
                break
        return Jobs(tuple(jobs[:most]), max(count or 0, len(jobs)))


def _is_meant(job: Job, name: JobName) -> bool:
    """Whether what else was said of the job fits."""
    said = ((name.jobstream, job.jobstream), (name.workstation, job.workstation))
    return all(not wanted or wanted.casefold() == there.casefold() for wanted, there in said)


def _results(data: object) -> list[Mapping[str, Any]]:
    found = data.get("results") if isinstance(data, Mapping) else data
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _with_health(state: WorkstationState, health: object) -> WorkstationState:
    told = table(health)
    said = str(told.get("status") or told.get("healthStatus") or "").upper()
    healthy = None if not said else said in ("HEALTHY", "OK", "UP", "SUCCESS")
    return replace(state, healthy=healthy, message=str(told.get("message") or "")[:300])
