"""`fanfold fix --resume`: which run is meant, and whether what else was said goes with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from fanfold.config import load_settings, project_root
from fanfold.fix.errors import FixError
from fanfold.fix.findings.plan import Request
from fanfold.fix.runs import Past, find_past, find_unfinished, home_of
from fanfold.fix.runs.begun import request_again
from fanfold.fix.runs.record import ended
from fanfold.git import Repository

RUN = re.compile(r"\d{8}-\d{6}(-|$)")
"""How the name of a run begins."""


async def run_to_resume(
    start: Path, overrides: Mapping[str, object], paths: tuple[str, ...], given: Mapping[str, object]
) -> tuple[Request, Past]:
    """What a run that didn't come to its end was begun with, and where it was left.

    Args:
        start: where the user stands.
        overrides: settings from the command line, by name; None = not given.
        paths: what stands there without an option: the run's name, none = the last unfinished one.
        given: what else of the request was given, by the names of `Request`.
    Raises:
        FixError: there is no such run, it has come to its end or is at work, or what was given isn't what it was
            begun with.
    """
    settings = load_settings(project_root(start), overrides)
    home = home_of(settings, await Repository.open(start))
    named, others = _run_named(paths)
    past = await (find_past(home, named) if named else _unfinished(home, others, start))
    if past.state == "running":
        raise FixError(
            f"the run {past.name} is at work in the process {past.summary.owner_pid}",
            hint=f"wait for it, or stop it: kill -INT {past.summary.owner_pid}",
        )
    if not past.is_unfinished:
        raise ended(past.name)
    if others and others != (then := tuple(past.begun.request["paths"])):
        raise _other_paths(past.name, others, then, start)
    return request_again(past.begun, {**overrides, **given, "paths": others}, settings, start), past


async def _unfinished(home: Path, others: tuple[str, ...], start: Path) -> Past:
    """The last unfinished run; where there is none, what was named and isn't there is told."""
    try:
        return await find_unfinished(home)
    except FixError:
        absent = [path for path in others if not (start / path).exists()]
        if absent:
            raise _no_run(absent[0]) from None
        raise


def _no_run(name: str) -> FixError:
    return FixError(f"there is no run {name} here", hint="`fanfold runs` lists the runs of this repository")


def _other_paths(run: str, given: tuple[str, ...], then: tuple[str, ...], start: Path) -> FixError:
    """What is said of paths that the run doesn't work on; one that isn't there was meant as the name of a run."""
    for path in given:
        if path not in then and not (start / path).exists():
            return _no_run(path)
    began = " ".join(then) or "all that there is"
    return FixError(
        f"{' '.join(given)} isn't what the run {run} works on, which is {began}",
        hint="leave it out, or begin a new run",
    )


def _run_named(paths: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """The run among what was given without an option, and the rest."""
    names = [path for path in paths if RUN.match(path)]
    return (names[0] if names else None), tuple(path for path in paths if path not in names[:1])
