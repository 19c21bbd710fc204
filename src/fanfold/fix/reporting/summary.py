"""From what is known of a run to its report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from fanfold import __version__
from fanfold.agents.protocol import BudgetExhausted
from fanfold.engine import BranchCancelled, Done, Failed
from fanfold.fix.attempts.attempt import Attempted
from fanfold.fix.attempts.confine import told_of
from fanfold.fix.attempts.effort import Effort, makers_of, usage_of
from fanfold.fix.attempts.stages import FOR_TESTS, agents_of, edits_tests, names_of
from fanfold.fix.checkers import Census, Checked
from fanfold.fix.failure import timed_out, words_of
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import Task
from fanfold.fix.landing.landed import Refusal
from fanfold.fix.record import Run
from fanfold.fix.reporting.report import (
    LANDED,
    CheckerLine,
    FileCount,
    QueueLine,
    Report,
    RuleCount,
    StageLine,
    TaskLine,
    TaskStatus,
    TestsLine,
)
from fanfold.fix.reporting.stagelines import cut_off, stage_lines
from fanfold.fix.runs.budgeted import budget_line
from fanfold.fix.suite.run import SuiteResult
from fanfold.fix.suite.tested import comparable
from fanfold.git import Change, Landed

FIXED_BY_AUTOFIX = "ruff"
OTHERS_READ = "agents that read code may: --agent llm:MODEL or --agent claude, for instance"
OTHERS_LEAVE_TESTS = "other agents may, but don't edit tests"
ONLY_AUTOFIX = "it is a test, and of the agents only autofix edits tests"


async def report_of(run: Run) -> Report:
    """All that the run has to tell; what is not known is said to be unknown."""
    landing = run.landing
    selected = run.plan.findings
    remaining = _remaining(run)
    has_branch = bool(landing.landed) and not landing.only_show
    return Report(
        run_id=run.name,
        version=__version__,
        repository=run.repository.root.name,
        base=run.repository.head,
        agent=names_of(run.stages),
        tests=_tests(run),
        queue=_queue(run),
        budget=budget_line(run.till.budget),
        coverage=run.coverage,
        wall_s=time.monotonic() - run.started_s,
        branch=landing.branch.name if has_branch else None,
        tip=landing.branch.tip if has_branch else None,
        applied=run.applied,
        staged=run.staged,
        not_applied=run.not_applied,
        interrupted=run.interrupted,
        stopped=run.stopped,
        dry_run=run.request.dry_run or run.request.diff,
        runtime=run.runtime,
        workspaces=run.pool.kind + (f" ({run.pool.why_plain})" if run.pool.why_plain else ""),
        checkers=_checkers(run.census, run.after),
        tasks=await _tasks(run),
        stages=_stages(run),
        rules=_rules(selected, remaining),
        files=_files(selected, remaining),
        new_findings=run.comparison.added if run.comparison and landing.landed else (),
        remaining=selected if remaining is None else remaining,
        left_out=run.plan.left_out,
        uncommitted=run.uncommitted,
        notes=(*_notes(run), *await _confinement(run)),
    )


async def _confinement(run: Run) -> tuple[str, ...]:
    tried = run.bench is not None and bool(run.plan.tasks) and not run.request.dry_run
    told = await told_of(run.settings, agents_of(run.stages)) if tried else None
    return () if told is None else (told,)


def _remaining(run: Run) -> tuple[Finding, ...] | None:
    """The selected findings that are still there, where they stand now; None where the result was not checked."""
    if not run.landing.landed:
        return run.plan.findings
    if run.comparison is None or run.after is None or run.after.errors:
        return None
    selected = Counter(run.plan.findings)
    left = []
    for old, new in run.comparison.kept:
        if selected[old] > 0:
            selected[old] -= 1
            left.append(new)
    return tuple(left)


def _checkers(before: Census, after: Census | None) -> tuple[CheckerLine, ...]:
    then = {one.checker: one for one in after.checked} if after else {}
    return tuple(_checker(one, then.get(one.checker)) for one in before.checked)


def _checker(before: Checked, after: Checked | None) -> CheckerLine:
    counted = after is not None and after.error is None
    return CheckerLine(
        name=before.checker,
        version=before.version,
        findings_before=len(before.findings),
        findings_after=len(after.findings) if after and counted else None,
        error=before.error or (after.error if after else None),
    )


def _rules(before: Iterable[Finding], after: Iterable[Finding] | None) -> tuple[RuleCount, ...]:
    old = Counter((one.checker, one.rule) for one in before)
    new = None if after is None else Counter((one.checker, one.rule) for one in after)
    return tuple(RuleCount(*rule, count, None if new is None else new[rule]) for rule, count in sorted(old.items()))


def _files(before: Iterable[Finding], after: Iterable[Finding] | None) -> tuple[FileCount, ...]:
    old = Counter(one.path for one in before)
    new = None if after is None else Counter(one.path for one in after)
    return tuple(FileCount(path, count, None if new is None else new[path]) for path, count in sorted(old.items()))


def _stages(run: Run) -> tuple[StageLine, ...]:
    outcomes, landed = run.landing.outcomes, run.landing.landed
    done = {key: one.value.efforts for key, one in outcomes.items() if key in landed and isinstance(one, Done)}
    return stage_lines(run.stages, {task.key: _tried(run, task) for task in run.plan.tasks}, done)


def _tried(run: Run, task: Task) -> tuple[Effort, ...]:
    """All that was tried at a task, what was stopped in its midst or cut off with its process with it."""
    stopped = run.bench.stopped.get(task.key, ()) if run.bench else ()
    tried = (*run.landing.efforts.get(task.key, ()), *stopped)
    return (*tried, *cut_off(run.stages, run.till.budget, task.key, tried))


async def _tasks(run: Run) -> tuple[TaskLine, ...]:
    kept = _kept(run)
    tried = [_along(await _task(run, task), task, kept) for task in run.plan.tasks]
    skipped = [
        TaskLine(path=task.path, status="skipped", findings=len(task.findings), left=len(task.findings), reasons=(why,))
        for task, why in run.plan.skipped
    ]
    return tuple(sorted([*tried, *skipped], key=lambda line: line.path))


def _kept(run: Run) -> Counter[Finding] | None:
    """The findings of the base that are on the result, None where that isn't known."""
    if not run.landing.landed or run.comparison is None or run.after is None or run.after.errors:
        return None
    return Counter(old for old, _ in run.comparison.kept)


def _along(line: TaskLine, task: Task, kept: Counter[Finding] | None) -> TaskLine:
    """The line of a task that nothing landed for, though none of its findings is left."""
    if kept is None or line.status in LANDED or any(finding in kept for finding in task.findings):
        return line
    return replace(line, status="fixed", fixed=len(task.findings), left=0, reasons=(), refused=(), along=True)


async def _task(run: Run, task: Task) -> TaskLine:
    outcome = run.landing.outcomes.get(task.key)
    if isinstance(outcome, Done):
        return await _done(run, task, outcome)
    status: TaskStatus = "planned" if run.request.dry_run else "cancelled"
    reasons: tuple[str, ...] = ()
    if isinstance(outcome, Failed):
        status, reasons = _failure(outcome)
    tried = _tried(run, task)
    return TaskLine(
        path=task.path,
        others=_others(run, task, None),
        status=status,
        findings=len(task.findings),
        left=len(task.findings),
        attempts=len(tried) or (outcome.attempts if outcome else 0),
        usage=usage_of(tried),
        agent_s=sum(one.agent_s for one in tried),
        elapsed_s=outcome.elapsed_s if outcome else 0.0,
        reasons=reasons,
    )


def _failure(outcome: Failed) -> tuple[TaskStatus, tuple[str, ...]]:
    error = outcome.error
    if isinstance(error, BranchCancelled):
        return "cancelled", ()
    if isinstance(error, BudgetExhausted):
        return "cancelled", (error.for_many or words_of(error),)
    return ("timed out" if timed_out(error) else "failed"), (words_of(error),)


async def _done(run: Run, task: Task, outcome: Done[Attempted]) -> TaskLine:
    attempted, landing = outcome.value, run.landing
    landed, refusal = landing.landed.get(task.key), landing.refusal(task.key)
    fixed = attempted.verdict.fixed if landed else 0
    return TaskLine(
        path=task.path,
        others=_others(run, task, landed),
        status=_status(attempted, landed, refusal),
        findings=len(task.findings),
        fixed=fixed,
        left=len(task.findings) - fixed,
        attempts=attempted.attempts,
        elapsed_s=outcome.elapsed_s,
        agent_s=attempted.agent_s,
        sent_back=task.key in landing.sent_back,
        agent=(makers_of(attempted.efforts) or landing.agent) if landed else None,
        usage=usage_of(_tried(run, task)),
        commit=landed.commit if landed and not landing.only_show else None,
        branch=run.branches.get(task.path),
        reasons=_reasons(attempted, landed, refusal, alone=not landing.landed) or _beyond(run, task, attempted),
        refused=attempted.refused,
        diff=await _diff(run, landed.change) if landing.only_show and landed else None,
    )


def _status(attempted: Attempted, landed: Landed | None, refusal: Refusal | None) -> TaskStatus:
    if refusal is not None:
        return "conflict" if refusal.kind == "conflict" else "taken out"
    if landed is not None:
        return "partial" if attempted.verdict.left else "fixed"
    if attempted.change is not None:
        return "cancelled"
    return "refused" if attempted.verdict.reasons else "unchanged"


def _reasons(attempted: Attempted, landed: Landed | None, refusal: Refusal | None, *, alone: bool) -> tuple[str, ...]:
    if refusal is not None:
        where = "" if alone or refusal.kind == "conflict" else "on top of what has landed it "
        return tuple(f"{where}{reason}" for reason in refusal.reasons)
    if landed is None and attempted.change is not None:
        return ("the run ended before it was verified together with the others",)
    return (*attempted.verdict.reasons, *attempted.why_left)


def _others(run: Run, task: Task, landed: Landed | None) -> tuple[str, ...]:
    if landed is not None:
        return tuple(one.path for one in landed.change.paths if one.path != task.path)
    return () if all(agent.deterministic for agent in agents_of(run.stages)) else task.others


def _beyond(run: Run, task: Task, attempted: Attempted) -> tuple[str, ...]:
    """Who could fix what is left where nobody who could was asked; nothing where nothing is left, or somebody was."""
    checkers = {finding.checker for finding in attempted.verdict.kept or task.findings} - {FIXED_BY_AUTOFIX}
    if not attempted.verdict.left or {effort.agent for effort in attempted.efforts} != {FOR_TESTS}:
        return ()
    if task.is_test and not all(edits_tests(agent) for agent in agents_of(run.stages)):
        return (ONLY_AUTOFIX,)
    if not checkers:
        return ()
    others = OTHERS_LEAVE_TESTS if task.is_test else OTHERS_READ
    return (f"autofix doesn't fix what {' and '.join(sorted(checkers))} finds; {others}",)


async def _diff(run: Run, change: Change) -> str:
    patch = await run.repository.patch(run.repository.head, change.tree)
    return patch.decode("utf-8", "surrogateescape")


def _tests(run: Run) -> TestsLine:
    mode = run.settings.tests
    if run.suite is None:
        return TestsLine(mode=mode, status="not run" if mode == "none" else "no suite found")
    base = run.tester.known_base() if run.tester else None
    verification, landing = run.verification, run.landing
    line = TestsLine(
        mode=mode,
        command=" ".join(run.suite.argv),
        base_failures=_failures(base),
        taken_out=tuple(key for key, refusal in landing.dropped.items() if refusal.red and refusal.red.by == "tests"),
        flaky=tuple(verification.suite.flaky) if verification and verification.suite else (),
        runs=run.tester.runs if run.tester else 0,
        partial_runs=run.tester.partial_runs if run.tester else 0,
        serial_runs=landing.offered + 1 if landing.offered else 0,
        elapsed_s=run.tester.elapsed_s if run.tester else 0.0,
    )
    if base is None or not landing.outcomes:
        return line
    if not comparable(base):
        why = "no test passes" if base.cases is not None else "the suite fails"
        return replace(line, status="could not run", error=base.error or f"{why} on the base commit already")
    tested = verification is not None and verification.tested
    return replace(line, status="passed") if tested or (landing.dropped and not landing.landed) else line


def _queue(run: Run) -> QueueLine:
    queue, verification, landing = run.queue, run.verification, run.landing
    hook = verification.hook if verification else None
    return QueueLine(
        offered=landing.offered,
        batches=queue.batches if queue else 0,
        largest=queue.largest if queue else 0,
        sent_back=len(landing.sent_back),
        hook=None if hook is None else str(hook.path),
        hook_runs=hook.runs if hook else 0,
    )


def _failures(result: SuiteResult | None) -> int:
    return sum(case in ("failed", "error") for case in result.cases.values()) if result and result.cases else 0


def _notes(run: Run) -> tuple[str, ...]:
    notes = [*run.notes, *run.plan.notes]
    verification = run.verification
    if verification is not None and verification.hook is not None and verification.hook.usable is False:
        notes.append(f"{verification.hook.path} fails even where nothing is to be committed, and did not count")
    if run.suite is not None:
        notes += run.suite.notes
    if run.tester is not None:
        notes += run.tester.warnings
    if run.repository.submodules:
        notes.append(f"submodules are left alone: {', '.join(run.repository.submodules)}")
    if run.repository.branch is None:
        notes.append(f"HEAD is detached at {run.repository.head[:12]}")
    return tuple(notes)
