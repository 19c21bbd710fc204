"""Which changes are verified together next: sizes, splitting, and when a batch starts."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.fix.landing.batches import Batches, Crowd, Rate, Trial, starts_in_s

Sets = frozenset[frozenset[int]]


class Driven:
    """Drives batches by a function of what is on the tip and in the trial; every tip that there was is kept.

    Args:
        part: what a search runs in place of everything; None = everything.
    """

    def __init__(
        self, count: int, is_red: Callable[[frozenset[int]], bool], *, part: bool = False, at_most: int | None = None
    ) -> None:
        self.batches: Batches[int] = Batches(at_most=at_most)
        for change in range(count):
            self.batches.add(change)
        self.is_red, self.part = is_red, part
        self.tip: frozenset[int] = frozenset()
        self.tips = [self.tip]
        self.guilty: dict[int, frozenset[int]] = {}
        self.asked: list[tuple[frozenset[int], bool]] = []

    def run(self) -> Driven:
        """See all of them decided."""
        while len(self.batches):
            trial = self.batches.trial()
            whole = not (trial.searching and self.part)
            self._tell(trial, whole)
            if (culprit := self.batches.culprit) is not None:
                self.guilty[culprit] = self.tip | frozenset(self.batches.cleared)
                self.batches.convict()
        return self

    def _tell(self, trial: Trial[int], whole: bool) -> None:
        tree = self.tip | frozenset(trial.changes)
        self.asked.append((tree, whole))
        if self.is_red(tree):
            self.batches.red(trial)
        elif landed := self.batches.green(trial, whole=whole):
            self.tip |= frozenset(landed)
            self.tips.append(self.tip)


@st.composite
def red_sets(draw: st.DrawFn) -> tuple[int, Sets]:
    count = draw(st.integers(1, 40))
    combination = st.frozensets(st.integers(0, count - 1), min_size=1, max_size=3)
    return count, draw(st.frozensets(combination, max_size=6))


def monotone(red: Sets) -> Callable[[frozenset[int]], bool]:
    return lambda tree: any(one <= tree for one in red)


@given(red_sets(), st.booleans(), st.sampled_from([None, 1, 1000]))
def test_every_tip_is_green_and_what_is_out_is_red_where_it_was_found(
    drawn: tuple[int, Sets], part: bool, at_most: int | None
) -> None:
    count, red = drawn
    driven = Driven(count, monotone(red), part=part, at_most=at_most).run()
    assert not any(map(driven.is_red, driven.tips))
    assert driven.tip | set(driven.guilty) == set(range(count))
    assert not driven.tip & set(driven.guilty)
    for change, on in driven.guilty.items():
        assert driven.is_red(on | {change})
        assert driven.is_red(driven.tip | {change})


@given(st.integers(1, 30), st.integers(0, 2**32), st.booleans())
def test_every_tip_is_green_whatever_is_red(count: int, seed: int, part: bool) -> None:
    """Red and green without rhyme or reason: a change may mend what another one breaks."""

    def is_red(tree: frozenset[int]) -> bool:
        return bool(tree) and random.Random(f"{seed} {sorted(tree)}").random() < 0.4

    driven = Driven(count, is_red, part=part).run()
    assert not any(map(is_red, driven.tips))
    assert driven.tip | set(driven.guilty) == set(range(count))
    assert all(is_red(on | {change}) for change, on in driven.guilty.items())


@given(red_sets())
def test_no_tree_is_run_twice(drawn: tuple[int, Sets]) -> None:
    count, red = drawn
    driven = Driven(count, monotone(red)).run()
    trees = [tree for tree, _ in driven.asked]
    assert len(set(trees)) == len(trees)


def test_what_must_be_red_is_not_run() -> None:
    driven = Driven(4, monotone(frozenset({frozenset({3})})), at_most=4).run()
    assert [sorted(tree) for tree, _ in driven.asked] == [[0, 1, 2, 3], [0, 1], [0, 1, 2]]
    assert set(driven.guilty) == {3}


def test_of_two_changes_that_are_red_only_together_the_later_one_goes() -> None:
    for first in range(6):
        for second in range(first + 1, 6):
            driven = Driven(6, monotone(frozenset({frozenset({first, second})})), at_most=6).run()
            assert set(driven.guilty) == {second}


def test_what_a_part_cleared_waits_at_the_front_in_its_order() -> None:
    batches: Batches[str] = Batches(at_most=4)
    for change in "abcdef":
        batches.add(change)
    batches.red(batches.trial())
    search = batches.trial()
    assert batches.green(search, whole=False) == ()
    assert batches.cleared == search.changes
    while batches.culprit is None:
        batches.red(batches.trial())
    guilty = batches.culprit
    batches.convict()
    assert batches.trial().changes == tuple(change for change in "abcdef" if change != guilty)[:4]


def test_what_is_put_back_comes_first() -> None:
    batches: Batches[str] = Batches(at_most=2)
    for change in "abc":
        batches.add(change)
    batches.put_back(batches.trial().changes)
    assert batches.trial().changes == ("a", "b")


def test_batches_grow_while_all_is_green_and_shrink_with_what_is_red() -> None:
    sizes = [Rate(bad, seen).size for bad, seen in ((0, 0), (0, 50), (0, 500), (10, 50), (50, 50))]
    assert sizes[0] < sizes[1] < sizes[2]
    assert sizes[3] < sizes[0]
    assert sizes[4] == 1


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_batch_is_as_likely_green_as_red(bad: int, good: int) -> None:
    rate = Rate(bad, bad + good)
    assert 0 < rate.share < 1
    chance = (1 - rate.share) ** rate.size
    assert chance == pytest.approx(0.5, abs=0.2) or rate.size == 1


@given(st.integers(0, 100), st.integers(0, 100), st.integers(2, 300))
def test_a_group_is_split_into_two_parts(bad: int, good: int, count: int) -> None:
    assert 1 <= Rate(bad, bad + good).split(count) < count


@pytest.mark.parametrize(
    ("crowd", "starts"),
    [
        (Crowd(0, coming=True, waited_s=9, patience_s=1), None),
        (Crowd(0, coming=False, waited_s=9, patience_s=1), None),
        (Crowd(8, coming=True, waited_s=0, patience_s=60), 0.0),
        (Crowd(1, coming=False, waited_s=0, patience_s=60), 0.0),
        (Crowd(1, coming=True, waited_s=20, patience_s=60), 40.0),
        (Crowd(1, coming=True, waited_s=61, patience_s=60), 0.0),
        (Crowd(1, coming=True, waited_s=1.1 - 0.8, patience_s=0.3000000000000001), 0.0),
        (Crowd(1, coming=True, waited_s=61, patience_s=math.inf), math.inf),
    ],
)
def test_batch_starts_when_it_is_full_or_nothing_more_comes_or_it_waited_long_enough(
    crowd: Crowd, starts: float | None
) -> None:
    assert starts_in_s(crowd, 8) == starts


@pytest.mark.parametrize(("share", "most"), [(0.0, 3.0), (0.01, 7.2), (0.05, 0.31 * 64), (0.20, 52.0)])
def test_sixty_four_changes_need_few_runs_where_only_all_of_the_suite_can_run(share: float, most: float) -> None:
    chance = random.Random(7)
    runs = []
    for _ in range(400):
        bad = frozenset(change for change in range(64) if chance.random() < share)
        runs.append(len(Driven(64, monotone(frozenset(frozenset({one}) for one in bad))).run().asked))
    assert sum(runs) / len(runs) <= most
