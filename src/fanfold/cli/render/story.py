"""What a reader is told of a run, in the order in which a reader wants it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from string import ascii_lowercase

from fanfold.cli.output import Prose, Quoted
from fanfold.cli.render.coverage import uncovered
from fanfold.cli.render.sections import Line, Lines, Section, Table
from fanfold.cli.render.spending import bill, budget, took
from fanfold.cli.render.summary import NOT_TESTED, summary
from fanfold.cli.words import plural, seconds
from fanfold.fix.findings.finding import Finding
from fanfold.fix.reporting.report import Report, TaskLine

MAX_ROWS = 30
MAX_SAME_REASON = 3
"""So many files that share a reason are told one by one; more are counted."""
LEAST_S_FOR_SPEEDUP = 10.0
"""Where files took less in all, a run's beginning and end are most of it."""


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
        _files(report, limit),
        Lines("Why not fixed", _reasons(report.tasks, limit)),
        Lines("Fixes taken back", _taken_back(report.tasks, limit)),
        Lines("Remarks of agents", _remarks(report.tasks, limit)),
        _agents(report),
        Lines("Budget", budget(report)),
        _rules(report, limit),
        Lines("Left out", _left_out(report)),
        Lines("Findings in uncommitted text, left out", _findings(report.uncommitted, limit)),
        Lines("Landing", _landing(report)),
        Lines("Tests", _tests(report, limit)),
        Lines("Changed lines that no test runs", _limited(list(uncovered(report.coverage)), limit)),
        Lines("Time", _time(report)),
        Lines("Notes", tuple((Prose(note),) for note in report.notes)),
    )
    return tuple(section for section in sections if (section.lines if isinstance(section, Lines) else section.rows))


def _files(report: Report, limit: int | None) -> Table:
    counts = {count.path: count for count in report.files}
    tasks = report.tasks if _cut(len(report.tasks), limit) == len(report.tasks) else _unfinished(report)
    rows = []
    short = _short_names(report) if len(report.stages) > 1 else {}
    for task in tasks[: _cut(len(tasks), limit)]:
        count = counts.get(task.path)
        before, after = (count.before, count.after) if count else (task.findings, task.left)
        by = (Quoted(_shortened(task.agent or "", short)),) if short else ()
        paths = Quoted(", ".join((task.path, *task.others)))
        rows.append((paths, task.status, *by, str(before), _number(after), _seconds_of(task)))
    columns = ("file", "status", *(("by",) if short else ()), "before", "after", "time")
    more = len(report.tasks) - len(rows)
    if _planned(report):
        return Table("Files", ("file", "status", "findings"), tuple(row[:3] for row in rows), 2, more)
    return Table("Files", columns, tuple(rows), 3 if short else 2, more)


def _labels(report: Report) -> list[str]:
    """What tells agents apart before their names: their stages, with a letter for each that raced in one."""
    in_stage = Counter(line.stage for line in report.stages)
    seen: Counter[int] = Counter()
    labels = []
    for line in report.stages:
        letter = ascii_lowercase[seen[line.stage] % len(ascii_lowercase)] if in_stage[line.stage] > 1 else ""
        labels.append(f"{line.stage}{letter}")
        seen[line.stage] += 1
    return labels


def _short_names(report: Report) -> dict[str, str]:
    """Agents' names without what follows a colon, a whole command perhaps; their labels where these are alike."""
    names = {line.agent: line.agent.partition(":")[0] for line in report.stages}
    if len(set(names.values())) == len(names):
        return names
    return {line.agent: label for line, label in zip(report.stages, _labels(report), strict=True)}


def _shortened(agents: str, names: Mapping[str, str]) -> str:
    for name in sorted(names, key=len, reverse=True):
        agents = agents.replace(name, names[name])
    return agents


def _unfinished(report: Report) -> tuple[TaskLine, ...]:
    """What a reader of a long run looks for comes first: the files that still need somebody."""
    return tuple(sorted(report.tasks, key=lambda task: task.status == "fixed"))


def _agents(report: Report) -> Table:
    """What each agent of a cascade did; what one did alone is told elsewhere, but for what it cost."""
    billed = [line for line in report.stages if line.usage is not None and took(line.usage)]
    if _planned(report) or not (billed or len(report.stages) > 1):
        return Table("Agents", (), (), 0)
    columns = ("agent", "files", "attempts", "landed", "fixed", *(("tokens", "cost") if billed else ()), "time")
    rows = tuple(
        (
            Quoted(f"{label}. {line.agent}"),
            *(str(count) for count in (line.files, line.attempts, line.files_fixed, line.fixed)),
            *(bill(line) if billed else ()),
            seconds(line.agent_s) if line.attempts else "",
        )
        for label, line in zip(_labels(report), report.stages, strict=True)
    )
    return Table("Agents", columns, rows, 1)


def _rules(report: Report, limit: int | None) -> Table:
    counts = sorted(report.rules, key=lambda count: (-count.before, count.checker, count.rule))
    rows = tuple(
        (Quoted(f"{count.checker} {count.rule}"), str(count.before), _number(count.after))
        for count in counts[: _cut(len(counts), limit)]
    )
    more = len(counts) - len(rows)
    if _planned(report):
        return Table("Rules", ("rule", "findings"), tuple(row[:2] for row in rows), 1, more)
    return Table("Rules", ("rule", "before", "after"), rows, 1, more)


def _planned(report: Report) -> bool:
    """Nobody has worked yet: there is a before, and no after."""
    return any(task.status == "planned" for task in report.tasks)


def _reasons(tasks: Iterable[TaskLine], limit: int | None) -> tuple[Line, ...]:
    """File by file; a reason that many share is told once, unless everything is to be told."""
    told = [(task.path, reason) for task in tasks for reason in task.reasons]
    sharing = Counter(reason for _, reason in told)
    shared = [(why, count) for why, count in sharing.items() if limit is not None and count > MAX_SAME_REASON]
    lines: list[Line] = [(f"{count} files: ", Prose(reason)) for reason, count in shared]
    common = {reason for reason, _ in shared}
    lines += [
        (Prose(reason),) if reason.startswith(f"{path}:") else (Quoted(path), ": ", Prose(reason))
        for path, reason in told
        if reason not in common
    ]
    return _limited(lines, limit)


def _taken_back(tasks: Iterable[TaskLine], limit: int | None) -> tuple[Line, ...]:
    """Fixes, which say their place by themselves."""
    return _limited([(Prose(fix),) for task in tasks for fix in task.refused if _is_fix(task, fix)], limit)


def _remarks(tasks: Iterable[TaskLine], limit: int | None) -> tuple[Line, ...]:
    """What else agents say that they didn't do, or weren't let do, where it is no reason told above."""
    said = ((task, words) for task in tasks for words in task.refused if not _is_fix(task, words))
    news = [(task.path, words) for task, words in said if not any(why.endswith(words) for why in task.reasons)]
    return _limited([(Quoted(path), ": ", Prose(words)) for path, words in news], limit)


def _is_fix(task: TaskLine, words: str) -> bool:
    return words.startswith(f"{task.path}:")


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
        "passed": "the suite passes on the result as it did on the base"
        if report.landed
        else "no change is left that the suite would judge",
        "could not run": f'{NOT_TESTED["could not run"]}: see "Could not check"',
        "not run": NOT_TESTED["not run"],
        "no suite found": f"{NOT_TESTED['no suite found']}; pytest must be installed where the project's code runs, "
        "any other runner be named with --test-command",
    }
    if tests.status == "not run" and (tests.mode == "none" or not report.landed):
        return ()
    lines: list[Line] = [(words[tests.status],)]
    if tests.runs:
        partly = f" and {plural(tests.partial_runs, 'run')} of single files" if tests.partial_runs else ""
        alone = f"; change by change on the tip: {tests.serial_runs}" if tests.serial_runs else ""
        whole = plural(tests.runs, "run")
        lines.append((f"{whole} of the whole suite{partly}, {seconds(tests.elapsed_s)} together{alone}",))
    if tests.command is not None:
        lines.append(("command: ", Quoted(tests.command)))
    if tests.base_failures:
        lines.append((f"{plural(tests.base_failures, 'test')} failed on the base already and did not count",))
    lines += [("flaky, did not count: ", Quoted(name)) for name in tests.flaky]
    lines += [("taken out, a test failed with it: ", Quoted(path)) for path in tests.taken_out]
    return _limited(lines, limit)


def _landing(report: Report) -> tuple[Line, ...]:
    """How changes came onto the branch; nothing where that was as plain as can be."""
    queue = report.queue
    if not queue.offered:
        return ()
    batches = plural(queue.batches, "batch", "batches")
    offered = f"{len(report.landed)} of {plural(queue.offered, 'change')} offered"
    together = f", up to {queue.largest} landed in one step" if queue.largest > 1 else ""
    lines: list[Line] = [(f"{offered}, verified in {batches}{together}",)]
    if queue.sent_back:
        fixed = sum(task.sent_back for task in report.landed)
        then = f"{fixed} of them landed" if queue.sent_back > 1 else "which landed" if fixed else "which didn't land"
        lines.append((f"{plural(queue.sent_back, 'change')} sent back for a second attempt, {then}",))
    if queue.hook is not None:
        lines.append((f"the pre-commit hook ran {plural(queue.hook_runs, 'time')}: ", Quoted(queue.hook)))
    return tuple(lines)


def _time(report: Report) -> tuple[Line, ...]:
    if report.average_s is None:
        return ((f"{seconds(report.wall_s)} in all",),)
    lines: list[Line] = [
        (f"{seconds(report.wall_s)} in all; {seconds(report.agent_s)} in agents, summed over files",),
        (f"{seconds(report.average_s)} for a file on average",),
    ]
    if report.speedup is not None and _says_something(report):
        summed, wall = seconds(report.tasks_s), seconds(report.wall_s)
        tested = " with tests" if report.tests.runs else ""
        lines.append((f"speed-up {report.speedup:.1f}: {summed} summed over files, in {wall} of wall time{tested}",))
    lines.append((f"branches ran on the runtime {report.runtime}",))
    lines.append((f"workspaces: {report.workspaces}",))
    return tuple(lines)


def _says_something(report: Report) -> bool:
    """Whether it can be seen what working side by side gained: checks and tests before and after take time, too."""
    several = sum(task.attempts > 0 for task in report.tasks) > 1
    return several and report.tasks_s >= max(LEAST_S_FOR_SPEEDUP, report.wall_s)


def _limited(lines: Sequence[Line], limit: int | None) -> tuple[Line, ...]:
    shown = lines[: _cut(len(lines), limit)]
    more = len(lines) - len(shown)
    return (*shown, (f"and {more} more; --verbose lists all",)) if more else tuple(shown)


def _cut(count: int, limit: int | None) -> int:
    """How many of `count` to show; a single one more takes no more room than saying so."""
    return count if limit is None or count <= limit + 1 else limit


def _number(count: int | None) -> str:
    return "?" if count is None else str(count)


def _seconds_of(task: TaskLine) -> str:
    """How long it took from start to end; what was stopped has no end, but agents have been at it for some time."""
    return seconds(task.elapsed_s or task.agent_s) if task.attempts or task.elapsed_s else ""
