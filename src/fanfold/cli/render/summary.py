"""A run in a few lines: how much was fixed, where the result is and how to take it, and what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fanfold.cli.output import Prose, Quoted
from fanfold.cli.render.coverage import in_short
from fanfold.cli.render.sections import Line, Lines
from fanfold.cli.render.spending import spent
from fanfold.cli.words import plural
from fanfold.fix.reporting.report import Report

MAX_REASON_CHARS = 200
"""So much of a reason stands in the summary."""
NOT_TESTED = {
    "could not run": "the suite could not judge the result",
    "not run": "the suite was not run",
    "no suite found": "no test suite was found",
}
"""By the status of the tests: why nothing that landed was tested."""


def summary(report: Report) -> Lines:
    """How many files and findings, where the result is, and how to take it."""
    lines = [_headline(report)]
    if report.branch is not None:
        commits = plural(len(report.landed), "commit")
        lines.append((f"{commits} on ", Quoted(report.branch), f" (base {report.base[:10]})"))
        lines += _not_applied(report)
        lines.append(_next_step(report, report.branch))
        if any(task.branch for task in report.tasks):
            lines.append((f"Each alone: git branch --list 'fanfold/{report.run_id}/*'",))
    lines += [*_troubles(report), *spent(report)]
    if report.is_unfinished and any(task.status != "planned" for task in report.tasks):
        lines.append((f"Go on with: fanfold fix --resume {report.run_id}",))
    if report.landed and report.tests.status in NOT_TESTED:
        lines.append((f"Not tested: {NOT_TESTED[report.tests.status]}",))
    if (untested := in_short(report.coverage)) is not None:
        lines.append((untested,))
    return Lines("", tuple(lines))


def warnings(report: Report) -> Lines:
    """What has to be known of a run however little is to be told."""
    return Lines("", (*_not_applied(report), *_troubles(report)))


def _not_applied(report: Report) -> tuple[Line, ...]:
    return () if report.not_applied is None else (("Not applied: ", Prose(report.not_applied)),)


def _troubles(report: Report) -> Iterator[Line]:
    unable = ", ".join(checker.name for checker in report.checkers if checker.error is not None)
    if unable:
        yield ("Not checked by ", Quoted(unable))
    if report.stopped is not None:
        yield ("Stopped: ", Prose(report.stopped))
    for limit in (report.budget.exhausted, report.budget.task_exhausted) if report.budget is not None else ():
        if limit is not None:
            yield ("Out of budget: ", Prose(limit))
    yield from _failed(report) or _unanswered(report)


def _headline(report: Report) -> Line:
    start = "Interrupted. " if report.interrupted else ""
    if not report.tasks:
        return (start + _nothing_to_do(report),)
    files, before = plural(len(report.tasks), "file"), plural(report.findings_before, "finding")
    if planned := [task for task in report.tasks if task.status == "planned"]:
        found = plural(sum(task.findings for task in planned), "finding")
        return (f"{start}Would work on {plural(len(planned), 'file')} with {found}; nothing was changed",)
    after = "not counted" if report.findings_after is None else str(report.findings_after)
    whole = sum(task.status == "fixed" for task in report.tasks)
    part = sum(task.status == "partial" for task in report.tasks)
    in_part = f" and {part} in part" if part else ""
    verb, end = ("Would fix", "; nothing was changed") if report.dry_run else ("Fixed", "")
    return (f"{start}{verb} {whole} of {files}{in_part}: {before} → {after}{end}",)


def _nothing_to_do(report: Report) -> str:
    if report.unchecked:
        return "Nothing was fixed, and not everything could be checked"
    if report.interrupted:
        return "Nothing was fixed"
    names = ", ".join(checker.name for checker in report.checkers)
    return f"Nothing to fix: no finding by {names or 'any checker'} in what was selected"


def _next_step(report: Report, branch: str) -> Line:
    if report.applied:
        return (f"Applied: your branch is at {(report.tip or '')[:10]}",)
    if report.staged:
        return ("Staged: git commit takes it, git diff --staged shows it",)
    return ("Take them with: git merge ", Quoted(branch))


def _failed(report: Report) -> tuple[Line, ...]:
    """Where agents ended without an answer: the reason that most of these files share."""
    failed = [task for task in report.tasks if task.status in ("failed", "timed out")]
    reasons = Counter(reason for task in failed for reason in task.reasons[:1])
    if not reasons:
        return ()
    (words, count), *_ = reasons.most_common(1)
    others = f", {len(failed) - count} of them for other reasons" if len(failed) > count else ""
    return ((f"No answer for {plural(len(failed), 'file')}{others}: ", Prose(_begin_of(words))),)


def _unanswered(report: Report) -> tuple[Line, ...]:
    """Agents of a cascade that never answered: what the others fixed hides it."""
    silent = [line for line in report.stages if line.attempts and line.unanswered == line.attempts]
    return tuple(
        (
            "No answer by ",
            Quoted(line.agent),
            f" for {plural(line.files, 'file')}: ",
            Prose(_begin_of(line.error or "")),
        )
        for line in silent
    )


def _begin_of(words: str) -> str:
    return words if len(words) <= MAX_REASON_CHARS else f"{words[:MAX_REASON_CHARS]}..."
