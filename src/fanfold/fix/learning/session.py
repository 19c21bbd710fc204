"""What a run takes from what was learned when it begins, and adds to it when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fanfold.fix.attempts.stages import Course, EveryStage, agents_of, course_of, name_of
from fanfold.fix.attempts.trail import Trail, by_rule, trails_of
from fanfold.fix.findings.split import Task
from fanfold.fix.learning.errors import LearningError
from fanfold.fix.learning.examples import examples_of
from fanfold.fix.learning.file import NAME
from fanfold.fix.learning.lesson import Example, Lesson
from fanfold.fix.learning.names import known_as, place_of
from fanfold.fix.learning.observed import Fate, chain, lessons_of, rounds
from fanfold.fix.learning.policy import Learned, is_worth_asking
from fanfold.fix.learning.store import Store
from fanfold.fix.record import Run
from fanfold.fix.runs.folder import RunFolder


def store_at(state: Path) -> Store:
    """The store in the folder of all that Fanfold has to remember."""
    return Store(state / NAME)


async def courses_for(run: Run) -> dict[str, Course]:
    """How each of the run's tasks goes through the stages, by key: as was learned, else by the run's own policy.

    What was learned is of use, and not needed: a store that can't be read is told in the report.
    """
    policy = await _learned(run) or run.policy
    courses = {task.key: course_of(policy, task, len(run.stages)) for task in run.plan.tasks}
    if isinstance(policy, Learned) and (others := sum(_is_other(course) for course in courses.values())):
        run.notes.append(
            f"on {others} of {len(courses)} files, agents were to work in another order or with fewer tries than set,"
            " by what earlier runs showed: `fanfold stats` tells of it, --no-learn leaves it out"
        )
    return courses


async def remember(run: Run) -> None:
    """Add what the run showed to what is known; once, however often it is told of the same run."""
    if not run.settings.learn or run.folder is None or run.request.diff or run.request.dry_run:
        return
    try:
        await asyncio.to_thread(_remember, run, RunFolder(run.folder))
    except LearningError as error:
        run.notes.append(f"nothing was learned: {error}")


async def _learned(run: Run) -> Learned | None:
    """A policy by what was learned; None where there is nothing to choose, another is given, or nobody wants it."""
    is_given = not isinstance(run.policy, EveryStage)
    if is_given or not (run.settings.learn and run.plan.tasks and is_worth_asking(run.stages)):
        return None
    try:
        return await asyncio.to_thread(_policy, run)
    except LearningError as error:
        run.notes.append(f"nothing that was learned before was used: {error}")
        return None


def _policy(run: Run) -> Learned:
    store, place = store_at(run.settings.state), place_of(run.repository)
    rules = {rule for task in run.plan.tasks for rule in by_rule(task.findings)}
    return Learned(
        run.stages,
        store.figures(place, [known_as(name_of(agent)) for agent in agents_of(run.stages)]),
        store.examples(place, rules),
        tries=run.settings.max_attempts,
        seed=seed_of(run),
    )


def seed_of(run: Run) -> str:
    """What decides which of the run's tasks go the user's own way: others in each run."""
    return run.name


def _is_other(course: Course) -> bool:
    return course.steps != tuple((stage, None) for stage in range(len(course.steps)))


def _remember(run: Run, folder: RunFolder) -> None:
    lessons: list[Lesson] = []
    examples: list[Example] = []
    readers = {name_of(agent) for agent in agents_of(run.stages) if not agent.deterministic}
    for number, task in enumerate(run.plan.tasks):
        trails = trails_of(folder.trails(number))
        fate = _fate(run, task)
        sent_back, deadline_s = task.key in run.landing.sent_back, run.settings.deadline_s
        lessons += lessons_of(run.name, trails, fate, deadline_s=deadline_s, sent_back=sent_back)
        if fate == "landed":
            examples += _examples(task, trails, readers)
    if lessons:
        store_at(run.settings.state).learn(place_of(run.repository), lessons, examples)


def _fate(run: Run, task: Task) -> Fate:
    landing = run.landing
    if task.key in landing.landed:
        return "landed"
    if landing.refusal(task.key) is not None:
        return "taken out"
    return "open" if run.interrupted or run.stopped is not None else "left"


def _examples(task: Task, trails: Sequence[Trail], readers: frozenset[str] | set[str]) -> Iterator[Example]:
    """Of what landed, what agents made that read; an autofixer's fixes need no example."""
    made = chain(rounds(trails)[-1]) if trails else []
    by_readers = {rule for trail in made if trail.agent in readers for rule in _gone(trail)}
    if made and by_readers:
        yield from examples_of(made[-1], task.findings, by_readers & _gone_of(by_rule(task.findings), made[-1].missed))


def _gone(trail: Trail) -> set[str]:
    return _gone_of(trail.asked, trail.missed)


def _gone_of(asked: Mapping[str, int], missed: Mapping[str, int]) -> set[str]:
    """Rules of which nothing is left."""
    return {rule for rule in asked if not missed.get(rule)}
