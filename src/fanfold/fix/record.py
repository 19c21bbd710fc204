"""What is known of a run so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fanfold.agents import Agent
from fanfold.config import FixSettings
from fanfold.engine import Event
from fanfold.fix.checkers import Census, Checker
from fanfold.fix.compare import Comparison
from fanfold.fix.events import Phase
from fanfold.fix.finding import Finding
from fanfold.fix.landing import Landing
from fanfold.fix.plan import Plan, Request
from fanfold.fix.project import Project
from fanfold.fix.suite import Suite
from fanfold.fix.tested import Tester
from fanfold.git import Repository

OnEvent = Callable[[Event | Phase], None]


@dataclass
class Run:
    """One run and what is known of it so far: an interrupted run reports from it, too."""

    request: Request
    name: str
    repository: Repository
    project: Project
    checkers: tuple[Checker, ...]
    agent: Agent
    suite: Suite | None
    landing: Landing
    scratch: Path
    on_event: OnEvent
    started_s: float
    census: Census = field(default_factory=lambda: Census(()))
    uncommitted: tuple[Finding, ...] = ()
    plan: Plan = field(default_factory=Plan)
    tester: Tester | None = None
    after: Census | None = None
    comparison: Comparison | None = None
    broken_tests: tuple[str, ...] = ()
    tests_ran: bool = False
    applied: bool = False
    not_applied: str | None = None
    interrupted: bool = False
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

    def phase(self, name: str, detail: str = "") -> None:
        """Tell whoever watches what begins now."""
        self.on_event(Phase(name, detail))
