"""An agent that does what a test tells it to, and remembers how often it did so at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fanfold.agents.protocol import Assignment, Report
from fanfold.process import run


@dataclass(frozen=True)
class Sleep:
    """Wait `seconds`, on whatever clock the event loop has."""

    seconds: float


@dataclass(frozen=True)
class Git:
    """Run git with `args` in the workspace, as an agent may that isn't told not to."""

    args: tuple[str, ...]


Act = Callable[[Assignment], Awaitable[None] | None]
Step = str | bytes | Exception | Sleep | Git | Act
"""New content of the file, an error to raise, a wait, a git command, or a function of the assignment."""
Answer = Step | tuple[Step, ...]


@dataclass
class ScriptedAgent:
    """Answers by path and attempt, from a script.

    Args:
        script: for each path its answers, one for each attempt; the last one also answers all later attempts. An
            answer is one step, or several that are taken one after another.
        otherwise: the answer where the script has none; by default nothing is done.
    Attributes:
        asked: every assignment that there was, in order.
        peak: how many were worked on at the same time, at most.
    """

    script: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    otherwise: Answer = ()
    name: str = "scripted"
    deterministic: bool = False
    asked: list[Assignment] = field(default_factory=list)
    running: int = 0
    peak: int = 0

    async def work(self, assignment: Assignment) -> Report:
        """Take the steps of this attempt's answer."""
        self.asked.append(assignment)
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            for step in self._steps(assignment):
                await _take(step, assignment)
        finally:
            self.running -= 1
        return Report(summary=f"attempt {assignment.attempt} at {assignment.path}")

    def _steps(self, assignment: Assignment) -> Sequence[Step]:
        answers = self.script.get(assignment.path, ())
        answer = answers[min(assignment.attempt, len(answers)) - 1] if answers else self.otherwise
        return answer if isinstance(answer, tuple) else (answer,)


async def _take(step: Step, assignment: Assignment) -> None:
    match step:
        case str():
            (assignment.root / assignment.path).write_bytes(step.encode())
        case bytes():
            (assignment.root / assignment.path).write_bytes(step)
        case Exception():
            raise step
        case Sleep(seconds):
            await asyncio.sleep(seconds)
        case Git(args):
            await run(["git", *args], cwd=assignment.root)
        case _:
            done = step(assignment)
            if done is not None:
                await done
