from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.client import HTTPMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.engine import BranchError, DeadlineExceeded
from fanfold.engine.breaker import BreakerOpen
from fanfold.engine.pushback import is_throttled, is_timeout, retry_after_s


class Response:
    """What httpx and requests answer, as far as it is read."""

    def __init__(self, status_code: int, **headers: str) -> None:
        self.status_code = status_code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class StatusError(Exception):
    """An error of httpx's kind."""

    def __init__(self, status_code: int, **headers: str) -> None:
        super().__init__(f"status {status_code}")
        self.response = Response(status_code, **headers)


class ModelError(Exception):
    """An error of a model client's kind, which has a status of its own and no headers."""

    def __init__(self, status_code: int) -> None:
        super().__init__("the model's server refused")
        self.status_code = status_code


class UrlError(Exception):
    """An error of urllib's kind."""

    def __init__(self, code: int, retry_after: str) -> None:
        super().__init__("urllib")
        self.code = code
        self.headers = HTTPMessage()
        self.headers["Retry-After"] = retry_after


class Slow(Exception):
    retry_after_s: object

    def __init__(self, retry_after_s: object) -> None:
        super().__init__("slow down")
        self.retry_after_s = retry_after_s


class ReadTimeout(Exception):
    """A client's timeout that is no TimeoutError, as httpx has it."""


def wrapped(cause: Exception) -> ModelError:
    try:
        raise ModelError(429) from cause
    except ModelError as error:
        return error


def date(seconds: float = 0) -> str:
    return format_datetime(datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Slow(2.5), 2.5),
        (Slow(-1), 0),
        (Slow(None), None),
        (Slow(float("inf")), None),
        (StatusError(429, Retry_After="7"), 7),
        (StatusError(429, retry_after="7"), 7),
        (StatusError(429, RETRY_AFTER=" 1.5 "), 1.5),
        (StatusError(429, Retry_After_Ms="250", Retry_After="7"), 0.25),
        (StatusError(429, Retry_After="-7"), 0),
        (StatusError(429, Retry_After=date(90), Date=date()), 90),
        (StatusError(429, Retry_After=date(-90), Date=date()), 0),
        (StatusError(429, Retry_After="soon"), None),
        (StatusError(429, Retry_After="inf"), None),
        (StatusError(429, Retry_After="nan"), None),
        (StatusError(429, Retry_After=""), None),
        (StatusError(429), None),
        (UrlError(429, "4"), 4),
        (wrapped(StatusError(429, Retry_After="9")), 9),
        (ValueError("nothing to do with it"), None),
    ],
)
def test_the_wait_that_a_server_asks_for_is_read(error: Exception, seconds: float | None) -> None:
    assert retry_after_s(error) == seconds


def test_a_date_without_the_servers_own_is_taken_relative_to_this_clock() -> None:
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    asked_s = retry_after_s(StatusError(503, Retry_After=in_an_hour))
    assert asked_s is not None
    assert 3000 < asked_s <= 3600
    long_ago = StatusError(503, Retry_After="Wed, 21 Oct 2015 07:28:00 -0000")
    assert retry_after_s(long_ago) == 0


@given(st.text(), st.text())
def test_no_header_makes_reading_it_fail(retry_after: str, date: str) -> None:
    asked_s = retry_after_s(StatusError(429, Retry_After=retry_after, Date=date))
    assert asked_s is None or 0 <= asked_s < float("inf")


def test_causes_that_go_round_in_circles_are_read_once() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert retry_after_s(one) is None


@pytest.mark.parametrize(
    ("error", "throttled"),
    [
        (StatusError(429), True),
        (StatusError(529), True),
        (StatusError(503), False),
        (StatusError(503, Retry_After="1"), True),
        (StatusError(500, Retry_After="1"), False),
        (StatusError(400), False),
        (ModelError(429), True),
        (UrlError(429, ""), True),
        (Slow(3), True),
        (Slow(None), False),
        (BreakerOpen("not asked", retry_after_s=3), False),
        (ValueError("429"), False),
    ],
)
def test_a_refusal_for_too_many_calls_is_told_from_other_errors(error: Exception, throttled: bool) -> None:
    assert is_throttled(error) is throttled


@pytest.mark.parametrize(
    ("error", "timeout"),
    [
        (TimeoutError(), True),
        (DeadlineExceeded("too slow"), True),
        (BranchError("something else"), False),
        (ReadTimeout(), True),
        (wrapped(ReadTimeout()), True),
        (StatusError(408), True),
        (StatusError(504), True),
        (StatusError(500), False),
        (ValueError("timeout"), False),
    ],
)
def test_a_timeout_is_told_from_other_errors(error: Exception, timeout: bool) -> None:
    assert is_timeout(error) is timeout
