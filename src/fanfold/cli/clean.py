"""`fanfold clean`: remove what earlier runs left, and say what was kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from fanfold.cli.deliver import show
from fanfold.cli.output import Quoted
from fanfold.cli.render.story import Line, Lines
from fanfold.config import load_settings, project_root, workspaces_home
from fanfold.git import clean

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def remove_leftovers(workspaces: Path | None) -> int:
    """Clean the directory of the working copies (None = the configured one); 0, also where there was nothing."""
    settings = load_settings(project_root(Path.cwd()), {"workspaces": workspaces})
    home = workspaces_home(settings)
    cleaned = asyncio.run(clean(home))
    headline: Line = (
        f"Removed {copies(len(cleaned.removed))} from ",
        Quoted(home),
        f"; {size(cleaned.freed_bytes)} freed",
    )
    if not cleaned.removed:
        headline = ("Nothing to remove in ", Quoted(home))
    show(
        tuple(
            section
            for section in (
                Lines("", (headline,)),
                Lines("Removed", _repositories(cleaned.removed)),
                Lines("Kept, in use by a run", _paths(cleaned.in_use)),
            )
            if section.lines
        )
    )
    return 0


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
