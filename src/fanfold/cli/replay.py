"""`fanfold replay`: what an earlier run's answers come to now, without the agents that gave them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from fanfold.cli.deliver import show
from fanfold.cli.interrupt import run_until_interrupted
from fanfold.cli.output import Prose, Quoted, emit
from fanfold.cli.progress import Progress
from fanfold.cli.render.data import plain, report_data
from fanfold.cli.render.sections import Line, Lines, Section
from fanfold.cli.render.story import tell_story
from fanfold.cli.render.summary import summary
from fanfold.cli.runs import settings_here
from fanfold.config import FixSettings, workspaces_home
from fanfold.fix.replay import Difference, Replayed, replay
from fanfold.fix.reporting.report import TaskLine
from fanfold.fix.runs import Past, find_past, home_of
from fanfold.git import Repository, allow_overlays


@dataclass(frozen=True)
class Options:
    """What was given on the command line."""

    run: str
    tests: str | None = None
    as_json: bool = False
    quiet: bool = False
    verbose: bool = False


def carry_out(options: Options) -> int:
    """Replay the run, tell what came of it and how that differs, and return the exit code, that of `fix`.

    Raises:
        FanfoldError: there is no such run, or it can't be replayed.
        KeyboardInterrupt: it was stopped before there was anything to report.
    """
    settings = settings_here()
    past = asyncio.run(_past(options.run, settings))
    if settings.workspace_kind != "plain":
        allow_overlays(workspaces_home(settings))  # before there are threads; the report says why not
    with Progress(quiet=options.quiet, verbose=options.verbose) as progress:
        replayed = run_until_interrupted(
            lambda: replay(past, settings, Path.cwd(), tests=options.tests, on_event=progress),
            on_stop=progress.stopping,
            on_kill=progress.close,
        )
    if options.as_json:
        emit(_json(past, replayed))
    else:
        story = (
            (summary(replayed.report),) if options.quiet else tell_story(replayed.report, everything=options.verbose)
        )
        show((*story, *_sections(past, replayed)))
    return replayed.report.exit_code


async def _past(run: str, settings: FixSettings) -> Past:
    return await find_past(home_of(settings, await Repository.open(Path.cwd())), run)


def _json(past: Past, replayed: Replayed) -> str:
    told = {
        **report_data(replayed.report),
        "replay_of": past.name,
        "differences": [_difference(one) for one in replayed.differences] if replayed.compared else None,
        "unplayable": [{"path": path, "reason": reason} for path, reason in replayed.unplayable],
    }
    return json.dumps(plain(told), indent=2) + "\n"


def _difference(one: Difference) -> dict[str, object]:
    lines = {"before": one.before, "now": one.now}
    return {"path": one.path, **{name: line and asdict(line) for name, line in lines.items()}}


def _sections(past: Past, replayed: Replayed) -> tuple[Section, ...]:
    lines = [(Quoted(path), ": ", Prose(reason)) for path, reason in replayed.unplayable]
    unplayable = (Lines("Not replayed", tuple(lines)),) if lines else ()
    return (Lines(f"Compared with the run {past.name}", tuple(_compared(replayed))), *unplayable)


def _compared(replayed: Replayed) -> Iterator[Line]:
    if not replayed.compared:
        yield ("it has no report to compare with",)
    elif not replayed.differences:
        yield ("the same came of every file",)
    for one in replayed.differences:
        yield (Quoted(one.path), f": {_words(one.before)}, now {_words(one.now)}")


def _words(line: TaskLine | None) -> str:
    if line is None:
        return "nothing to fix"
    return f"{line.status} ({line.fixed} of {line.findings} fixed)" if line.fixed else line.status
