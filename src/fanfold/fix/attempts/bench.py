"""What every attempt needs and none owns: the part that is data, and what is made of it where branches work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fanfold.agents.protocol import Material
from fanfold.config import FixSettings
from fanfold.fix.attempts import formatting
from fanfold.fix.attempts.confine import Confinement
from fanfold.fix.attempts.effort import Effort
from fanfold.fix.attempts.stages import Course, EveryStage, Stage, course_of
from fanfold.fix.attempts.trail import Trails
from fanfold.fix.attempts.verify import Baseline, TestTree, Verified
from fanfold.fix.checkers.protocol import Checker, Scope
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import Task
from fanfold.fix.gates import Policy
from fanfold.fix.project import Project
from fanfold.fix.spending.allowance import Till
from fanfold.fix.spending.payer import Payer
from fanfold.fix.suite.tested import Tester
from fanfold.git import Pins, Repository, Workspace, WorkspacePool


@dataclass(frozen=True)
class Brief:
    """What all attempts of a run have in common, as data.

    Args:
        base: id of the commit that workspaces start at.
        settings: all that can be configured.
        checkers: names of those that could check the base; no other can judge a change.
        findings: all that they found in the base.
        material: what helps with the findings, for agents that read.
        courses: how tasks go through the stages, by key; of those that aren't here, in the user's order.
    """

    base: str
    settings: FixSettings
    checkers: tuple[str, ...]
    findings: tuple[Finding, ...]
    material: Material = field(default_factory=Material)
    courses: Mapping[str, Course] = field(default_factory=dict)


@dataclass
class Bench:
    """Where attempts are made, who makes them, and how they are judged.

    Args:
        pool: hands out workspaces.
        stages: who does the work, one stage after another.
        baseline: what the work is judged against.
        cache: the checkers' caches of the base, copied into a workspace that has none.
        commands: how each checker is called, by its name.
        formats: whether the project keeps a file formatted; None = it keeps none so.
        tester: the project's suite, None = there is none.
        trails: takes what was said and done in each attempt, None = nobody wants it.
        confinement: where agents' programs run.
        till: gives out what attempts may take of the budgets.
        stopped: by the task's key, what had been tried when the attempt was stopped from outside.
    """

    brief: Brief
    repository: Repository
    project: Project
    pool: WorkspacePool
    stages: tuple[Stage, ...]
    baseline: Baseline
    cache: Path
    commands: Mapping[str, tuple[str, ...]]
    confinement: Confinement
    formats: Callable[[Workspace, str], Awaitable[bool]] | None = None
    tester: Tester | None = None
    trails: Trails | None = None
    till: Payer = field(default_factory=Till)
    stopped: dict[str, tuple[Effort, ...]] = field(default_factory=dict)

    @property
    def settings(self) -> FixSettings:
        """All that can be configured."""
        return self.brief.settings

    def course(self, task: Task) -> Course:
        """How a task goes through the stages."""
        known = self.brief.courses.get(task.key)
        return known or course_of(EveryStage(), task, len(self.stages))

    def left_alone(self, task: Task, best: Verified | None) -> tuple[Finding, ...]:
        """Where the project lives with findings: those of a task's file that aren't its own, where they stand now."""
        if self.settings.baseline is None and self.settings.only_new is None:
            return ()
        if best is not None:
            return best.verdict.others
        return tuple(one for one in self.brief.findings if one.path == task.path and one not in task.findings)

    async def tests(self, names: Sequence[str] | None) -> TestTree | None:
        """What tests a change: the part of the suite with these tests, the whole one for none; None for None."""
        if self.tester is None or names is None:
            return None
        if not names:
            return self.tester.broken_by
        paths = {entry.path for entry in await self.repository.tree(self.brief.base)}
        return partial(self.tester.broken_by, part=await self.tester.part(names, paths))


@dataclass(kw_only=True)
class Workplace:
    """What a branch of the flow finds where it runs: the context of a run, or what stands for it elsewhere.

    Args:
        bench: what attempts need, None = not known yet.
        elsewhere: branches run on other machines; here, for one of these, or there.
        pins: keeps what a change consists of from being pruned before it lands, None = nobody resumes this.
    """

    bench: Bench | None = None
    elsewhere: bool = False
    pins: Pins | None = None


def policy_of(settings: FixSettings) -> Policy:
    """What the user lets gates pass."""
    return Policy(frozenset(settings.allow), settings.max_changed_lines)


def bench_of(
    brief: Brief,
    *,
    repository: Repository,
    project: Project,
    pool: WorkspacePool,
    stages: Sequence[Stage],
    checkers: Sequence[Checker],
    cache: Path,
    tester: Tester | None = None,
    trails: Trails | None = None,
    till: Payer | None = None,
) -> Bench:
    """A bench for what the brief says.

    Args:
        repository: has the brief's base commit; its checkout is read for configuration only.
        project: the code's own interpreter.
        pool: of the repository, and open.
        stages: who works.
        checkers: those that the brief names among them.
        cache: a directory that the checkers may have written to, and that may be empty.
        tester: of the project's suite, and running.
        trails: takes what was said and done in each attempt.
        till: gives out what attempts may take, None = as much as they take.
    """
    settings = brief.settings
    able = tuple(checker for checker in checkers if checker.name in brief.checkers)
    scope = Scope(repository.root, project, cache, (), settings.select, settings.exclude)
    commands = {checker.name: checker.command(scope) for checker in able}
    ruff = commands.get("ruff", ("",))[0]
    return Bench(
        brief=brief,
        repository=repository,
        project=project,
        pool=pool,
        stages=tuple(stages),
        baseline=Baseline(brief.base, able, brief.findings, settings.select, settings.exclude, policy_of(settings)),
        cache=cache,
        commands=commands,
        confinement=Confinement(settings, repository, project),
        formats=partial(formatting.is_formatted, ruff) if ruff and formatting.formats(repository.root) else None,
        tester=tester,
        trails=trails,
        till=till or Till(),
    )
