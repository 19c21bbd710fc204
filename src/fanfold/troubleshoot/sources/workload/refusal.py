"""What a scheduler's refusal, or its silence, means, and what to do about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fanfold.engine import retry_after_s
from fanfold.troubleshoot.codes import codes_in
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.web import Credentials, Reply

if TYPE_CHECKING:
    import httpx

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


def refusal(reply: Reply, url: str, path: str, shown: Credentials) -> WorkloadError:
    """The error that an answer of 300 and more is."""
    response, status = reply.response, reply.response.status_code
    said = shown.said(_words(reply.body) or response.reason_phrase)
    code = next((code for code in codes_in(said) if code.startswith("AW")), "")
    if "OQL_FILTER_SYNTAX_ERROR" in said:
        code = "OQL_FILTER_SYNTAX_ERROR"
    error = WorkloadError(f"{url}{path} answered {status}: {said}", status=status, code=code)
    error.hint = _HINTS.get(status) or (
        "it is the scheduler's own trouble: see its messages.log" if status >= 500 else None
    )
    if 300 <= status < 400:
        error.hint = "name the address that answers itself: redirects are not followed"
    asked_s = retry_after_s(_Asked(response))
    if asked_s is not None:
        error.retry_after_s = asked_s
    return error


def unauthorized(url: str, times: int) -> WorkloadError:
    """Nothing was sent, for the scheduler had refused user and password too often."""
    return WorkloadError(
        f"{url} was not asked: it refused user and password {times} times", hint=_HINTS[401], status=401
    )


class _Asked(Exception):
    """Carries an answer to where its Retry-After is read."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response


def _words(body: bytes) -> str:
    """What an error's body says, in the scheduler's own words; HTML left out."""
    text = body.decode("utf-8", "replace")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return "" if "<" in text else text
    if not isinstance(data, dict):
        return ""
    messages = data.get("messages") or [data.get("code"), data.get("message") or data.get("error")]
    words = messages if isinstance(messages, list) else [messages]
    return " ".join(str(word) for word in words if word)


def unreachable(url: str, error: httpx.TransportError) -> WorkloadError:
    """The error where no answer came."""
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


def unknown_outcome(url: str, path: str, error: httpx.TransportError) -> WorkloadError:
    """The error where something was to be changed and no answer came."""
    return WorkloadError(
        f"{url}{path} was sent and not answered ({_why(error)}): it may have been done or not",
        hint="look at the job before you try again",
    )


def _why(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def worst(failed: list[WorkloadError]) -> WorkloadError:
    """The error to report where no host could answer: that of a server that spoke, else the last one."""
    chosen = next((error for error in failed if error.status is not None), failed[-1])
    if len(failed) > 1:
        chosen.message += f" (and {len(failed) - 1} more host{'s' if len(failed) > 2 else ''} failed)"
        chosen.args = (chosen.message,)
    return chosen
