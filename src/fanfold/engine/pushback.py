"""What an error says of the server that caused it: slow down, and for how long.

Errors of httpx, requests, aiohttp, urllib and the clients of model providers are read by the attributes that they
have in common; none of these is imported. Where a library wraps another's error, its causes are read too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from fanfold.engine.breaker import BreakerOpen
from fanfold.engine.outcome import DeadlineExceeded

# 529 is Anthropic's "overloaded".
THROTTLED = frozenset({429, 529})
TIMEOUTS = frozenset({408, 504})
UNAVAILABLE = 503


def retry_after_s(error: BaseException) -> float | None:
    """How many seconds from now to wait before the next try, as the server asked; None = it didn't ask.

    Read from `.retry_after_s`, else from the headers `Retry-After-Ms` and `Retry-After` of `.response` or of the
    error itself. A date is taken relative to the server's own clock where its answer has a `Date`.

    Source:
        RFC 9110, 10.2.3.
    """
    for one in _causes(error):
        own = getattr(one, "retry_after_s", None)
        if isinstance(own, int | float) and math.isfinite(own):
            return max(0.0, float(own))
        asked_s = _from_headers(_headers(one))
        if asked_s is not None:
            return asked_s
    return None


def is_throttled(error: BaseException) -> bool:
    """Whether a server refused a call because there were too many: 429, 529, or 503 with a Retry-After.

    An error without a status counts if it says how long to wait. An open breaker doesn't: no server was asked.
    """
    if isinstance(error, BreakerOpen):
        return False
    status = _status(error)
    if status is None or status == UNAVAILABLE:
        return retry_after_s(error) is not None
    return status in THROTTLED


def is_timeout(error: BaseException) -> bool:
    """Whether a call took too long: a TimeoutError, a deadline, 408, 504, or an error type named after a timeout.

    Several clients' timeouts (`httpx.ReadTimeout`, `openai.APITimeoutError`) are no TimeoutError: the name tells.
    """
    if _status(error) in TIMEOUTS:
        return True
    return any(
        isinstance(one, TimeoutError | DeadlineExceeded)
        or any("Timeout" in kind.__name__ for kind in type(one).__mro__)
        for one in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__


def _status(error: BaseException) -> int | None:
    for one in _causes(error):
        for holder in (getattr(one, "response", None), one):
            for name in ("status_code", "status", "code"):
                status = getattr(holder, name, None)
                if isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 599:
                    return int(status)
    return None


def _headers(error: BaseException) -> dict[str, str]:
    for holder in (getattr(error, "response", None), error):
        items = getattr(getattr(holder, "headers", None), "items", None)
        if callable(items):
            return {str(name).lower(): str(value) for name, value in items()}
    return {}


def _from_headers(headers: dict[str, str]) -> float | None:
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after")
    seconds = _number(asked)
    if seconds is not None:
        return seconds
    until = _date(asked)
    if until is None:
        return None
    return max(0.0, (until - (_date(headers.get("date")) or datetime.now(UTC))).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
