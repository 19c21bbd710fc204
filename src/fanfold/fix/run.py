"""The way through: findings, plan, attempts, landing, tests, report."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from fanfold.agents import Agent, agent_for, annotate
from fanfold.config import FixSettings, workspaces_home
from fanfold.engine import fan_out
from fanfold.fix import formatting, prompt
from fanfold.fix.attempt import Bench, attempt
from fanfold.fix.census import able, census_of
from fanfold.fix.checkers import Scope, checkers_for, refuse_unasked
from fanfold.fix.errors import FixError
from fanfold.fix.landing import Landing
from fanfold.fix.plan import Request, plan
from fanfold.fix.project import Project, find_project
from fanfold.fix.record import OnEvent, Run
from fanfold.fix.report import Report
from fanfold.fix.split import Task
from fanfold.fix.suite import Suite, find_suite
from fanfold.fix.summary import report_of
from fanfold.fix.tested import Part, Tester
from fanfold.fix.together import settle_together
from fanfold.fix.uncommitted import uncommitted_findings
from fanfold.fix.verify import Baseline, TestTree
from fanfold.git import LandError, Repository, ResultBranch, WorkspacePool, fast_forward


async def run(request: Request, *, agent: Agent | None = None, on_event: OnEvent | None = None) -> Report:
    """Find errors, let agents fix them side by side, land what is verified, report what is so.

    Args:
        request: what to do, and where.
        agent: who does the work, None = the one that the settings name.
        on_event: told of each phase and of each branch, as they come.

    When cancelled it stops the agents, keeps what has landed, and returns a report that says so.

    Raises:
        FanfoldError: the request can't be carried out; nothing was changed.
    """
    with tempfile.TemporaryDirectory(prefix="fanfold-", ignore_cleanup_errors=True) as scratch:
        this = await _prepare(request, agent, on_event or (lambda _: None), Path(scratch))
        try:
            await _carry_out(this)
        except asyncio.CancelledError:
            this.interrupted = True
            current = asyncio.current_task()
            if current is not None:
                current.uncancel()
        return await report_of(this)


async def _prepare(request: Request, agent: Agent | None, on_event: OnEvent, scratch: Path) -> Run:
    settings = request.settings
    started_s = time.monotonic()
    repository = await Repository.open(request.start)
    if not (request.dry_run or request.diff):
        await repository.identity()
    project = find_project(repository.root)
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    checkers = checkers_for(repository.root, settings.checks)
    refuse_unasked(checkers, settings.select)
    if settings.annotate and not annotate.available():
        raise FixError(
            "autotyping, which adds annotations, is not installed", hint="pip install 'fanfold[annotations]'"
        )
    agent = agent or agent_for(settings.agent, settings)
    return Run(
        request=request,
        name=name,
        repository=repository,
        project=project,
        checkers=checkers,
        agent=agent,
        suite=_suite(settings, repository.root, project),
        landing=Landing(ResultBranch(repository, repository.head, f"fanfold/{name}"), agent.name, request.diff),
        scratch=scratch,
        on_event=on_event,
        started_s=started_s,
    )


def _suite(settings: FixSettings, root: Path, project: Project) -> Suite | None:
    if settings.tests == "none":
        return None
    return find_suite(root, project, settings.test_command, settings.test_deadline_s)


async def _carry_out(this: Run) -> None:
    home = workspaces_home(this.settings)
    async with WorkspacePool(this.repository, home=home) as pool, this.landing.branch:
        await _find(this, pool)
        this.plan = await plan(this.request, this.repository, this.census.findings, this.agent.name)
        if this.request.dry_run or not this.plan.tasks:
            return
        async with _tester(this, pool):
            await _attempt_and_land(this, pool)
            await settle_together(this, pool, partial(_again, this, pool))
    if this.request.apply and this.landing.landed:
        await _apply(this)


async def _apply(this: Run) -> None:
    """Move the user's branch to the result; where that can't be done safely the result stays on its own branch."""
    try:
        await fast_forward(this.repository, this.landing.branch.tip)
    except LandError as error:
        this.not_applied = f"{error.message}; {error.hint}" if error.hint else error.message
    else:
        this.applied = True


async def _find(this: Run, pool: WorkspacePool) -> None:
    """Check the base commit; beside it the user's own uncommitted text, only to be able to name it."""
    this.phase("checking", ", ".join(checker.name for checker in this.checkers))
    this.census = await census_of(this, pool, this.repository.head, this.checkers)
    this.uncommitted = await uncommitted_findings(
        this.repository, pool, this.census.findings, able(this), this.project, this.settings.select
    )


@contextlib.asynccontextmanager
async def _tester(this: Run, pool: WorkspacePool) -> AsyncIterator[None]:
    """The suite runs on the base while agents work."""
    if this.suite is None:
        yield
        return
    this.tester = Tester(this.suite, pool, this.repository.head)
    async with this.tester.running():
        yield


async def _attempt_and_land(this: Run, pool: WorkspacePool) -> None:
    this.phase("fixing", f"{_count(this.plan.tasks)}, {min(this.settings.jobs, len(this.plan.tasks))} at once")
    tests = this.tester.broken_by if this.tester is not None and this.settings.tests == "each" else None
    await _fan_out(this, this.plan.tasks, await _bench(this, pool, tests))


async def _again(this: Run, pool: WorkspacePool, keys: Sequence[str], part: Part) -> None:
    """One more attempt at changes that were taken out, now with the tests that they broke."""
    tasks = [task for task in this.plan.tasks if task.key in keys]
    this.phase("fixing", f"{_count(tasks)} once more, each with the tests that it broke")
    tests = partial(this.tester.broken_by, part=part) if this.tester is not None else None
    told = {key: f"Your change was taken out, since it {this.landing.taken_out[key]}." for key in keys}
    await _fan_out(this, tasks, await _bench(this, pool, tests, told))


async def _fan_out(this: Run, tasks: Sequence[Task], bench: Bench) -> None:
    await fan_out(
        partial(attempt, bench),
        tasks,
        limit=this.settings.jobs,
        on_outcome=this.landing.take,
        on_event=this.on_event,
    )


async def _bench(
    this: Run, pool: WorkspacePool, tests: TestTree | None, told: Mapping[str, str] | None = None
) -> Bench:
    settings, root = this.settings, this.repository.root
    checkers = able(this)
    baseline = Baseline(this.repository.head, checkers, this.census.findings, settings.select, settings.exclude)
    scope = Scope(root, this.project, this.cache, (), settings.select, settings.exclude)
    commands = {checker.name: checker.command(scope) for checker in checkers}
    rules = {(one.checker, one.rule) for task in this.plan.tasks for one in task.findings}
    knows = not this.agent.deterministic
    ruff = commands.get("ruff", ("",))[0]
    return Bench(
        pool=pool,
        agent=this.agent,
        baseline=baseline,
        repository=this.repository,
        project=this.project,
        max_attempts=settings.max_attempts,
        deadline_s=settings.deadline_s,
        cache=this.cache,
        commands=commands,
        explanations=await prompt.explain(rules, commands) if knows else {},
        conventions=prompt.conventions(root) if knows else "",
        select=settings.select,
        ignore=settings.ignore,
        annotate=settings.annotate,
        formats=partial(formatting.is_formatted, ruff) if ruff and formatting.formats(root) else None,
        test=tests,
        told=told or {},
    )


def _count(tasks: Sequence[Task]) -> str:
    return "1 file" if len(tasks) == 1 else f"{len(tasks)} files"
