"""`fanfold clean`: remove what earlier runs left, and say what was kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from fanfold.cli.deliver import show
from fanfold.cli.output import Quoted
from fanfold.cli.render.sections import Line, Lines
from fanfold.cli.words import plural
from fanfold.config import FixSettings, load_settings, project_root, workspaces_home
from fanfold.fix.runs.tidy import DAY_S, Tidied, tidy
from fanfold.git import Cleaned, Repository, RepositoryError, clean

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def remove_leftovers(workspaces: Path | None, *, older_than_days: float = 30.0, force: bool = False) -> int:
    """Remove what no run needs any more; 0, also where there was nothing.

    Args:
        workspaces: the directory of the working copies, None = the configured one.
        older_than_days: how long ago a run must have ended for its record to go.
        force: remove records of runs that could be resumed, too.
    """
    settings = load_settings(project_root(Path.cwd()), {"workspaces": workspaces})
    home = workspaces_home(settings)
    cleaned, tidied = asyncio.run(_removed(settings, home, older_than_days * DAY_S, force=force))
    freed = size(cleaned.freed_bytes + tidied.freed_bytes)
    headline: Line = (f"Removed {copies(len(cleaned.removed))} from ", Quoted(home), f"; {freed} freed")
    if not (cleaned.removed or tidied.removed or tidied.pins):
        headline = ("Nothing to remove in ", Quoted(home))
    show(
        tuple(
            section
            for section in (
                Lines("", (headline,)),
                Lines("Removed", (*_repositories(cleaned.removed), *_records(tidied))),
                Lines("Kept, in use by a run", _paths(cleaned.in_use)),
                Lines("Kept, since they aren't finished", _unfinished(tidied)),
                Lines("Kept, since it can't be read", _paths(tidied.damaged)),
            )
            if section.lines
        )
    )
    return 0


async def _removed(settings: FixSettings, home: Path, older_than_s: float, *, force: bool) -> tuple[Cleaned, Tidied]:
    """Records first: a run that is resumed meanwhile holds its workspaces by then."""
    try:
        repository = await Repository.open(Path.cwd())
    except RepositoryError:
        repository = None
    tidied = await tidy(settings.state, repository, older_than_s=older_than_s, force=force)
    return await clean(home), tidied


def _records(tidied: Tidied) -> tuple[Line, ...]:
    names, pins = tidied.removed, tidied.pins
    records: list[Line] = [(f"{plural(len(names), 'record')} of runs: {', '.join(names)}",)] if names else []
    return (*records, *([(f"{plural(len(pins), 'ref')} below refs/fanfold",)] if pins else []))


def _unfinished(tidied: Tidied) -> tuple[Line, ...]:
    lines: list[Line] = []
    for past in tidied.unfinished:
        what = "fanfold fix --resume finishes it, --force removes it once it is old enough"
        if past.state == "running":
            what = f"at work in the process {past.summary.owner_pid}"
        lines.append((f"{past.name} in ", Quoted(past.begun.start), f": {what}"))
    return tuple(lines)


def _repositories(paths: Iterable[Path]) -> tuple[Line, ...]:
    """One line for the copies of each repository, which share a directory."""
    counts = Counter(path.parent for path in paths)
    return tuple((Quoted(parent), f": {copies(count)}") for parent, count in counts.items())


def copies(count: int) -> str:
    """A number of working copies: "1 working copy", "2 working copies"."""
    return "1 working copy" if count == 1 else f"{count} working copies"


def _paths(paths: Iterable[Path]) -> tuple[Line, ...]:
    return tuple((Quoted(path),) for path in paths)


def size(count: float) -> str:
    """Bytes as a reader says them: "512 bytes", "3.4 MiB"."""
    unit = 0
    while count >= 1024 and unit < len(UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.0f} {UNITS[unit]}" if unit == 0 else f"{count:.1f} {UNITS[unit]}"
