"""When a series is unusual: steps, spikes, ends and beginnings are, noise and trends are not."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.troubleshoot.sources.metrics.judge import Limits, Point, Span, Verdict, judge, judge_further

END = 7200.0
SPAN = Span(middle_s=3600.0, end_s=END, step_s=30.0)
LIMITS = Limits(sensitivity=5.0, min_change=0.25)


def points(value: Callable[[float], float | None]) -> list[Point]:
    times = [30.0 * index for index in range(241)]
    return [(at, float(one)) for at in times if (one := value(at)) is not None]


def verdict(value: Callable[[float], float | None], limits: Limits = LIMITS) -> Verdict:
    found = judge(points(value), SPAN, limits)
    assert found is not None
    return found


def noise(seed: int, share: float = 0.1) -> Callable[[float], float]:
    random = Random(seed)
    return lambda _: 100 * (1 + random.gauss(0, share))


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_usual(seed: int) -> None:
    assert verdict(noise(seed)).anomaly == "none"


@pytest.mark.parametrize("seed", range(20))
def test_a_step_out_of_noise_is_found_where_it_began(seed: int) -> None:
    around = noise(seed)
    up = verdict(lambda at: around(at) * (3 if at >= 6000 else 1))
    assert (up.anomaly, up.since_s) == ("up", 6000.0)
    down = verdict(lambda at: around(at) * (0.01 if at >= 6000 else 1))
    assert (down.anomaly, down.since_s) == ("down", 6000.0)


def test_a_step_at_the_very_end_counts() -> None:
    assert verdict(lambda at: 50 if at >= END else 1).since_s == END


def test_one_odd_scrape_in_the_middle_does_not_count() -> None:
    assert verdict(lambda at: 50 if at == 5010 else 1).anomaly == "none"


def test_what_comes_again_and_again_is_usual() -> None:
    assert verdict(lambda at: 90 if at % 900 < 60 else 5).anomaly == "none"
    assert verdict(lambda at: 50 + 40 * math.sin(at / 400)).anomaly == "none"


def test_a_small_change_of_something_steady_is_usual() -> None:
    assert verdict(lambda at: 100 if at < 5000 else 110).anomaly == "none"
    assert verdict(lambda at: 100 if at < 5000 else 140).anomaly == "up"


def test_a_slow_trend_is_usual_until_it_reaches_nothing() -> None:
    assert verdict(lambda at: 1000 - at / 10).anomaly == "none"
    empty = verdict(lambda at: max(0.0, 650 - at / 10))
    assert (empty.anomaly, empty.value, empty.strength) == ("down", 0.0, 10.0)
    assert empty.since_s is not None
    assert empty.since_s > 6000


def test_what_ends_is_gone_since_then() -> None:
    gone = verdict(lambda at: 1 if at <= 5000 else None)
    assert (gone.anomaly, gone.value, gone.before, gone.since_s) == ("gone", None, 1.0, 5010.0)


def test_what_comes_and_goes_is_not_gone() -> None:
    assert verdict(lambda at: 1 if at % 1200 < 300 else None).anomaly == "none"


def test_what_begins_within_the_window_has_appeared() -> None:
    found = verdict(lambda at: 7 if at >= 5010 else None)
    assert (found.anomaly, found.before, found.since_s) == ("up", None, 5010.0)
    assert verdict(lambda at: 0 if at >= 5010 else None).anomaly == "none"


def test_a_server_that_is_younger_than_the_window_before_finds_nothing_new() -> None:
    young = [point for point in points(lambda _: 7) if point[0] >= 3600]
    found = judge(young, SPAN, LIMITS, comparable=False)
    assert found is not None
    assert found.anomaly == "none"


def test_a_bound_counts_even_where_it_is_always_crossed() -> None:
    wrong = verdict(lambda _: 0, Limits(5.0, 0.25, below=1.0))
    assert (wrong.anomaly, wrong.wrong, wrong.since_s) == ("down", True, None)
    assert verdict(lambda at: 1 if at < 6000 else 2, Limits(5.0, 0.25, above=1.5)).since_s == 6000.0


def test_what_follows_the_clock_has_bounds_alone() -> None:
    assert verdict(lambda at: 100_000 - at * 14, Limits(5.0, 0.25, below=-1e6, follows_time=True)).anomaly == "none"


def test_near_what_it_can_not_exceed_what_is_left_counts() -> None:
    assert verdict(lambda at: 91 if at < 6000 else 99.9).anomaly == "none"
    assert verdict(lambda at: 91 if at < 6000 else 99.9, Limits(5.0, 0.25, full=100.0)).anomaly == "up"
    assert verdict(lambda at: 50 if at < 6000 else 60, Limits(5.0, 0.25, full=100.0)).anomaly == "none"


@pytest.mark.parametrize("began", [2000.0, 5000.0])
def test_where_the_time_is_not_known_the_window_before_counts_too(began: float) -> None:
    early = [(-7200 + 30.0 * index, 140.0) for index in range(240)]
    late = points(lambda at: 497 if at >= began else 140)
    span = Span(middle_s=3600.0, end_s=END, step_s=30.0, windows=4)
    assert span.start_s == -7200
    found = judge_further([*early, *late], span, LIMITS)
    assert found is not None
    assert (found.anomaly, found.before, found.since_s) == ("up", 140.0, 2010.0 if began == 2000 else 5010.0)
    usual = judge_further([*early, *points(lambda _: 140)], span, LIMITS)
    assert usual is not None
    assert usual.anomaly == "none"


def test_no_values_are_no_verdict() -> None:
    assert judge([], SPAN, LIMITS) is None


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=241))
def test_any_numbers_have_a_verdict_with_numbers(values: list[float]) -> None:
    found = judge([(30.0 * index, value) for index, value in enumerate(values)], SPAN, LIMITS)
    assert found is None or 0 <= found.strength <= 10
