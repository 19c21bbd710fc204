"""The stages that a task goes through until it is verified: who works on it after whom, and how often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fanfold.agents.protocol import Agent
from fanfold.fix.split import Task

FOR_TESTS = "autofix"
"""The one agent that may edit tests."""


@dataclass(frozen=True)
class Stage:
    """Agents that work on the same task side by side, each in a workspace of its own; mostly one."""

    agents: tuple[Agent, ...]

    @property
    def name(self) -> str:
        """The agents' names, as the report has them."""
        return " | ".join(agent.name for agent in self.agents)

    def for_task(self, task: Task) -> tuple[Agent, ...]:
        """Those of the agents that may work on a task."""
        return tuple(agent for agent in self.agents if not task.is_test or agent.name == FOR_TESTS)


class Policy(Protocol):
    """Says where a task starts, how often each stage may try it, and what agents are shown.

    Stages are counted from 0, in the user's order. What is left out here isn't lost: stages before the start, and those
    with no tries, come last, when all others have left something.
    """

    def start_at(self, task: Task) -> int:
        """The stage to begin with."""
        ...

    def tries(self, task: Task, stage: int) -> int | None:
        """How often each agent of a stage may try; 0 = only when all else has failed, None = as the user set it."""
        ...

    def examples(self, task: Task) -> Mapping[str, tuple[str, ...]]:
        """Diffs that were verified before, by rule, for agents that read."""
        ...


class EveryStage:
    """The policy of who knows nothing yet: all stages in order, each with all its tries."""

    def start_at(self, task: Task) -> int:  # noqa: ARG002  (the shape of a policy)
        """The first one."""
        return 0

    def tries(self, task: Task, stage: int) -> int | None:  # noqa: ARG002  (the shape of a policy)
        """As the user set it."""
        return None

    def examples(self, task: Task) -> Mapping[str, tuple[str, ...]]:  # noqa: ARG002  (the shape of a policy)
        """None."""
        return {}


@dataclass(frozen=True)
class Course:
    """What a policy decided for one task, as data that goes where the task goes.

    Args:
        steps: stages in the order in which they are tried, each with the tries of its agents; None = as the user set
            it.
        examples: verified diffs by rule.
    """

    steps: tuple[tuple[int, int | None], ...]
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def course_of(policy: Policy, task: Task, stages: int) -> Course:
    """The way of a task through so many stages: each comes once, those that the policy would skip at the end."""
    start = min(max(policy.start_at(task), 0), stages - 1)
    tries = {stage: policy.tries(task, stage) for stage in range(stages)}
    early = [stage for stage in range(start, stages) if tries[stage] != 0] or [start]
    late = [stage for stage in range(stages) if stage not in early]
    return Course(tuple((stage, tries[stage] or None) for stage in (*early, *late)), policy.examples(task))


def stages_of(agents: Sequence[Agent], *, race: bool = False) -> tuple[Stage, ...]:
    """Agents as stages: one after another; or first those that are deterministic, then all others at once."""
    if not race:
        return tuple(Stage((agent,)) for agent in agents)
    first = tuple(Stage((agent,)) for agent in agents if agent.deterministic)
    others = tuple(agent for agent in agents if not agent.deterministic)
    return (*first, Stage(others)) if others else first


def agents_of(stages: Sequence[Stage]) -> Iterator[Agent]:
    """All agents, in the order of their stages."""
    for stage in stages:
        yield from stage.agents


def names_of(stages: Sequence[Stage]) -> str:
    """Who works, in words: "autofix, cheap | strong" is a race after a stage of one."""
    return ", ".join(stage.name for stage in stages)
