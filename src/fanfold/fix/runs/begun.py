"""What a run was asked for and what it stood on when it began: all that another process needs to go on with it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fanfold import __version__
from fanfold.config import ConfigError, FixSettings, load_settings
from fanfold.fix.attempts.stages import names_of
from fanfold.fix.errors import FixError
from fanfold.fix.findings.plan import Request
from fanfold.fix.record import Run
from fanfold.git import GitError, Repository
from fanfold.git.trees import GITLINK
from fanfold.redact import redact

KIND = "run"
FORMAT = 1
BUDGETS = (
    *("max_cost_usd", "max_tokens", "max_minutes"),
    *("task_max_cost_usd", "task_max_tokens", "task_max_minutes"),
)
ELSEWHERE = frozenset(
    {"cluster", "cluster_certificates", "jobs", "runtime", "state", "workers", "workspaces", *BUDGETS}
)
"""Settings of where, how wide and for how much a run works, which may be others when it is resumed."""
JUDGED = ("allow", "max_changed_lines")
"""Settings of what is let through."""
WHAT = ("paths", "git_changed", "git_staged", "git_diff", "apply", "stage_only", "diff")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class Begun:
    """The first note of a run.

    Args:
        name: the run's.
        base: id of the commit that it stands on.
        head: the user's branch when it began, None = HEAD was detached.
        branch: the result branch.
        agent: who works.
        checkers: names of those that were asked.
        start: where the user stood.
        request: what was asked for, by the names of `Request`.
        settings: all settings but those in `masked`.
        masked: settings that held a secret, and come from the configuration again.
        version: Fanfold's own.
        pid, boot: of the process that began it.
        started_s: seconds since 1970.
        replays: the run whose attempts are played in it, None = it is its own.
        configured: what the configuration alone says of what is let through.
    """

    name: str
    base: str
    head: str | None
    branch: str
    agent: str
    checkers: tuple[str, ...]
    start: str
    request: dict[str, Any]
    settings: dict[str, Any]
    masked: tuple[str, ...]
    version: str
    pid: int
    boot: str
    started_s: float
    replays: str | None = None
    configured: dict[str, Any] | None = None
    format: int = FORMAT


def begun_of(run: Run) -> Begun:
    """What to note of a run that begins."""
    request = run.request
    dumped = request.settings.model_dump(mode="json")
    masked = tuple(name for name, value in dumped.items() if redact(text := json.dumps(value)) != text)
    return Begun(
        name=run.name,
        base=run.repository.head,
        head=run.repository.branch,
        branch=run.landing.branch.name,
        agent=names_of(run.stages),
        checkers=tuple(checker.name for checker in run.checkers),
        start=str(request.start.absolute()),
        request={name: _listed(getattr(request, name)) for name in WHAT},
        settings={name: value for name, value in dumped.items() if name not in masked},
        masked=masked,
        version=__version__,
        pid=os.getpid(),
        boot=_boot(),
        started_s=time.time(),
        replays=run.replays,
        configured=_configured(run.repository.root),
    )


async def as_begun(repository: Repository, begun: Begun) -> Repository:
    """The repository as the run found it, wherever its head is by now.

    Raises:
        FixError: the commit that the run stands on is gone.
    """
    try:
        entries = await repository.tree(begun.base)
    except GitError as error:
        raise FixError(
            f"the run {begun.name} stands on the commit {begun.base[:12]}, which is no longer in the repository",
            hint="fetch it, or begin a new run",
        ) from error
    submodules = tuple(entry.path for entry in entries if entry.mode == GITLINK)
    return replace(repository, head=begun.base, branch=begun.head, submodules=submodules)


def request_again(begun: Begun, given: Mapping[str, object], now: FixSettings, start: Path) -> Request:
    """The request of a run that is to be resumed.

    Args:
        given: what was said on the command line this time, by the names of settings and of `Request`; None, False and
            empty = not said.
        now: the settings as they are now.
        start: where the user stands now.
    Raises:
        FixError: something was said that is not what the run was begun with.
    """
    for name in [name for name, value in given.items() if value not in (None, False, (), [])]:
        if name not in ELSEWHERE:
            _refuse_other(begun, name, given[name], now)
    told = {**begun.settings, **{name: getattr(now, name) for name in (*begun.masked, "state")}}
    told |= {name: getattr(now, name) for name in ELSEWHERE if given.get(name) is not None}
    if any(given.get(name) is not None for name in ("runtime", "cluster", "workers")):
        told |= {name: getattr(now, name) for name in ("runtime", "cluster", "workers", "cluster_certificates")}
    there = Path(begun.start)
    asked = {**begun.request, "paths": tuple(begun.request["paths"])}
    return Request(there if there.is_dir() else start, FixSettings(**told), **asked)


def _refuse_other(begun: Begun, name: str, said: object, now: FixSettings) -> None:
    option = f"--{name.replace('_', '-').removesuffix('-s')}"
    if name in begun.masked:
        return  # what it was isn't known
    if name in WHAT:
        was, same = begun.request[name], begun.request[name] == _listed(said)
    else:
        was = begun.settings.get(name)
        same = was == now.model_dump(mode="json")[name]
    if not same:
        raise FixError(
            f"{option} isn't what the run {begun.name} was begun with ({json.dumps(was)})",
            hint="leave it out, or begin a new run",
        )


def judged_by(settings: FixSettings) -> dict[str, Any]:
    """What settings say of what is let through, as it is noted."""
    return settings.model_dump(mode="json", include=set(JUDGED))


def _configured(root: Path) -> dict[str, Any] | None:
    try:
        return judged_by(load_settings(root, {}))
    except ConfigError:
        return None  # a caller may give all settings itself


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
