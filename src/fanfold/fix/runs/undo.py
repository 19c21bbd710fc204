"""Take a run's result back: its branches go, and what was brought into the checkout is reverted, as commits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from fanfold.engine import Journal
from fanfold.engine.journal import JournalInUse
from fanfold.fix.errors import FixError
from fanfold.fix.landing import delivery
from fanfold.fix.landing import landed as landing
from fanfold.fix.runs import record
from fanfold.fix.runs.past import UNDONE, Past
from fanfold.git import (
    LandConflict,
    LandError,
    Repository,
    ResultBranch,
    brought_before,
    drop_pin,
    fast_forward,
    unstage,
)
from fanfold.git.opposite import checked_out, commits_between, drop_branch, opposites
from fanfold.git.pin import PINS


@dataclass(frozen=True)
class Undoing:
    """What taking a run back comes to.

    Args:
        branches: that go, with the commit that each is at.
        kept: branches that stay, each with the reason.
        commits: ids of those that are reverted on the user's branch, the last one first.
        onto: the user's branch, None = nothing is reverted.
        tip: the last commit of the result, where something was staged or committed.
        unstaged: whether the result is taken out of the index, where it was only staged.
        before: the run was taken back before; nothing is left to do.
    """

    branches: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    commits: tuple[str, ...] = ()
    onto: str | None = None
    tip: str | None = None
    unstaged: bool = False
    before: bool = False


async def plan_undo(repository: Repository, past: Past) -> Undoing:
    """What there is to take back; changes nothing.

    Raises:
        FixError: the run is at work, or was killed while it brought its result into the checkout; or what was applied
            can't be reverted from here.
    """
    if past.undone:
        return Undoing(before=True)
    if past.state == "running":
        raise FixError(
            f"the run {past.name} is at work in the process {past.summary.owner_pid}", hint="stop it first, with Ctrl-C"
        )
    undoing = await _branches(repository, past)
    brought = _brought(past)
    if brought is None:
        return undoing
    how, tip = brought
    if how == "stage":
        return replace(undoing, tip=tip, unstaged=True)
    return await _reverted(repository, past, tip, undoing)


async def undo(repository: Repository, past: Past) -> Undoing:
    """Take the run back, to its end where an earlier process was killed at it.

    The checkout is written to as `--apply` does, and only where it is clean. Commits are in the user's name.

    Raises:
        FixError: as `plan_undo`, or another process has the run.
        LandError: the checkout isn't clean or has moved; nothing was changed there.
    """
    undoing = await plan_undo(repository, past)
    if undoing.before:
        return undoing
    try:
        async with record.open_journal(past.folder.journal, run=past.name, version=record.VERSION) as journal:
            if undoing.unstaged and undoing.tip is not None:
                await unstage(replace(repository, head=past.begun.base), undoing.tip)
            if undoing.commits and undoing.tip is not None:
                await _revert(repository, past, undoing.tip, journal)
            for name, commit in undoing.branches.items():
                await drop_branch(repository, name, commit)
            await drop_pin(repository, PINS + past.name)
            await journal.note(UNDONE, {"step": "done"})
    except JournalInUse as error:
        raise FixError(error.message, hint="wait for it, or stop it") from error
    return undoing


def _brought(past: Past) -> tuple[str, str] | None:
    """How the result came into the checkout, and its tip; None where it didn't."""
    steps = [note for note in past.notes.get(delivery.KIND, ()) if note["how"] in ("apply", "stage")]
    if not steps:
        return None
    report = past.report
    if report is None or past.is_unfinished:
        raise FixError(
            f"the run {past.name} was stopped while it brought its result into the checkout",
            hint=f"finish it first: fanfold fix --resume {past.name}",
        )
    how = str(steps[-1]["how"])
    return (how, str(steps[-1]["tip"])) if (report.applied if how == "apply" else report.staged) else None


async def _branches(repository: Repository, past: Past) -> Undoing:
    """Those that the run made and that are where it put them."""
    put: dict[str, set[str]] = {}
    for note in past.notes.get(landing.KIND, ()):
        if note["step"] == "intend":
            put.setdefault(past.begun.branch, set()).add(note["tip"])
    for note in past.notes.get(delivery.KIND, ()):
        for name, commit in note.get("commits", {}).items():
            put.setdefault(name, set()).add(commit)
    there, in_use = await repository.refs(), await checked_out(repository)
    branches, kept = {}, {}
    for name, commits in put.items():
        found = there.get(f"refs/heads/{name}")
        if found is None:
            continue
        if found not in commits:
            kept[name] = "somebody else moved it"
        elif name in in_use:
            kept[name] = f"it is checked out in {in_use[name]}"
        else:
            branches[name] = found
    return Undoing(branches=branches, kept=kept)


async def _reverted(repository: Repository, past: Past, tip: str, undoing: Undoing) -> Undoing:
    """What is to be reverted where the result was committed to the user's branch."""
    onto, base = past.begun.head or "", past.begun.base
    if repository.branch != onto:
        raise FixError(f"the result was applied to {onto}, which isn't checked out", hint=f"git switch {onto}")
    if tip not in await commits_between(repository, base, repository.head):
        raise FixError(
            f"what was applied is no longer on {onto}: {tip[:12]} isn't among its commits",
            hint="git reflog shows what became of it",
        )
    return replace(undoing, commits=await commits_between(repository, base, tip), onto=onto, tip=tip)


async def _revert(repository: Repository, past: Past, tip: str, journal: Journal) -> None:
    """Commit the opposite of each change on the user's branch, all of it in one move; once, however often asked."""
    name = f"fanfold/undo-{past.name}"
    if (left := (await repository.refs()).get(f"refs/heads/{name}")) is not None:
        await drop_branch(repository, name, left)
    if await _reverted_before(repository, past, journal):
        return
    async with ResultBranch(repository, repository.head, name) as branch:
        try:
            landed = await branch.publish(await opposites(repository, past.begun.base, tip))
        except LandConflict as error:
            raise LandError(
                f"what was applied can't be taken out by itself any more: {error.message}",
                hint=f"git revert {past.begun.base[:12]}..{tip[:12]} lets you resolve it",
            ) from error
    back = landed[-1].commit
    try:
        await journal.note(UNDONE, {"step": "intend", "head": repository.head, "tip": back})
        await fast_forward(repository, back)
    except LandError:
        await journal.note(UNDONE, {"step": "refused"})
        raise
    finally:
        await drop_branch(repository, name, back)


async def _reverted_before(repository: Repository, past: Past, journal: Journal) -> bool:
    """Whether a process that was killed has done it; what it left half written in the checkout is taken back."""
    steps: list[Any] = journal.notes(UNDONE)
    if not steps or steps[-1]["step"] != "intend":
        return False
    head, back = steps[-1]["head"], steps[-1]["tip"]
    if back in await commits_between(repository, past.begun.base, repository.head):
        return True
    return repository.head == head and await brought_before(repository, back)
