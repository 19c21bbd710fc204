"""The stages that a task goes through until it is verified: who works on it after whom, and how often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from fanfold.agents.protocol import Agent
from fanfold.fix.findings.split import Task
from fanfold.redact import redact

MAX_NAME_CHARS = 200
FOR_TESTS = "autofix"
"""The one agent that may edit tests."""


def edits_tests(agent: Agent) -> bool:
    """Whether an agent may work on files of tests."""
    return agent.name == FOR_TESTS or getattr(agent, "edits_tests", False) is True


def goes_on(agent: Agent) -> bool:
    """Whether an agent answers each attempt anew, though it is asked the same: it plays what was answered before."""
    return getattr(agent, "goes_on", False) is True


@dataclass(frozen=True)
class Stage:
    """Agents that work on the same task side by side, each in a workspace of its own; mostly one."""

    agents: tuple[Agent, ...]

    @property
    def name(self) -> str:
        """The agents' names, as the report has them."""
        return " | ".join(name_of(agent) for agent in self.agents)

    def for_task(self, task: Task) -> tuple[Agent, ...]:
        """Those of the agents that may work on a task."""
        return tuple(agent for agent in self.agents if not task.is_test or edits_tests(agent))


@dataclass(frozen=True)
class Course:
    """What a policy decided for one task, as data that goes where the task goes.

    Args:
        steps: stages in the order in which they are tried, counted from 0 in the user's order; each with the tries of
            its agents, None = as the user set it.
        examples: verified diffs by rule, for agents that read.
    """

    steps: tuple[tuple[int, int | None], ...]
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Policy(Protocol):
    """Says in which order a task goes through the stages, how often each may try it, and what agents are shown."""

    def course(self, task: Task, stages: int) -> Course:
        """The way of a task through so many stages."""
        ...


class EveryStage:
    """The policy of who knows nothing yet: all stages in order, each with all its tries."""

    def course(self, task: Task, stages: int) -> Course:  # noqa: ARG002  (the shape of a policy)
        """The user's order."""
        return Course(tuple((stage, None) for stage in range(stages)))


def course_of(policy: Policy, task: Task, stages: int) -> Course:
    """The way of a task: each stage comes once, those that the policy doesn't name at the end, so that none is lost."""
    course = policy.course(task, stages)
    steps = {stage: tries for stage, tries in course.steps if 0 <= stage < stages}
    steps |= {stage: None for stage in range(stages) if stage not in steps}
    return replace(course, steps=tuple(steps.items()))


def stages_of(agents: Sequence[Agent], *, race: bool = False) -> tuple[Stage, ...]:
    """Agents as stages: one after another; or first those that are deterministic, then all others at once."""
    if not race:
        return tuple(Stage((agent,)) for agent in agents)
    first = tuple(Stage((agent,)) for agent in agents if agent.deterministic)
    others = tuple(agent for agent in agents if not agent.deterministic)
    return (*first, Stage(others)) if others else first


def name_of(agent: Agent) -> str:
    """What an agent is called in reports and commits: as the user does, in which there may be a whole command."""
    name = redact("".join(letter if letter.isprintable() else "?" for letter in agent.name))
    half = MAX_NAME_CHARS // 2
    return name if len(name) <= MAX_NAME_CHARS else f"{name[: half - 3]}...{name[-half:]}"


def agents_of(stages: Sequence[Stage]) -> Iterator[Agent]:
    """All agents, in the order of their stages."""
    for stage in stages:
        yield from stage.agents


def names_of(stages: Sequence[Stage]) -> str:
    """Who works, in words: "autofix, cheap | strong" is a race after a stage of one."""
    return ", ".join(stage.name for stage in stages)
