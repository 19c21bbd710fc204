"""Hand over what has landed in the form that was asked for: branches for each file, the user's branch, the index."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fanfold.fix.record import Run
from fanfold.git import LandError, Repository, branch_names, brought_before, fast_forward, make_branches, stage

KIND = "delivery"
PREFIX = "fanfold"

_Bring = Callable[[Repository, str], Awaitable[None]]


async def deliver(run: Run) -> None:
    """Make what was asked for of what has landed; where that can't be done safely it stays on the result branch.

    Each step is noted before it is taken, so that a run that was killed in the middle can finish it.
    """
    if not run.landing.landed or run.landing.only_show:
        return
    if run.settings.per == "file":
        await _for_each_file(run)
    if run.request.apply:
        run.applied = await _into_checkout(run, "apply", fast_forward)
    elif run.request.stage_only:
        run.staged = await _into_checkout(run, "stage", stage)


async def _for_each_file(run: Run) -> None:
    """A branch for each change, made of it alone on the base."""
    commits: dict[str, str] = {}
    for path, landed in run.landing.landed.items():
        try:
            commits[path] = await run.landing.branch.alone(landed.change, landed.message)
        except LandError as error:
            run.notes.append(f"{path} has no branch of its own, since its change builds on others: {error}")
    names = branch_names(f"{PREFIX}/{run.name}", commits, taken=(run.landing.branch.name,))
    wanted = {names[path]: commit for path, commit in commits.items()}
    await run.log.note(KIND, {"step": "intend", "how": "branches", "commits": wanted})
    there = await run.repository.refs()
    missing = {name: commit for name, commit in wanted.items() if there.get(f"refs/heads/{name}") != commit}
    try:
        await make_branches(run.repository, missing)
    except LandError as error:
        run.notes.append(str(error))
    else:
        run.branches = names
        await run.log.note(KIND, {"step": "done", "how": "branches"})


async def _into_checkout(run: Run, how: str, bring: _Bring) -> bool:
    """Whether the checkout holds the result now, perhaps since before this process was killed."""
    tip = run.landing.branch.tip
    try:
        if _begun(run, how, tip) and await brought_before(run.repository, tip):
            return True
        await run.log.note(KIND, {"step": "intend", "how": how, "head": run.repository.head, "tip": tip})
        await bring(run.repository, tip)
    except LandError as error:
        run.not_applied = f"{error.message}; {error.hint}" if error.hint else error.message
        return False
    await run.log.note(KIND, {"step": "done", "how": how, "head": run.repository.head, "tip": tip})
    return True


def branch_of(run: str, per: str) -> str:
    """The name of a run's result branch, which leaves room for the branches of files."""
    return f"{PREFIX}/{run}/all" if per == "file" else f"{PREFIX}/{run}"


def _begun(run: Run, how: str, tip: str) -> bool:
    steps: list[Any] = [note for note in run.log.noted(KIND) if note["how"] == how]
    return bool(steps) and steps[-1].get("tip") == tip
