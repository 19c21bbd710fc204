"""Several agents at the same task, side by side: the first one whose change is verified whole wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fanfold.engine import Failed, MergeError, Outcome, first_success
from fanfold.errors import FanfoldError
from fanfold.fix.attempts.effort import Effort
from fanfold.fix.attempts.standing import Standing
from fanfold.fix.attempts.tries import Worker


class NotWhole(FanfoldError):
    """One who took part ended with something left; not a failure of the task."""


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
    winner = ""

    async def run(lane: str) -> str:
        mine = replace(workers[int(lane)], efforts=taken[lane])
        reached[lane] = await mine.work(standing)
        if not reached[lane].whole:
            raise NotWhole(f"{mine.agent.name} left something")
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


def _raise_others(outcomes: Sequence[Outcome[str]]) -> None:
    """What ended a lane without a standing is for whoever looks after the whole task."""
    for outcome in outcomes:
        if isinstance(outcome, Failed) and not isinstance(outcome.error, NotWhole):
            raise outcome.error
