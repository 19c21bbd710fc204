"""Times in log lines: with and without a year, a zone, a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.troubleshoot.sources.logs.clock import Clock, moment

NEAR = datetime(2024, 12, 11, 12, 0, tzinfo=UTC).timestamp()
SAO_PAULO = ZoneInfo("America/Sao_Paulo")


def read(line: str, *, zone: str = "UTC", near: float = NEAR, day_first: bool | None = None) -> str | None:
    found = Clock(ZoneInfo(zone), near=near, day_first=day_first).read(line)
    return moment(found[0]).isoformat() if found else None


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("2024-12-11T09:00:01.250Z ERROR x", "2024-12-11T09:00:01.250000+00:00"),
        ("2024-12-11 09:00:01,250 ERROR x", "2024-12-11T09:00:01.250000+00:00"),
        ("[2024-12-11T06:00:01-03:00] x", "2024-12-11T09:00:01+00:00"),
        ("2024-12-11 06:00:01 BRT x", "2024-12-11T09:00:01+00:00"),
        ("ERROR 2024/12/11 09:00:01 x", "2024-12-11T09:00:01+00:00"),
        ("20241211T090001 x", "2024-12-11T09:00:01+00:00"),
        ("20241211 09:00:01.5 x", "2024-12-11T09:00:01.500000+00:00"),
        ('10.0.0.1 - - [11/Dec/2024:06:00:01 -0300] "GET /"', "2024-12-11T09:00:01+00:00"),
        ("Wed Dec 11 10:00:01 CET 2024 x", "2024-12-11T09:00:01+00:00"),
        ("<11>Dec 11 09:00:01 host app[1]: x", "2024-12-11T09:00:01+00:00"),
        ("dez 11 09:00:01 host app: x", "2024-12-11T09:00:01+00:00"),
        ("13/11/2024 09:00:01 x", "2024-11-13T09:00:01+00:00"),
        ("11.12.2024 09:00:01 x", "2024-12-11T09:00:01+00:00"),
        ("12/10/24 9:00:01 PM x", "2024-12-10T21:00:01+00:00"),
        ("1733907601 x", "2024-12-11T09:00:01+00:00"),
        ("1733907601250 x", "2024-12-11T09:00:01.250000+00:00"),
        ("09.00.01 JOB01234  $HASP373 BATCH001 STARTED", "2024-12-11T09:00:01+00:00"),
        ("record 2024 of 12 was read", None),
        ("2024-13-45 99:99:99 x", None),
        ("", None),
    ],
)
def test_common_clocks_are_read(line: str, at: str | None) -> None:
    assert read(line) == at


@pytest.mark.parametrize(("day_first", "at"), [(True, "2024-11-12"), (False, "2024-12-11"), (None, "2024-12-11")])
def test_day_and_month_are_as_set_and_else_the_nearer_of_both(day_first: bool | None, at: str) -> None:
    assert (read("12/11/2024 09:00:00 x", day_first=day_first) or "").startswith(at)


def test_without_a_year_it_is_the_one_that_isnt_in_the_future() -> None:
    new_year = datetime(2025, 1, 1, 0, 30, tzinfo=UTC).timestamp()
    assert read("Dec 31 23:59:59 host app: x", near=new_year) == "2024-12-31T23:59:59+00:00"
    assert read("Jan  1 00:10:00 host app: x", near=new_year) == "2025-01-01T00:10:00+00:00"
    assert read("Feb 29 00:10:00 host app: x", near=new_year) == "2024-02-29T00:10:00+00:00"


def test_a_time_alone_is_of_the_day_of_the_line_before_and_goes_on_past_midnight() -> None:
    clock = Clock(UTC, near=NEAR)
    days = []
    for line in ("2024-12-10 23:59:58 a", "23:59:59 b", "00.00.01 c"):
        found = clock.read(line)
        assert found
        days.append(moment(found[0]).isoformat())
    assert days[1:] == ["2024-12-10T23:59:59+00:00", "2024-12-11T00:00:01+00:00"]


def test_a_time_alone_after_the_file_was_written_is_yesterdays() -> None:
    assert read("13:00:00 x") == "2024-12-10T13:00:00+00:00"


def test_an_hour_that_is_there_twice_is_told_apart_by_the_lines_before() -> None:
    clock = Clock(ZoneInfo("Europe/Berlin"), near=datetime(2024, 10, 28, tzinfo=UTC).timestamp())
    times = ["2024-10-27 01:59:00", "2024-10-27 02:30:00", "2024-10-27 02:59:59", "2024-10-27 02:10:00"]
    at = [found[0] for line in times if (found := clock.read(line))]
    assert at == sorted(at)
    assert moment(at[1]).isoformat() == "2024-10-27T00:30:00+00:00"
    assert moment(at[3]).isoformat() == "2024-10-27T01:10:00+00:00"


def test_summer_time_counts_where_no_zone_is_said() -> None:
    assert read("2018-12-11 09:00:00", zone="America/Sao_Paulo") == "2018-12-11T11:00:00+00:00"
    assert read("2024-12-11 09:00:00", zone="America/Sao_Paulo") == "2024-12-11T12:00:00+00:00"


@given(st.floats(1e9, 2e9), st.integers(-11, 13))
def test_what_iso_writes_is_what_is_read(at: float, hours: int) -> None:
    said = datetime.fromtimestamp(at, timezone(timedelta(hours=hours)))
    found = Clock(SAO_PAULO, near=NEAR).read(said.isoformat())
    assert found
    assert abs(found[0] - said.timestamp()) < 1e-5


@given(st.text(max_size=200))
def test_no_line_makes_it_raise(line: str) -> None:
    clock = Clock(SAO_PAULO, near=NEAR)
    clock.read(line)
    clock.read(f"Dec 11 {line}")
    clock.value(line)


@given(st.from_regex(r"\A[0-9]{1,4}[-/.][0-9]{1,4}[-/.][0-9]{1,4}[ T][0-9]{1,2}:[0-9]{2}:[0-9]{2}\Z"))
def test_no_date_makes_it_raise(line: str) -> None:
    Clock(None, near=NEAR).read(line)
