"""What a run came to, as data: what landed, what didn't and why, what is left, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fanfold.fix.findings.finding import Finding
from fanfold.llm.usage import Usage

TaskStatus = Literal[
    "fixed",
    "partial",
    "unchanged",
    "refused",
    "failed",
    "timed out",
    "conflict",
    "taken out",
    "skipped",
    "cancelled",
    "planned",
]
TestsStatus = Literal["passed", "could not run", "not run", "no suite found"]

LANDED: frozenset[TaskStatus] = frozenset({"fixed", "partial"})

EXIT_FIXED = 0
EXIT_WORK_REMAINS = 1
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class CheckerLine:
    """One checker: what it counted before and after; `findings_after` is None where that is not known.

    `error` holds the checker's own words where it could not check, before or after.
    """

    name: str
    version: str | None
    findings_before: int
    findings_after: int | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class TaskLine:
    """One file: how far its task came.

    Args:
        status: "fixed" and "partial" have landed, but see `along`; "planned" is what a dry run would work on.
        findings: how many the task had; `fixed` + `left` = `findings` once it was tried.
        attempts: how many were made.
        elapsed_s: seconds from the task's start to its end, waiting for a workspace and verification included.
        sent_back: its first change was taken out, and it was attempted once more.
        agent_s: seconds of that in the agent.
        commit: the id of the commit on the result branch, None = nothing landed.
        along: it is "fixed" by what landed for other files, and nothing landed for itself.
        branch: a branch with this change alone, None = none was asked for or could be made.
        reasons: why it did not (wholly) succeed.
        refused: fixes that were taken back, each with its reason.
        diff: the change as a patch, undecodable bytes kept as surrogates; only where diffs were asked for.
        agent: who made what landed, several with commas; None = nothing landed.
        usage: what all attempts took together, None = nothing is known of it.
        others: files beside it that its change touches; where nothing landed, those that it might touch.
    """

    path: str
    status: TaskStatus
    findings: int
    fixed: int = 0
    left: int = 0
    attempts: int = 0
    elapsed_s: float = 0.0
    agent_s: float = 0.0
    sent_back: bool = False
    commit: str | None = None
    branch: str | None = None
    reasons: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    diff: str | None = None
    agent: str | None = None
    usage: Usage | None = None
    along: bool = False
    others: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StageLine:
    """One agent of the cascade, and what it did in its stage.

    Args:
        stage: counted from 1; agents of the same stage raced.
        files: how many it worked on, `attempts` how often.
        files_fixed: files on the result branch in which there is work of it; `fixed` findings in them are fixed by it.
        agent_s: seconds that it took, summed over attempts.
        usage: what it took, None = nothing is known of it.
        unmeasured: attempts of which nobody knows what they took; they aren't part of `usage`.
        cut_off: attempts of earlier processes of the run, which ended before the tasks did; they took what they took.
        unanswered: attempts that ended without an answer, `error` why the last of them did.
    """

    stage: int
    agent: str
    files: int = 0
    attempts: int = 0
    files_fixed: int = 0
    fixed: int = 0
    agent_s: float = 0.0
    usage: Usage | None = None
    unmeasured: int = 0
    cut_off: int = 0
    unanswered: int = 0
    error: str | None = None


@dataclass(frozen=True)
class RuleCount:
    """How many findings a rule has on the base and on the result; `after` None = not known."""

    checker: str
    rule: str
    before: int
    after: int | None = None


@dataclass(frozen=True)
class FileCount:
    """How many findings a file has on the base and on the result; `after` None = not known."""

    path: str
    before: int
    after: int | None = None


@dataclass(frozen=True)
class LeftOut:
    """Findings that nobody worked on: `count` of them in `path`, and why."""

    path: str
    reason: str
    count: int


@dataclass(frozen=True, kw_only=True)
class TestsLine:
    """What the test suite said of the result.

    Args:
        mode: when the suite was to run: "batch", "each", "final" or "none".
        command: how it was called, None where there is no suite.
        base_failures: cases that fail on the base already.
        taken_out: paths whose changes were taken out for good because of the suite.
        flaky: cases that failed without the change, too, or passed when they ran once more; they did not count.
        runs: how often the whole suite ran, the base's run included.
        partial_runs: how often some of its files ran.
        serial_runs: runs of the whole suite that it would have taken to test change by change on the tip, the base's
            included.
        elapsed_s: seconds over all runs.
        error: why it could not run, in the suite's own words.
    """

    __test__ = False

    mode: str
    status: TestsStatus = "not run"
    command: str | None = None
    base_failures: int = 0
    taken_out: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    runs: int = 0
    partial_runs: int = 0
    serial_runs: int = 0
    elapsed_s: float = 0.0
    error: str | None = None


@dataclass(frozen=True)
class Lines:
    """Some lines of a file, by number."""

    path: str
    lines: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class CoverageLine:
    """Which of the changed lines on the result no test runs; of these green tests say nothing.

    Args:
        lines: those lines, by file; tests are left out.
        changed: how many changed lines hold code.
        unknown: why that is not known; None = it is.
        elapsed_s: seconds of the run of the suite that it took.
    """

    lines: tuple[Lines, ...] = ()
    changed: int = 0
    unknown: str | None = None
    elapsed_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class BudgetLine:
    """What the run might take, and what it took with all that its earlier processes had taken.

    Args:
        max_cost_usd, max_tokens, max_minutes: the limits of the run, None = there is none.
        task_max_cost_usd, task_max_tokens, task_max_minutes: those of each task.
        cost_usd, tokens: what was spent; what was set aside and never settled is taken for spent.
        known: whether that is all, or only what is known of it.
        minutes: since the run began.
        exhausted: the first limit of the run that something could not be begun for, None = there was none.
        task_exhausted: a limit of each task that something could not be begun for, with the most that was asked for.
    """

    max_cost_usd: float | None = None
    max_tokens: int | None = None
    max_minutes: float | None = None
    task_max_cost_usd: float | None = None
    task_max_tokens: int | None = None
    task_max_minutes: float | None = None
    cost_usd: float = 0.0
    tokens: int = 0
    known: bool = True
    minutes: float = 0.0
    exhausted: str | None = None
    task_exhausted: str | None = None


@dataclass(frozen=True, kw_only=True)
class QueueLine:
    """How changes came onto the result branch.

    Args:
        offered: changes that were verified alone, those of second attempts among them.
        batches: trees that were verified whole to land what they were made of; searches in red ones not counted.
        largest: how many changes landed in one step, at most.
        sent_back: changes that were taken out once, and attempted once more on the new tip.
        hook: the user's pre-commit hook, which judged what was to land; None = there is none, or it was not asked for.
        hook_runs: how often it ran.
    """

    offered: int = 0
    batches: int = 0
    largest: int = 0
    sent_back: int = 0
    hook: str | None = None
    hook_runs: int = 0


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that a run has to tell, in item order.

    Args:
        run_id: names the run; the result branch carries it.
        version: Fanfold's own.
        repository: the name of the repository's root directory.
        base: the commit that the run started from.
        budget: the limits of what might be taken, and what was; None = there were none.
        coverage: which changed lines no test runs, None = nobody looked.
        branch: the result branch, None where nothing landed.
        tip: the commit that `branch` points to.
        applied: the user's branch was moved to `tip`.
        staged: checkout and index were brought to `tip`; HEAD stays.
        not_applied: why it was not, though that was asked for.
        interrupted: the run was stopped; what is here had landed before.
        stopped: why the run could not go on to its end; what is here had landed before.
        dry_run: nothing was to be changed.
        workspaces: of which kind they were, and why if they were plain though overlays would have been used.
        checkers: the checkers that ran, in their order.
        tasks: one line per file, in item order.
        stages: one line per agent, in the order of the cascade.
        rules, files: counts of the selected findings before and after, after = measured on `tip`.
        new_findings: findings on `tip` that the base doesn't have; empty unless something is wrong.
        remaining: findings on `tip`, of those that were selected.
        left_out: findings that the selection left out.
        uncommitted: findings in text that isn't committed; nobody worked on them.
        wall_s: seconds that the whole run took, measured.
        notes: what else the user should know, a sentence each.
    """

    run_id: str
    version: str
    repository: str
    base: str
    agent: str
    tests: TestsLine
    wall_s: float
    queue: QueueLine = QueueLine()
    budget: BudgetLine | None = None
    coverage: CoverageLine | None = None
    branch: str | None = None
    tip: str | None = None
    applied: bool = False
    staged: bool = False
    not_applied: str | None = None
    interrupted: bool = False
    stopped: str | None = None
    dry_run: bool = False
    runtime: str = "native"
    workspaces: str = "plain"
    checkers: tuple[CheckerLine, ...] = ()
    tasks: tuple[TaskLine, ...] = ()
    stages: tuple[StageLine, ...] = ()
    rules: tuple[RuleCount, ...] = ()
    files: tuple[FileCount, ...] = ()
    new_findings: tuple[Finding, ...] = ()
    remaining: tuple[Finding, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    uncommitted: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def findings_before(self) -> int:
        """Selected findings on the base."""
        return sum(rule.before for rule in self.rules)

    @property
    def findings_after(self) -> int | None:
        """Selected findings on the result; None where a rule's count is not known."""
        counts = [rule.after for rule in self.rules]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    @property
    def landed(self) -> tuple[TaskLine, ...]:
        """The tasks whose change is on the result branch."""
        return tuple(task for task in self.tasks if task.status in LANDED and not task.along)

    @property
    def usage(self) -> Usage | None:
        """What all agents took together, None = nothing is known of any; see `StageLine.unmeasured`."""
        known = [line.usage for line in self.stages if line.usage is not None]
        return sum(known[1:], known[0]) if known else None

    @property
    def agent_s(self) -> float:
        """Seconds in agents, summed over all tasks."""
        return sum(task.agent_s for task in self.tasks)

    @property
    def tasks_s(self) -> float:
        """Seconds from start to end, summed over all tasks: one after another would take this."""
        return sum(task.elapsed_s for task in self.tasks)

    @property
    def average_s(self) -> float | None:
        """Mean seconds of a task that was tried and came to an end; None where none did."""
        tried = [task.elapsed_s for task in self.tasks if task.attempts and task.elapsed_s]
        return sum(tried) / len(tried) if tried else None

    @property
    def speedup(self) -> float | None:
        """`tasks_s` over `wall_s`, both measured; None where no task was tried."""
        return self.tasks_s / self.wall_s if self.wall_s > 0 and self.tasks_s > 0 else None

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What could not be checked, a sentence each; never taken for clean."""
        checkers = [f"{line.name}: {line.error}" for line in self.checkers if line.error is not None]
        if self.tests.status == "could not run":
            checkers.append(f"tests: {self.tests.error or 'the suite could not run'}")
        if self.landed and self.findings_after is None:
            checkers.append("the result: its findings were not counted")
        return tuple(checkers)

    @property
    def is_unfinished(self) -> bool:
        """Whether it was cut off before its end, by the user or by an error of its own, and may be resumed."""
        return self.interrupted or self.stopped is not None

    @property
    def exit_code(self) -> int:
        """0 = nothing selected is left, 1 = work remains or something could not be checked, 130 = interrupted."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        if self.stopped is not None:
            return EXIT_WORK_REMAINS
        remains = any(self.dry_run or task.status != "fixed" or task.left for task in self.tasks)
        red = bool(self.new_findings) or self.not_applied is not None
        return EXIT_WORK_REMAINS if remains or red or self.unchecked else EXIT_FIXED
