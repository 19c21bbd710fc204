"""What is known of a run so far."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanfold.config import FixSettings
from fanfold.engine import BranchFinished, Done, Event, Folded, Outcome
from fanfold.fix.attempts.attempt import Attempted
from fanfold.fix.attempts.bench import Workplace
from fanfold.fix.attempts.stages import EveryStage, Policy, Stage
from fanfold.fix.checkers import Census, Checker
from fanfold.fix.events import Phase
from fanfold.fix.findings.compare import Comparison
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.plan import Plan, Request
from fanfold.fix.landing.landed import KIND, Landing
from fanfold.fix.landing.restored import Restored, restored
from fanfold.fix.landing.turns import Order
from fanfold.fix.project import Project
from fanfold.fix.reporting.report import CoverageLine
from fanfold.fix.runlog import RunLog, Unlogged
from fanfold.fix.spending.allowance import Till
from fanfold.fix.suite.run import Suite
from fanfold.fix.suite.tested import Tester
from fanfold.git import Inbox, Repository, WorkspacePool

if TYPE_CHECKING:
    from fanfold.fix.landing.combined import Verification
    from fanfold.fix.landing.queue import MergeQueue

OnEvent = Callable[[Event | Phase], None]


@dataclass(kw_only=True)
class Run(Workplace):
    """One run: what lives as long as it does, and what is known of it so far.

    It is the context of the flow. What is known stands here beside the flow's state because an interrupted run
    reports from it, too, and a flow that is cut off has no state to give.

    Args:
        stages: who works, one stage after another.
        policy: how each task goes through them.
        given_agent: the caller gave the agents themselves, so nobody else can make them from the settings.
        replays: another run, whose attempts are played here; None = this one is its own.
        earlier: what that one was to work on.
        order: in which that one decided on its changes.
        runtime: the name of what runs the flow.
        inbox: takes changes that come from other machines, None = none came yet.
        log: takes notes of what the run is about to do, and has done.
        folder: where what is said in attempts is written, None = nowhere.
        till: gives out what attempts may take of the budgets.
        branches: of single files, by their paths.
        failure: ends the run, though the flow itself met no error; `failed` is set with it.
        stopped: what that was, in words, where what had landed is right.
        closing: what is to be closed when the run ends, however it does.
    """

    request: Request
    name: str
    runtime: str
    repository: Repository
    pool: WorkspacePool
    project: Project
    checkers: tuple[Checker, ...]
    stages: tuple[Stage, ...]
    given_agent: bool
    suite: Suite | None
    landing: Landing
    scratch: Path
    on_event: OnEvent
    started_s: float
    policy: Policy = field(default_factory=EveryStage)
    replays: str | None = None
    earlier: Plan | None = None
    order: Order | None = None
    log: RunLog = field(default_factory=Unlogged)
    folder: Path | None = None
    till: Till = field(default_factory=Till)
    closing: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    census: Census = field(default_factory=lambda: Census(()))
    uncommitted: tuple[Finding, ...] = ()
    plan: Plan = field(default_factory=Plan)
    tester: Tester | None = None
    after: Census | None = None
    comparison: Comparison | None = None
    coverage: CoverageLine | None = None
    verification: Verification | None = None
    queue: MergeQueue | None = None
    failure: BaseException | None = None
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: str | None = None
    applied: bool = False
    staged: bool = False
    not_applied: str | None = None
    branches: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False
    inbox: Inbox | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def settings(self) -> FixSettings:
        """All that can be configured."""
        return self.request.settings

    @property
    def cache(self) -> Path:
        """The checkers' caches of the base, kept as long as the run."""
        cache = self.scratch / "cache"
        cache.mkdir(exist_ok=True)
        return cache

    def phase(self, name: str, detail: str = "", *, files: int = 0) -> None:
        """Tell whoever watches what begins now, and over how many files."""
        self.on_event(Phase(name, detail, files))

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Hold what is alive open; afterwards nothing of the run is at work.

        Raises:
            BranchMoved: an earlier process of the run has landed something, and it isn't where that left it.
        """
        before = await _landed_before(self)
        self.landing.branch.restored = before.commits
        async with self.pool, self.landing.branch, self.closing:
            self.landing.restore(before)
            yield

    def stop(self, error: BaseException) -> None:
        """Have the run end with an error, which the flow itself may not meet."""
        self.failure = error
        self.failed.set()

    async def fails(self) -> None:
        """Wait for an error from beside the flow, and raise it."""
        await self.failed.wait()
        if self.failure is not None:
            raise self.failure

    def branch_event(self, event: Event) -> None:
        """Tell whoever watches of a file's branch: of what was attempted, whatever update the branch made of it.

        Of agents that race within it nobody is told: they aren't files.
        """
        if not isinstance(event, Folded) and len(event.path) > 1:
            return
        if isinstance(event, BranchFinished):
            event = replace(event, outcome=attempted(event.outcome))
        self.on_event(event)


async def _landed_before(run: Run) -> Restored:
    notes = run.log.noted(KIND)
    if not notes:
        return Restored()
    found = (await run.repository.refs()).get(f"refs/heads/{run.landing.branch.name}")
    return restored(notes, base=run.repository.head, found=found)


def attempted(outcome: Outcome[Any]) -> Outcome[Attempted]:
    """A branch's outcome with what was attempted in place of its update of the state."""
    return replace(outcome, value=outcome.value["attempts"][0]) if isinstance(outcome, Done) else outcome
