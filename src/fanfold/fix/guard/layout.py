"""Lay out the guard's directory for one run."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

INJECTED = Path(__file__).parent / "injected"
CONFIG_VARIABLE = "FANFOLD_GUARD"


@dataclass(frozen=True)
class Guarded:
    """What the guard watches.

    Args:
        main: root of the main checkout, as the user names it.
        workspace: root of the working tree whose code is to run.
        apart: directories that are not the checkout's code although they may lie in it: environments.
        copies: installed copies of the project's modules (absolute) and their sources (relative to the root).
        tracked: paths that git knows, relative to the root; None = not known, then only Python sources count.
        redirect: turn imports to the workspace; without it the guard only watches.
    """

    main: Path
    workspace: Path
    apart: tuple[Path, ...] = ()
    copies: tuple[tuple[Path, str], ...] = ()
    tracked: Collection[str] | None = None
    redirect: bool = True


def guard_environment(guarded: Guarded, report_dir: Path) -> dict[str, str]:
    """Write the guard into `report_dir`; the variables that bring it into every Python of a run.

    Args:
        report_dir: a directory of this run alone, outside of both trees; made where it is missing.
    Returns:
        PYTHONPATH (the guard's directory alone) and the variable that names its configuration.
    """
    home, reports, config = report_dir / "guard", report_dir / "reports", report_dir / "config"
    for folder in (home, reports):
        folder.mkdir(parents=True, exist_ok=True)
    for source in INJECTED.glob("*.py"):
        if source.name != "__init__.py":
            (home / source.name).write_bytes(source.read_bytes())
    config.write_bytes(_fields(guarded, reports, _tracked(guarded.tracked, report_dir)))
    return {"PYTHONPATH": str(home), CONFIG_VARIABLE: str(config)}


def _tracked(tracked: Collection[str] | None, report_dir: Path) -> Path | None:
    # A file of its own: thousands of paths, which most processes never need to read.
    if tracked is None:
        return None
    path = report_dir / "tracked"
    path.write_bytes(b"".join(os.fsencode(one) + b"\0" for one in tracked))
    return path


def _fields(guarded: Guarded, reports: Path, tracked: Path | None) -> bytes:
    fields = [("workspace", str(guarded.workspace.resolve())), ("reports", str(reports.resolve()))]
    fields += [("main", name) for name in _names(guarded.main)]
    fields += [("apart", name) for one in guarded.apart for name in _names(one)]
    fields += [("copy", f"{one}\n{source}") for one, source in guarded.copies]
    if tracked is not None:
        fields.append(("tracked", str(tracked.resolve())))
    if not guarded.redirect:
        fields.append(("redirect", "no"))
    return b"".join(os.fsencode(f"{key}={value}") + b"\0" for key, value in fields)


def _names(path: Path) -> tuple[str, ...]:
    """The names a directory goes by: without links, and as it is given."""
    return tuple(dict.fromkeys((os.path.realpath(path), os.path.abspath(path))))  # noqa: PTH100
