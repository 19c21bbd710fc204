"""The way through: open what a run needs, run its flow, report."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fanfold.agents import Agent, agent_for, annotate
from fanfold.config import FixSettings, workspaces_home
from fanfold.engine import Journal
from fanfold.errors import FanfoldError
from fanfold.fix.attempts.confine import refuse_unbounded
from fanfold.fix.attempts.prepared import prepared_for
from fanfold.fix.attempts.stages import Policy, Stage, agents_of, names_of, stages_of
from fanfold.fix.checkers import checkers_for, refuse_unasked
from fanfold.fix.errors import FixError
from fanfold.fix.findings.known import refuse_unusable
from fanfold.fix.findings.plan import Request
from fanfold.fix.flow import FIX, results_of
from fanfold.fix.landing.delivery import branch_of
from fanfold.fix.landing.landed import Landing
from fanfold.fix.learning.session import remember
from fanfold.fix.project import Project, find_project
from fanfold.fix.record import OnEvent, Run
from fanfold.fix.reporting.report import Report
from fanfold.fix.reporting.summary import report_of
from fanfold.fix.runs import Past
from fanfold.fix.runs.begun import as_begun
from fanfold.fix.runs.budgeted import refuse_untold
from fanfold.fix.runs.record import recorded
from fanfold.fix.state import FileState, FixState
from fanfold.fix.suite.run import Suite, find_suite
from fanfold.git import Repository, ResultBranch, WorkspacePool
from fanfold.prompts import own_templates
from fanfold.runtimes import Runtime
from fanfold.runtimes.choice import runtime_for

NO_RACE = "there is no race: fewer than two of the agents ask a model or run a program, see --agent"


@dataclass(frozen=True)
class Ended:
    """A run that came to its end or was stopped: its report, and the state of its flow."""

    report: Report
    state: FixState


async def run(
    request: Request,
    *,
    agent: Agent | Sequence[Agent] | None = None,
    on_event: OnEvent | None = None,
    runtime: Runtime | None = None,
    past: Past | None = None,
) -> Report:
    """Find errors, let agents fix them side by side, land what is verified, report what is so.

    Args:
        request: what to do, and where.
        agent: who does the work, several as stages, None = those that the settings name.
        on_event: told of each phase and of each branch, as they come.
        runtime: who runs the flow, None = the one that the settings name.
        past: the run to go on with, None = a new one; `request` is then what it was begun with.

    When cancelled it stops the agents, keeps what has landed, and returns a report that says so; as it does when the
    result branch can't be gone on with.

    Raises:
        FanfoldError: the request can't be carried out; nothing was changed.
    """
    return (await carry_out(request, agent=agent, on_event=on_event, runtime=runtime, past=past)).report


async def carry_out(
    request: Request,
    *,
    agent: Agent | Sequence[Agent] | None = None,
    on_event: OnEvent | None = None,
    runtime: Runtime | None = None,
    past: Past | None = None,
    of: Past | None = None,
    policy: Policy | None = None,
) -> Ended:
    """As `run`, with the state beside the report.

    Args:
        of: another run, which this one replays: it works on the same, on the same base; None = it is its own.
        policy: how tasks go through the stages, None = in order.
    """
    settings, started_s = request.settings, time.monotonic()
    runtime = runtime or runtime_for(
        settings.runtime,
        cluster=settings.cluster,
        workers=settings.workers,
        certificates=settings.cluster_certificates,
    )
    with tempfile.TemporaryDirectory(prefix="fanfold-", ignore_cleanup_errors=True) as scratch:
        this = await prepare(request, runtime.name, Path(scratch), agent=agent, on_event=on_event, past=past, of=of)
        this.started_s, this.policy = started_s, policy or this.policy
        if of is not None:
            this.replays, this.earlier, this.order = of.name, of.plan, of.order
        state: FixState | None = None
        async with recorded(this, past) as record:
            try:
                state = await _run_flow(this, runtime, record.journal)
            except asyncio.CancelledError:
                this.interrupted = True
                current = asyncio.current_task()
                if current is not None:
                    current.uncancel()
            except FanfoldError as error:
                if error is not this.failure:
                    raise
                this.stopped = str(error)
            await remember(this)
            report = await report_of(this)
            await record.end(report)
        return Ended(report, state or _known(this))


async def _run_flow(this: Run, runtime: Runtime, journal: Journal | None) -> FixState:
    async with this.opened():
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(this.fails())
                result = await FIX.run(
                    {},
                    limit=this.settings.jobs,
                    context=this,
                    runtime=runtime,
                    journal=journal,
                    on_event=this.branch_event,
                )
                watch.cancel()
        except BaseExceptionGroup as errors:
            [error, *_] = errors.exceptions
            if this.failure is not None and this.landing.landed:
                this.failure.add_note(f"what had landed before is on {this.landing.branch.name}")
            raise error from error.__cause__
        return result.state


def _known(this: Run) -> FixState:
    """What can be said of a run that was cut off."""
    return {
        "session_id": this.name,
        "project_root": this.repository.root,
        "files": [FileState.of(task) for task in this.plan.tasks],
        "unchecked": [f"{name}: {words}" for name, words in this.census.errors.items()],
        **results_of(this),
    }


async def prepare(
    request: Request,
    runtime: str,
    scratch: Path,
    *,
    agent: Agent | Sequence[Agent] | None = None,
    on_event: OnEvent | None = None,
    past: Past | None = None,
    of: Past | None = None,
) -> Run:
    """The context of a run, with all that can be refused before anything starts refused.

    Args:
        runtime: the name of what will run the flow.
        scratch: a directory that lasts as long as the run.
        past: the run to go on with, None = a new one.
        of: another run, which this one replays.
    Raises:
        FanfoldError: the request can't be carried out.
    """
    settings = request.settings
    started_s = time.monotonic()
    repository = await Repository.open(request.start)
    if past is not None and past.begun.replays is not None:
        raise FixError(
            f"{past.name} replays {past.begun.replays}, and is not gone on with",
            hint=f"fanfold replay {past.begun.replays}",
        )
    if (stands_as := past or of) is not None:
        repository = await as_begun(repository, stands_as.begun)
    if not (request.dry_run or request.diff):
        await repository.identity()
    project = find_project(repository.root)
    await asyncio.to_thread(own_templates, repository.root)
    if stands_as is None:
        await refuse_unusable(settings, repository)
    name = past.name if past else f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    checkers = checkers_for(repository.root, settings.checks or (stands_as.begun.checkers if stands_as else ()))
    refuse_unasked(checkers, settings.select)
    if settings.annotate and of is None and not annotate.available():
        raise FixError(
            "autotyping, which adds annotations, is not installed", hint="pip install 'fanfold[annotations]'"
        )
    # An agent may have a large package to import.
    stages = await asyncio.to_thread(_stages, settings, agent)
    refuse_untold(settings, agents_of(stages))
    await refuse_unbounded(settings, agents_of(stages))
    prepared = await prepared_for(settings, repository, project)
    return Run(
        request=request,
        name=name,
        runtime=runtime,
        elsewhere=runtime == "cluster",
        repository=repository,
        pool=WorkspacePool(
            repository, home=workspaces_home(settings), kind=settings.workspace_kind, prepare=prepared.ready
        ),
        project=project,
        checkers=checkers,
        stages=stages,
        given_agent=agent is not None,
        suite=_suite(settings, repository.root, project),
        landing=Landing(
            ResultBranch(repository, repository.head, branch_of(name, settings.per), only_show=request.diff),
            names_of(stages),
        ),
        scratch=scratch,
        on_event=on_event or (lambda _: None),
        started_s=started_s,
        notes=[NO_RACE] if settings.race and agent is None and all(len(stage.agents) == 1 for stage in stages) else [],
    )


def _stages(settings: FixSettings, given: Agent | Sequence[Agent] | None) -> tuple[Stage, ...]:
    if given is None:
        given = [agent_for(name, settings) for name in settings.agent]
    return stages_of(given if isinstance(given, Sequence) else [given], race=settings.race)


def _suite(settings: FixSettings, root: Path, project: Project) -> Suite | None:
    if settings.tests == "none":
        return None
    return find_suite(root, project, settings.test_command, settings.test_deadline_s)
