"""`fanfold runs`: what ran in this repository, and what came of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from fanfold.cli.deliver import show
from fanfold.cli.output import Quoted, emit
from fanfold.cli.render.data import plain
from fanfold.cli.render.sections import Line, Lines, Table
from fanfold.config import FixSettings, load_settings, project_root
from fanfold.fix.landing.landed import KIND
from fanfold.fix.landing.restored import restored
from fanfold.fix.runs import Past, RunState, home_of, pasts
from fanfold.git import BranchMoved, Repository

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RunLine:
    """One run, as the list has it.

    Args:
        started: local time, ISO 8601.
        pid: of the process at work, None = none is.
        files: that it works on; of `landed` ones a change is on the result branch, `waiting` weren't tried to the end.
        branch: the result branch, None = it isn't there.
    """

    run: str
    started: str
    state: RunState
    pid: int | None
    files: int
    landed: int
    waiting: int
    branch: str | None
    base: str
    agent: str


def list_runs(*, as_json: bool) -> int:
    """Show the runs of the repository that the user stands in, the oldest first; 0."""
    lines = asyncio.run(_lines(Path.cwd()))
    if as_json:
        told = {"schema_version": SCHEMA_VERSION, "runs": [plain(asdict(line)) for line in lines]}
        emit(json.dumps(told, indent=2) + "\n")
    elif not lines:
        show((Lines("", (("No run is remembered here",),)),))
    else:
        show((_table(lines), *_what_next(lines)))
    return 0


def settings_here() -> FixSettings:
    """The settings of the project that the user stands in."""
    return load_settings(project_root(Path.cwd()), {})


async def _lines(start: Path) -> list[RunLine]:
    repository = await Repository.open(start)
    there = await repository.refs()
    return [line_of(past, there) for past in await pasts(home_of(settings_here(), repository))]


def line_of(past: Past, refs: dict[str, str]) -> RunLine:
    """What the list says of a run.

    Args:
        refs: of the repository, by their full names.
    """
    begun, files = past.begun, len(past.plan.tasks)
    at = refs.get(f"refs/heads/{begun.branch}")
    return RunLine(
        run=past.name,
        started=datetime.fromtimestamp(begun.started_s).astimezone().isoformat(timespec="seconds"),
        state=past.state,
        pid=past.summary.owner_pid if past.state == "running" else None,
        files=files,
        landed=_landed(past, at),
        waiting=max(files - past.summary.places, 0) if past.is_unfinished else 0,
        branch=begun.branch if at is not None else None,
        base=begun.base,
        agent=begun.agent,
    )


def _landed(past: Past, at: str | None) -> int:
    report = past.report
    if report is not None and not past.is_unfinished:
        return len(report.landed)
    try:
        return len(restored(past.notes.get(KIND, []), base=past.begun.base, found=at).landed)
    except BranchMoved:
        return 0


def _table(lines: list[RunLine]) -> Table:
    rows = tuple(
        (
            line.run,
            line.started[:16].replace("T", " "),
            line.state if line.pid is None else f"{line.state} ({line.pid})",
            Quoted(line.branch or "-"),
            str(line.files),
            str(line.landed),
            str(line.waiting),
        )
        for line in lines
    )
    return Table("Runs", ("run", "when", "state", "branch", "files", "landed", "waiting"), rows, 4)


def _what_next(lines: list[RunLine]) -> tuple[Lines, ...]:
    idle = [line.run for line in lines if line.state in ("interrupted", "killed")]
    told: Line = (f"Go on with the last unfinished one: fanfold fix --resume {idle[-1]}",) if idle else ()
    return (Lines("", (told,)),) if told else ()
