"""The arithmetic of belief: laws that hold for all figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.fix.learning.posterior import (
    HALF_LIFE_DAYS,
    MOST_OF_A_RULE,
    MOST_OF_OTHERS,
    MOST_REMEMBERED,
    NOTHING,
    UNKNOWN,
    Beta,
    Tally,
    chance,
    level,
    seen,
    weight,
)

amounts = st.floats(0, 1_000, allow_nan=False)
tallies = st.builds(Tally, amounts, amounts)


@given(st.lists(tallies), tallies)
def test_a_chance_is_between_never_and_always(others: list[Tally], tally: Tally) -> None:
    believed = chance(level(others), tally)

    assert 0.0 < believed.mean < 1.0


@given(st.lists(tallies), tallies, st.floats(0.01, 40))
def test_a_success_raises_a_chance_and_a_failure_lowers_it(others: list[Tally], tally: Tally, more: float) -> None:
    before = chance(level(others), tally).mean

    assert chance(level(others), tally + Tally(won=more)).mean > before
    assert chance(level(others), tally + Tally(lost=more)).mean < before


@given(st.lists(tallies))
def test_a_rule_of_which_nothing_was_seen_has_the_agents_own_level(others: list[Tally]) -> None:
    assert chance(level(others), NOTHING).mean == pytest.approx(level(others).mean)


def test_an_agent_of_which_nothing_was_seen_is_as_likely_to_succeed_as_not() -> None:
    assert level(()) == UNKNOWN
    assert chance(level(()), NOTHING).mean == 0.5


@given(st.floats(0, 1))
def test_much_that_was_seen_of_a_rule_outweighs_the_level(share: float) -> None:
    poor = level([Tally(lost=10.0)] * 3)

    assert chance(poor, Tally(won=60.0 * share, lost=60.0 * (1 - share))).mean == pytest.approx(share, abs=0.1)


@given(tallies, st.floats(0.1, 100))
def test_a_capped_tally_keeps_its_share_of_successes(tally: Tally, most: float) -> None:
    capped = tally.capped(most)

    assert capped.weight <= most * (1 + 1e-9)
    assert capped.won * tally.weight == pytest.approx(tally.won * capped.weight)


def test_one_rule_alone_does_not_make_an_agents_level() -> None:
    one_bad = level([Tally(lost=1_000.0), Tally(won=MOST_OF_A_RULE), Tally(won=MOST_OF_A_RULE)])

    assert one_bad.mean > 0.5


@given(st.floats(0, 3_000), st.floats(0, 3_000))
def test_what_is_older_counts_less(one_days: float, other_days: float) -> None:
    newer, older = sorted((one_days, other_days))

    assert 0.0 < weight(older) <= weight(newer) <= 1.0
    assert weight(older + HALF_LIFE_DAYS) == pytest.approx(weight(older) / 2)


def test_what_is_from_the_future_counts_as_if_it_were_of_now() -> None:
    assert weight(-5.0) == 1.0


@given(tallies, tallies)
def test_other_projects_speak_where_this_one_is_silent_and_are_outweighed_where_it_is_not(
    own: Tally, others: Tally
) -> None:
    together = seen(own, others)

    assert seen(NOTHING, others).weight <= MOST_OF_OTHERS * (1 + 1e-9)
    assert together.weight <= MOST_REMEMBERED * (1 + 1e-9)
    if own.weight > MOST_OF_OTHERS and others.weight:
        share = together.won / together.weight
        assert abs(share - own.won / own.weight) <= abs(share - others.won / others.weight) + 1e-9


@given(tallies, tallies)
def test_what_was_seen_may_be_told_in_any_order(one: Tally, other: Tally) -> None:
    assert Beta(1, 1).after(one).after(other).mean == pytest.approx(Beta(1, 1).after(other + one).mean)
