from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.engine import Done, Limit, LimitError, Outcome, current_branch, fan_out, stream, yield_slot
from fanfold.testing.clock import run, virtual_time


class Leaves:
    """Counts the leaves that run together."""

    def __init__(self) -> None:
        self.running = 0
        self.peak = 0
        self.order: list[str] = []

    @asynccontextmanager
    async def at_work(self, name: str = "") -> AsyncIterator[None]:
        self.running += 1
        self.peak = max(self.peak, self.running)
        self.order.append(name)
        try:
            yield
        finally:
            self.running -= 1

    async def leaf(self, name: str) -> str:
        async with self.at_work("/".join(current_path())):
            await asyncio.sleep(1)
        return name


def current_path() -> tuple[str, ...]:
    branch = current_branch()
    return branch.path if branch else ()


def now() -> float:
    return asyncio.get_running_loop().time()


def all_done(outcomes: list[Outcome[str]]) -> bool:
    return all(isinstance(outcome, Done) for outcome in outcomes)


def nested(leaves: Leaves, *widths: int, limit: int | Limit) -> Callable[[str], Awaitable[str]]:
    """A branch function that fans out again for each width."""
    if not widths:
        return leaves.leaf

    async def branch(_: str) -> str:
        inner = nested(leaves, *widths[1:], limit=limit)
        assert all_done(await fan_out(inner, [f"{number}" for number in range(widths[0])], limit=limit))
        return "fanned out"

    return branch


@pytest.mark.parametrize("most", [1, 2, 3, 7])
@virtual_time
async def test_leaves_of_nested_fan_outs_run_exactly_as_many_together_as_the_outermost_limit_says(most: int) -> None:
    leaves = Leaves()
    await nested(leaves, 4, 4, 4, limit=most)("")
    assert leaves.peak == most
    assert len(leaves.order) == 64
    assert now() == -(-64 // most), "no slot is ever idle"


@virtual_time
async def test_inner_limit_holds_within_the_outer_one() -> None:
    tight, loose = Leaves(), Leaves()

    async def branch(name: str) -> None:
        if name == "tight":
            await fan_out(tight.leaf, map(str, range(6)), limit=2)
        else:
            await fan_out(loose.leaf, map(str, range(6)), limit=6)

    await fan_out(branch, ["tight", "loose"], limit=5)
    assert tight.peak == 2
    assert 3 <= loose.peak <= 5
    assert now() == 3


@virtual_time
async def test_limit_between_bounds_all_that_is_below_it() -> None:
    leaves = Leaves()

    async def middle(_: str) -> None:
        await fan_out(leaves.leaf, map(str, range(5)), limit=100)

    async def outer(_: str) -> None:
        await fan_out(middle, ["a", "b", "c"], limit=2)

    await fan_out(outer, ["only"], limit=50)
    assert leaves.peak == 2


@virtual_time
async def test_limit_given_to_several_fan_outs_is_shared_side_by_side() -> None:
    leaves, limit = Leaves(), Limit(3)
    await asyncio.gather(*(fan_out(leaves.leaf, map(str, range(5)), limit=limit) for _ in range(4)))
    assert leaves.peak == 3
    assert limit.running == 0


@virtual_time
async def test_limit_given_to_nested_fan_outs_counts_a_branch_once() -> None:
    leaves, limit = Leaves(), Limit(2)
    await nested(leaves, 3, 3, limit=limit)("")
    assert leaves.peak == 2
    assert limit.running == 0


@virtual_time
async def test_two_limits_nested_in_either_order_do_not_deadlock() -> None:
    one, other = Limit(1), Limit(1)

    async def leaf(_: str) -> None:
        await asyncio.sleep(1)

    async def branch(inner: Limit) -> None:
        await fan_out(leaf, ["x", "y"], limit=inner)

    await asyncio.gather(
        fan_out(lambda _: branch(other), ["a", "b"], limit=one),
        fan_out(lambda _: branch(one), ["a", "b"], limit=other),
    )
    assert (one.running, other.running) == (0, 0)


@virtual_time
async def test_what_is_nested_is_finished_before_more_is_begun() -> None:
    leaves = Leaves()
    await nested(leaves, 2, 2, limit=1)("")
    assert leaves.order == ["0/0", "0/1", "1/0", "1/1"]


@virtual_time
async def test_branch_holds_its_slot_again_after_a_nested_fan_out() -> None:
    leaves = Leaves()

    async def branch(name: str) -> None:
        await fan_out(leaves.leaf, ["x", "y"], limit=2)
        async with leaves.at_work(f"{name} after"):
            await asyncio.sleep(1)

    await fan_out(branch, ["a", "b", "c"], limit=2)
    assert leaves.peak == 2


@virtual_time
async def test_nested_fan_outs_side_by_side_in_one_branch_stay_within_the_limit() -> None:
    leaves = Leaves()

    async def branch(_: str) -> None:
        await asyncio.gather(*(fan_out(leaves.leaf, ["x", "y", "z"], limit=3) for _ in range(3)))

    await fan_out(branch, ["a", "b"], limit=2)
    assert leaves.peak == 2


@virtual_time
async def test_streams_nest_as_fan_outs_do() -> None:
    leaves = Leaves()

    async def branch(_: str) -> None:
        async with stream(leaves.leaf, ["x", "y", "z"], limit=3) as outcomes:
            async for _outcome in outcomes:
                async with leaves.at_work():
                    await asyncio.sleep(1)

    await fan_out(branch, ["a", "b", "c"], limit=2)
    assert leaves.peak == 2


@virtual_time
async def test_waiting_branch_makes_room_and_goes_on_before_others_start() -> None:
    order: list[str] = []

    async def branch(name: str) -> None:
        order.append(f"{name} begins")
        async with yield_slot():
            await asyncio.sleep(1)
        order.append(f"{name} goes on")
        await asyncio.sleep(1)

    await fan_out(branch, ["a", "b", "c"], limit=1)
    assert order == ["a begins", "b begins", "c begins", "a goes on", "b goes on", "c goes on"]
    assert now() == 4, "all wait at once, then work one after another"


@virtual_time
async def test_who_goes_on_comes_before_who_starts() -> None:
    order: list[str] = []

    async def branch(name: str) -> None:
        order.append(name)
        if name == "a":
            async with yield_slot():
                await asyncio.sleep(1.5)
            order.append("a again")
        await asyncio.sleep(1)

    await fan_out(branch, ["a", "b", "c", "d"], limit=1)
    assert order == ["a", "b", "c", "a again", "d"]


@virtual_time
async def test_timeout_around_a_wait_ends_it_with_the_slot_held() -> None:
    leaves = Leaves()

    async def branch(name: str) -> None:
        try:
            async with asyncio.timeout(1), yield_slot():
                await asyncio.sleep(100)
        except TimeoutError:
            await leaves.leaf(name)

    await fan_out(branch, ["a", "b", "c"], limit=1)
    assert leaves.peak == 1
    assert now() == 4


@virtual_time
async def test_error_in_a_wait_passes_with_the_slot_held() -> None:
    limit = Limit(1)

    async def branch(_: str) -> int:
        try:
            async with yield_slot():
                await asyncio.sleep(1)
                raise LookupError
        except LookupError:
            return limit.running

    outcomes = await fan_out(branch, ["a"], limit=limit)
    assert [outcome.value for outcome in outcomes if isinstance(outcome, Done)] == [1]


@virtual_time
async def test_branch_past_its_deadline_tidies_up_without_waiting_for_a_slot() -> None:
    tidied: list[float] = []

    async def branch(name: str) -> None:
        if name == "waits":
            try:
                async with yield_slot():
                    await asyncio.sleep(100)
            finally:
                tidied.append(now())
        await asyncio.sleep(9)

    await fan_out(branch, ["waits", "works"], limit=1, deadline_s=10)
    assert tidied == [10]


@virtual_time
async def test_giving_the_slot_up_outside_a_branch_does_nothing() -> None:
    async with yield_slot():
        await asyncio.sleep(1)
    assert current_branch() is None


@virtual_time
async def test_task_left_by_a_branch_neither_holds_nor_needs_a_slot() -> None:
    left: list[asyncio.Task[None]] = []

    async def straggler() -> None:
        async with yield_slot():
            await asyncio.sleep(5)
        await fan_out(Leaves().leaf, ["x"], limit=1)

    async def branch(_: str) -> None:
        left.append(asyncio.create_task(straggler()))
        await asyncio.sleep(1)

    limit = Limit(1)
    await fan_out(branch, ["a", "b"], limit=limit)
    assert limit.running == 0
    await asyncio.gather(*left)
    assert limit.running == 0


@virtual_time
async def test_resizing_starts_more_or_lets_fewer_go_on() -> None:
    leaves, limit = Leaves(), Limit(1)
    running = asyncio.create_task(fan_out(leaves.leaf, map(str, range(20)), limit=limit))
    await asyncio.sleep(0.5)
    assert leaves.running == 1
    limit.resize(4)
    await asyncio.sleep(0)
    assert leaves.running == 4
    limit.resize(2)
    await asyncio.sleep(2)
    assert leaves.running == 2
    limit.resize(None)
    await asyncio.sleep(0)
    assert leaves.running > 4
    await running
    assert limit.running == 0


@pytest.mark.parametrize("most", [0, -1])
def test_limit_that_lets_nothing_run_is_refused(most: int) -> None:
    with pytest.raises(LimitError, match=f"not {most}") as caught:
        Limit(most)
    assert caught.value.hint
    with pytest.raises(LimitError):
        Limit(1).resize(most)


def test_branch_on_another_event_loop_is_not_this_ones() -> None:
    async def elsewhere() -> bool:
        return current_branch() is None

    async def branch(_: str) -> bool:
        return await asyncio.to_thread(lambda: asyncio.run(elsewhere()))

    (outcome,) = asyncio.run(fan_out(branch, ["a"], limit=1))
    assert isinstance(outcome, Done)
    assert outcome.value


@given(
    most=st.integers(1, 4),
    inner_most=st.integers(1, 4),
    widths=st.lists(st.integers(0, 5), max_size=6),
    waits=st.lists(st.integers(0, 3), min_size=1, max_size=5),
)
def test_any_mix_of_waits_and_nesting_keeps_the_limit_and_ends(
    most: int, inner_most: int, widths: list[int], waits: list[int]
) -> None:
    leaves, limit = Leaves(), Limit(most)

    async def leaf(number: int) -> None:
        for wait_s in waits:
            async with leaves.at_work():
                await asyncio.sleep(wait_s)
            async with yield_slot():
                await asyncio.sleep((number + wait_s) % 3)

    async def branch(width: int) -> None:
        async with leaves.at_work():
            await asyncio.sleep(width)
        await fan_out(leaf, range(width), limit=inner_most)
        async with leaves.at_work():
            await asyncio.sleep(1)

    outcomes = run(fan_out(branch, widths, limit=limit))
    assert [type(outcome) for outcome in outcomes] == [Done] * len(widths)
    assert leaves.peak <= most
    assert limit.running == 0
