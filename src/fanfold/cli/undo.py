"""`fanfold undo`: take back what a run made, and say what that was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from fanfold.cli.deliver import show
from fanfold.cli.output import Prose, Quoted
from fanfold.cli.render.sections import Line, Lines
from fanfold.cli.runs import settings_here
from fanfold.cli.words import plural
from fanfold.fix.runs import find_past, home_of
from fanfold.fix.runs.undo import Undoing, plan_undo, undo
from fanfold.git import Repository


def take_back(run: str, *, dry_run: bool) -> int:
    """Take a run's result back, or only say what that would do; 0.

    Raises:
        FanfoldError: it can't be done from here; the message says what to do first.
    """
    undoing = asyncio.run(_undo(run, dry_run=dry_run))
    show((Lines("", tuple(_told(undoing, dry_run=dry_run))),))
    return 0


async def _undo(run: str, *, dry_run: bool) -> Undoing:
    repository = await Repository.open(Path.cwd())
    past = await find_past(home_of(settings_here(), repository), run)
    return await (plan_undo if dry_run else undo)(repository, past)


def _told(undoing: Undoing, *, dry_run: bool) -> Iterator[Line]:
    would = "Would have " if dry_run else ""
    if undoing.before:
        yield ("It was taken back before; nothing is left to do",)
        return
    if undoing.commits:
        count = plural(len(undoing.commits), "commit")
        yield (f"{would or ''}{'reverted' if would else 'Reverted'} {count} on ", Quoted(undoing.onto or ""))
    if undoing.unstaged:
        yield (f"{would}{'taken' if would else 'Taken'} the result out of the index and the checkout",)
    for name, commit in undoing.branches.items():
        verb = "deleted" if would else "Deleted"
        yield (f"{would}{verb} the branch ", Quoted(name), f" (git branch NAME {commit[:10]} brings it back)")
    for name, why in undoing.kept.items():
        yield ("Kept the branch ", Quoted(name), ": ", Prose(why))
    if not (undoing.commits or undoing.unstaged or undoing.branches or undoing.kept):
        yield ("There is nothing to take back: no branch of the run is there",)
