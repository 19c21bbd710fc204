"""From what the checkers found to the tasks that agents may work on."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from fanfold.config import FixSettings
from fanfold.fix import gates
from fanfold.fix.attempts.stages import FOR_TESTS
from fanfold.fix.attempts.verify import REGULAR
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.newer import NEWER, newer_than_ours
from fanfold.fix.findings.others import with_others
from fanfold.fix.findings.select import Known, Selection, select
from fanfold.fix.findings.split import Task, is_test, layout_of, split
from fanfold.fix.reporting.report import LeftOut
from fanfold.git import Repository


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Args:
        start: where the user stands; `paths` are relative to it.
        settings: all that can be configured.
        paths: files and folders to work on, empty = the whole repository.
        git_changed: only files with changes that are not committed.
        git_staged: only files with staged changes.
        git_diff: only files that differ from this revision's merge base with HEAD.
        apply: fast-forward the current branch to the result.
        stage_only: bring the result into checkout and index, uncommitted.
        dry_run: stop at the plan; no agent runs.
        diff: run the agents and show what would land; land nothing.
    """

    start: Path
    settings: FixSettings
    paths: tuple[str, ...] = ()
    git_changed: bool = False
    git_staged: bool = False
    git_diff: str | None = None
    apply: bool = False
    stage_only: bool = False
    dry_run: bool = False
    diff: bool = False

    def __post_init__(self) -> None:
        if self.apply and (self.dry_run or self.diff):
            raise FixError("--apply changes the branch, --dry-run and --diff change nothing", hint="give one of them")
        if self.stage_only and (self.apply or self.dry_run or self.diff):
            raise FixError(
                "--stage-only stages the result, --apply commits it, --dry-run and --diff change nothing",
                hint="give one of them",
            )


@dataclass(frozen=True)
class Plan:
    """The tasks, most expected work first; `skipped` are files that nobody may work on, each with the reason.

    `notes` are what the user should know of how they were chosen.
    """

    findings: tuple[Finding, ...] = ()
    tasks: tuple[Task, ...] = ()
    skipped: tuple[tuple[Task, str], ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


async def plan(
    request: Request,
    repository: Repository,
    findings: Iterable[Finding],
    agents: Collection[str],
    *,
    python: Path,
    known: Known | None = None,
) -> Plan:
    """Select findings and make one task of each file.

    Args:
        findings: of the base commit.
        agents: names of those who work.
        python: the project's interpreter.
        known: findings to leave alone, None = none.
    Raises:
        FixError: a path or a revision that the user named does not exist.
    """
    known = known or Known()
    selection = await _selection(request, repository)
    entries = {entry.path: entry.mode for entry in await repository.tree(repository.head)}
    selected = select(tuple(findings), selection, tracked=frozenset(entries), known=known.reasons)
    allowed: list[Task] = []
    skipped: list[tuple[Task, str]] = []
    for task in split(selected.findings, layout_of(repository.root)):
        reason = _off_limits(task, entries.get(task.path), agents)
        if reason is None:
            allowed.append(task)
        else:
            skipped.append((task, reason))
    newer = await newer_than_ours((task.path for task in allowed), partial(repository.read, repository.head), python)
    skipped += [(task, NEWER) for task in allowed if task.path in newer]
    allowed = [task for task in allowed if task.path not in newer]
    if request.settings.two_files:
        allowed = await _reaching(allowed, repository, selection, entries)
    return Plan(selected.findings, tuple(allowed), tuple(skipped), selected.left_out, known.notes)


def still_there(earlier: Plan, findings: Iterable[Finding]) -> Plan:
    """What was chosen before, as far as it is found again in the same commit; nothing else is chosen now.

    Args:
        findings: of that commit, as checkers find them now; they may use other words.
    """
    known: dict[tuple[object, ...], list[Finding]] = {}
    for finding in sorted(findings):
        known.setdefault(_identity(finding), []).append(finding)

    def again(those: Sequence[Finding]) -> tuple[Finding, ...]:
        left = {identity: iter(known.get(identity, ())) for identity in map(_identity, those)}
        return tuple(found for one in those if (found := next(left[_identity(one)], None)))

    tasks = [replace(task, findings=again(task.findings)) for task in earlier.tasks]
    skipped = [(replace(task, findings=again(task.findings)), why) for task, why in earlier.skipped]
    return replace(
        earlier,
        findings=again(earlier.findings),
        tasks=tuple(task for task in tasks if task.findings),
        skipped=tuple((task, why) for task, why in skipped if task.findings),
    )


def _identity(finding: Finding) -> tuple[object, ...]:
    return finding.path, finding.line, finding.column, finding.checker, finding.rule


async def _reaching(
    tasks: Sequence[Task], repository: Repository, selection: Selection, entries: Mapping[str, str]
) -> list[Task]:
    """The tasks with the files that they may change beside their own: only what the user's selection of paths holds."""
    layout = layout_of(repository.root)
    anywhere = replace(selection, select=(), ignore=(), max_files=None, max_findings=None)

    def allowed(path: str) -> bool:
        if entries.get(path) not in REGULAR or gates.is_configuration(path) or is_test(path, layout):
            return False
        return bool(select((Finding(path, 0, 0, "", "", ""),), anywhere).findings)

    return list(await with_others(tasks, entries, partial(repository.read, repository.head), allowed))


def _off_limits(task: Task, mode: str | None, agents: Collection[str]) -> str | None:
    """Why nobody may work on a file; None where somebody may."""
    if mode is None:
        return "it is not in the base commit"
    if mode not in REGULAR:
        return "it is no regular file"
    if gates.is_configuration(task.path):
        return "it steers checkers or tests"
    if task.is_test and FOR_TESTS not in agents:
        return f"it is a test, which only the agent {FOR_TESTS} may edit"
    return None


async def _selection(request: Request, repository: Repository) -> Selection:
    settings = request.settings
    return Selection(
        paths=_from_root(request, repository),
        include=settings.include,
        exclude=settings.exclude,
        select=settings.select,
        ignore=settings.ignore,
        max_files=settings.max_files,
        max_findings=settings.max_findings,
        only=await _only(request, repository),
    )


async def _only(request: Request, repository: Repository) -> frozenset[str] | None:
    """The files that git options limit the work to; None = no such option was given."""
    limits = []
    if request.git_changed or request.git_staged:
        state = await repository.working_state()
        changed = (*state.staged, *state.unstaged, *state.untracked)
        limits.append(frozenset(changed if request.git_changed else state.staged))
    if request.git_diff is not None:
        limits.append(await repository.changed_since(request.git_diff))
    return frozenset.intersection(*limits) if limits else None


def _from_root(request: Request, repository: Repository) -> tuple[str, ...]:
    """The user's paths, which are relative to where the user stands, relative to the root of the repository."""
    paths = []
    for path in request.paths:
        absolute = Path(os.path.normpath(request.start.resolve() / path))
        if not absolute.is_relative_to(repository.root):
            raise FixError(f"{path} is outside the repository {repository.root}", hint="name paths inside it")
        paths.append(absolute.relative_to(repository.root).as_posix())
    return tuple(path for path in paths if path != ".") if "." not in paths else ()
