from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from fanfold.engine.sliding_window import EDGE_S, Entry, SlidingWindow

LIMIT = 10
PERIOD_S = 60.0


def test_what_was_used_leaves_after_a_period_and_not_before() -> None:
    window = SlidingWindow(LIMIT, PERIOD_S)
    window.use(window.hold(10), 100.0)
    assert not window.has_room(1, 100.0 + PERIOD_S)
    assert window.next_s() == 100.0 + PERIOD_S + EDGE_S
    assert window.has_room(10, window.next_s())


def test_what_is_held_counts_until_it_is_used_and_a_period_from_then_on() -> None:
    window = SlidingWindow(LIMIT, PERIOD_S)
    held = window.hold(10)
    assert not window.has_room(1, 1_000.0)
    assert window.next_s() == math.inf
    window.use(held, 1_000.0)
    assert not window.has_room(1, 1_059.0)
    assert window.has_room(10, 1_061.0)


def test_what_is_released_counts_no_more_and_only_once() -> None:
    window = SlidingWindow(LIMIT, PERIOD_S)
    held, used = window.hold(6), window.hold(4)
    window.use(used, 0.0)
    window.release(held)
    window.release(held)
    assert window.used == 4
    assert window.has_room(10, 61.0)
    window.release(used)
    assert window.used == 0


def test_what_was_released_makes_nobody_wait() -> None:
    window = SlidingWindow(LIMIT, PERIOD_S)
    released, used = window.hold(5), window.hold(10)
    window.use(released, 0.0)
    window.use(used, 10.0)
    window.release(released)
    assert not window.has_room(1, 10.0)
    assert window.next_s() == 70.0 + EDGE_S


def test_less_than_reserved_makes_room_at_once_and_more_counts_from_now_on() -> None:
    window = SlidingWindow(LIMIT, PERIOD_S)
    low, high = window.hold(5), window.hold(5)
    window.use(low, 0.0)
    window.use(high, 0.0)
    window.correct(low, 1, 10.0)
    assert window.used == 6
    window.correct(high, 8, 20.0)
    assert window.used == 9
    assert window.has_room(7, 61.0)
    assert not window.has_room(8, 61.0)
    assert window.has_room(10, 81.0)


def test_what_is_corrected_after_it_left_frees_nothing_and_counts_only_what_it_is_more() -> None:
    window = SlidingWindow(LIMIT, PERIOD_S)
    low, high = window.hold(5), window.hold(5)
    window.use(low, 0.0)
    window.use(high, 0.0)
    assert window.has_room(10, 61.0)
    window.correct(low, 1, 61.0)
    window.correct(high, 8, 61.0)
    assert window.used == 3


def test_a_window_without_a_limit_only_counts() -> None:
    window = SlidingWindow(math.inf, PERIOD_S)
    assert window.has_room(10**9, 0.0)
    window.use(window.hold(10**9), 0.0)
    assert window.used == 10**9
    window.forget(61.0)
    assert window.used == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["hold", "use", "use", "correct", "release"]), st.integers(0, LIMIT), st.floats(0, 45)
        ),
        max_size=60,
    )
)
def test_no_window_is_above_the_limit_whatever_is_held_used_corrected_and_released(
    steps: list[tuple[str, int, float]],
) -> None:
    window = SlidingWindow(LIMIT, PERIOD_S)
    held: list[Entry] = []
    used: list[Entry] = []
    now_s = 0.0
    for what, amount, later_s in steps:
        now_s += later_s
        if what == "hold" and window.has_room(amount, now_s):
            held.append(window.hold(amount))
        elif what == "use" and held:
            used.append(held.pop(amount % len(held)))
            window.use(used[-1], now_s)
        elif what == "correct" and used:
            entry = used[amount % len(used)]
            window.correct(entry, min(amount, entry.amount), now_s)
        elif what == "release" and held:
            window.release(held.pop())
        in_window = [entry.amount for entry in used if entry.at_s > now_s - PERIOD_S - EDGE_S]
        window.forget(now_s)
        assert window.used == sum(in_window) + sum(entry.amount for entry in held)
        assert window.used <= LIMIT
    for first in used:
        within = [one.amount for one in used if first.at_s <= one.at_s <= first.at_s + PERIOD_S]
        assert sum(within) <= LIMIT
