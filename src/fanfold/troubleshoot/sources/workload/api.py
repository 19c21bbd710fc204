"""What is asked of a scheduler, whichever of its REST APIs it is asked through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from fanfold.troubleshoot.sources.workload.plan import Engine, Job, JobName, JobRun, WorkstationState
from fanfold.troubleshoot.sources.workload.transport import Transport

Relation = Literal["predecessor", "successor"]


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

    async def job(self, identity: str) -> Job:
        """The job with an id."""

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
