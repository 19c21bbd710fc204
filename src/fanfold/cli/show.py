"""`fanfold show`: what is kept of a run, or of one file in it, as text for a pager or as JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from fanfold.cli.deliver import show
from fanfold.cli.output import Quoted, emit, visible
from fanfold.cli.render.data import SCHEMA_VERSION, plain, report_data
from fanfold.cli.render.sections import Line, Lines, Table
from fanfold.cli.render.story import tell_story
from fanfold.cli.runs import RunLine, line_of, settings_here
from fanfold.cli.words import dollars, plural, seconds
from fanfold.fix.attempts.effort import FREE
from fanfold.fix.attempts.trail import Trail
from fanfold.fix.errors import FixError
from fanfold.fix.findings.split import Task
from fanfold.fix.landing.landed import KIND
from fanfold.fix.reporting.report import Report, TaskLine
from fanfold.fix.runs import Past, find_past, home_of, pasts
from fanfold.git import Repository
from fanfold.llm.usage import Usage


def show_run(run: str | None, file: str | None, *, as_json: bool) -> int:
    """Show a run (None = the last one), or what was done for one file in it; 0.

    Raises:
        FixError: there is no such run, or it didn't work on that file.
    """
    past, line = asyncio.run(_past(run))
    if file is not None:
        task = _task(past, file)
        emit(_file_json(past, task) if as_json else "\n".join(_file(past, task)) + "\n")
    elif as_json:
        emit(json.dumps(_run_json(past, line), indent=2) + "\n")
    else:
        _show(past, line)
    return 0


async def _past(run: str | None) -> tuple[Past, RunLine]:
    repository = await Repository.open(Path.cwd())
    home = home_of(settings_here(), repository)
    if run is not None:
        past = await find_past(home, run)
    elif found := await pasts(home):
        past = found[-1]
    else:
        raise FixError("no run is remembered here", hint="`fanfold fix` makes one")
    return past, line_of(past, await repository.refs())


def _task(past: Past, file: str) -> Task:
    """The task of a file, named as in the list of files or relative to where the user stands."""
    tasks = {task.path: task for task in past.plan.tasks}
    below = [path for path in tasks if path.endswith(f"/{file.removeprefix('./')}")]
    path = file if file in tasks else below[0] if len(below) == 1 else None
    if path is None:
        raise FixError(f"the run {past.name} didn't work on {file}", hint=f"`fanfold show {past.name}` lists the files")
    return tasks[path]


def _show(past: Past, line: RunLine) -> None:
    report = past.report
    head = Lines("", tuple(_head(past, line)))
    if report is not None:
        show((head, *tell_story(report, everything=True)))
        return
    rows = tuple(
        (Quoted(task.path), str(len(task.findings)), str(len(past.trails(task.key)))) for task in past.plan.tasks
    )
    show((head, *([Table("Files", ("file", "findings", "attempts"), rows, 1)] if rows else [])))


def _head(past: Past, line: RunLine) -> Iterator[Line]:
    yield (f"Run {past.name}: {line.state}", f" in the process {line.pid}" if line.pid else "")
    begun = past.begun
    yield (f"begun {line.started} by fanfold {begun.version}, agent ", Quoted(begun.agent), f", base {begun.base[:10]}")
    if line.branch is not None:
        yield ("result branch ", Quoted(line.branch))
    waiting = f", {line.waiting} waiting" if line.waiting else ""
    yield (f"{plural(line.files, 'file')}, {line.landed} landed{waiting}",)
    if line.state in ("interrupted", "killed"):
        yield (f"go on with it: fanfold fix --resume {past.name}",)


def _run_json(past: Past, line: RunLine) -> dict[str, Any]:
    report = past.report
    return {
        "schema_version": SCHEMA_VERSION,
        **plain(asdict(line)),
        "request": plain(past.begun.request),
        "settings": plain(past.begun.settings),
        "tasks": [
            plain({"path": task.path, "findings": len(task.findings), "attempts": len(past.trails(task.key))})
            for task in past.plan.tasks
        ],
        "report": None if report is None else report_data(report),
    }


def _file_json(past: Past, task: Task) -> str:
    told = {
        "schema_version": SCHEMA_VERSION,
        "run": past.name,
        "path": task.path,
        "findings": [asdict(finding) for finding in task.findings],
        "attempts": [asdict(trail) for trail in past.trails(task.key)],
        "usage": (usage := _sum(past.trails(task.key))) and asdict(usage),
        "landing": [note for note in past.notes.get(KIND, ()) if _is_about(note, task.key)],
        "result": None if (line := _line(past.report, task)) is None else asdict(line),
    }
    return json.dumps(plain(told), indent=2) + "\n"


def _file(past: Past, task: Task) -> Iterator[str]:
    """What was done for one file, as a reader wants it: what was wrong, what was tried, what came of it."""
    yield f"{visible(task.path)} in run {past.name}"
    yield ""
    yield f"Findings ({len(task.findings)}):"
    for one in task.findings:
        yield f"  {one.line}:{one.column} {visible(f'{one.checker} {one.rule}')} {visible(one.message)}"
    trails = past.trails(task.key)
    usage = _sum(trails)
    for number, trail in enumerate(trails, 1):
        yield ""
        yield from _attempt(number, len(trails), trail)
    if not trails:
        yield ""
        yield "No attempt was finished"
    if len(trails) > 1 and usage not in (None, FREE):
        yield ""
        yield f"All attempts together: {_usage(usage)}"
    yield ""
    yield from _outcome(past, task)


def _attempt(number: int, count: int, trail: Trail) -> Iterator[str]:
    began = datetime.fromtimestamp(trail.started_s).astimezone().isoformat(sep=" ", timespec="seconds")
    yield f"Attempt {number} of {count}, {began}, {visible(trail.agent)}, {seconds(trail.agent_s)} in the agent"
    if trail.error is not None:
        yield f"  ended without an answer: {visible(trail.error)}"
    else:
        yield f"  verified: {_verdict(trail)}"
    if trail.usage != FREE and (trail.usage is not None or trail.stopped):
        yield f"  took {_usage(trail.usage)}"
    if trail.session:
        yield f"  the agent calls it {visible(trail.session)}"
    if trail.repeated:
        yield "  the same change had been made before: what was said of it then stands"
    yield from (f"  {visible(reason)}" for reason in trail.reasons)
    yield from (f"  taken back: {visible(fix)}" for fix in trail.refused)
    for title, text in (("Prompt", trail.prompt), ("Transcript", trail.transcript), ("Diff", trail.diff)):
        if text:
            yield f"  {title}:"
            yield from (f"    {_line_of(line)}" for line in text.splitlines())


def _usage(usage: Usage | None) -> str:
    if usage is None:
        return "nobody knows what"
    cost = "at no known cost" if usage.cost_usd is None else f"for {dollars(usage.cost_usd)}"
    tokens = f"{usage.input_tokens:,} tokens in and {usage.output_tokens:,} out"
    return f"{plural(usage.requests, 'request')}, {tokens}, {cost}"


def _sum(trails: Sequence[Trail]) -> Usage | None:
    """What attempts took as far as that is known, None where nothing is; of the cost all is known, or none."""
    known = [trail.usage for trail in trails if trail.usage is not None]
    total = sum(known[1:], known[0]) if known else None
    return replace(total, cost_usd=None) if total is not None and len(known) < len(trails) else total


def _verdict(trail: Trail) -> str:
    left = f", {trail.left} left" if trail.left else ""
    return f"fixed {trail.fixed}{left}" if trail.ok else f"refused{left}" if trail.reasons else f"nothing fixed{left}"


def _outcome(past: Past, task: Task) -> Iterator[str]:
    for note in past.notes.get(KIND, ()):
        if note["step"] in ("sent back", "dropped") and note["key"] == task.key:
            yield f"{note['step']}: {visible(note['reason'])}"
    line = _line(past.report, task)
    if line is None:
        yield "Nothing is known of what came of it yet"
        return
    on = f" as {line.commit[:10]}" if line.commit else ""
    yield f"Result: {line.status}{on}"
    yield from (f"  {visible(reason)}" for reason in line.reasons)
    if past.report is not None and past.report.tests.status != "not run":
        yield f"Tests of the whole result: {past.report.tests.status}"


def _line(report: Report | None, task: Task) -> TaskLine | None:
    return next((line for line in report.tasks if line.path == task.path), None) if report is not None else None


def _is_about(note: dict[str, Any], key: str) -> bool:
    return note.get("key") == key or any(landed == key for landed, _ in note.get("landed", ()))


def _line_of(text: str) -> str:
    """A line of somebody else's text: tabs stay, nothing else that a terminal would obey."""
    return "\t".join(visible(piece) for piece in text.split("\t"))
