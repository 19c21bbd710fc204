"""Prometheus's HTTP API: two queries, nothing that changes anything, never more than can be held."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fanfold.engine import retry
from fanfold.troubleshoot.sources.metrics.settings import MetricsSettings
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.web import Credentials, Reply, client_of, credentials, exchanged

if TYPE_CHECKING:
    import httpx

LONGEST_URL = 1_800
LONGEST_LABEL = 200
MOST_LABELS = 24
ATTEMPTS = 3
WAIT_S = 0.05
PAUSE_S = 10.0


class QueryError(SourceError):
    """One query has no answer.

    Attributes:
        status: of the HTTP answer; None = there was none.
    """

    def __init__(self, message: str, *, hint: str | None = None, status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status

    @property
    def is_passing(self) -> bool:
        """Whether it may be different the next time."""
        return self.status is None or self.status in (429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Samples:
    """One series: its labels and its values in time, in seconds since 1970; those that are no numbers are left out."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass
class Prometheus:
    """Asks one server; safe to use from several tasks."""

    settings: MetricsSettings
    client: httpx.AsyncClient
    shown: Credentials
    _refusal: QueryError | None = field(default=None, repr=False)
    _refused_s: float = 0.0

    async def query(self, promql: str, *, at_s: float) -> list[Samples]:
        """What a query comes to at one time.

        Raises:
            QueryError: it has no answer.
        """
        return await self._asked("query", {"query": promql, "time": _number(at_s)})

    async def query_range(self, promql: str, *, start_s: float, end_s: float, step_s: float) -> list[Samples]:
        """What a query comes to from `start_s` to `end_s`, both included.

        Raises:
            QueryError: it has no answer.
        """
        times = {"start": _number(start_s), "end": _number(end_s), "step": _number(step_s)}
        return await self._asked("query_range", {"query": promql, **times})

    async def _asked(self, path: str, params: Mapping[str, str]) -> list[Samples]:
        again = retry(
            ATTEMPTS,
            on=lambda error: isinstance(error, QueryError) and error.is_passing,
            wait_initial_s=WAIT_S,
            wait_max_s=WAIT_S,
            budget_s=self.settings.request_timeout_s,
            retry_after_max_s=self.settings.request_timeout_s,
            isolate=False,
        )
        body = await again(self._sent)(path, {**params, "timeout": f"{self.settings.request_timeout_s:g}s"})
        return await asyncio.to_thread(_series_in, body, self.settings.max_series)

    async def _sent(self, path: str, params: Mapping[str, str]) -> bytes:
        import httpx  # noqa: PLC0415 whoever asks no Prometheus needs no HTTP client

        self._refuse_to_be_locked_out()
        url = f"{self.settings.url}/api/v1/{path}"
        is_long = len(params["query"]) > LONGEST_URL
        request = (
            self.client.build_request("POST", url, data=dict(params))
            if is_long
            else self.client.build_request("GET", url, params=dict(params))
        )
        told = self.settings
        try:
            reply = await exchanged(self.client, request, max_bytes=told.max_bytes, timeout_s=told.request_timeout_s)
        except httpx.TimeoutException:
            raise QueryError(
                f"{self.settings.url} did not answer within {self.settings.request_timeout_s:g} s",
                hint="give request_timeout_s more, or ask for less",
            ) from None
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        if reply.response.status_code != httpx.codes.OK:
            raise self._refused(reply)
        if reply.cut:
            raise QueryError(
                f"an answer has more than {self.settings.max_bytes} bytes", hint="select fewer series", status=413
            )
        return reply.body

    def _unreachable(self, error: httpx.HTTPError) -> QueryError:
        said = self.shown.said(str(error)) or type(error).__name__
        return QueryError(f"{self.settings.url} can't be reached: {said}", hint="check url, ca_file and the network")

    def _refused(self, reply: Reply) -> QueryError:
        status = reply.response.status_code
        if status in (401, 403):
            refusal = QueryError(
                f"{self.settings.url} refused who asks (HTTP {status})",
                hint="check user and password, or token",
                status=status,
            )
            self._refusal, self._refused_s = refusal, asyncio.get_running_loop().time()
            return refusal
        if 300 <= status < 400:
            return QueryError(
                f"{self.settings.url} sends elsewhere (HTTP {status})", hint="set url to where it leads", status=status
            )
        said = self.shown.said(_error_in(reply.body))
        return QueryError(f"HTTP {status}: {said}" if said else f"HTTP {status}", status=status)

    def _refuse_to_be_locked_out(self) -> None:
        """Some directories lock accounts after a few wrong passwords: after one, the queries that wait aren't sent."""
        if self._refusal is not None:
            if asyncio.get_running_loop().time() < self._refused_s + PAUSE_S:
                raise QueryError(self._refusal.message, hint=self._refusal.hint, status=self._refusal.status)
            self._refusal = None


@asynccontextmanager
async def connected(settings: MetricsSettings) -> AsyncIterator[Prometheus]:
    """A client as long as the block; opening it sends nothing.

    Raises:
        SourceError: a secret or the file of certificates can't be read.
    """
    import httpx  # noqa: PLC0415 whoever asks no Prometheus needs no HTTP client

    shown = await asyncio.to_thread(credentials, settings.user, settings.password, settings.token)
    trust = await asyncio.to_thread(settings.trust)
    timeout_s, limit = settings.request_timeout_s, settings.limit
    async with client_of(httpx, shown, trust=trust, timeout_s=timeout_s, limit=limit, proxy=settings.proxy) as client:
        yield Prometheus(settings, client, shown)


def _series_in(body: bytes, max_series: int) -> list[Samples]:
    try:
        data = json.loads(body)["data"]
        kind, result = data["resultType"], data["result"]
        if kind == "scalar":
            return [Samples({}, _points([result]))]
        if kind not in ("vector", "matrix"):
            raise QueryError(f"the query comes to a {str(kind)[:20]}, not to series", status=200)
        if len(result) > max_series:
            raise QueryError(
                f"{len(result)} series, more than {max_series}", hint="select fewer, or raise max_series", status=200
            )
        return [_samples(one) for one in result]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError):
        raise QueryError("the answer is none of Prometheus's", hint="check url", status=200) from None


def _samples(one: Mapping[str, Any]) -> Samples:
    labels = sorted(one["metric"].items())[:MOST_LABELS]
    points = one["values"] if "values" in one else [one["value"]]
    return Samples({str(name): str(value)[:LONGEST_LABEL] for name, value in labels}, _points(points))


def _points(points: Sequence[Sequence[Any]]) -> tuple[tuple[float, float], ...]:
    read = ((float(at), float(value)) for at, value in points)
    return tuple(point for point in read if math.isfinite(point[0]) and math.isfinite(point[1]))


def _error_in(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _number(seconds: float) -> str:
    return f"{seconds:.3f}"
