"""Where two sequences differ."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fanfold.differences import differences

LINES = st.lists(st.sampled_from("abcdef"), max_size=24)


@given(LINES, LINES)
def test_what_is_put_in_its_place_makes_the_other(before: list[str], after: list[str]) -> None:
    made, last = [], 0
    for old, new in differences(before, after):
        made += [*before[last : old.start], *after[new.start : new.stop]]
        last = old.stop
    assert [*made, *before[last:]] == after


@given(LINES)
def test_sequence_has_no_difference_from_itself(items: list[str]) -> None:
    assert list(differences(items, items)) == []


def test_only_the_lines_between_are_different() -> None:
    before, after = list("abcxde"), list("abcyzde")
    assert list(differences(before, after)) == [(range(3, 4), range(3, 5))]


def test_moved_line_is_gone_in_one_place_and_new_in_another() -> None:
    assert list(differences(list("abcd"), list("bcda"))) == [(range(1), range(0)), (range(4, 4), range(3, 4))]


def test_one_line_among_many_equal_ones_is_one_difference() -> None:
    before = ["same"] * 9_000
    after = [*before[:4_000], "other", *before[4_001:]]
    assert list(differences(before, after)) == [(range(4_000, 4_001), range(4_000, 4_001))]
