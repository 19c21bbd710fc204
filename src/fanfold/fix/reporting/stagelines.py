"""What each agent of the cascade did, counted from what was tried and what landed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fanfold.fix.attempts.effort import Effort
from fanfold.fix.attempts.stages import Stage, name_of
from fanfold.fix.reporting.report import StageLine
from fanfold.fix.spending.budget import Budget

Efforts = Mapping[str, tuple[Effort, ...]]
"""By the task's key."""


def stage_lines(stages: Sequence[Stage], tried: Efforts, landed: Efforts) -> tuple[StageLine, ...]:
    """A line for each agent, those that had nothing to do among them.

    Args:
        tried: all that was tried.
        landed: what the changes on the result branch consist of.
    """
    names = dict.fromkeys((place, name_of(agent)) for place, stage in enumerate(stages) for agent in stage.agents)
    return tuple(_line(place, name, tried, landed) for place, name in names)


def cut_off(stages: Sequence[Stage], budget: Budget, key: str, known: Sequence[Effort]) -> tuple[Effort, ...]:
    """What earlier processes of the run tried at a task and didn't bring to an end, beyond what is known of it."""
    places = {name_of(agent): place for place, stage in enumerate(stages) for agent in stage.agents}
    ids = {one.id for one in known}
    return tuple(
        Effort(id=attempt, stage=places[one.agent], agent=one.agent, agent_s=one.seconds, usage=one.usage, cut_off=True)
        for attempt, one in budget.earlier(key).items()
        if attempt not in ids and one.agent in places
    )


def _line(place: int, name: str, tried: Efforts, landed: Efforts) -> StageLine:
    mine = [own for each in tried.values() if (own := _own(each, place, name))]
    fixed = [sum(one.fixed for one in _own(each, place, name)) for each in landed.values()]
    efforts = [one for own in mine for one in own]
    errors = [one.error for one in efforts if one.error is not None]
    known = [one.usage for one in efforts if one.usage is not None]
    return StageLine(
        stage=place + 1,
        agent=name,
        files=len(mine),
        attempts=len(efforts),
        files_fixed=sum(count > 0 for count in fixed),
        fixed=sum(fixed),
        agent_s=sum(one.agent_s for one in efforts),
        usage=sum(known[1:], known[0]) if known else None,
        unmeasured=len(efforts) - len(known),
        cut_off=sum(one.cut_off for one in efforts),
        unanswered=len(errors),
        error=errors[-1] if errors else None,
    )


def _own(efforts: Sequence[Effort], place: int, name: str) -> list[Effort]:
    return [one for one in efforts if (one.stage, one.agent) == (place, name)]
