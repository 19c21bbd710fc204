"""Requests to a scheduler: the next host where one is down, again where it may help, never more than can be held."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fanfold.config.settings import ConfigError
from fanfold.engine import retry
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.workload.settings import SchedulerSettings

if TYPE_CHECKING:
    import httpx

MAX_JSON_BYTES = 16 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
WAIT_S = 0.1
WAIT_MAX_S = 1.0
_WORTH_ANOTHER_TRY = frozenset({408, 429, 500, 502, 503, 504})
_HINTS = {
    401: "check user and password, or the token, and whether the account is locked or has expired",
    403: "give the user the right to display this (for actions: to perform them) in the scheduler's security file",
    404: "check the address, and whether this version has the API that is set as api",
    415: "this is a defect of Fanfold: please report it",
}


class WorkloadError(SourceError):
    """The scheduler can't be asked, or refuses.

    Args:
        status: of HTTP; None = there was no answer.
        code: the scheduler's own, AWSBIO006E for instance; "" where it gave none.
        retry_after_s: how long it wants to be left alone.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        code: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status is None or self.status in _WORTH_ANOTHER_TRY


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
    attempts: int
    budget_s: float
    host: int = 0
    _extensions: dict[str, Any] = field(default_factory=dict)

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
                failed.append(_unreachable(url, error))
            except httpx.TransportError as error:
                if changes:
                    raise _unknown_outcome(url, path, error) from None
                failed.append(_unreachable(url, error))
            else:
                self.host = index
                return answer
        raise _worst(failed)

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
        known = {name: value for name, value in (params or {}).items() if value is not None}
        request = self.client.build_request(
            method,
            url + path,
            params=known,
            headers=dict(headers or {}),
            json=json_body,
            extensions=self._extensions_in(),
        )
        response = await self.client.send(request, stream=True)
        try:
            if response.status_code >= 300:
                body, _ = await _at_most(response, MAX_ERROR_BYTES)
                raise _refusal(response, url, path, body)
            body, cut = await _at_most(response, max_bytes)
        finally:
            await response.aclose()
        if cut and not may_cut:
            raise WorkloadError(
                f"{url}{path} answered more than {max_bytes} bytes", hint="name the job, so that less is asked for",
                status=413,
            )  # fmt: skip
        return Answer(body, cut)

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

    headers = {"Authorization": await asyncio.to_thread(_authorization, settings), "Accept": "application/json"}
    trust = await asyncio.to_thread(_trust, settings)
    async with httpx.AsyncClient(
        headers=headers,
        verify=trust,
        timeout=request_timeout_s,
        limits=httpx.Limits(max_connections=limit, max_keepalive_connections=limit),
        follow_redirects=False,  # a redirect would carry the password elsewhere
        trust_env=False,  # neither a proxy nor a .netrc of the environment gets to see it
    ) as client:
        yield Transport(settings, client, attempts, budget_s)


def _authorization(settings: SchedulerSettings) -> str:
    import httpx  # noqa: PLC0415

    try:
        if settings.token is not None:
            return f"Bearer {settings.token.reveal()}"
        if settings.password is None:
            raise ConfigError("there is no password", hint="set user and password")
        basic = httpx.BasicAuth(settings.user or "", settings.password.reveal())
    except ConfigError as error:
        raise SourceError(error.message, hint=error.hint) from None
    request = next(basic.auth_flow(httpx.Request("GET", "http://localhost")))
    return request.headers["Authorization"]


def _trust(settings: SchedulerSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or "it holds no certificate"
        raise SourceError(
            f"ca_file {settings.ca_file} can't be used: {why}", hint="name a file of certificates in PEM"
        ) from None


async def _at_most(response: httpx.Response, max_bytes: int) -> tuple[bytes, bool]:
    """The first bytes of a body, and whether there were more; the rest is never asked for."""
    read = bytearray()
    async for piece in response.aiter_bytes():
        read += piece
        if len(read) > max_bytes:
            return bytes(read[:max_bytes]), True
    return bytes(read), False


def _parsed(answer: Answer, path: str) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        raise WorkloadError(
            f"the answer at {path} is not JSON", hint="check that the address is the scheduler's", status=200
        ) from None


def _refusal(response: httpx.Response, url: str, path: str, body: bytes) -> WorkloadError:
    from fanfold.engine import retry_after_s  # noqa: PLC0415
    from fanfold.troubleshoot.codes import codes_in  # noqa: PLC0415

    status = response.status_code
    said = _said(body)
    code = next((code for code in codes_in(said) if code.startswith("AW")), "")
    if "OQL_FILTER_SYNTAX_ERROR" in said:
        code = "OQL_FILTER_SYNTAX_ERROR"
    error = WorkloadError(f"{url}{path} answered {status}: {said or response.reason_phrase}", status=status, code=code)
    error.hint = _HINTS.get(status) or (
        "it is the scheduler's own trouble: see its messages.log" if status >= 500 else None
    )
    if 300 <= status < 400:
        error.hint = "name the address that answers itself: redirects are not followed"
    asked_s = retry_after_s(_Asked(response))
    if asked_s is not None:
        error.retry_after_s = asked_s
    return error


class _Asked(Exception):
    """Carries an answer to where its Retry-After is read."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response


def _said(body: bytes) -> str:
    """What an error's body says, on one line; the scheduler's own words, HTML left out."""
    text = body.decode("utf-8", "replace")
    try:
        data = json.loads(text)
    except ValueError:
        return "" if "<" in text else " ".join(text.split())[:300]
    if not isinstance(data, dict):
        return ""
    messages = data.get("messages") or [data.get("code"), data.get("message") or data.get("error")]
    words = messages if isinstance(messages, list) else [messages]
    return " ".join(" ".join(str(word) for word in words if word).split())[:300]


def _unreachable(url: str, error: httpx.TransportError) -> WorkloadError:
    import httpx  # noqa: PLC0415

    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return WorkloadError(
            f"{url} shows a certificate that can't be trusted: {_why(error)}",
            hint="set ca_file to the certificates of who signed it, and tls_name to the name that it is made out to",
            status=495,
        )
    if isinstance(error, httpx.TimeoutException):
        return WorkloadError(f"{url} didn't answer in time", hint="check that it is up, or give it more time")
    return WorkloadError(f"{url} can't be reached: {_why(error)}", hint="check the address, the network and the server")


def _unknown_outcome(url: str, path: str, error: httpx.TransportError) -> WorkloadError:
    return WorkloadError(
        f"{url}{path} was sent and not answered ({_why(error)}): it may have been done or not",
        hint="look at the job before you try again",
    )


def _why(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _worst(failed: list[WorkloadError]) -> WorkloadError:
    """The error to report where no host could answer: that of a server that spoke, else the last one."""
    chosen = next((error for error in failed if error.status is not None), failed[-1])
    if len(failed) > 1:
        chosen.message += f" (and {len(failed) - 1} more host{'s' if len(failed) > 2 else ''} failed)"
        chosen.args = (chosen.message,)
    return chosen
