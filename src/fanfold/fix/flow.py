"""`fanfold fix` as a flow: findings, attempts side by side, landing as they come, all of it settled together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fanfold.agents.protocol import Material
from fanfold.engine import Done, Outcome
from fanfold.fix.attempts import prompt
from fanfold.fix.attempts.advised import unread_advice
from fanfold.fix.attempts.again import bench_for, counted, try_again
from fanfold.fix.attempts.attempt import Attempted, attempt
from fanfold.fix.attempts.bench import Bench, Brief, Workplace
from fanfold.fix.attempts.stages import FOR_TESTS, agents_of, edits_tests
from fanfold.fix.cluster.counter import attended
from fanfold.fix.cluster.handover import received, sent
from fanfold.fix.cluster.worker import pack, prepare_worker
from fanfold.fix.findings.census import able, census_of
from fanfold.fix.findings.known import known_of
from fanfold.fix.findings.plan import Plan, plan, still_there
from fanfold.fix.findings.uncommitted import uncommitted_findings
from fanfold.fix.landing.combined import verification_of
from fanfold.fix.landing.delivery import deliver
from fanfold.fix.landing.queue import PACES, MergeQueue
from fanfold.fix.learning.session import courses_for
from fanfold.fix.record import Run, attempted
from fanfold.fix.runs.planned import Told, note_plan, note_told, take_up_plan, told_before
from fanfold.fix.state import FileMetric, FileState, FixState
from fanfold.fix.suite.covered import uncovered
from fanfold.fix.suite.tested import Tester
from fanfold.runtimes import Flow, Update, get_context


async def initialize(_: FixState) -> Update:
    """Name the session, and say what it is about."""
    run = get_context(Run)
    return {
        "session_id": run.name,
        "project_root": run.repository.root,
        "enabled_tools": [checker.name for checker in run.checkers],
        "dry_run": run.request.dry_run,
    }


async def collect_errors(_: FixState) -> Update:
    """Check the base commit, choose what to work on, and make ready for those who will."""
    run = get_context(Run)
    if not take_up_plan(run):
        await _find(run)
        found = run.census.findings
        run.plan = await _planned(run) if run.earlier is None else still_there(run.earlier, found)
        await note_plan(run)
    if run.plan.tasks and not run.request.dry_run:
        await _make_ready(run)
    each = run.tester is not None and run.settings.tests == "each"
    return {
        "files": [FileState.of(task) for task in run.plan.tasks],
        "unchecked": [f"{name}: {words}" for name, words in run.census.errors.items()],
        "tests": () if each else None,
    }


def files_to_process(state: FixState) -> Sequence[FileState]:
    """One branch for each file; none in a dry run."""
    return () if state["dry_run"] else state["files"]


async def process_file(file: FileState, state: FixState) -> Update:
    """Attempt one file in a workspace of its own; whether that is a fix is for others to say."""
    place = get_context(Workplace)
    if place.bench is None:
        raise RuntimeError("process_file comes after collect_errors, which makes the bench")
    test = await place.bench.tests(state.get("broke", {}).get(file.key, state.get("tests")))
    told = state.get("told", {}).get(file.key, "")
    made = await attempt(place.bench, file.task, told=told, test=test)
    if place.pins is not None and made.change is not None:
        await place.pins.keep(made.change.tree)
    return {"attempts": [await sent(place, made)]}


async def land(outcome: Outcome[Any]) -> None:
    """Hand a verified change to the queue, which works beside the attempts."""
    run = get_context(Run)
    if run.queue is not None:
        run.queue.offer(await received(run, attempted(outcome)))


async def aggregate_results(state: FixState) -> Update:
    """See what has landed to its end, second attempts included, and count it."""
    run = get_context(Run)
    again: list[Attempted] = []
    if run.queue is not None:
        await run.queue.drain()
        run.landing.final = True
        if run.landing.sent_back:
            again = await try_again(run, state, AGAIN)
            await run.queue.drain()
        await run.queue.recheck()
        run.coverage = await uncovered(run)
    return {"attempts": again, **results_of(run)}


async def cleanup(_: FixState) -> Update:
    """Give the user what has landed in the form that was asked for."""
    await deliver(get_context(Run))
    return None


FIX: Flow[FixState] = Flow(
    name="fix",
    state=FixState,
    prepare=(initialize, collect_errors),
    items=files_to_process,
    branch=process_file,
    on_outcome=land,
    finish=(aggregate_results, cleanup),
    pack=pack,
    prepare_worker=prepare_worker,
    attend=attended,
)
AGAIN: Flow[FixState] = replace(FIX, name="fix again", prepare=(), finish=())
"""One more attempt at some files: the same branch, the same landing."""


async def _find(run: Run) -> None:
    """Check the base commit; beside it the user's own uncommitted text, only to be able to name it."""
    run.phase("checking", ", ".join(checker.name for checker in run.checkers))
    run.census = await census_of(run, run.repository.head, run.checkers)
    if run.earlier is not None:
        return  # what isn't committed by now isn't from then
    run.uncommitted = await uncommitted_findings(
        run.repository, run.pool, run.census.findings, able(run), run.project, run.settings.select
    )


async def _planned(run: Run) -> Plan:
    names = [FOR_TESTS if edits_tests(agent) else agent.name for agent in agents_of(run.stages)]
    known = await known_of(run)
    return await plan(run.request, run.repository, run.census.findings, names, python=run.project.python, known=known)


async def _make_ready(run: Run) -> None:
    """The suite runs on the base while agents work, and the queue waits for what they make."""
    if run.suite is not None:
        run.tester = Tester(run.suite, run.pool, run.repository.head)
        await run.closing.enter_async_context(run.tester.running())
    tasks = run.plan.tasks
    run.phase("fixing", f"{counted(tasks)}, {min(run.settings.jobs, len(tasks))} at once", files=len(tasks))
    checkers = tuple(checker.name for checker in able(run))
    bench = bench_for(run, Brief(run.repository.head, run.settings, checkers, run.census.findings))
    told = await _told(run, bench)
    run.bench = replace(bench, brief=replace(bench.brief, material=told.material, courses=told.courses))
    await _open_queue(run)


async def _open_queue(run: Run) -> None:
    run.verification = await verification_of(run)
    pace = PACES[run.settings.tests]
    run.queue = MergeQueue(run.landing, run.verification, run.log, pace, order=run.order, tell=run.phase)
    run.queue.expect([task.key for task in run.plan.tasks])
    await run.closing.enter_async_context(run.queue.running(run.stop))


async def _told(run: Run, bench: Bench) -> Told:
    """What agents are told and how tasks go through them; of a run that is gone on with, as it was."""
    if (before := told_before(run)) is not None:
        run.notes += before.notes
        return before
    known = len(run.notes)
    courses, material = await courses_for(run), Material()
    if not all(agent.deterministic for agent in agents_of(run.stages)):
        rules = {(one.checker, one.rule) for task in run.plan.tasks for one in task.findings}
        material = await prompt.material_on(rules, bench.commands, run.repository.root)
        run.notes += await unread_advice(run.repository.root, bench.commands, run.census.findings)
    told = Told(material, courses, tuple(run.notes[known:]))
    await note_told(run, told)
    return told


def results_of(run: Run) -> FixState:
    """What is on the result branch, and what isn't, of the files that were tried; in their order."""
    landing = run.landing
    fixed = {key: done for key, done in landing.outcomes.items() if key in landing.landed and isinstance(done, Done)}
    tried = [task.key for task in run.plan.tasks if task.key in landing.outcomes]
    metrics = [
        FileMetric(file=key, time=fixed[key].elapsed_s, errors_fixed=fixed[key].value.verdict.fixed)
        for key in tried
        if key in fixed
    ]
    return FixState(
        successful_fixes=[metric["file"] for metric in metrics],
        failed_fixes=[key for key in tried if key not in fixed],
        total_errors_fixed=sum(metric["errors_fixed"] for metric in metrics),
        file_metrics=metrics,
    )
