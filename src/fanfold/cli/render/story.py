"""What a reader is told of a run, in the order in which a reader wants it: the same for terminal and Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fanfold.cli.output import Prose, Quoted
from fanfold.fix.finding import Finding
from fanfold.fix.report import Report, TaskLine

Line = tuple[str, ...]
"""One line in parts; parts that are `Quoted` are escaped, the others are ours."""

MAX_ROWS = 30


@dataclass(frozen=True)
class Lines:
    """A section of single lines; `title` "" = the section needs no heading."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """A section of rows; columns from `numbers_from` on hold numbers, set flush right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers_from: int
    more: int = 0


Section = Lines | Table


def tell_story(report: Report, *, everything: bool = False) -> tuple[Section, ...]:
    """The sections of a report that have something to say.

    Args:
        everything: leave nothing out of long lists; else they end after `MAX_ROWS` rows and say how many follow.
    """
    limit = None if everything else MAX_ROWS
    sections: tuple[Section, ...] = (
        summary(report),
        Lines("New findings, which must not be", _findings(report.new_findings, limit)),
        Lines("Could not check", tuple((Prose(words),) for words in report.unchecked)),
        _files(report, limit, everything=everything),
        Lines("Why not fixed", _reasons(report.tasks, limit)),
        Lines("Fixes taken back", _refused(report.tasks, limit)),
        _rules(report, limit),
        Lines("Left out", _left_out(report)),
        Lines("Findings in uncommitted text, left out", _findings(report.uncommitted, limit)),
        Lines("Tests", _tests(report, limit)),
        Lines("Time", _time(report)),
        Lines("Notes", tuple((Prose(note),) for note in report.notes)),
    )
    return tuple(section for section in sections if (section.lines if isinstance(section, Lines) else section.rows))


def summary(report: Report) -> Lines:
    """How many files and findings, where the result is, and how to take it."""
    lines = [_headline(report)]
    if report.branch is not None:
        commits = plural(len(report.landed), "commit")
        lines.append((f"{commits} on ", Quoted(report.branch), f" (base {report.base[:10]})"))
        if report.not_applied is not None:
            lines.append(("Not applied: ", Prose(report.not_applied)))
        lines.append(_next_step(report, report.branch))
    return Lines("", tuple(lines))


def _headline(report: Report) -> Line:
    start = "Interrupted. " if report.interrupted else ""
    if not report.tasks:
        return (start + _nothing_to_do(report),)
    files, before = plural(len(report.tasks), "file"), plural(report.findings_before, "finding")
    if report.dry_run and not report.landed:
        return (f"{start}Would work on {files} with {before}; nothing was changed",)
    after = "not counted" if report.findings_after is None else str(report.findings_after)
    whole = sum(task.status == "fixed" for task in report.tasks)
    part = len(report.landed) - whole
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
    return ("Take them with: git merge ", Quoted(branch))


def _files(report: Report, limit: int | None, *, everything: bool) -> Table:
    counts = {count.path: count for count in report.files}
    tasks = report.tasks if everything or len(report.tasks) <= MAX_ROWS else _unfinished(report)
    rows = []
    for task in tasks[:limit]:
        count = counts.get(task.path)
        before = count.before if count else task.findings
        after = "" if task.status == "planned" else _number(count.after if count else task.left)
        rows.append((Quoted(task.path), task.status, str(before), after, _seconds_of(task)))
    return Table("Files", ("file", "status", "before", "after", "time"), tuple(rows), 2, len(report.tasks) - len(rows))


def _unfinished(report: Report) -> tuple[TaskLine, ...]:
    """What a reader of a long run looks for comes first: the files that still need somebody."""
    return tuple(sorted(report.tasks, key=lambda task: task.status == "fixed"))


def _rules(report: Report, limit: int | None) -> Table:
    counts = sorted(report.rules, key=lambda count: (-count.before, count.checker, count.rule))
    rows = tuple(
        (Quoted(f"{count.checker} {count.rule}"), str(count.before), "" if _planned(report) else _number(count.after))
        for count in counts[:limit]
    )
    return Table("Rules", ("rule", "before", "after"), rows, 1, len(counts) - len(rows))


def _planned(report: Report) -> bool:
    return report.dry_run and not report.landed


def _reasons(tasks: Iterable[TaskLine], limit: int | None) -> tuple[Line, ...]:
    lines = [(Quoted(task.path), ": ", Prose(reason)) for task in tasks for reason in task.reasons]
    return _limited(lines, limit)


def _refused(tasks: Iterable[TaskLine], limit: int | None) -> tuple[Line, ...]:
    return _limited([(Quoted(task.path), ": ", Prose(fix)) for task in tasks for fix in task.refused], limit)


def _left_out(report: Report) -> tuple[Line, ...]:
    """By reason: which files exactly is in the JSON report."""
    findings: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for left in report.left_out:
        findings[left.reason] += left.count
        files[left.reason] += 1
    return tuple(
        (f"{plural(findings[reason], 'finding')} in {plural(files[reason], 'file')}: ", Prose(reason))
        for reason in findings
    )


def _findings(findings: Sequence[Finding], limit: int | None) -> tuple[Line, ...]:
    lines = [
        (
            Quoted(f"{one.path}:{one.line}:{one.column}"),
            " ",
            Quoted(f"{one.checker} {one.rule}"),
            " ",
            Prose(one.message),
        )
        for one in findings
    ]
    return _limited(lines, limit)


def _tests(report: Report, limit: int | None) -> tuple[Line, ...]:
    tests = report.tests
    words = {
        "passed": "the suite passes on the result as it did on the base",
        "failed": "the suite fails on the result where it passed on the base",
        "could not run": "the suite could not run; see above",
        "not run": "the suite was not run",
        "no suite found": "no suite was found; name one with --test-command",
    }
    if tests.status == "not run" and (tests.mode == "none" or not report.landed):
        return ()
    runs = f" ({plural(tests.runs, 'run')}, {seconds(tests.elapsed_s)})" if tests.runs else ""
    lines: list[Line] = [(words[tests.status] + runs,)]
    if tests.command is not None:
        lines.append(("command: ", Quoted(tests.command)))
    if tests.base_failures:
        lines.append((f"{plural(tests.base_failures, 'test')} failed on the base already and did not count",))
    lines += [("taken out, a test failed with it: ", Quoted(path)) for path in tests.taken_out]
    lines += [("no longer passes: ", Quoted(name)) for name in tests.regressions]
    return _limited(lines, limit)


def _time(report: Report) -> tuple[Line, ...]:
    lines: list[Line] = [(f"{seconds(report.wall_s)} in all, {seconds(report.agent_s)} in agents",)]
    if report.average_s is not None:
        lines.append((f"{seconds(report.average_s)} for a file on average",))
    if report.speedup is not None:
        summed, wall = seconds(report.tasks_s), seconds(report.wall_s)
        lines.append((f"speed-up {report.speedup:.1f}: {summed} summed over files, in {wall} of wall time",))
    return tuple(lines)


def _limited(lines: Sequence[Line], limit: int | None) -> tuple[Line, ...]:
    if limit is None or len(lines) <= limit:
        return tuple(lines)
    return (*lines[:limit], (f"and {len(lines) - limit} more",))


def _number(count: int | None) -> str:
    return "?" if count is None else str(count)


def _seconds_of(task: TaskLine) -> str:
    return seconds(task.elapsed_s) if task.attempts or task.elapsed_s else ""


def plural(count: int, noun: str) -> str:
    """A number with its noun: "1 file", "2 files"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def seconds(value: float) -> str:
    """A time as a reader says it: "0.4 s", "75 s", "12 min 5 s"."""
    if value < 60:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 120 else f"{value // 60:.0f} min {value % 60:.0f} s"
