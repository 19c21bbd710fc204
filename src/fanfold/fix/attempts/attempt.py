"""One branch: a task goes from stage to stage until what was made of it is verified."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from fanfold.agents.protocol import AgentError
from fanfold.fix.attempts.bench import Bench
from fanfold.fix.attempts.effort import Effort, usage_of, with_efforts
from fanfold.fix.attempts.race import race
from fanfold.fix.attempts.standing import Standing
from fanfold.fix.attempts.tries import Desk, Worker
from fanfold.fix.attempts.verify import Judgement, TestTree
from fanfold.fix.findings.split import Task
from fanfold.fix.undecodable import schema_of
from fanfold.git import Change
from fanfold.llm.usage import Usage


@dataclass(frozen=True)
class Attempted:
    """What became of one task in its workspace; plain data, which may come from another machine.

    `change` is set only if it was verified. `agent_s` is the time that the agents themselves took, `efforts` what each
    try took; `why_left` is what was refused or went wrong where something is left. `parcel` holds what the change needs
    of its own objects where it comes from another machine; nothing else has it.
    """

    task: Task
    change: Change | None
    verdict: Judgement
    attempts: int
    agent_s: float
    refused: tuple[str, ...] = ()
    parcel: str | None = None
    efforts: tuple[Effort, ...] = ()
    why_left: tuple[str, ...] = ()

    @property
    def usage(self) -> Usage | None:
        """What all attempts took together, as far as it is known; None = nothing is known of any."""
        return usage_of(self.efforts)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Files may have names that aren't UTF-8."""
        return schema_of(source, handler)


async def attempt(bench: Bench, task: Task, *, told: str = "", test: TestTree | None = None) -> Attempted:
    """Send a task through the stages until its change is verified whole, or no stage is left; the best one counts.

    Each stage begins with the best text that was verified so far, and is told only what is left there, and what was
    refused. One that crashes or takes too long takes nothing of that away.

    Args:
        told: what is known before the first attempt.
        test: runs tests on a verified change and names what it breaks; None = not here.
    Raises:
        AgentError, DeadlineExceeded or whatever an agent raised: nothing was verified, and that is why.
        BudgetExhausted: there is no time left to begin it.
    """
    bench.till.check_time(task.key)
    desk, efforts = Desk(bench, task, bench.course(task), test), list[Effort]()
    standing = Standing(task, told)
    try:
        for stage, tries in desk.course.steps:
            standing = await _stage(desk, stage, tries, standing, efforts)
            if standing.whole or standing.over:
                break
    except asyncio.CancelledError:
        bench.stopped[task.key] = tuple(efforts)  # a branch that is stopped has no outcome to say it
        raise
    return _attempted(standing, tuple(efforts))


async def _stage(desk: Desk, stage: int, tries: int | None, standing: Standing, efforts: list[Effort]) -> Standing:
    """One stage's agents, those that may work on the task, side by side if there are several."""
    most = tries or desk.bench.settings.max_attempts
    workers = [
        Worker(desk, agent, stage, 1 if agent.deterministic else most, efforts, lane)
        for lane, agent in enumerate(desk.bench.stages[stage].for_task(desk.task))
    ]
    if len(workers) > 1:
        return await race(workers, standing, efforts)
    return await workers[0].work(standing) if workers else standing


def _attempted(standing: Standing, efforts: tuple[Effort, ...]) -> Attempted:
    verdict, failure = standing.verdict, standing.failure
    if standing.best is None and failure is not None and not (verdict and verdict.reasons):
        raise with_efforts(failure, efforts)
    if verdict is None:
        raise AgentError(f"none of the agents may work on {standing.task.path}")
    return Attempted(
        task=standing.task,
        change=standing.change,
        verdict=replace(verdict, others=()),
        attempts=len(efforts),
        agent_s=sum(effort.agent_s for effort in efforts),
        refused=() if standing.whole and len({effort.agent for effort in efforts}) > 1 else standing.refused,
        efforts=efforts,
        why_left=standing.why_left(),
    )
