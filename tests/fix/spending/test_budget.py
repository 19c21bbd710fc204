"""Budgets hold however many spend at once, whatever they say afterwards, and over the death of the process."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.agents.protocol import BudgetExhausted
from fanfold.agents.spending import Spending, Terms
from fanfold.fix.spending.allowance import Allowance, Till
from fanfold.fix.spending.budget import Budget, Limits
from fanfold.fix.spending.ledger import NAME, Amount, Ledger
from fanfold.llm.usage import Usage
from fanfold.testing.agents import ScriptedAgent

AUTOFIX = ScriptedAgent(name="autofix", deterministic=True)
MODEL = ScriptedAgent(name="model")
PROGRAM = ScriptedAgent(name="program")


def took(tokens: int = 0, cost_usd: float | None = None) -> Usage:
    return Usage(requests=1, input_tokens=tokens, cost_usd=cost_usd)


def till(*, jobs: int = 4, ledger: Ledger | None = None, task: Limits | None = None, **run: Any) -> Till:
    return Till(Budget(Limits(**run), task, jobs=jobs, ledger=ledger))


async def settled(of: Till, *, key: str = "a.py", tokens: int = 0, cost_usd: float | None = 0.0) -> None:
    """One request that comes to what it may take at most."""
    async with of.attempt(key, MODEL) as purse:
        purse.reserve(tokens=tokens, cost_usd=cost_usd).settle(took(tokens, cost_usd))


async def test_without_limits_everything_is_counted_and_nothing_refused() -> None:
    of = till()
    async with of.attempt("a.py", MODEL) as purse:
        assert purse.left_cost_usd is None
        purse.reserve(tokens=10**9).settle(took(7, 0.5))
        purse.tell(took(7, 0.5))
    assert of.budget.spent == Amount(tokens=7, cost_usd=0.5)
    assert of.budget.exhausted is None


async def test_request_that_might_go_beyond_is_not_sent_though_it_might_have_fitted() -> None:
    of = till(cost_usd=1.0)
    async with of.attempt("a.py", MODEL) as purse:
        purse.reserve(tokens=1, cost_usd=0.7).settle(took(1, 0.5))
        with pytest.raises(BudgetExhausted, match=r"of 1 USD for the run 0.5 are taken, .* may cost 0.6"):
            purse.reserve(tokens=1, cost_usd=0.6)
        purse.reserve(tokens=1, cost_usd=0.5).settle(took(1, 0.5))
    assert of.budget.spent.cost_usd == 1.0
    assert "of 1 USD for the run" in str(of.budget.exhausted)


@pytest.mark.parametrize("limits", [{"tokens": 100}, {"cost_usd": 1.0}])
async def test_a_full_budget_is_spent_to_its_last_piece(limits: dict[str, Any]) -> None:
    of = till(**limits)
    for _ in range(10):
        await settled(of, tokens=10, cost_usd=0.1)
    with pytest.raises(BudgetExhausted):
        await settled(of, tokens=1, cost_usd=0.01)


async def test_what_one_task_may_take_is_no_limit_for_the_next() -> None:
    of = till(task=Limits(tokens=10), tokens=15)
    await settled(of, tokens=10)
    with pytest.raises(BudgetExhausted, match="10 tokens for the task"):
        await settled(of, tokens=1)
    assert of.budget.exhausted is None
    await settled(of, key="b.py", tokens=5)
    with pytest.raises(BudgetExhausted, match="15 tokens for the run"):
        await settled(of, key="c.py", tokens=1)


async def test_what_a_task_lacked_most_is_told_of_all_tasks_limits() -> None:
    of = till(task=Limits(tokens=10))
    for key, tokens in (("a.py", 20), ("b.py", 40), ("c.py", 30)):
        with pytest.raises(BudgetExhausted, match=f"the next request may take {tokens}"):
            await settled(of, key=key, tokens=tokens)
    told = "of 10 tokens for the task 0 are taken, and the next request may take 40"
    assert (of.budget.exhausted, of.budget.task_exhausted) == (None, told)


async def test_who_asks_in_turn_gets_what_others_give_back() -> None:
    of = till(tokens=100)
    await settled(of)
    async with of.attempt("a.py", MODEL) as one, of.attempt("b.py", MODEL) as other:
        mine = one.reserve(tokens=80)
        with pytest.raises(BudgetExhausted):
            other.reserve(tokens=50)
        assert of.budget.exhausted is None, "others hold it, so it isn't spent"
        waiting = asyncio.create_task(other.reserve_in_turn(tokens=50))
        await asyncio.sleep(0)
        assert not waiting.done()
        mine.settle(took(30))
        (await waiting).settle(took(50))
        with pytest.raises(BudgetExhausted):
            await one.reserve_in_turn(tokens=21)
    assert of.budget.spent.tokens == 80


async def test_price_that_nobody_knows_is_refused_before_it_is_paid_and_the_hint_says_how_to_tell_it() -> None:
    of = till(cost_usd=5.0)
    async with of.attempt("a.py", MODEL) as purse:
        with pytest.raises(BudgetExhausted, match="nobody knows what a request of agent model costs") as refused:
            purse.reserve(tokens=10)
    assert "set price_per_million" in refused.value.message
    assert of.budget.spent == Amount()


async def test_tokens_can_be_limited_where_no_price_is_known() -> None:
    of = till(tokens=100)
    async with of.attempt("a.py", MODEL) as purse:
        purse.reserve(tokens=60).settle(took(40))
        purse.reserve(tokens=60).settle(took(60))
    assert (of.budget.spent.tokens, of.budget.spent.known) == (100, False)


async def test_what_is_never_settled_counts_as_spent() -> None:
    of = till(cost_usd=1.0)
    async with of.attempt("a.py", MODEL) as purse:
        purse.reserve(tokens=5, cost_usd=0.4)
    assert of.budget.spent == Amount(tokens=5, cost_usd=0.4)


async def test_request_whose_cost_is_not_told_afterwards_counts_as_the_most_it_may_have_cost() -> None:
    of = till(cost_usd=1.0)
    async with of.attempt("a.py", MODEL) as purse:
        purse.reserve(tokens=5, cost_usd=0.4).settle(took(5))
        purse.reserve(tokens=5, cost_usd=0.4).settle(Usage())
    assert of.budget.spent.cost_usd == 0.4


async def test_settling_twice_counts_once_and_what_is_told_beyond_it_counts_too() -> None:
    of = till(tokens=100)
    async with of.attempt("a.py", MODEL) as purse:
        held = purse.reserve(tokens=50)
        held.settle(took(20))
        held.settle(took(20))
        purse.tell(took(25))
    assert of.budget.spent.tokens == 25


async def test_first_program_of_its_kind_is_alone_and_later_ones_are_as_dear_as_the_dearest() -> None:
    of = till(cost_usd=1.0)
    running = 0

    async def attempt(cost_usd: float) -> None:
        nonlocal running
        async with of.attempt("a.py", PROGRAM) as purse:
            running += 1
            peaks.append(running)
            await asyncio.sleep(0)
            running -= 1
            purse.tell(took(1, cost_usd))

    peaks: list[int] = []
    await asyncio.gather(attempt(0.3), attempt(0.2), attempt(0.1))
    assert (peaks[0], max(peaks)) == (1, 2)
    assert of.budget.spent.cost_usd == pytest.approx(0.6)
    await attempt(0.3)
    with pytest.raises(BudgetExhausted, match=r"may cost 0\.3"):
        await attempt(0.0)
    assert of.budget.spent.cost_usd <= 1.0


async def test_program_that_goes_beyond_does_so_once_and_that_is_told_as_it_is() -> None:
    of = till(cost_usd=1.0)
    async with of.attempt("a.py", PROGRAM) as purse:
        purse.tell(took(1, 3.0))
    assert of.budget.spent.cost_usd == 3.0
    with pytest.raises(BudgetExhausted, match="3 are taken"):
        async with of.attempt("b.py", PROGRAM):
            raise AssertionError("it isn't started")


async def test_program_that_does_not_say_what_it_took_is_not_asked_again_within_a_budget() -> None:
    of = till(cost_usd=1.0)
    async with of.attempt("a.py", PROGRAM) as purse:
        purse.tell(took(9))
    with pytest.raises(BudgetExhausted, match="agent program didn't say"):
        async with of.attempt("b.py", PROGRAM):
            raise AssertionError("it isn't started")
    await settled(of, key="b.py", cost_usd=0.9)
    unlimited = till()
    async with unlimited.attempt("a.py", PROGRAM):
        pass
    async with unlimited.attempt("a.py", PROGRAM):
        pass
    assert unlimited.budget.spent == Amount(known=False)


async def test_attempt_that_took_nothing_says_nothing_of_the_next_ones() -> None:
    of = till(cost_usd=1.0, jobs=8)
    async with of.attempt("a.py", PROGRAM) as purse:
        purse.tell(took(0, 0.0))

    async def attempt() -> None:
        async with of.attempt("b.py", PROGRAM) as purse:
            await asyncio.sleep(0)
            purse.tell(took(5, 0.9))

    await asyncio.gather(*(attempt() for _ in range(8)), return_exceptions=True)
    assert of.budget.spent.cost_usd == 0.9


async def test_programs_that_cost_nothing_as_the_user_says_work_at_once() -> None:
    free = Free(name="free")
    of, running, peak = till(cost_usd=1.0, jobs=8), 0, 0

    async def attempt() -> None:
        nonlocal running, peak
        async with of.attempt("b.py", free) as purse:
            running += 1
            peak = max(peak, running)
            await asyncio.sleep(0)
            running -= 1
            purse.tell(Usage(cost_usd=0.0))

    await attempt()
    await asyncio.gather(*(attempt() for _ in range(8)))
    assert peak == 8


async def test_who_knows_its_cost_alone_has_all_tokens_set_aside_and_then_as_many_as_it_took() -> None:
    of, program = till(cost_usd=100.0, tokens=100, jobs=8), Spending(Terms(keeps_budget=True))

    async def attempt() -> None:
        async with of.attempt("a.py", PROGRAM) as purse, program.of(purse) as bill:
            await asyncio.sleep(0)
            bill.usage = took(40, 1.0)
            purse.tell(bill.usage)

    done = await asyncio.gather(*(attempt() for _ in range(8)), return_exceptions=True)
    assert [isinstance(one, BudgetExhausted) for one in done].count(True) == 6
    assert of.budget.spent == Amount(tokens=80, cost_usd=2.0)


async def test_what_was_kept_ready_for_an_agent_that_turns_out_to_ask_is_given_back() -> None:
    of = till(tokens=100)
    async with of.attempt("a.py", MODEL) as purse:
        purse.tell(took(10))
    async with of.attempt("a.py", MODEL) as purse, of.attempt("b.py", MODEL):
        purse.reserve(tokens=5).settle(took(5))
    assert (of.budget.spent.tokens, of.budget.held.tokens) == (15, 0)


async def test_agent_that_is_known_to_ask_may_have_nothing_to_ask_for() -> None:
    @dataclass
    class Asker(ScriptedAgent):
        reserves: bool = True

    of, asker = till(cost_usd=1.0), Asker(name="asker")
    async with of.attempt("a.py", asker):
        pass
    async with of.attempt("b.py", asker) as purse:
        purse.reserve(tokens=1, cost_usd=1.0).settle(took(1, 0.5))
    assert of.budget.spent == Amount(tokens=1, cost_usd=0.5)


async def test_where_nothing_can_be_written_down_nothing_is_spent_and_what_was_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = till(tokens=100, ledger=Ledger(tmp_path / NAME))
    async with of.attempt("a.py", MODEL) as purse:
        reserved = purse.reserve(tokens=40)
        with monkeypatch.context() as full:
            full.setattr(os, "write", lambda _, text: len(text) // 2)
            reserved.settle(took(10))
            with pytest.raises(BudgetExhausted, match="can't be written down: No space left"):
                purse.reserve(tokens=5)
        assert (of.budget.spent.tokens, of.budget.held.tokens) == (10, 0)
    of.budget.close()
    again = till(tokens=100, ledger=Ledger(tmp_path / NAME)).budget
    assert again.spent.tokens == 40, "what isn't known to have been less counts in full"
    again.close()


async def test_program_that_was_stopped_before_it_could_say_anything_may_be_asked_again() -> None:
    of = till(cost_usd=1.0)
    with pytest.raises(asyncio.CancelledError):
        await _stopped(of)
    async with of.attempt("b.py", PROGRAM) as purse:
        purse.tell(took(1, 0.5))
    assert of.budget.spent == Amount(tokens=1, cost_usd=0.5, known=False)


async def _stopped(of: Till) -> None:
    async with of.attempt("a.py", PROGRAM):
        raise asyncio.CancelledError


async def test_crash_counts_as_the_dearest_attempt() -> None:
    of = till(cost_usd=1.0)
    async with of.attempt("a.py", PROGRAM) as purse:
        purse.tell(took(1, 0.4))
    with pytest.raises(ZeroDivisionError):
        async with of.attempt("b.py", PROGRAM):
            raise ZeroDivisionError
    assert of.budget.spent.cost_usd == 0.8


async def test_programs_that_keep_a_limit_themselves_share_what_is_left_and_work_at_once() -> None:
    of, running, peak, shares = till(cost_usd=4.0, jobs=4), 0, 0, list[float]()
    gate = asyncio.Barrier(4)

    async def attempt(key: str) -> None:
        nonlocal running, peak
        async with of.attempt(key, PROGRAM) as purse:
            share = purse.left_cost_usd
            assert share is not None
            held = purse.reserve(tokens=0, cost_usd=share)
            shares.append(share)
            running += 1
            peak = max(peak, running)
            async with gate:
                pass
            running -= 1
            held.settle(took(1, share / 2))

    await asyncio.gather(*(attempt(f"{n}.py") for n in range(4)))
    assert (peak, shares) == (4, [1.0, 1.0, 1.0, 1.0])
    assert of.budget.spent.cost_usd == 2.0


async def test_the_task_bounds_the_share() -> None:
    of = till(cost_usd=4.0, jobs=2, task=Limits(cost_usd=0.5))
    async with of.attempt("a.py", MODEL) as purse:
        assert purse.left_cost_usd == 0.5
        purse.reserve(tokens=0, cost_usd=0.2)
        assert purse.left_cost_usd == 0.5
    assert of.budget.spent_on("a.py").cost_usd == 0.2


async def test_what_costs_nothing_works_on_when_nothing_is_left() -> None:
    of = till(tokens=1)
    await settled(of, tokens=1)
    with pytest.raises(BudgetExhausted):
        await settled(of, tokens=1)
    async with of.attempt("a.py", AUTOFIX):
        pass


class Clock:
    """Time that a test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def test_nothing_begins_once_the_minutes_are_over() -> None:
    clock = Clock()
    of = Till(Budget(Limits(minutes=2), now_s=clock))
    clock.now_s = 119
    async with of.attempt("a.py", AUTOFIX):
        pass
    clock.now_s = 120
    with pytest.raises(BudgetExhausted, match="the 2 minutes of the run are over"):
        async with of.attempt("a.py", AUTOFIX):
            raise AssertionError("it isn't started")
    assert of.budget.exhausted == "the 2 minutes of the run are over"


@pytest.mark.parametrize(("run", "task"), [(1e-4, None), (None, 1e-4)])
async def test_who_is_at_work_is_stopped_when_the_minutes_are_over(run: float | None, task: float | None) -> None:
    of = Till(Budget(Limits(minutes=run), Limits(minutes=task), now_s=Clock()))
    with pytest.raises(BudgetExhausted, match=r"minutes of the (run|task) are over"):
        async with of.attempt("a.py", MODEL):
            await asyncio.Event().wait()
    assert (of.budget.exhausted is None) == (run is None)
    if task is not None:
        async with of.attempt("b.py", MODEL):
            pass


async def test_who_waits_in_turn_is_stopped_when_the_minutes_are_over() -> None:
    of = Till(Budget(Limits(tokens=10), now_s=Clock()))
    async with of.attempt("a.py", PROGRAM) as purse:
        of.budget.run = Limits(tokens=10, minutes=1e-4)
        with pytest.raises(BudgetExhausted, match="minutes of the run are over"):
            async with of.attempt("b.py", PROGRAM):
                raise AssertionError("it isn't started")
        purse.tell(took(1))


async def test_agents_own_timeout_is_not_taken_for_the_budgets() -> None:
    of = Till(Budget(Limits(minutes=5)))
    with pytest.raises(TimeoutError):
        async with of.attempt("a.py", MODEL):
            raise TimeoutError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / NAME


def reopened(file: Path, **limits: Any) -> Till:
    return till(ledger=Ledger(file), **limits)


async def test_nothing_is_forgotten_by_the_next_process(file: Path) -> None:
    first = reopened(file, cost_usd=1.0)
    await settled(first, tokens=5, cost_usd=0.25)
    first.budget.close()
    second = reopened(file, cost_usd=1.0)
    assert second.budget.spent == Amount(tokens=5, cost_usd=0.25)
    await settled(second, key="b.py", tokens=1, cost_usd=0.25)
    third = reopened(file, cost_usd=1.0)
    assert third.budget.spent.cost_usd == 0.5
    assert third.budget.spent_on("a.py").cost_usd == 0.25
    with pytest.raises(BudgetExhausted):
        await settled(third, cost_usd=0.6)


@asynccontextmanager
async def killed_within(of: Till) -> AsyncIterator[Allowance]:
    """An attempt in a process that ends before it does."""
    attempt = of.attempt("a.py", MODEL)
    yield await attempt.__aenter__()
    of.budget.close()


async def test_what_was_set_aside_by_a_process_that_was_killed_is_spent(file: Path) -> None:
    async with killed_within(reopened(file, cost_usd=1.0)) as purse:
        purse.reserve(tokens=9, cost_usd=0.75)
    again = reopened(file, cost_usd=1.0)
    assert again.budget.spent == Amount(tokens=9, cost_usd=0.75)
    with pytest.raises(BudgetExhausted):
        await settled(again, cost_usd=0.5)


async def test_program_in_whose_midst_the_process_was_killed_came_to_the_dearest_before_it(file: Path) -> None:
    first = reopened(file, cost_usd=1.0)
    attempt = first.attempt("a.py", PROGRAM)
    await attempt.__aenter__()
    first.budget.close()
    second = reopened(file, cost_usd=1.0)
    assert second.budget.spent == Amount(known=False)
    async with second.attempt("a.py", PROGRAM) as purse:
        purse.tell(took(1, 0.25))
    again = second.attempt("b.py", PROGRAM)
    await again.__aenter__()
    second.budget.close()
    assert reopened(file, cost_usd=1.0).budget.spent.cost_usd == 0.5


class Priced(ScriptedAgent):
    """A program of whose attempts the user says what they cost."""

    attempt_cost_usd = 0.75


async def test_attempt_that_could_not_say_anything_costs_what_the_user_says(file: Path) -> None:
    agent = Priced(name="priced")
    first = reopened(file, cost_usd=2.0)
    attempt = first.attempt("a.py", agent)
    await attempt.__aenter__()
    first.budget.close()
    second = reopened(file, cost_usd=2.0)
    assert second.budget.spent == Amount(cost_usd=0.75)
    with pytest.raises(asyncio.CancelledError):
        async with second.attempt("a.py", agent):
            raise asyncio.CancelledError
    assert second.budget.spent == Amount(cost_usd=1.5)


@pytest.mark.parametrize("cut", [1, 7, 30])
async def test_line_that_was_cut_by_a_kill_spoils_no_other(file: Path, cut: int) -> None:
    first = reopened(file, tokens=100)
    await settled(first, tokens=10)
    await settled(first, tokens=20)
    first.budget.close()
    file.write_bytes(file.read_bytes()[:-cut])
    second = reopened(file, tokens=100)
    assert second.budget.spent.tokens == 30
    await settled(second, tokens=3)
    assert reopened(file, tokens=100).budget.spent.tokens == 33


async def test_time_of_earlier_processes_counts(file: Path) -> None:
    for spent_s in (0.0, 50.0, 100.0):
        clock = Clock()
        budget = Budget(Limits(minutes=2), Limits(minutes=3), ledger=Ledger(file), now_s=clock)
        assert budget.elapsed_s == pytest.approx(spent_s)
        async with Till(budget).attempt("a.py", AUTOFIX):
            clock.now_s = 50
        budget.close()
    budget = Budget(Limits(minutes=2), Limits(minutes=3), ledger=Ledger(file))
    with pytest.raises(BudgetExhausted):
        budget.check_time()
    left = budget.time_left("a.py")
    assert left is not None
    assert left[1] == "run"
    assert left[0] <= -30


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 100)), max_size=40), st.integers(1, 200))
def test_settled_requests_never_come_to_more_than_the_budget(requests: list[tuple[int, int]], limit: int) -> None:
    asyncio.run(_many(requests, limit))


async def _many(requests: list[tuple[int, int]], limit: int) -> None:
    of = till(tokens=limit, jobs=3)
    queue: Iterator[tuple[int, int]] = iter(requests)

    async def worker() -> None:
        for most, percent in queue:
            try:
                async with of.attempt("a.py", MODEL) as purse:
                    held = await purse.reserve_in_turn(tokens=most)
                    await asyncio.sleep(0)
                    held.settle(took(most * percent // 100))
            except BudgetExhausted:
                assert of.budget.spent.tokens + most > limit

    await asyncio.gather(*(worker() for _ in range(3)))
    assert of.budget.spent.tokens <= limit


def test_threads_lose_nothing() -> None:
    of = till(tokens=10_000)

    async def spend() -> None:
        for _ in range(100):
            async with of.attempt("a.py", MODEL) as purse:
                (await purse.reserve_in_turn(tokens=10)).settle(took(5))

    threads = [threading.Thread(target=lambda: asyncio.run(spend())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert of.budget.spent.tokens == 2000


class Free(ScriptedAgent):
    """A program whose attempts cost nothing, as the user says."""

    attempt_cost_usd = 0.0
