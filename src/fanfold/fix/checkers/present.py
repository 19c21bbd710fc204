"""Which checkers are known here, which of them are installed, and in which version."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from fanfold.errors import FanfoldError
from fanfold.fix.checkers.invoke import CouldNotCheck, bounded, invoke
from fanfold.fix.checkers.protocol import Checker, Scope
from fanfold.fix.checkers.run import GROUP, checkers_for
from fanfold.fix.installed import installed_version, own_environment, site_directories

DEADLINE_S = 20.0

_VERSION = re.compile(rb"\d+(?:\.\d+)+\S*")


@dataclass(frozen=True)
class Presence:
    """One checker.

    Args:
        version: as its program tells it, or as it was installed where no run would use it; None = neither says.
        path: of the program, None = it isn't there.
        runs: whether a run would use it that names no checkers.
        trouble: why it can't be used, though it is there.
    """

    name: str
    version: str | None = None
    path: Path | None = None
    runs: bool = False
    trouble: str | None = None


async def checkers_present(scope: Scope, specs: Sequence[str] = ()) -> tuple[Presence, ...]:
    """All checkers that are known, by name, then those of `specs` that are commands.

    Args:
        scope: of the checkout; nothing is checked in it.
        specs: those that the settings name, empty = those that the project configures.
    """
    try:
        used = checkers_for(scope.root, specs)
    except FanfoldError:
        used = ()  # what is wrong with the settings is told with them
    names = sorted({entry.name for entry in entry_points(group=GROUP)})
    own = {checker.name: checker for checker in used}
    rest = [name for name in own if name not in names]
    return tuple(await asyncio.gather(*(_presence(name, own.get(name), scope) for name in (*names, *rest))))


async def _presence(name: str, used: Checker | None, scope: Scope) -> Presence:
    runs = used is not None
    try:
        command = (used or checkers_for(scope.root, [name])[0]).command(scope)
    except FanfoldError as error:
        return Presence(name, runs=runs, trouble=bounded(error.message))
    path = Path(command[0])
    if not await asyncio.to_thread(path.is_file):
        return Presence(name, runs=runs)
    # A checker that is a module of the project's interpreter is there only if that can start it.
    module = command[1:3] if command[1:2] == ("-m",) else ()
    # To start all of them takes seconds, and a run would use one or two.
    sites = site_directories(path, own_environment(path))
    if not runs and (version := await asyncio.to_thread(installed_version, name, sites)):
        return Presence(name, version, path)
    try:
        done = await invoke([command[0], *module, "--version"], scope, deadline_s=DEADLINE_S)
    except CouldNotCheck as error:
        return Presence(name, None, path, runs, bounded(error.message))
    if done.returncode and module:
        return Presence(name, runs=runs)
    match = _VERSION.search(done.stdout) or _VERSION.search(done.stderr)
    return Presence(name, match.group().decode(errors="replace") if match else None, path, runs)
