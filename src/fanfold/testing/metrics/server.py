"""A fake Prometheus on a loopback port, over real HTTP."""

from __future__ import annotations

import base64
import hmac
import math
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from fanfold.testing.loopback import Loopback
from fanfold.testing.metrics.promql import At, PromqlError, parse
from fanfold.testing.scenarios import Series
from fanfold.testing.scheduler.faults import App, Fault, Faults, Receive, Send, with_faults

MOST_POINTS = 11_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One query that the server was sent, with its times in seconds since 1970."""

    path: str
    query: str
    start_s: float
    end_s: float


class FakePrometheus(Loopback):
    """A Prometheus whose series are data, for tests and demonstrations; see `promql` for what it understands.

    Args:
        series: what it has; of each, one value usually, another one for a while. They reach back for ever.
        user, password, token: who may ask; none of them = anybody.
        faults: what goes wrong; see `Fault`.
        seed: of the faults' chances.
        port: 0 = any free one.
        certificate, key: files in PEM; with them it speaks HTTPS.
    Attributes:
        requests: the queries that it understood, in order.
        answered: how many requests there were, whatever came of them.
        peak: how many requests were under way at the same time, at most.
    """

    def __init__(
        self,
        series: Sequence[Series] = (),
        *,
        user: str = "",
        password: str = "",
        token: str = "",
        faults: Sequence[Fault] = (),
        seed: int = 0,
        port: int = 0,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self.series = tuple(series)
        self.requests: list[Asked] = []
        self.peak = self.answered = 0
        self._running = 0
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._allowed = [f"Basic {basic}"] if user else []
        self._allowed += [f"Bearer {token}"] if token else []
        app = Starlette(
            routes=[
                Route("/-/ready", _ready),
                Route("/api/v1/query", self._query, methods=["GET", "POST"]),
                Route("/api/v1/query_range", self._query_range, methods=["GET", "POST"]),
            ],
            exception_handlers={PromqlError: _bad},
        )
        counted = self._counted(with_faults(self._guarded(app), Faults(tuple(faults), seed)))
        super().__init__(counted, port=port, certificate=certificate, key=key)

    async def _query(self, request: HttpRequest) -> Response:
        params = await _params(request)
        at_s = _time(params.get("time", ""))
        found = self._parsed(request, params, at_s, at_s)(at_s)
        if isinstance(found, float):
            return _success("scalar", [at_s, _text(found)])
        return _success(
            "vector", [{"metric": dict(key), "value": [at_s, _text(value)]} for key, value in found.items()]
        )

    async def _query_range(self, request: HttpRequest) -> Response:
        params = await _params(request)
        start_s, end_s = _time(params.get("start", "")), _time(params.get("end", ""))
        step_s = _step(params.get("step", ""))
        if end_s < start_s or (end_s - start_s) / step_s > MOST_POINTS:
            raise PromqlError("exceeded maximum resolution of 11,000 points per timeseries, or an end before the start")
        at = self._parsed(request, params, start_s, end_s)
        series: dict[Any, list[list[object]]] = {}
        for index in range(math.floor((end_s - start_s) / step_s + 1e-9) + 1):
            at_s = start_s + index * step_s
            found = at(at_s)
            for key, value in ({(): found} if isinstance(found, float) else found).items():
                series.setdefault(key, []).append([at_s, _text(value)])
        return _success("matrix", [{"metric": dict(key), "values": values} for key, values in series.items()])

    def _parsed(self, request: HttpRequest, params: dict[str, str], start_s: float, end_s: float) -> At:
        at = parse(params.get("query", ""), self.series)
        self.requests.append(Asked(request.url.path, params["query"], start_s, end_s))
        return at

    def _counted(self, app: App) -> App:
        async def counted(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
            self._running += 1
            self.answered += 1
            self.peak = max(self.peak, self._running)
            try:
                await app(scope, receive, send)
            finally:
                self._running -= 1

        return counted

    def _guarded(self, app: App) -> App:
        async def guarded(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
            given = HttpRequest(scope).headers.get("authorization", "")
            if not self._allowed or any(hmac.compare_digest(given.encode(), one.encode()) for one in self._allowed):
                await app(scope, receive, send)
            else:
                await PlainTextResponse("Unauthorized", status_code=401)(scope, receive, send)

        return guarded


async def _ready(_: HttpRequest) -> Response:
    return PlainTextResponse("Prometheus Server is Ready.\n")


async def _params(request: HttpRequest) -> dict[str, str]:
    sent = {name: str(value) for name, value in request.query_params.items()}
    if request.method == "POST":
        sent |= {name: str(value) for name, value in (await request.form()).items()}
    return sent


async def _bad(_: HttpRequest, error: Exception) -> Response:
    said = {"status": "error", "errorType": "bad_data", "error": f'invalid parameter "query": {error}'}
    return JSONResponse(said, status_code=400)


def _success(kind: str, result: object) -> Response:
    return JSONResponse({"status": "success", "data": {"resultType": kind, "result": result}})


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise PromqlError(f"cannot parse {text!r} to a valid timestamp") from None


def _step(text: str) -> float:
    step_s = _time(text)
    if step_s <= 0:
        raise PromqlError("zero or negative query resolution step widths are not accepted")
    return step_s


def _text(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)
