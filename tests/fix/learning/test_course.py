"""The cheapest way through the stages."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.fix.learning.course import WORTH, Expected, best_way, toll

RULE = "ruff E1"
ONE = {RULE: 1}


def stage(first: float, cost: float, again: float | None = None, *, comes_first: bool = False) -> Expected:
    return Expected({RULE: first}, {RULE: first if again is None else again}, cost, comes_first)


chances = st.floats(0.01, 0.99)
stages_of_any_kind = st.lists(
    st.builds(stage, chances, st.floats(0.001, 10), chances, comes_first=st.booleans()), min_size=1, max_size=5
)


@given(stages_of_any_kind, st.integers(1, 5), st.integers(1, 30))
def test_every_stage_is_on_the_way_once_with_a_try_at_least(stages: list[Expected], tries: int, count: int) -> None:
    way = best_way(stages, {RULE: count}, tries=tries)

    assert sorted(number for number, _ in way) == list(range(len(stages)))
    assert all(1 <= given_tries <= tries for _, given_tries in way)


@given(st.lists(st.builds(stage, chances, st.floats(0.001, 10), chances), min_size=1, max_size=5), st.integers(1, 5))
def test_what_costs_next_to_nothing_stays_first_and_works_once(stages: list[Expected], tries: int) -> None:
    assert best_way([stage(0.01, 0.0, comes_first=True), *stages], ONE, tries=tries)[0] == (0, 1)


@given(stages_of_any_kind, st.integers(1, 4))
def test_no_way_is_taken_that_is_expected_to_come_dearer_than_the_users_own(stages: list[Expected], tries: int) -> None:
    worth = WORTH * max(one.cost for one in stages)
    own = tuple((number, 1 if one.comes_first else tries) for number, one in enumerate(stages))

    best = toll(best_way(stages, ONE, tries=tries), stages, ONE, worth)

    assert best.total <= toll(own, stages, ONE, worth).total + 1e-9


@pytest.mark.parametrize(
    ("stages", "first"),
    [
        ([stage(0.9, 0.01), stage(0.9, 1.0)], 0),
        ([stage(0.02, 0.01), stage(0.9, 1.0)], 0),
        ([stage(0.02, 0.5), stage(0.9, 1.0)], 1),
        ([stage(0.5, 1.0), stage(0.5, 0.1)], 1),
    ],
    ids=[
        "cheap and good",
        "poor, and so cheap that trying costs nothing",
        "poor for its price",
        "dear one named first",
    ],
)
def test_a_task_starts_where_a_fix_is_expected_to_cost_least(stages: Sequence[Expected], first: int) -> None:
    assert best_way(stages, ONE, tries=1)[0][0] == first


def test_the_users_order_stays_where_nothing_tells_the_stages_apart() -> None:
    assert best_way([stage(0.5, 1.0)] * 3, ONE, tries=3) == ((0, 3), (1, 3), (2, 3))


def test_the_users_order_stays_where_another_is_hardly_better() -> None:
    assert best_way([stage(0.50, 1.0), stage(0.52, 1.0)], ONE, tries=2)[0][0] == 0


def test_a_stage_that_never_succeeds_the_second_time_has_one_try() -> None:
    [(_, tries)] = best_way([stage(0.5, 1.0, again=0.01)], ONE, tries=3)

    assert tries == 1


def test_a_second_try_is_made_where_it_often_succeeds() -> None:
    [(_, tries)] = best_way([stage(0.2, 1.0, again=0.4)], ONE, tries=3)

    assert tries == 3


def test_many_findings_are_worth_a_try_that_one_is_not() -> None:
    stages = [stage(0.5, 1.0, again=0.01)]

    assert best_way(stages, {RULE: 1}, tries=2) == ((0, 1),)
    assert best_way(stages, {RULE: 30}, tries=2) == ((0, 2),)


def test_a_rule_that_one_stage_is_good_at_decides_only_where_there_are_such_findings() -> None:
    first = Expected({"a": 0.95, "b": 0.01}, {"a": 0.5, "b": 0.01}, 0.5)
    second = Expected({"a": 0.95, "b": 0.95}, {"a": 0.5, "b": 0.5}, 1.0)

    assert best_way([first, second], {"a": 1}, tries=1)[0][0] == 0
    assert best_way([first, second], {"b": 1}, tries=1)[0][0] == 1


def test_what_costs_nothing_known_is_left_in_order() -> None:
    assert best_way([stage(0.1, 0.0), stage(0.9, 0.0)], ONE, tries=2) == ((0, 2), (1, 2))
