"""Several agents at the same task, side by side: the first one whose change is verified whole wins."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from fanfold.engine import Failed, MergeError, Outcome, first_success
from fanfold.errors import FanfoldError
from fanfold.fix.attempts.effort import Effort
from fanfold.fix.attempts.standing import Standing
from fanfold.fix.attempts.tries import Worker


class NotWhole(FanfoldError):
    """One who took part ended with something left, or somebody else was first; not a failure of the task."""


async def race(workers: Sequence[Worker], standing: Standing, efforts: list[Effort]) -> Standing:
    """Let all work, each in a workspace of its own, until one has fixed everything; the others are stopped then.

    Args:
        efforts: takes what each try took, of those that were stopped, too.
    Returns:
        Where the winner came to; where nobody won, the standing of who came furthest.
    """
    winner = ""
    reached: dict[str, Standing] = {}
    taken: dict[str, list[Effort]] = {str(lane): [] for lane in range(len(workers))}
    line = _Line()

    async def run(lane: str) -> str:
        mine = replace(workers[int(lane)], efforts=taken[lane])
        async with line.towards():
            reached[lane] = await mine.work(standing)
        if not reached[lane].whole:
            raise NotWhole(f"{mine.agent.name} left something")
        line.cross()
        return lane

    try:
        # How many run at once is limited by the fan-out around this one.
        winner = (await first_success(run, list(taken), limit=None)).value
    except MergeError as error:
        _raise_others(error.outcomes)
        winner = max(taken, key=lambda lane: reached[lane].progress)
    finally:
        for lane, mine in taken.items():
            efforts += mine if lane == winner else [replace(effort, fixed=0) for effort in mine]
    return reached[winner].beside(standing, [reached[lane] for lane in taken if lane in reached])


class _Line:
    """Who crosses it first stops the others at once: who waits for all of them may have no slot to do so for long."""

    def __init__(self) -> None:
        self._crossed = False
        self._under_way: list[asyncio.Timeout] = []

    @contextlib.asynccontextmanager
    async def towards(self) -> AsyncIterator[None]:
        """What may be stopped.

        Raises:
            NotWhole: somebody else was first.
        """
        scope = asyncio.timeout(None)
        try:
            if self._crossed:
                raise NotWhole("another agent was first")
            async with scope:
                self._under_way.append(scope)
                try:
                    yield
                finally:
                    self._under_way.remove(scope)
        except TimeoutError:
            if scope.expired():
                raise NotWhole("another agent was first") from None
            raise

    def cross(self) -> None:
        """Stop those who are on their way; who crosses it is there."""
        self._crossed = True
        for scope in self._under_way:
            scope.reschedule(0)


def _raise_others(outcomes: Sequence[Outcome[str]]) -> None:
    """What ended a lane without a standing is for whoever looks after the whole task."""
    for outcome in outcomes:
        if isinstance(outcome, Failed) and not isinstance(outcome.error, NotWhole):
            raise outcome.error
