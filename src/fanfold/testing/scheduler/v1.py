"""The V1 REST API, under /twsd."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from fanfold.testing.scheduler.documents import engine_of, job_v1, workstation_v2
from fanfold.testing.scheduler.joblog import lines_of
from fanfold.testing.scheduler.plan import PlanJob, Run
from fanfold.testing.scheduler.state import ACTIONS, Refused, State
from fanfold.testing.scheduler.wire import encoded, json_body, lines_asked_for

BASE = "/twsd"
DEFAULT_HOW_MANY = 100


class V1:
    """The API over a state: queries are bodies, answers are bare arrays."""

    def __init__(self, state: State) -> None:
        self.state = state

    def routes(self) -> list[Route]:
        """The paths that it answers."""
        return [
            Route(f"{BASE}/plan/current/job/query", self.jobs, methods=["POST"]),
            Route(f"{BASE}/plan/current/job/{{id}}", self.job),
            Route(f"{BASE}/plan/current/job/{{id}}/joblog", self.joblog),
            Route(f"{BASE}/plan/current/job/{{id}}/action/{{action}}", self.act, methods=["PUT"]),
            Route(f"{BASE}/plan/current/workstation/query", self.workstations, methods=["POST"]),
            Route(f"{BASE}/engine/info", self.engine),
        ]

    async def jobs(self, request: Request) -> Response:
        """Jobs that a filter selects."""
        wanted = await _filter(request, "jobInPlanFilter")
        found = [job for job in self.state.plan.jobs if _passes(job, wanted)]
        return self._some(request, [job_v1(self.state.plan, job) for job in found])

    async def job(self, request: Request) -> Response:
        """One job."""
        return JSONResponse(job_v1(self.state.plan, self.state.job(request.path_params["id"])))

    async def joblog(self, request: Request) -> Response:
        """Lines of the log of a job's last run."""
        job = self.state.job(request.path_params["id"])
        run = job.runs[-1] if job.runs else Run(log=None)
        if run.log is None:
            raise Refused(HTTPStatus.NOT_FOUND, "", "The job log is not available.")
        lines = lines_of(self.state.plan, job, run, **lines_asked_for(request))
        return StreamingResponse(encoded(lines), media_type="text/plain")

    async def act(self, request: Request) -> Response:
        """Do something to a job."""
        action = request.path_params["action"]
        if action not in (*ACTIONS, "rerun"):
            raise Refused(HTTPStatus.NOT_FOUND, "", f"There is no action {action}.")
        if action == "rerun":
            await json_body(request)
        job = self.state.job(request.path_params["id"])
        return JSONResponse(job_v1(self.state.plan, self.state.act(action, job, {})))

    async def workstations(self, request: Request) -> Response:
        """Workstations that a filter selects."""
        wanted = await _filter(request, "workstationInPlanFilter")
        plan = self.state.plan
        pattern = _like(str(wanted.get("workstationName", "*")))
        found = [one for one in plan.all_workstations() if pattern.fullmatch(one.name)]
        return self._some(request, [workstation_v2(plan, one) for one in found])

    async def engine(self, _: Request) -> Response:
        """What the engine says of itself."""
        return JSONResponse(engine_of(self.state.plan))

    def _some(self, request: Request, documents: list[dict[str, Any]]) -> Response:
        how_many = int(request.headers.get("how-many", DEFAULT_HOW_MANY))
        headers = {"request-id": request.headers.get("request-id", "")}
        return JSONResponse(documents[:how_many], headers=headers)


async def _filter(request: Request, name: str) -> Mapping[str, Any]:
    found = (await json_body(request)).get("filters", {}).get(name)
    if not isinstance(found, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "", f"The body has no filters.{name}.")
    return found


def _passes(job: PlanJob, wanted: Mapping[str, Any]) -> bool:
    values = {"jobName": job.name, "jobStreamName": job.jobstream, "workstationName": job.workstation}
    return all(_like(str(wanted.get(name, "*"))).fullmatch(value) for name, value in values.items())


def _like(pattern: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "@": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern))
