"""The V1 REST API, under /twsd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote
from uuid import uuid4

from fanfold.troubleshoot.sources.workload.api import Jobs, Relation
from fanfold.troubleshoot.sources.workload.plan import Engine, Job, JobName, JobRun, WorkstationState
from fanfold.troubleshoot.sources.workload.read import engine_from, job_from_v1, table, workstation_from
from fanfold.troubleshoot.sources.workload.transport import Transport

BASE = "/twsd"
# It can't be asked for a status: so many jobs are read, and those that fail are chosen among them.
MOST_READ = 1_000


@dataclass(frozen=True, slots=True)
class V1:
    """It tells of last runs alone, and of no successors."""

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

    async def job(self, identity: str) -> Job:
        """The job with an id."""
        return job_from_v1(table(await self.transport.get(f"{BASE}/plan/current/job/{quote(identity, safe='')}")))

    async def near(self, name: JobName, *, most: int) -> tuple[str, ...]:
        """Names of jobs that begin alike."""
        found = await self._jobs({"jobName": f"{_plain(name.name.upper())[:4]}*", "lastInRerunChain": True}, most)
        return tuple(dict.fromkeys(job.name for job in found.jobs))

    async def failing(self, *, most: int) -> Jobs:
        """Jobs that ended badly: chosen here, for the query has no status."""
        found = await self._jobs({"jobName": "*", "lastInRerunChain": True}, MOST_READ)
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
            level = [await self.job(identity) for identity in dict.fromkeys(wanted)]
            found |= {one.id: one for one in level}
        return tuple(found.values())

    async def log_lines(self, run: JobRun, *, first: int, last: int, max_bytes: int) -> tuple[str, bool]:
        """Lines of the last run's log."""
        path = f"{BASE}/plan/current/job/{quote(run.id, safe='')}/joblog"
        return await self.transport.text(path, max_bytes=max_bytes, from_line=first, to_line=last)

    async def workstation(self, name: str) -> WorkstationState | None:
        """A workstation, without its health."""
        body = {"filters": {"workstationInPlanFilter": {"workstationName": name}}}
        found = await self.transport.query(f"{BASE}/plan/current/workstation/query", body, headers=_headers(2))
        states = [workstation_from(table(one)) for one in found if isinstance(found, list)]
        return next((state for state in states if state.name == name), None)

    async def engine(self) -> Engine:
        """What the engine says of itself."""
        return engine_from(table(await self.transport.get(f"{BASE}/engine/info")))

    def action_path(self, action: str, job: Job) -> str:
        """Where an action on one job is sent."""
        return f"{BASE}/plan/current/job/{quote(job.id, safe='')}/action/{action}"

    async def _jobs(self, wanted: Mapping[str, object], most: int) -> Jobs:
        body = {"filters": {"jobInPlanFilter": dict(wanted)}}
        found = await self.transport.query(f"{BASE}/plan/current/job/query", body, headers=_headers(most))
        jobs = tuple(job_from_v1(table(one)) for one in found) if isinstance(found, list) else ()
        return Jobs(jobs, len(jobs))


def _headers(how_many: int) -> dict[str, str]:
    return {"How-Many": str(how_many), "Request-Id": str(uuid4())}


def _plain(name: str) -> str:
    return "".join(letter for letter in name if letter not in "*?@")
