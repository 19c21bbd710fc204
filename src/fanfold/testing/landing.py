"""A merge queue without git and without tests: changes are numbers, trees say which of them they hold.

What is red is declared; the queue, its policy and how the suite is made use of are the real ones.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from fanfold.engine import Done
from fanfold.fix.attempts.attempt import Attempted
from fanfold.fix.attempts.verify import Judgement
from fanfold.fix.checkers import Census
from fanfold.fix.findings.compare import Comparison
from fanfold.fix.findings.split import Task
from fanfold.fix.landing.candidate import Candidate, Green, Red
from fanfold.fix.landing.landed import Landing
from fanfold.fix.landing.queue import PACES, MergeQueue, Pace
from fanfold.fix.project import Project
from fanfold.fix.runlog import RunLog, Unlogged
from fanfold.fix.suite.check import SuiteCheck
from fanfold.fix.suite.run import Suite, SuiteResult
from fanfold.fix.suite.tested import Tester
from fanfold.git import Change, LandConflict, Landed, ResultBranch
from fanfold.git.change import PathChange

BASE = "tree:"
Breaks = Callable[[frozenset[int]], Iterable[str]]
"""Names of the tests that a set of changes breaks, as `t3::test`."""


def change_of(number: int) -> Change:
    """A change of the file that has its number as a name."""
    return Change(BASE, f"tree:{number}", (PathChange(str(number), "M", "100644", "100644", "0", str(number)),))


def outcome_of(number: int) -> Done[Attempted]:
    """What a branch came to that made this change."""
    key = str(number)
    attempted = Attempted(Task(key, key, ()), change_of(number), Judgement(ok=True, fixed=1), 1, 1.0)
    return Done(key, attempted, 0.0, 1.0)


def held(tree: str) -> frozenset[int]:
    """The changes that a tree or commit holds."""
    return frozenset(int(part) for part in tree.partition(":")[2].split(",") if part)


class FakeBranch:
    """A result branch in memory, with all that it ever pointed to.

    Args:
        conflicts: pairs of changes whose texts can't be merged.
    """

    only_show = False
    restored: tuple[str, ...] = ()

    def __init__(self, conflicts: Iterable[tuple[int, int]] = ()) -> None:
        self.base = self.tip = BASE
        self.tips = [BASE]
        self.commits: tuple[Landed, ...] = ()
        self._conflicts = {frozenset(pair) for pair in conflicts}

    async def compose(self, changes: Sequence[Change], *, on: str | None = None) -> str:
        """The tree with these changes."""
        there = held(on or self.tip)
        for change in changes:
            [number] = held(change.tree)
            if any(frozenset({number, other}) in self._conflicts for other in there):
                raise LandConflict([str(number)])
            there |= {number}
        return _tree(there)

    async def publish(
        self,
        changes: Sequence[tuple[Change, str]],
        *,
        tree: str | None = None,
        intend: Callable[[Sequence[Landed]], Awaitable[None]] | None = None,
    ) -> tuple[Landed, ...]:
        """Move on by these changes."""
        composed = await self.compose([change for change, _ in changes])
        assert composed == tree  # noqa: S101 a queue that publishes anything else is wrong
        landed = tuple(Landed(composed, change, message) for change, message in changes)
        if intend is not None:
            await intend(landed)
        self.tip = composed
        self.tips.append(composed)
        self.commits += landed
        return landed


@dataclass
class FakeTester(Tester):
    """A suite of one test file for each change, whose runs take time on the loop's clock alone.

    Args:
        breaks: what a set of changes breaks.
        size: how many test files there are.
        is_divisible: single files can be run; without, the suite is known by its exit code.
        whole_takes_s, part_takes_s: seconds of one run.
        flaky: the probability that a run fails in the test `flaky::test`, which is good.
        chance: what that is drawn from.
    """

    breaks: Breaks = lambda _: ()
    size: int = 0
    is_divisible: bool = True
    whole_takes_s: float = 1.0
    part_takes_s: float = 0.1
    flaky: float = 0.0
    chance: random.Random = field(default_factory=random.Random)

    @classmethod
    def over(cls, breaks: Breaks, size: int, *, divides: bool = True, **more: Any) -> FakeTester:
        """A suite that a set of changes breaks in these tests."""
        project = Project(Path("/nowhere"), Path("/nowhere/python"), None)
        suite = Suite(("pytest",), "pytest" if divides else "command", 60.0, project)
        return cls(suite, cast("Any", None), BASE, breaks=breaks, size=size, is_divisible=divides, **more)

    @property
    def files(self) -> frozenset[str]:
        """The paths of all test files."""
        return frozenset({*(f"t{number}.py" for number in range(self.size)), "flaky.py"})

    async def run(self, suite: Suite, tree: str) -> SuiteResult:
        """Fail in what the tree breaks, as far as its file is asked for."""
        is_part = suite.argv != self.suite.argv
        took_s = self.part_takes_s if is_part else self.whole_takes_s
        await asyncio.sleep(took_s)
        broken = set(self.breaks(held(tree)))
        if self.flaky and self.chance.random() < self.flaky:
            broken.add("flaky::test")
        if not self.is_divisible:
            return SuiteResult(not broken, None, int(bool(broken)), None, "", took_s)
        asked = suite.argv[1:] if is_part else tuple(self.files)
        names = [f"{file.removesuffix('.py')}::test" for file in asked]
        cases = {name: "failed" if name in broken else "passed" for name in names}
        return SuiteResult("failed" not in cases.values(), cast("Any", cases), 0, None, "", took_s)


class FakeVerification:
    """Verifies by a suite alone."""

    def __init__(self, suite: SuiteCheck) -> None:
        self.suite = suite
        self.accepted: list[Green] = []

    async def ready(self) -> float:
        """Seconds of one run."""
        return await self.suite.ready()

    async def verify(self, candidate: Candidate) -> Green | Red:
        """By all of the suite."""
        red = await self.suite.examine(candidate.tree, candidate.tip)
        return red or Green(Census(()), Comparison((), ()), tested=True)

    async def shows(self, red: Red, candidate: Candidate) -> Red | None:
        """By a part of it."""
        return await self.suite.shows(red, candidate.tree)

    async def confirms(self, candidate: Candidate, *, tip: bool) -> bool:
        """Once more."""
        return await self.suite.confirms(candidate.tree, candidate.tip if tip else None)

    def accept(self, green: Green) -> None:
        """Remember it."""
        self.accepted.append(green)


@dataclass
class Simulated:
    """A queue over fakes, ready to be offered changes."""

    branch: FakeBranch
    tester: FakeTester
    landing: Landing
    queue: MergeQueue
    log: RunLog

    @classmethod
    def over(
        cls, tester: FakeTester, *, conflicts: Iterable[tuple[int, int]] = (), pace: Pace = PACES["batch"]
    ) -> Simulated:
        """A queue whose suite is `tester`."""
        branch, log = FakeBranch(conflicts), Unlogged()
        landing = Landing(cast("ResultBranch", branch), "fake")
        queue = MergeQueue(landing, FakeVerification(SuiteCheck(tester, tester.files)), log, pace)
        return cls(branch, tester, landing, queue, log)

    async def run(self, numbers: Sequence[int], *, every_s: float = 0.0) -> None:
        """Offer changes, one every so many seconds, and see all of them to their end; nobody makes second attempts.

        Raises:
            What ended the queue, if something did.
        """
        self.queue.expect([str(number) for number in numbers])
        async with self.tester.running(), self.queue.running(lambda _: None):
            for number in numbers:
                self.queue.offer(outcome_of(number))
                if every_s:
                    await asyncio.sleep(every_s)
            await self.queue.drain()
            self.landing.final = True
            for refusal in tuple(self.landing.sent_back.values()):
                await self.landing.drop(refusal, self.log)
            await self.queue.recheck()


def _tree(numbers: Iterable[int]) -> str:
    return "tree:" + ",".join(str(number) for number in sorted(numbers))
