"""A fake scheduler on a loopback port, over real HTTP."""

from __future__ import annotations

import base64
import hmac
from collections.abc import MutableMapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from fanfold.testing.loopback import Loopback
from fanfold.testing.scheduler.faults import App, Fault, Faults, Receive, Send, with_faults
from fanfold.testing.scheduler.plan import Plan
from fanfold.testing.scheduler.state import Performed, Refused, Request, State
from fanfold.testing.scheduler.v1 import V1
from fanfold.testing.scheduler.v2 import V2

SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})

OPERATOR = "operator"
"""The user that a fake knows unless it is told another, and that user's password."""


class FakeScheduler(Loopback):
    """A scheduler whose plan is data, for tests and demonstrations.

        async with FakeScheduler(plan, faults=[Fault(on="joblog", status=500)]) as server:
            ... server.url ...

    Args:
        plan: what it serves; actions change the server's own copy.
        user, password: what Basic authentication must be.
        token: what Bearer authentication may be; None = there is no such token.
        faults: what goes wrong; see `Fault`.
        seed: of the faults' chances.
        port: 0 = any free one.
        certificate, key: files in PEM; with them it speaks HTTPS.
        max_page: results in a page, at most.
        pages_logs, selects_status, needs_justification: see `V2`; what installations differ in.
    Attributes:
        peak: how many requests were under way at the same time, at most.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        user: str = OPERATOR,
        password: str = OPERATOR,
        token: str | None = None,
        faults: Sequence[Fault] = (),
        seed: int = 0,
        port: int = 0,
        certificate: Path | None = None,
        key: Path | None = None,
        max_page: int = 500,
        pages_logs: bool = True,
        selects_status: bool = True,
        needs_justification: bool = False,
    ) -> None:
        self._state = State(plan)
        self._allowed = [f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"]
        self._allowed += [] if token is None else [f"Bearer {token}"]
        v2 = V2(
            self._state,
            max_page=max_page,
            pages_logs=pages_logs,
            selects_status=selects_status,
            needs_justification=needs_justification,
        )
        routes = [*v2.routes(), *V1(self._state).routes()]
        app = Starlette(routes=routes, exception_handlers={Refused: _refused})
        faulty = with_faults(self._guarded(app), Faults(tuple(faults), seed))
        super().__init__(self._recorded(faulty), port=port, certificate=certificate, key=key)
        self._running = 0
        self.peak = 0

    @property
    def plan(self) -> Plan:
        """The plan as it is now."""
        return self._state.plan

    @property
    def requests(self) -> list[Request]:
        """All that it was asked, in order; faulty answers included."""
        return self._state.requests

    @property
    def performed(self) -> list[Performed]:
        """The actions that it performed."""
        return self._state.performed

    def _recorded(self, app: App) -> App:
        async def recorded(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
            request = HttpRequest(scope, receive)
            self._state.requests.append(
                Request(
                    method=request.method,
                    path=request.url.path,
                    query=dict(request.query_params),
                    headers={name: value for name, value in request.headers.items() if name not in SECRET_HEADERS},
                )
            )
            self._running += 1
            self.peak = max(self.peak, self._running)
            try:
                await app(scope, receive, send)
            finally:
                self._running -= 1

        return recorded

    def _guarded(self, app: App) -> App:
        async def guarded(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
            given = HttpRequest(scope).headers.get("authorization", "")
            if any(hmac.compare_digest(given.encode(), allowed.encode()) for allowed in self._allowed):
                await app(scope, receive, send)
            else:
                answer = _answer(HTTPStatus.UNAUTHORIZED, "", "The user could not be authenticated.", v1=False)
                answer.headers["www-authenticate"] = 'Basic realm="twsd"'
                await answer(scope, receive, send)

        return guarded


async def _refused(request: HttpRequest, error: Exception) -> Response:
    if not isinstance(error, Refused):
        raise error
    return _answer(error.status, error.code, error.text, v1="/api/v2/" not in request.url.path)


def _answer(status: HTTPStatus, code: str, text: str, *, v1: bool) -> Response:
    said = f"{code} {text}".strip()
    body = {"messages": [said]} if v1 else {"code": code or str(int(status)), "message": text, "messages": [said]}
    return JSONResponse(body, status_code=int(status))
