"""Move the user's branch to a result: the one command that writes to the checkout, and only when asked."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

from fanfold.git.command import GitError, git, records, text, uninterrupted
from fanfold.git.land import LandError
from fanfold.git.repository import Repository, WorkingState

_UNDER_WAY = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}
_NAMED = 3


async def fast_forward(repository: Repository, tip: str) -> None:
    """Bring the current branch and its checkout to `tip`, a descendant of the head that `repository` was opened at.

    Done by git in a session of its own, which a Ctrl-C or the end of this process doesn't reach; the user's hooks
    don't run. Untracked files stay, and ignored ones too.

    Raises:
        LandError: the checkout isn't clean, the branch has moved or there is none, another operation is under way,
            or a file that git doesn't track is in the way; nothing was changed.
    """
    by_hand = f"the result is {tip[:12]}: once that is settled, git merge --ff-only {tip[:12]}"
    if reason := await _obstacle(repository, tip):
        raise LandError(reason, hint=by_hand)
    try:
        await uninterrupted(_merge(repository, tip))
    except GitError as error:
        raise LandError(f"can't fast-forward: {error.message}", hint=by_hand) from error


async def _merge(repository: Repository, tip: str) -> None:
    quietly = ("--no-autostash", "--no-stat", "--no-verify-signatures", "--no-overwrite-ignore", "--quiet")
    await git("merge", "--ff-only", *quietly, tip, cwd=repository.root, places={"GIT_REFLOG_ACTION": "fanfold"})


async def _obstacle(repository: Repository, tip: str) -> str | None:
    """Why the checkout can't be moved; None = it can."""
    now, state, added = await asyncio.gather(
        Repository.open(repository.root), repository.working_state(), _added(repository, tip)
    )
    if now.branch is None:
        return "no branch is checked out"
    if (now.branch, now.head) != (repository.branch, repository.head):
        return f"{now.branch} is no longer where the run began"
    if under_way := [what for name, what in _UNDER_WAY.items() if os.path.lexists(now.git_dir / name)]:
        return f"a {under_way[0]} is under way"
    if not state.clean:
        return f"the checkout has uncommitted changes: {_some(_changed(state))}"
    if obstacles := [path for path in added if _in_the_way(repository.root, path)]:
        return f"files that git doesn't track are in the way: {_some(obstacles)}"
    return None


async def _added(repository: Repository, tip: str) -> list[str]:
    args = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=A", repository.head, tip)
    return [text(name) for name in records((await git(*args, cwd=repository.root)).stdout)]


def _changed(state: WorkingState) -> list[str]:
    return sorted({*state.staged, *state.unstaged})


def _in_the_way(root: Path, path: str) -> bool:
    """Whether something stands at a path that is to be made, or a file where it needs a folder."""
    for place in (*reversed(Path(path).parents), Path(path)):
        try:
            mode = (root / place).lstat().st_mode
        except FileNotFoundError:
            return False
        if not stat.S_ISDIR(mode):
            return True
    return True


def _some(paths: list[str]) -> str:
    more = len(paths) - _NAMED
    return ", ".join(paths[:_NAMED]) + (f" and {more} more" if more > 0 else "")
