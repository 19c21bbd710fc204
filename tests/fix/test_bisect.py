"""Which changes go when all together are red."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.fix.settle import Settled, settle

Sets = frozenset[frozenset[int]]


class Runs:
    """A suite that is red where a set of changes holds one of the combinations; notes what it was asked."""

    def __init__(self, red: Sets) -> None:
        self.red = red
        self.asked: list[tuple[int, ...]] = []

    def is_green(self, changes: Sequence[int]) -> bool:
        return not any(one <= set(changes) for one in self.red)

    async def __call__(self, changes: Sequence[int]) -> bool:
        self.asked.append(tuple(changes))
        return self.is_green(changes)


@st.composite
def red_batches(draw: st.DrawFn) -> tuple[int, Sets]:
    count = draw(st.integers(1, 40))
    combination = st.frozensets(st.integers(0, count - 1), min_size=1, max_size=3)
    return count, draw(st.frozensets(combination, min_size=1, max_size=6))


@given(red_batches())
async def test_what_is_left_is_green_and_each_guilty_change_is_red_at_its_turn(batch: tuple[int, Sets]) -> None:
    count, red = batch
    runs = Runs(red)
    settled = await settle(range(count), runs)
    assert runs.is_green(settled.kept)
    assert sorted((*settled.kept, *settled.guilty)) == list(range(count))
    for change in settled.guilty:
        before = [one for one in settled.kept if one < change]
        assert not runs.is_green([*before, change])


@given(red_batches())
async def test_order_is_kept_and_no_set_is_run_twice_nor_the_whole_again(batch: tuple[int, Sets]) -> None:
    count, red = batch
    runs = Runs(red)
    settled = await settle(range(count), runs)
    assert list(settled.kept) == sorted(settled.kept)
    assert list(settled.guilty) == sorted(settled.guilty)
    assert all(list(asked) == sorted(asked) for asked in runs.asked)
    assert len(set(runs.asked)) == len(runs.asked) == settled.runs
    assert tuple(range(count)) not in runs.asked
    assert () not in runs.asked


@given(red_batches())
async def test_runs_are_bounded_by_the_guilty_times_the_depth(batch: tuple[int, Sets]) -> None:
    count, red = batch
    settled = await settle(range(count), Runs(red))
    depth = math.ceil(math.log2(count)) if count > 1 else 0
    assert settled.runs <= min(2 * depth * len(settled.guilty), 2 * (count - 1))


@given(st.integers(1, 64), st.data())
async def test_changes_that_are_red_alone_are_exactly_the_guilty_ones(count: int, data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    settled = await settle(range(count), Runs(frozenset(frozenset({one}) for one in bad)))
    assert set(settled.guilty) == bad


@pytest.mark.parametrize(("first", "second"), list(combinations(range(6), 2)))
async def test_of_two_changes_that_are_red_only_together_the_later_one_goes(first: int, second: int) -> None:
    settled = await settle(range(6), Runs(frozenset({frozenset({first, second})})))
    assert settled.guilty == (second,)


async def test_a_half_that_must_be_red_is_not_run() -> None:
    runs = Runs(frozenset({frozenset({3})}))
    settled = await settle(range(4), runs)
    assert runs.asked == [(0, 1), (0, 1, 2)]
    assert settled == Settled(kept=(0, 1, 2), guilty=(3,), runs=2)


async def test_a_single_red_change_needs_no_run() -> None:
    assert await settle(("only",), _never) == Settled(kept=(), guilty=("only",), runs=0)


async def test_nothing_to_settle_is_nothing() -> None:
    assert await settle((), _never) == Settled(kept=(), guilty=(), runs=0)


async def _never(changes: Sequence[str]) -> bool:
    raise AssertionError(f"run with {changes}")


async def test_what_the_run_raises_goes_through() -> None:
    async def broken(_: Sequence[int]) -> bool:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        await settle(range(4), broken)


@pytest.mark.parametrize(("share", "most"), [(0.01, 11), (0.05, 39), (0.20, 99)])
async def test_a_hundred_changes_need_about_as_few_runs_as_simulated(share: float, most: int) -> None:
    assert await mean_runs(100, share, random.Random(7)) <= most


async def mean_runs(count: int, share: float, chance: random.Random, samples: int = 300) -> float:
    """Runs for a batch in which each change is guilty with a probability: the first run of all, and what follows."""
    total = 0
    for _ in range(samples):
        total += 1
        if bad := [one for one in range(count) if chance.random() < share]:
            settled = await settle(range(count), Runs(frozenset(frozenset({one}) for one in bad)))
            total += settled.runs
    return total / samples
