from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.engine.resources import Resources
from fanfold.testing.clock import run, virtual_time


class Users:
    """Borrow what they want for so long, in the order in which they are started."""

    def __init__(self, **amounts: int) -> None:
        self.resources = Resources(amounts)
        self.began: list[str] = []
        self.most_lent = dict.fromkeys(amounts, 0)

    async def use(self, name: str, wanted: Mapping[str, int], seconds: float) -> None:
        await self.resources.wait(wanted)
        try:
            self.began.append(name)
            for kind, amount in self.resources.lent.items():
                self.most_lent[kind] = max(self.most_lent[kind], amount)
            await asyncio.sleep(seconds)
        finally:
            self.resources.give_back(wanted)


@virtual_time
async def test_they_are_lent_in_order_and_a_large_wish_is_not_overtaken() -> None:
    users = Users(gpu=2)
    async with asyncio.TaskGroup() as group:
        group.create_task(users.use("a", {"gpu": 1}, 10))
        group.create_task(users.use("b", {"gpu": 2}, 10))
        group.create_task(users.use("c", {"gpu": 1}, 10))
    assert users.began == ["a", "b", "c"]
    assert users.most_lent == {"gpu": 2}
    assert asyncio.get_running_loop().time() == 30


@virtual_time
async def test_who_waits_for_one_kind_holds_up_nobody_who_needs_another() -> None:
    users = Users(gpu=1, licence=1)
    async with asyncio.TaskGroup() as group:
        group.create_task(users.use("a", {"gpu": 1}, 10))
        group.create_task(users.use("b", {"gpu": 1, "licence": 1}, 10))
        group.create_task(users.use("c", {"gpu": 1}, 10))
        await asyncio.sleep(1)
        # Would overtake b, which waits for a licence too.
        group.create_task(users.use("d", {"licence": 1}, 10))
        group.create_task(users.use("e", {}, 1))
    assert users.began == ["a", "e", "b", "c", "d"]
    assert asyncio.get_running_loop().time() == 30


@virtual_time
async def test_a_later_wish_for_another_kind_is_served_while_an_earlier_one_waits() -> None:
    users = Users(gpu=1, licence=1)
    async with asyncio.TaskGroup() as group:
        group.create_task(users.use("a", {"gpu": 1}, 10))
        group.create_task(users.use("b", {"gpu": 1}, 10))
        group.create_task(users.use("c", {"licence": 1}, 10))
    assert users.began == ["a", "c", "b"]
    assert asyncio.get_running_loop().time() == 20


@virtual_time
async def test_what_comes_back_is_kept_for_the_large_wish_that_came_first() -> None:
    users = Users(gpu=2, licence=1)
    async with asyncio.TaskGroup() as group:
        for name, amount, seconds in [("a", 1, 10), ("b", 1, 20), ("c", 2, 10), ("d", 1, 10)]:
            group.create_task(users.use(name, {"gpu": amount}, seconds))
    assert users.began == ["a", "b", "c", "d"]


@pytest.mark.parametrize("cancelled_after_s", [1, 10])
@virtual_time
async def test_who_is_cancelled_while_waiting_takes_nothing_and_holds_up_nobody(cancelled_after_s: float) -> None:
    users = Users(gpu=2)
    tasks = [
        asyncio.create_task(users.use(name, {"gpu": amount}, 10)) for name, amount in [("a", 1), ("b", 2), ("c", 1)]
    ]
    await asyncio.sleep(cancelled_after_s)
    tasks[1].cancel()
    await asyncio.wait(tasks)
    assert tasks[1].cancelled()
    assert users.began[0] == "a"
    assert users.began[-1] == "c"
    assert asyncio.get_running_loop().time() == cancelled_after_s + 10
    assert users.resources.lent == {"gpu": 0}


@virtual_time
async def test_what_was_lent_to_one_cancelled_before_it_woke_goes_to_the_next() -> None:
    users = Users(gpu=1)
    users.resources.take({"gpu": 1})
    one = asyncio.create_task(users.use("one", {"gpu": 1}, 10))
    other = asyncio.create_task(users.use("other", {"gpu": 1}, 10))
    await asyncio.sleep(0)
    users.resources.give_back({"gpu": 1})
    one.cancel()
    await asyncio.wait([one, other])
    assert users.began == ["other"]
    assert users.resources.lent == {"gpu": 0}


WISHES = st.dictionaries(st.sampled_from(["gpu", "licence", "seat"]), st.integers(1, 2), max_size=3)


@given(st.lists(st.tuples(WISHES, st.floats(0, 9), st.booleans()), max_size=25))
def test_none_is_lent_twice_all_are_served_and_all_come_back(plan: list[tuple[dict[str, int], float, bool]]) -> None:
    async def main() -> None:
        users = Users(gpu=2, licence=2, seat=3)
        tasks = []
        for number, (wanted, seconds, _) in enumerate(plan):
            tasks.append(asyncio.create_task(users.use(str(number), wanted, seconds)))
            await asyncio.sleep(seconds / 4)
        for task, (_, _, is_cancelled) in zip(tasks, plan, strict=True):
            if is_cancelled:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        kept = {str(number) for number, (_, _, is_cancelled) in enumerate(plan) if not is_cancelled}
        assert kept <= set(users.began)
        assert all(users.most_lent[kind] <= amount for kind, amount in users.resources.amounts.items())
        assert set(users.resources.lent.values()) == {0}

    run(main())
