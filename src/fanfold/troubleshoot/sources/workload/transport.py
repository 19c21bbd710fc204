"""Requests to a scheduler: the next host where one is down, again where it may help, never more than can be held."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fanfold.engine import retry
from fanfold.troubleshoot.sources.web import Credentials, client_of, credentials, exchanged
from fanfold.troubleshoot.sources.workload.refusal import (
    WorkloadError,
    refusal,
    unauthorized,
    unknown_outcome,
    unreachable,
    worst,
)
from fanfold.troubleshoot.sources.workload.settings import SchedulerSettings

if TYPE_CHECKING:
    import httpx

MAX_JSON_BYTES = 16 * 1024 * 1024
WAIT_S = 0.1
UNAUTHORIZED = 401
MOST_UNAUTHORIZED = 2
PAUSE_S = 30.0
WAIT_MAX_S = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer.

    Attributes:
        cut: it was longer than what was to be read of it.
    """

    body: bytes
    cut: bool = False


@dataclass
class Transport:
    """Sends requests to the hosts of one scheduler; safe to use from several tasks.

    Attributes:
        host: the one that answered last; it is asked first.
    """

    settings: SchedulerSettings
    client: httpx.AsyncClient
    shown: Credentials
    attempts: int
    request_timeout_s: float
    budget_s: float
    host: int = 0
    _extensions: dict[str, Any] = field(default_factory=dict)
    _unauthorized: int = 0
    _stopped_s: float = 0.0

    def __post_init__(self) -> None:
        if self.settings.tls_name:
            self._extensions = {"sni_hostname": self.settings.tls_name}

    @property
    def url(self) -> str:
        """The host that is asked at the moment."""
        return self.settings.urls[self.host]

    async def get(self, path: str, *, headers: Mapping[str, str] | None = None, **params: str | int | None) -> Any:
        """The JSON at a path; tried again, and at other hosts, within the budget.

        Raises:
            WorkloadError: there is none.
        """
        answer = await self._read("GET", path, params=params, headers=headers, max_bytes=MAX_JSON_BYTES)
        return _parsed(answer, path)

    async def query(self, path: str, body: object, *, headers: Mapping[str, str]) -> Any:
        """As `get`, for queries that are sent as bodies and change nothing."""
        answer = await self._read("POST", path, json_body=body, headers=headers, max_bytes=MAX_JSON_BYTES)
        return _parsed(answer, path)

    async def text(self, path: str, *, max_bytes: int, **params: str | int | None) -> tuple[str, bool]:
        """The text at a path and whether it was cut; no more than `max_bytes` of it is read."""
        headers = {"Accept": "text/plain"}
        answer = await self._read("GET", path, params=params, headers=headers, max_bytes=max_bytes, may_cut=True)
        return answer.body.decode("utf-8", "replace"), answer.cut

    async def put(self, path: str, *, headers: Mapping[str, str], body: object | None = None) -> Any:
        """Change something: sent once, and to another host only where the first one never saw it.

        Raises:
            WorkloadError: it was refused, or nobody knows whether it was done.
        """
        answer = await self._from_a_host(
            "PUT", path, json_body=body, headers=headers, max_bytes=MAX_JSON_BYTES, changes=True
        )
        return _parsed(answer, path) if answer.body.strip() else None

    async def _read(self, method: str, path: str, **options: Any) -> Answer:
        again = retry(
            self.attempts,
            on=lambda error: isinstance(error, WorkloadError) and error.is_passing,
            wait_initial_s=WAIT_S,
            wait_max_s=WAIT_MAX_S,
            budget_s=self.budget_s,
            retry_after_max_s=self.budget_s,
            isolate=False,
        )
        return await again(self._from_a_host)(method, path, **options)

    async def _from_a_host(self, method: str, path: str, *, changes: bool = False, **options: Any) -> Answer:
        import httpx  # noqa: PLC0415 whoever asks no scheduler needs no HTTP client

        unseen = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
        first, count = self.host, len(self.settings.urls)
        failed: list[WorkloadError] = []
        for index in ((first + step) % count for step in range(count)):
            url = self.settings.urls[index]
            try:
                answer = await self._sent(method, url, path, **options)
            except WorkloadError as error:
                if changes or error.status is None or error.status < 500:
                    raise
                failed.append(error)
            except unseen as error:
                failed.append(unreachable(url, error))
            except httpx.TransportError as error:
                if changes:
                    raise unknown_outcome(url, path, error) from None
                failed.append(unreachable(url, error))
            else:
                self.host = index
                return answer
        raise worst(failed)

    async def _sent(
        self,
        method: str,
        url: str,
        path: str,
        *,
        max_bytes: int,
        params: Mapping[str, str | int | None] | None = None,
        headers: Mapping[str, str] | None = None,
        json_body: object | None = None,
        may_cut: bool = False,
    ) -> Answer:
        self._refuse_to_be_locked_out(url)
        known = {name: value for name, value in (params or {}).items() if value is not None}
        request = self.client.build_request(
            method,
            url + path,
            params=known,
            headers=_encoded(headers or {}),
            json=json_body,
            extensions=self._extensions_in(),
        )
        reply = await exchanged(self.client, request, max_bytes=max_bytes, timeout_s=self.request_timeout_s)
        self._note(reply.response.status_code)
        if reply.response.status_code >= 300:
            raise refusal(reply, url, path, self.shown)
        if reply.cut and not may_cut:
            raise WorkloadError(
                f"{url}{path} answered more than {max_bytes} bytes", hint="name the job, so that less is asked for",
                status=413,
            )  # fmt: skip
        return Answer(reply.body, reply.cut)

    def _note(self, status: int) -> None:
        self._unauthorized = self._unauthorized + 1 if status == UNAUTHORIZED else 0
        self._stopped_s = asyncio.get_running_loop().time()

    def _refuse_to_be_locked_out(self, url: str) -> None:
        """Accounts are locked after some wrong passwords: after a few nothing is sent for a while."""
        if self._unauthorized < MOST_UNAUTHORIZED:
            return
        if asyncio.get_running_loop().time() < self._stopped_s + PAUSE_S:
            raise unauthorized(url, self._unauthorized)
        self._unauthorized = 0

    def _extensions_in(self) -> dict[str, Any]:
        return {"timeout": self.client.timeout.as_dict(), **self._extensions}


@asynccontextmanager
async def connected(
    settings: SchedulerSettings, *, attempts: int, limit: int, request_timeout_s: float, budget_s: float
) -> AsyncIterator[Transport]:
    """A transport as long as the block; opening it sends nothing.

    Raises:
        SourceError: a secret or the file of certificates can't be read.
    """
    import httpx  # noqa: PLC0415 whoever asks no scheduler needs no HTTP client

    shown = await asyncio.to_thread(credentials, settings.user, settings.password, settings.token)
    trust = await asyncio.to_thread(settings.trust)
    client = client_of(httpx, shown, trust=trust, timeout_s=request_timeout_s, limit=limit, proxy=settings.proxy)
    async with client:
        yield Transport(settings, client, shown, attempts, request_timeout_s, budget_s)


def _encoded(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    """Headers in the letters that HTTP has always allowed; httpx itself takes ASCII alone."""
    return {name.encode(): value.encode("latin-1", "replace") for name, value in headers.items()}


def _parsed(answer: Answer, path: str) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise WorkloadError(
            f"the answer at {path} is not JSON", hint="check that the address is the scheduler's", status=200
        ) from None
