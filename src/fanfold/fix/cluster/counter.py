"""The coordinator's side of attempts on other machines: they take of the run's budget, and what is known of them stays.

Of an attempt whose worker was lost nothing more is heard. What it had set aside counts as spent, as it does when the
process of a run is killed, and nobody knows what else it took.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from fanfold.agents.protocol import Agent, BudgetExhausted
from fanfold.errors import FanfoldError
from fanfold.fix.attempts.effort import FREE, Effort
from fanfold.fix.attempts.stages import Stage, name_of
from fanfold.fix.attempts.trail import Trail, Trails
from fanfold.fix.record import Run
from fanfold.fix.runs.saved import made
from fanfold.fix.spending.allowance import Allowance, Reserved, Till
from fanfold.llm.usage import Usage
from fanfold.process import uninterrupted
from fanfold.runtimes import Answer, get_context

Question: TypeAlias = dict[str, Any]
LOST = "the worker that it ran on was lost"


@contextlib.asynccontextmanager
async def attended(key: str) -> AsyncIterator[Answer]:
    """Answers a task's branch while it is on one worker; what it tried there is known, whatever becomes of it.

    Raises:
        BudgetExhausted: there is no time left to begin it.
    """
    run = get_context(Run)
    run.till.budget.check_time(key)
    counter = Counter(key, run.till, run.stages, run.bench.trails if run.bench else None)
    try:
        yield counter.answer
    except BaseException:
        await uninterrupted(counter.close())
        # A branch that came to something says what was tried by itself.
        run.landing.efforts[key] = (*run.landing.efforts.get(key, ()), *counter.efforts)
        raise
    else:
        await uninterrupted(counter.close())


@dataclass
class Open:
    """An attempt that is at work elsewhere."""

    allowance: Allowance
    began_s: float
    holds: dict[int, Reserved] = field(default_factory=dict)


class Counter:
    """Answers one branch on one worker.

    Args:
        key: the task's.
        till: the run's.
        stages: who works.
        trails: takes what was said and done.
    Attributes:
        efforts: what each try there took.
    """

    def __init__(self, key: str, till: Till, stages: Sequence[Stage], trails: Trails | None = None) -> None:
        self._key = key
        self._till = till
        self._stages = stages
        self._trails = trails
        self._open: dict[str, Open] = {}
        self._begun: dict[str, Trail] = {}
        self._best = 0
        self._answers: dict[str, Callable[[Question], Awaitable[dict[str, Any]]]] = {
            "begin": self._begin,
            "reserve": self._reserve,
            "settle": self._settle,
            "over": self._over,
            "end": self._end,
            "begun": self._begin_trail,
            "keep": self._keep,
        }
        self.efforts: list[Effort] = []

    async def answer(self, question: Question) -> dict[str, Any]:
        """What to say to what is asked; `refused` says that the budget doesn't have it."""
        try:
            return await self._answers[question["op"]](question)
        except BudgetExhausted as error:
            return {"refused": error.message, "hint": error.hint}

    async def close(self) -> None:
        """Take what was set aside for spent, and note what is known of attempts of which nothing more is heard."""
        for attempt in list(self._open):
            await self._end({"attempt": attempt, "usage": None, "stopped": True})
        for trail in list(self._begun.values()):
            usage = FREE if self._is_free(trail) else None
            agent_s = max(time.time() - trail.started_s, 0.0)
            await self._note(replace(trail, error=LOST, stopped=True, usage=usage, agent_s=agent_s))

    async def _begin(self, asked: Question) -> dict[str, Any]:
        budget, customs = self._till.budget, self._till.customs
        budget.check_time(self._key)
        allowance = Allowance(budget, customs, self._key, self._agent(*asked["agent"]), asked["attempt"])
        left = budget.time_left()
        try:
            async with asyncio.timeout(left and left[0]):
                await allowance.begin()
                allowance.begun()
        except BaseException as error:
            allowance.stop()
            allowance.close()
            if isinstance(error, TimeoutError):
                raise budget.no_time("run") from error
            raise
        self._open[asked["attempt"]] = Open(allowance, budget.now_s())
        left = budget.time_left(self._key)
        return {
            "limited": budget.counts_spending,
            "left_usd": allowance.left_cost_usd,
            "left_s": left and left[0],
            "whose": left and left[1],
        }

    async def _reserve(self, asked: Question) -> dict[str, Any]:
        attempt = self._open[asked["attempt"]]
        reserved = await attempt.allowance.reserve_in_turn(tokens=asked["tokens"], cost_usd=asked["cost_usd"])
        attempt.holds[asked["hold"]] = reserved
        return {}

    async def _settle(self, told: Question) -> dict[str, Any]:
        attempt = self._open.get(told["attempt"])
        reserved = attempt.holds.pop(told["hold"], None) if attempt else None
        if reserved is not None:
            reserved.settle(Usage(**told["usage"]))
        return {}

    async def _over(self, told: Question) -> dict[str, Any]:
        raise self._till.budget.no_time(told["whose"])

    async def _end(self, told: Question) -> dict[str, Any]:
        if (attempt := self._open.pop(told["attempt"], None)) is not None:
            budget = self._till.budget
            attempt.allowance.tell(None if told["usage"] is None else Usage(**told["usage"]))
            if told["stopped"]:
                attempt.allowance.stop()
            attempt.allowance.close()
            seconds = budget.now_s() - attempt.began_s
            budget.worked(self._key, seconds, told["attempt"], attempt.allowance.told)
        return {}

    async def _begin_trail(self, told: Question) -> dict[str, Any]:
        # Clocks of workers may be anywhere: it began when it was told.
        trail = replace(made(Trail, told["trail"]), started_s=time.time())
        self._begun[trail.id] = trail
        return {}

    async def _keep(self, told: Question) -> dict[str, Any]:
        trail = made(Trail, told["trail"])
        begun = self._begun.get(trail.id)
        await self._note(replace(trail, started_s=begun.started_s if begun else time.time() - trail.agent_s))
        return {}

    async def _note(self, trail: Trail) -> None:
        self._begun.pop(trail.id, None)
        fixed = max(trail.fixed - self._best, 0) if trail.ok else 0
        self._best += fixed
        self.efforts.append(replace(trail.effort, fixed=fixed))
        if self._trails is not None:
            await uninterrupted(self._trails.keep(self._key, trail))

    def _agent(self, stage: int, lane: int) -> Agent:
        try:
            return self._stages[stage].agents[lane]
        except IndexError:
            raise FanfoldError(
                f"a worker has an agent of the stage {stage + 1}, which this run hasn't",
                hint="install the same version of Fanfold on all machines",
            ) from None

    def _is_free(self, trail: Trail) -> bool:
        agents = self._stages[trail.stage].agents if trail.stage < len(self._stages) else ()
        return any(agent.deterministic for agent in agents if name_of(agent) == trail.agent)
