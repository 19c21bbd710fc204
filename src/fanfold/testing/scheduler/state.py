"""What a fake scheduler knows at the moment: its plan, what was asked of it, and what it was made to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from http import HTTPStatus

from fanfold.testing.scheduler.plan import Plan, PlanJob, Run, Workstation

ACTIONS = ("cancel", "hold", "release", "kill", "confirm-succ", "confirm-abend")
_ENDED = frozenset({"SUCC", "ABEND", "CANCL", "FAIL", "SUPPR", "ERROR"})


class Refused(Exception):
    """A request that the scheduler refuses.

    Args:
        status: of HTTP.
        code: the scheduler's own; "" where it isn't known.
        text: what it says.
    """

    def __init__(self, status: HTTPStatus, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came; what authorises it is not kept."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """An action that was performed.

    Attributes:
        job: `JOBSTREAM.NAME`.
        justification: the headers Justification-..., by what follows the dash.
    """

    action: str
    job: str
    id: str
    justification: dict[str, str]


@dataclass
class State:
    """The plan and what became of it."""

    plan: Plan
    requests: list[Request] = field(default_factory=list)
    performed: list[Performed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._index()

    def _index(self) -> None:
        self.by_id = {self.plan.id_of(job): job for job in self.plan.jobs}
        self.by_run = {
            self.plan.run_id_of(job, index): (job, run) for job in self.plan.jobs for index, run in enumerate(job.runs)
        }

    def job(self, identity: str) -> PlanJob:
        """The job with this id.

        Raises:
            Refused: there is none, or it isn't an id.
        """
        _looks_like_an_id(identity)
        if identity not in self.by_id:
            raise Refused(HTTPStatus.NOT_FOUND, "", f"The job with id {identity} is not in the plan.")
        return self.by_id[identity]

    def run(self, identity: str) -> tuple[PlanJob, Run]:
        """The run with this id, and its job."""
        _looks_like_an_id(identity)
        if identity not in self.by_run:
            raise Refused(HTTPStatus.NOT_FOUND, "", f"The job run with id {identity} is not in the plan.")
        return self.by_run[identity]

    def workstation(self, identity: str) -> Workstation:
        """The workstation with this id."""
        for workstation in self.plan.all_workstations():
            if self.plan.workstation_id_of(workstation.name) == identity:
                return workstation
        raise Refused(HTTPStatus.NOT_FOUND, "", f"The workstation with id {identity} is not in the plan.")

    def related(self, job: PlanJob, relation: str, depth: int) -> list[PlanJob]:
        """Predecessors or successors, the nearest first, each once."""
        step = self.plan.predecessors_of if relation == "predecessors" else self.plan.successors_of
        found: dict[str, PlanJob] = {}
        level = [job]
        for _ in range(depth):
            level = [other for one in level for other in step(one) if self.plan.id_of(other) not in found]
            found |= {self.plan.id_of(other): other for other in level}
        found.pop(self.plan.id_of(job), None)
        return list(found.values())

    def act(self, action: str, job: PlanJob, justification: dict[str, str]) -> PlanJob:
        """Perform an action; the job as it is afterwards.

        Raises:
            Refused: it can't be done to a job in this state.
        """
        after = self._after(action, job)
        self.performed.append(
            Performed(action=action, job=job.qualified, id=self.plan.id_of(job), justification=justification)
        )
        jobs = tuple(after if one is job else one for one in self.plan.jobs)
        self.plan = replace(self.plan, jobs=jobs)
        self._index()
        return after

    def _after(self, action: str, job: PlanJob) -> PlanJob:
        if action == "rerun":
            if job.state not in _ENDED:
                raise Refused(HTTPStatus.CONFLICT, "", f"The job {job.name} is in state {job.state}.")
            run = Run(status="EXEC", started=self.plan.now, log=None)
            return replace(job, runs=(*job.runs, run), status="EXEC", substatus="", error="")
        if action.startswith("confirm") and job.state in _ENDED:
            raise Refused(
                HTTPStatus.BAD_REQUEST, "AWSBIN076E", f"The job {job.name} can't be confirmed in state {job.state}."
            )
        if action == "kill" and job.state != "EXEC":
            raise Refused(HTTPStatus.BAD_REQUEST, "", f"The job {job.name} is not running.")
        states = {"hold": "HOLD", "release": "READY", "cancel": "CANCL", "kill": "ABEND"}
        return replace(job, status=states.get(action) or action.removeprefix("confirm-").upper(), substatus="")


def _looks_like_an_id(identity: str) -> None:
    if len(identity) != 36 or identity.count("-") != 4:
        raise Refused(HTTPStatus.BAD_REQUEST, "AWSBIO006E", f"The identifier {identity} is not valid.")
