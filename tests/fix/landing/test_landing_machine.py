"""Random changes of a real repository with planted semantic conflicts: every tip of the result branch is green."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from fanfold.engine import Done
from fanfold.fix.attempts.attempt import Attempted
from fanfold.fix.attempts.verify import Judgement
from fanfold.fix.findings.split import Task
from fanfold.fix.landing.landed import KIND, Landing
from fanfold.fix.landing.queue import MergeQueue
from fanfold.fix.landing.restored import restored
from fanfold.fix.runlog import Unlogged
from fanfold.fix.suite.check import SuiteCheck
from fanfold.git import LandRefused, Repository, ResultBranch, WorkspacePool
from fanfold.testing.landing import FakeTester, FakeVerification
from fanfold.testing.repositories import TemporaryRepository, make_repository

FILES, LINES, TOTAL = 6, 5, 3
BASE = {f"m{number}.txt": "".join(f"line {line} = 0\n" for line in range(LINES)) for number in range(FILES)}
BRANCH = "fanfold/machine"


class Landings(RuleBasedStateMachine):
    """Changes of single lines; a tree is red where the values of all lines come to more than a planted total.

    So any change may be good alone and bad on top of others, and two of the same line conflict.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="fanfold-machine-"))
        self.runner = asyncio.Runner()
        self.made: TemporaryRepository = make_repository(self.folder / "r", BASE)
        self.changes = 0
        self.red: dict[str, bool] = {}

    @initialize()
    def begin(self) -> None:
        """Open all that a run has open."""
        self.runner.run(self._begin())

    async def _begin(self) -> None:
        self.repository = await Repository.open(self.made.root)
        self.pool = await WorkspacePool(self.repository, home=self.folder / "home").__aenter__()
        self.log = Unlogged()
        self.tester = FakeTester.over(lambda _: (), FILES, whole_takes_s=0.0, part_takes_s=0.0)
        self.tester.run = self._run  # type: ignore[method-assign,assignment]
        self.tester.base = self.repository.head
        await self._open(())

    async def _open(self, commits: tuple[str, ...]) -> None:
        self.branch = ResultBranch(self.repository, self.repository.head, BRANCH, restored=commits)
        await self.branch.__aenter__()
        self.landing = Landing(self.branch, "machine")
        self.verification = FakeVerification(SuiteCheck(self.tester, self.tester.files))
        self.queue = MergeQueue(self.landing, self.verification, self.log)

    async def _run(self, suite: object, tree: str) -> object:
        """Every test fails where the tree is red."""
        real = FakeTester.over(lambda _: [f"t{n}::test" for n in range(FILES)] if self._is_red(tree) else (), FILES)
        real.whole_takes_s = real.part_takes_s = 0.0
        return await real.run(suite, "tree:")  # type: ignore[arg-type]

    def _is_red(self, tree: str) -> bool:
        if tree not in self.red:
            lines = self.made.git("grep", "-h", "-e", " = ", tree).splitlines()
            self.red[tree] = sum(int(line.split()[-1]) for line in lines) > TOTAL
        return self.red[tree]

    @rule(
        edits=st.lists(
            st.tuples(st.integers(0, FILES - 1), st.integers(0, LINES - 1), st.integers(-1, 2)), min_size=1, max_size=6
        )
    )
    def land(self, edits: list[tuple[int, int, int]]) -> None:
        """Some changes come, and all of them are seen to their end."""
        self.runner.run(self._land(edits))

    async def _land(self, edits: list[tuple[int, int, int]]) -> None:
        async with self.tester.running(), self.queue.running(lambda _: None):
            for number, line, value in edits:
                self.queue.offer(await self._outcome(f"m{number}.txt", line, value))
            await self.queue.drain()
            self.landing.final = True
            for refusal in tuple(self.landing.sent_back.values()):
                if refusal.offer.key not in self.landing.dropped:
                    await self.landing.drop(refusal, self.log)
            await self.queue.recheck()

    async def _outcome(self, path: str, line: int, value: int) -> Done[Attempted]:
        self.changes += 1
        async with self.pool.lease(self.repository.head) as workspace:
            text = (workspace.root / path).read_text().splitlines(keepends=True)
            text[line] = f"line {line} = {value} \n" if value == 0 else f"line {line} = {value}\n"
            (workspace.root / path).write_text("".join(text))
            change = await workspace.capture()
        key = f"{path} {self.changes}"
        return Done(key, Attempted(Task(key, path, ()), change, Judgement(ok=True, fixed=1), 1, 1.0), 0.0, 1.0)

    @rule()
    def go_on_in_another_process(self) -> None:
        """What the notes and the branch tell is where it was."""
        self.runner.run(self._reopen())

    async def _reopen(self) -> None:
        landed, dropped = dict(self.landing.landed), dict(self.landing.dropped)
        found = (await self.repository.refs()).get(f"refs/heads/{BRANCH}")
        known = restored(self.log.noted(KIND), base=self.repository.head, found=found)
        await self.branch.__aexit__(None, None, None)
        await self._open(known.commits)
        self.landing.restore(known)
        assert {key: each.commit for key, each in self.landing.landed.items()} == {
            key: each.commit for key, each in landed.items()
        }
        self.landing.dropped = dropped

    @invariant()
    def every_tip_is_green(self) -> None:
        """Wherever the branch ever pointed to."""
        for tip in self._tips():
            assert not self._is_red(tip)

    def _tips(self) -> list[str]:
        if not self.made.git("for-each-ref", f"refs/heads/{BRANCH}"):
            return []
        return self.made.git("reflog", "show", "--format=%H", BRANCH).split()

    @invariant()
    def what_was_dropped_is_red_or_in_conflict_alone_on_the_tip(self) -> None:
        """Each by itself, as the branch is now."""
        if hasattr(self, "landing"):
            self.runner.run(self._dropped())

    async def _dropped(self) -> None:
        for refusal in self.landing.dropped.values():
            try:
                tree = await self.branch.compose([refusal.offer.change])
            except LandRefused:
                continue
            assert self._is_red(tree)

    def teardown(self) -> None:
        """Close everything; nothing is wrong with the repository."""
        self.runner.run(self._end())
        self.runner.close()
        assert self.made.git("fsck", "--strict", "--no-dangling") == ""
        shutil.rmtree(self.folder)

    async def _end(self) -> None:
        if hasattr(self, "branch"):
            await self.branch.__aexit__(None, None, None)
            await self.pool.__aexit__(None, None, None)


def _run(examples: int, steps: int) -> None:
    asked = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(Landings, settings=asked)


def test_every_tip_is_green_and_what_is_dropped_can_not_land() -> None:
    _run(12, 4)


@pytest.mark.soak
def test_the_same_of_long_histories() -> None:
    _run(200, 12)
