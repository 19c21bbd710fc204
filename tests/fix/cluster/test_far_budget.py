"""Attempts on many workers share one budget, which is kept whatever becomes of a worker."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents.protocol import AgentError, BudgetExhausted
from fanfold.fix.attempts.stages import Stage
from fanfold.fix.cluster.counter import Counter
from fanfold.fix.cluster.far import FarPurse, FarTill
from fanfold.fix.spending.allowance import Till
from fanfold.fix.spending.budget import Budget, Limits
from fanfold.fix.spending.ledger import NAME, Amount, Ledger
from fanfold.llm.usage import Usage
from fanfold.runtimes import coordinated
from fanfold.testing.agents import ScriptedAgent
from fanfold.testing.coordinator import NearCoordinator

MODEL, PROGRAM = ScriptedAgent(name="model"), ScriptedAgent(name="program")
STAGES = (Stage((MODEL, PROGRAM)),)


def took(tokens: int, cost_usd: float | None = 0.0) -> Usage:
    return Usage(requests=1, input_tokens=tokens, cost_usd=cost_usd)


def till(*, ledger: Ledger | None = None, task: Limits | None = None, **run: Any) -> Till:
    return Till(Budget(Limits(**run), task, jobs=4, ledger=ledger))


@dataclass
class Placed:
    """A branch on a worker, for which a coordinator's counter answers."""

    counter: Counter
    till: FarTill

    @asynccontextmanager
    async def attempt(self, agent: ScriptedAgent = MODEL) -> AsyncIterator[FarPurse]:
        with coordinated(NearCoordinator(self.counter.answer)):
            async with self.till.attempt("its own", agent) as purse:
                yield purse
        await told()


def placed(of: Till, key: str = "a.py") -> Placed:
    return Placed(Counter(key, of, STAGES), FarTill(STAGES))


async def told() -> None:
    """What was told by now has been heard."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_many_workers_together_take_no_more_than_there_is_and_leave_little_of_it() -> None:
    of, taken = till(tokens=1000), list[int]()
    chance = random.Random(7)

    async def branch(number: int) -> None:
        async with placed(of, f"{number}.py").attempt() as purse:
            for _ in range(10):
                held = await purse.reserve_in_turn(tokens=20)
                assert of.budget.spent.tokens <= 1000
                await asyncio.sleep(chance.random() / 100)
                taken.append(chance.randint(1, 20))
                held.settle(took(taken[-1]))

    ended = await asyncio.gather(*map(branch, range(20)), return_exceptions=True)
    assert {type(error) for error in ended if error} == {BudgetExhausted}
    assert sum(taken) == of.budget.spent.tokens
    assert 980 < sum(taken) <= 1000
    assert "1,000 tokens for the run" in str(of.budget.exhausted)


async def test_refusal_is_told_in_the_words_of_the_run() -> None:
    of = till(task=Limits(tokens=10))
    with pytest.raises(BudgetExhausted, match="of 10 tokens for the task 0 are taken") as refused:
        async with placed(of).attempt() as purse:
            await purse.reserve_in_turn(tokens=11)
    assert "--max-tokens-per-task" in str(refused.value.hint)
    assert of.budget.exhausted is None


async def test_limit_of_a_task_holds_over_its_workers() -> None:
    of = till(task=Limits(tokens=10))
    async with placed(of).attempt() as purse:
        (await purse.reserve_in_turn(tokens=8)).settle(took(8))
    with pytest.raises(BudgetExhausted):
        async with placed(of).attempt() as purse:
            await purse.reserve_in_turn(tokens=3)
    async with placed(of, "b.py").attempt() as purse:
        (await purse.reserve_in_turn(tokens=10)).settle(took(10))


async def test_what_a_lost_worker_had_set_aside_is_spent_and_who_waits_for_it_is_refused() -> None:
    of = till(tokens=10)
    lost, other = placed(of), placed(of, "b.py")

    async def works_until_it_is_lost() -> None:
        async with lost.attempt() as purse:
            (await purse.reserve_in_turn(tokens=3)).settle(took(2))
            await purse.reserve_in_turn(tokens=5)
            await asyncio.Event().wait()

    async def waits() -> None:
        async with other.attempt() as purse:
            await purse.reserve_in_turn(tokens=4)

    losing, waiting = asyncio.create_task(works_until_it_is_lost()), asyncio.create_task(waits())
    await asyncio.sleep(0.05)
    assert (of.budget.spent.tokens, waiting.done()) == (2, False)
    await lost.counter.close()
    with pytest.raises(BudgetExhausted, match="7 are taken"):
        await waiting
    losing.cancel()
    await asyncio.wait([losing])
    assert of.budget.spent.tokens == 7


async def test_what_was_set_aside_is_written_down_before_a_worker_hears_of_it(tmp_path: Path) -> None:
    def known() -> int:
        """What the next process of the run would take for spent, if this one died."""
        return Ledger(Path(shutil.copy(tmp_path / NAME, tmp_path / "copy"))).before.spent["a.py"].tokens

    first = till(tokens=10, ledger=Ledger(tmp_path / NAME))
    async with placed(first).attempt() as purse:
        await purse.reserve_in_turn(tokens=7)
        assert known() == 7
        held = await purse.reserve_in_turn(tokens=2)
        held.settle(took(1))
        held.settle(took(2))
    assert known() == 8


async def test_request_that_is_given_up_while_it_waits_takes_nothing() -> None:
    of = till(tokens=10)
    async with placed(of).attempt() as mine:
        held = await mine.reserve_in_turn(tokens=10)
        async with placed(of, "b.py").attempt() as yours:
            waiting = asyncio.create_task(yours.reserve_in_turn(tokens=10))
            await told()
            waiting.cancel()
            await asyncio.wait([waiting])
            held.settle(took(1))
            await told()
            (await mine.reserve_in_turn(tokens=9)).settle(took(9))
    assert of.budget.spent == Amount(tokens=10)


async def test_request_that_is_given_up_as_it_is_granted_takes_nothing() -> None:
    of = till(tokens=10)
    here = placed(of)
    async with here.attempt() as purse:
        asking = asyncio.create_task(purse.reserve_in_turn(tokens=10))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        await told()
        (await purse.reserve_in_turn(tokens=10)).settle(took(4))
    assert of.budget.spent == Amount(tokens=4)


async def test_program_that_says_afterwards_what_it_took_works_alone_until_it_has_said_it() -> None:
    of, began = till(cost_usd=1.0), list[str]()

    async def works(key: str, cost_usd: float) -> None:
        async with placed(of, key).attempt(PROGRAM) as purse:
            began.append(key)
            await asyncio.sleep(0.01)
            purse.tell(took(5, cost_usd))

    await asyncio.gather(works("a.py", 0.4), works("b.py", 0.3))
    assert began == ["a.py", "b.py"]
    assert of.budget.spent.cost_usd == pytest.approx(0.7)
    with pytest.raises(BudgetExhausted, match=r"may cost 0\.4"):
        await works("c.py", 0.1)


async def test_program_of_a_lost_worker_counts_as_the_dearest_before_it() -> None:
    of = till(cost_usd=1.0)
    async with placed(of).attempt(PROGRAM) as purse:
        purse.tell(took(5, 0.3))
    lost = placed(of, "b.py")
    await lost.counter.answer({"op": "begin", "attempt": "1", "agent": [0, 1]})
    await lost.counter.close()
    assert of.budget.spent == Amount(tokens=10, cost_usd=0.6)


async def test_without_limits_a_lost_worker_leaves_the_cost_unknown() -> None:
    of = till()
    async with placed(of).attempt(PROGRAM) as purse:
        purse.tell(took(5, 0.3))
    assert of.budget.spent == Amount(tokens=5, cost_usd=0.3)
    lost = placed(of, "b.py")
    await lost.counter.answer({"op": "begin", "attempt": "1", "agent": [0, 1]})
    await lost.counter.close()
    assert of.budget.spent == Amount(tokens=5, cost_usd=0.3, known=False)


async def test_program_that_keeps_a_limit_itself_is_told_its_share() -> None:
    of = till(cost_usd=4.0)
    async with placed(of).attempt() as purse:
        assert purse.left_cost_usd == pytest.approx(1.0)
    async with placed(till()).attempt() as purse:
        assert purse.left_cost_usd is None


async def test_time_of_the_run_ends_an_attempt_there_and_is_noted_here() -> None:
    of = till(minutes=0.001)
    with pytest.raises(BudgetExhausted, match=r"the 0\.001 minutes of the run are over"):
        async with placed(of).attempt():
            await asyncio.sleep(60)
    assert of.budget.exhausted == "the 0.001 minutes of the run are over"


async def test_time_of_a_task_is_that_on_all_its_workers() -> None:
    of = till(task=Limits(minutes=0.002))
    async with placed(of).attempt():
        await asyncio.sleep(0.06)
    with pytest.raises(BudgetExhausted, match="minutes of the task are over"):
        async with placed(of).attempt():
            await asyncio.sleep(0.09)
    with pytest.raises(BudgetExhausted, match="minutes of the task are over"):
        async with placed(of).attempt():
            pass
    assert of.budget.exhausted is None


async def test_failing_agent_says_what_it_took() -> None:
    of = till()
    error = AgentError("no idea")
    error.usage = took(5, 0.3)
    with pytest.raises(AgentError):
        async with placed(of).attempt():
            raise error
    await told()
    assert of.budget.spent == Amount(tokens=5, cost_usd=0.3)


async def test_what_cannot_wait_is_refused_within_limits_and_counted_without() -> None:
    of = till()
    async with placed(of).attempt() as purse:
        purse.reserve(tokens=10).settle(took(5, 0.3))
    assert of.budget.spent == Amount(tokens=5, cost_usd=0.3)
    with pytest.raises(BudgetExhausted, match="reserve_in_turn"):
        async with placed(till(tokens=10)).attempt() as purse:
            purse.reserve(tokens=1)
