"""The way through: findings, plan, attempts, landing, tests, report."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from fanfold.agents import Agent, agent_for
from fanfold.config import FixSettings, workspaces_home
from fanfold.engine import fan_out
from fanfold.fix import formatting, prompt
from fanfold.fix.attempt import Bench, attempt
from fanfold.fix.checkers import Census, Checker, Scope, checkers_for, refuse_unasked, run_checkers
from fanfold.fix.compare import Comparison, compare
from fanfold.fix.fingerprint import with_fingerprints
from fanfold.fix.landing import Landing
from fanfold.fix.plan import Request, plan
from fanfold.fix.project import Project, find_project
from fanfold.fix.record import OnEvent, Run
from fanfold.fix.report import Report
from fanfold.fix.settle import settle
from fanfold.fix.suite import Suite, find_suite
from fanfold.fix.summary import report_of
from fanfold.fix.tested import Tester, breaks
from fanfold.fix.uncommitted import uncommitted_findings
from fanfold.fix.verify import Baseline
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
            await _settle(this, pool)
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
    this.census = await _census(this, pool, this.repository.head, this.checkers)
    this.uncommitted = await uncommitted_findings(
        this.repository, pool, this.census.findings, _able(this), this.project, this.settings.select
    )


async def _census(this: Run, pool: WorkspacePool, commit: str, checkers: Sequence[Checker]) -> Census:
    async with pool.lease(commit) as workspace:
        scope = Scope(workspace.root, this.project, _cache(this), None, this.settings.select, this.settings.exclude)
        return _named(await run_checkers(checkers, scope), workspace.root)


def _named(census: Census, root: Path) -> Census:
    """The same with fingerprints, read from the tree that was checked."""
    named = {checked.checker: with_fingerprints(checked.findings, partial(_read, root)) for checked in census.checked}
    return Census(tuple(replace(checked, findings=named[checked.checker]) for checked in census.checked))


def _read(root: Path, path: str) -> bytes | None:
    file = root / path
    return file.read_bytes() if file.is_file() and not file.is_symlink() else None


def _cache(this: Run) -> Path:
    cache = this.scratch / "cache"
    cache.mkdir(exist_ok=True)
    return cache


def _able(this: Run) -> tuple[Checker, ...]:
    """The checkers that could check the base; the others can't judge a change."""
    broken = {one.checker for one in this.census.checked if one.error is not None}
    return tuple(checker for checker in this.checkers if checker.name not in broken)


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
    this.phase("fixing", f"{_count(len(this.plan.tasks), 'file')}, {this.settings.jobs} at once")
    bench = await _bench(this, pool)
    await fan_out(
        partial(attempt, bench),
        this.plan.tasks,
        limit=this.settings.jobs,
        on_outcome=this.landing.take,
        on_event=this.on_event,
    )


async def _bench(this: Run, pool: WorkspacePool) -> Bench:
    settings, root = this.settings, this.repository.root
    checkers = _able(this)
    baseline = Baseline(this.repository.head, checkers, this.census.findings, settings.select, settings.exclude)
    scope = Scope(root, this.project, _cache(this), (), settings.select, settings.exclude)
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
        cache=_cache(this),
        commands=commands,
        explanations=await prompt.explain(rules, commands) if knows else {},
        conventions=prompt.conventions(root) if knows else "",
        select=settings.select,
        ignore=settings.ignore,
        annotate=settings.annotate,
        formats=partial(formatting.is_formatted, ruff) if ruff and formatting.formats(root) else None,
        test=this.tester.broken if this.tester is not None and settings.tests == "each" else None,
    )


async def _settle(this: Run, pool: WorkspacePool) -> None:
    """Check and test what all changes come to together; take out the ones that break it."""
    landing = this.landing
    if not landing.landed:
        return
    this.phase("verifying", f"{_count(len(landing.landed), 'change')} together")
    broken = await _broken(this, pool, tuple(landing.landed))
    if broken and this.broken_tests and not await _broken(this, pool, tuple(landing.landed)):
        this.notes.append(f"flaky: {broken[0]} once, and not on a second run of the same tree")
    elif broken:
        this.phase("bisecting", broken[0])
        settled = await settle(tuple(landing.landed), partial(_is_good, this, pool))
        await landing.take_out(dict.fromkeys(settled.guilty, broken[0]))
        await _broken(this, pool, tuple(landing.landed))


async def _is_good(this: Run, pool: WorkspacePool, keys: Sequence[str]) -> bool:
    return not await _broken(this, pool, keys)


async def _broken(this: Run, pool: WorkspacePool, keys: Sequence[str]) -> tuple[str, ...]:
    """What a set of changes breaks that the base doesn't: findings that are new, tests that no longer pass."""
    commit = await this.landing.compose(keys)
    this.after = await _census(this, pool, commit, _able(this))
    this.comparison = await _compare(this, commit, this.after)
    this.broken_tests = ()
    if this.comparison.added:
        return tuple(f"adds {one.checker} {one.rule} at {one.path}:{one.line}" for one in this.comparison.added)
    if this.tester is not None:
        this.broken_tests = breaks(await this.tester.on_base(), await this.tester.on_commit(commit))
        this.tests_ran = True
    return this.broken_tests


async def _compare(this: Run, commit: str, after: Census) -> Comparison:
    checked = {one.checker for one in after.checked if one.error is None}
    base = [finding for finding in this.census.findings if finding.checker in checked]
    return compare(base, after.findings, await this.repository.hunks(this.repository.head, commit))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
