"""The merge queue over fakes, on virtual time: what lands is green, what is dropped is not, and nothing waits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.engine import Failed
from fanfold.fix.landing.landed import KIND
from fanfold.fix.landing.queue import PACES, Pace
from fanfold.fix.landing.restored import restored
from fanfold.git import GitError, LandConflict
from fanfold.testing.clock import run, virtual_time
from fanfold.testing.landing import FakeTester, Simulated, change_of, held, outcome_of

Sets = frozenset[frozenset[int]]


def breaking(sets: Iterable[frozenset[int]]) -> Callable[[frozenset[int]], list[str]]:
    """Each of these combinations breaks the test of its last change."""
    each = tuple(sets)
    return lambda tree: [f"t{max(one)}::test" for one in each if one <= tree]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[int, Sets, frozenset[tuple[int, int]]]:
    """How many changes there are, which combinations break tests, and which pairs conflict."""
    count = draw(st.integers(1, 16))
    numbers = st.integers(0, count - 1)
    red = draw(st.frozensets(st.frozensets(numbers, min_size=1, max_size=2), max_size=5))
    pairs = draw(st.frozensets(st.tuples(numbers, numbers).filter(lambda pair: pair[0] < pair[1]), max_size=4))
    return count, red, pairs


def assert_right(simulated: Simulated, count: int, is_red: Callable[[frozenset[int]], bool]) -> None:
    """Every tip was green, each change landed or was dropped, and what was dropped is red or conflicts alone."""
    landed = held(simulated.branch.tip)
    assert not any(is_red(held(tip)) for tip in simulated.branch.tips)
    dropped = {int(key) for key in simulated.landing.dropped}
    assert landed | dropped == set(range(count))
    assert not landed & dropped
    for number in dropped:
        try:
            tree = asyncio.run(simulated.branch.compose([change_of(number)]))
        except LandConflict:
            continue
        assert is_red(held(tree))


@given(worlds(), st.booleans(), st.sampled_from(sorted(PACES)), st.sampled_from([0.0, 0.3, 2.0]))
def test_tips_are_green_and_what_is_dropped_is_red_or_in_conflict_alone(
    world: tuple[int, Sets, frozenset[tuple[int, int]]], divides: bool, pace: str, every_s: float
) -> None:
    count, red, pairs = world
    breaks = breaking(red)
    simulated = Simulated.over(FakeTester.over(breaks, count, divides=divides), conflicts=pairs, pace=PACES[pace])
    run(simulated.run(range(count), every_s=every_s))
    assert_right(simulated, count, lambda tree: bool(breaks(tree)))


@given(st.integers(1, 12), st.integers(0, 2**32), st.booleans())
def test_tips_are_green_where_one_change_mends_what_another_breaks(count: int, seed: int, divides: bool) -> None:
    def breaks(tree: frozenset[int]) -> list[str]:
        chance = random.Random(f"{seed} {sorted(tree)}")
        return [f"t{number}::test" for number in sorted(tree) if chance.random() < 0.15]

    simulated = Simulated.over(FakeTester.over(breaks, count, divides=divides))
    run(simulated.run(range(count)))
    assert_right(simulated, count, lambda tree: bool(breaks(tree)))


def test_flaky_test_hides_nothing_bad_and_costs_hardly_anybody_a_place() -> None:
    """Failing three times in a row by chance isn't told from failing for a reason, so there is a rate."""
    good = lost = 0
    for seed in range(60):
        chance = random.Random(seed)
        bad = frozenset(number for number in range(20) if chance.random() < 0.1)
        tester = FakeTester.over(breaking(frozenset({one}) for one in bad), 20, flaky=0.2, chance=chance)
        simulated = Simulated.over(tester)
        run(simulated.run(range(20)))
        landed = held(simulated.branch.tip)
        assert not landed & bad
        good, lost = good + 20 - len(bad), lost + 20 - len(bad | landed)
    assert lost / good < 0.02


@virtual_time
async def test_what_fails_once_and_passes_then_is_flaky() -> None:
    tester = FakeTester.over(lambda _: (), 4)
    simulated = Simulated.over(tester)
    real_run, failures = tester.run, [True]

    async def failing_once(suite: object, tree: str) -> object:
        result = await real_run(suite, tree)  # type: ignore[arg-type]
        if held(tree) and failures:
            failures.clear()
            result.cases["t1::test"] = "failed"  # type: ignore[index]
        return result

    tester.run = failing_once  # type: ignore[method-assign,assignment]
    await simulated.run(range(4))
    assert held(simulated.branch.tip) == {0, 1, 2, 3}
    assert list(simulated.queue._verifier.suite.flaky) == ["t1::test"]  # type: ignore[attr-defined]


@virtual_time
async def test_nothing_waits_for_the_slowest() -> None:
    simulated = Simulated.over(FakeTester.over(lambda _: (), 3))
    simulated.queue.expect(["0", "1", "2"])
    async with simulated.tester.running(), simulated.queue.running(lambda _: None):
        simulated.queue.offer(outcome_of(0))
        simulated.queue.offer(outcome_of(1))
        await asyncio.sleep(1000)
        assert held(simulated.branch.tip) == {0, 1}
        simulated.queue.offer(outcome_of(2))
        await simulated.queue.drain()
    assert len(simulated.branch.tips) == 3


@virtual_time
async def test_at_the_end_means_one_batch_when_all_have_come() -> None:
    simulated = Simulated.over(FakeTester.over(lambda _: (), 40), pace=PACES["final"])
    await simulated.run(range(40), every_s=5.0)
    assert (len(simulated.branch.tips), simulated.tester.runs) == (2, 2)


@virtual_time
async def test_each_means_a_run_for_each() -> None:
    simulated = Simulated.over(FakeTester.over(lambda _: (), 5), pace=PACES["each"])
    await simulated.run(range(5))
    assert (len(simulated.branch.tips), simulated.tester.runs) == (6, 6)


@virtual_time
async def test_change_that_is_in_conflict_only_with_a_bad_one_lands() -> None:
    simulated = Simulated.over(FakeTester.over(breaking([frozenset({0})]), 2), conflicts=[(0, 1)])
    await simulated.run(range(2))
    assert held(simulated.branch.tip) == {1}
    assert set(simulated.landing.dropped) == {"0"}


@virtual_time
async def test_branch_that_failed_is_waited_for_no_longer() -> None:
    simulated = Simulated.over(FakeTester.over(lambda _: (), 2), pace=PACES["final"])
    simulated.queue.expect(["0", "1"])
    async with simulated.tester.running(), simulated.queue.running(lambda _: None):
        simulated.queue.offer(outcome_of(0))
        simulated.queue.offer(Failed("1", RuntimeError("broke down"), 0.0, 1.0))
        await asyncio.sleep(10)
        assert held(simulated.branch.tip) == {0}


@virtual_time
async def test_error_of_landing_is_told_at_once_and_raised_by_drain() -> None:
    simulated = Simulated.over(FakeTester.over(lambda _: (), 2), pace=Pace(patience_s=0.0))
    told: list[BaseException] = []

    async def failing(*_: object, **__: object) -> None:
        raise GitError("the disk is full")

    simulated.branch.publish = failing  # type: ignore[method-assign,assignment]
    simulated.queue.expect(["0", "1"])
    async with simulated.tester.running(), simulated.queue.running(told.append):
        simulated.queue.offer(outcome_of(0))
        await asyncio.sleep(10)
        assert [str(error) for error in told] == ["the disk is full"]
        with pytest.raises(GitError, match="full"):
            await simulated.queue.drain()


@given(worlds(), st.data())
def test_notes_tell_where_landing_was_at_any_moment(
    world: tuple[int, Sets, frozenset[tuple[int, int]]], data: st.DataObject
) -> None:
    count, red, pairs = world
    simulated = Simulated.over(FakeTester.over(breaking(red), count), conflicts=pairs)
    run(simulated.run(range(count)))
    notes = list(simulated.log.noted(KIND))
    kept = notes[: data.draw(st.integers(0, len(notes)))]
    intended = [note for note in kept if note["step"] == "intend"]
    moved = data.draw(st.booleans()) if intended else False
    at = simulated.branch.base if not intended else intended[-1]["tip" if moved else "parent"]
    known = restored(kept, base=simulated.branch.base, found=None if at == simulated.branch.base else at)
    assert {int(key) for key in known.landed} == held(at)
    assert {key for key, _ in known.refused} == {
        note["key"] for note in kept if note["step"] in ("sent back", "dropped")
    }


@pytest.mark.parametrize(("share", "whole", "all_of_them"), [(0.0, 4, 4), (0.01, 6, 14), (0.05, 0.2 * 64, 0.6 * 64)])
def test_sixty_four_changes_take_few_runs_of_the_whole_suite(share: float, whole: float, all_of_them: float) -> None:
    """All of them counted: the base's, those of searches, of flaky tests, and of what is tried again at the end."""
    chance = random.Random(11)
    runs, partial = [], []
    for _ in range(60):
        bad = [frozenset({number}) for number in range(64) if chance.random() < share]
        simulated = Simulated.over(FakeTester.over(breaking(bad), 64))
        run(simulated.run(range(64)))
        runs.append(simulated.tester.runs)
        partial.append(simulated.tester.partial_runs)
        assert len(held(simulated.branch.tip)) == 64 - len(bad)
    assert mean(runs) <= whole
    assert mean(runs) + mean(partial) <= all_of_them
