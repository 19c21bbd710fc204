"""The V2 REST API, under /twsd/api/v2."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from itertools import islice

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from fanfold.testing.scheduler.documents import Document, engine_of, health_of, job_v2, workstation_v2
from fanfold.testing.scheduler.joblog import content_of, lines_of
from fanfold.testing.scheduler.oql import OqlError, like, parse
from fanfold.testing.scheduler.plan import PlanJob
from fanfold.testing.scheduler.state import ACTIONS, Refused, State
from fanfold.testing.scheduler.wire import encoded, json_body, lines_asked_for, number_in

BASE = "/twsd/api/v2"
JUSTIFICATIONS = ("category", "description", "ticket-num")
DEFAULT_LIMIT = 100

_PLAN_FILTER = re.compile(
    r"(?:(?P<workstation>[^#]*)#)?(?P<folder>/(?:[^/]*/)*)?(?P<stream>[^.+/]*)\.(?P<job>[^+]*)(?:\+state=(?P<state>\w+))?"
)


class V2:
    """The API over a state.

    Args:
        max_page: more than so many results come in pages, whatever limit was asked for.
        pages_logs: False serves whole logs and ignores which lines were asked for.
        selects_status: False refuses queries for a status.
        needs_justification: actions without a description are refused.
    """

    def __init__(
        self, state: State, *, max_page: int, pages_logs: bool, selects_status: bool, needs_justification: bool
    ) -> None:
        self.state = state
        self.max_page, self.pages_logs = max_page, pages_logs
        self.selects_status, self.needs_justification = selects_status, needs_justification

    def routes(self) -> list[Route]:
        """The paths that it answers."""
        return [
            Route(f"{BASE}/plan/job", self.jobs),
            Route(f"{BASE}/plan/job/count", self.count),
            Route(f"{BASE}/plan/job/action/rerun", self.rerun_many, methods=["PUT"]),
            Route(f"{BASE}/plan/job/run/{{id}}/joblog", self.joblog),
            Route(f"{BASE}/plan/job/run/{{id}}/action/rerun", self.rerun, methods=["PUT"]),
            Route(f"{BASE}/plan/job/{{id:path}}/predecessors", self.related),
            Route(f"{BASE}/plan/job/{{id:path}}/successors", self.related),
            Route(f"{BASE}/plan/job/{{id}}/action/{{action}}", self.act, methods=["PUT"]),
            Route(f"{BASE}/plan/job/{{id:path}}", self.job),
            Route(f"{BASE}/plan/workstation", self.workstations),
            Route(f"{BASE}/plan/workstation/{{id}}/action/health-status", self.health),
            Route(f"{BASE}/engine/info", self.engine),
        ]

    async def jobs(self, request: Request) -> Response:
        """Jobs that a query selects, one page of them."""
        return self._page(request, self._selected(request))

    async def count(self, request: Request) -> Response:
        """How many jobs a query selects."""
        return JSONResponse({"count": len(self._selected(request))})

    async def job(self, request: Request) -> Response:
        """One job."""
        return JSONResponse(self._job(self.state.job(request.path_params["id"])))

    async def related(self, request: Request) -> Response:
        """Predecessors or successors to a depth."""
        job = self.state.job(request.path_params["id"])
        relation = request.url.path.rpartition("/")[2]
        found = self.state.related(job, relation, number_in(request, "depth", 1))
        return self._page(request, [self._job(one) for one in found])

    async def joblog(self, request: Request) -> Response:
        """Lines of a run's log."""
        job, run = self.state.run(request.path_params["id"])
        if run.log is None:
            raise Refused(HTTPStatus.NOT_FOUND, "", "The job log is not available.")
        lines = lines_of(self.state.plan, job, run, **(lines_asked_for(request) if self.pages_logs else {}))
        if request.query_params.get("contentOnly") == "true":
            asked = lines_asked_for(request)
            lines = islice(content_of(run), asked["first"] - 1, asked.get("last"))
        return StreamingResponse(encoded(lines), media_type="text/plain")

    async def workstations(self, request: Request) -> Response:
        """Workstations that a query selects."""
        plan = self.state.plan
        documents = [workstation_v2(plan, workstation) for workstation in plan.all_workstations()]
        return self._page(request, _select(documents, request.query_params.get("oql", "")))

    async def health(self, request: Request) -> Response:
        """How a workstation is."""
        return JSONResponse(health_of(self.state.workstation(request.path_params["id"])))

    async def engine(self, _: Request) -> Response:
        """What the engine says of itself."""
        return JSONResponse(engine_of(self.state.plan))

    async def act(self, request: Request) -> Response:
        """Do something to a job."""
        action = request.path_params["action"]
        if action not in ACTIONS:
            raise Refused(HTTPStatus.NOT_FOUND, "", f"There is no action {action}.")
        job = self.state.job(request.path_params["id"])
        return self._done(self.state.act(action, job, self._justification(request)))

    async def rerun(self, request: Request) -> Response:
        """Run a job again."""
        await json_body(request)
        job, _ = self.state.run(request.path_params["id"])
        return self._done(self.state.act("rerun", job, self._justification(request)))

    async def rerun_many(self, request: Request) -> Response:
        """Run jobs again that a query selects; no more than `max_object_affected`, by default one."""
        await json_body(request)
        if not request.query_params.get("oql"):
            raise Refused(HTTPStatus.BAD_REQUEST, "", "A filter is needed.")
        chosen = [self.state.by_id[document["id"]] for document in self._selected(request)]
        most = number_in(request, "max_object_affected", 1)
        if len(chosen) > most:
            raise Refused(
                HTTPStatus.BAD_REQUEST,
                "",
                f"{len(chosen)} objects match and {most} may be affected.",
            )
        justification = self._justification(request)
        return JSONResponse([self._job(self.state.act("rerun", job, justification)) for job in chosen])

    def _done(self, job: PlanJob) -> Response:
        return JSONResponse(self._job(job))

    def _job(self, job: PlanJob) -> Document:
        return job_v2(self.state.plan, job)

    def _justification(self, request: Request) -> dict[str, str]:
        given = {name: request.headers.get(f"justification-{name}", "") for name in JUSTIFICATIONS}
        if self.needs_justification and not given["description"]:
            raise Refused(HTTPStatus.BAD_REQUEST, "", "A justification is required for this operation.")
        return {name: value for name, value in given.items() if value}

    def _selected(self, request: Request) -> list[Document]:
        if request.query_params.get("plan_id", "current") != "current":
            raise Refused(HTTPStatus.NOT_FOUND, "", "There is no such plan.")
        oql = request.query_params.get("oql", "")
        if not self.selects_status and "Status" in oql:
            raise Refused(HTTPStatus.BAD_REQUEST, "OQL_FILTER_SYNTAX_ERROR", "The status can't be queried.")
        wanted = request.query_params.get("plan_filter", "")
        jobs = [job for job in self.state.plan.jobs if _passes(job, wanted)]
        return _select([self._job(job) for job in jobs], oql)

    def _page(self, request: Request, documents: Sequence[Document]) -> Response:
        offset = number_in(request, "offset", 0)
        limit = min(number_in(request, "limit", DEFAULT_LIMIT), self.max_page)
        end = offset + limit
        count = len(documents) if request.headers.get("include-count", "").lower() == "true" else None
        return JSONResponse(
            {
                "count": count,
                "results": documents[offset:end],
                "next": _at(request, end) if end < len(documents) else None,
                "previous": _at(request, max(0, offset - limit)) if offset else None,
            }
        )


def _select(documents: list[Document], oql: str) -> list[Document]:
    try:
        return [dict(document) for document in parse(oql).select(documents)]
    except OqlError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "OQL_FILTER_SYNTAX_ERROR", f"The filter is not valid: {error}.") from None


def _passes(job: PlanJob, wanted: str) -> bool:
    """Whether a job passes a filter such as `@#/@/@.BATCH@+state=abend`."""
    if not wanted:
        return True
    match = _PLAN_FILTER.fullmatch(wanted)
    if match is None:
        raise Refused(HTTPStatus.BAD_REQUEST, "", "The plan filter is not valid.")
    values = {"workstation": job.workstation, "stream": job.jobstream, "job": job.name}
    passes = all(like(match[name] or "@").fullmatch(value) for name, value in values.items())
    return passes and (match["state"] is None or match["state"].upper() == job.state)


def _at(request: Request, offset: int) -> str:
    url = request.url.include_query_params(offset=offset)
    return f"{url.path}?{url.query}"
