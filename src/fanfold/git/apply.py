"""Bring a result into the user's checkout, committed or only staged: all that writes there, and only when asked."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TypeAlias

from fanfold.git.command import GitError, git, records, text
from fanfold.git.land import LandError
from fanfold.git.repository import Repository
from fanfold.git.takeback import take_back
from fanfold.process import uninterrupted

_UNDER_WAY = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}
_NAMED = 3

_Bring: TypeAlias = Callable[[Repository, str], Coroutine[object, object, None]]


async def fast_forward(repository: Repository, tip: str) -> None:
    """Bring the current branch and its checkout to `tip`, a descendant of the head that `repository` was opened at.

    Done by git in a session of its own, which a Ctrl-C or the end of this process doesn't reach; the user's hooks
    don't run. Untracked files stay, and ignored ones too.

    Raises:
        LandError: the checkout isn't clean, the branch has moved or there is none, another operation is under way,
            a file that git doesn't track is in the way, or a file can't be written; nothing was changed, or the
            message says how to take it back.
    """
    await _bring(repository, tip, _merge, f"git merge --ff-only {tip[:12]}", on_branch=True)


async def stage(repository: Repository, tip: str) -> None:
    """Bring the checkout and its index to `tip`, a descendant of the head; HEAD stays, so that all of it is staged.

    Done as carefully as `fast_forward`; it works without a branch, too. `unstage` undoes it.

    Raises:
        LandError: as `fast_forward`.
    """
    await _bring(repository, tip, _read_tree, f"git read-tree -m -u HEAD {tip[:12]}", on_branch=False)


async def unstage(repository: Repository, tip: str) -> None:
    """Make checkout and index those of HEAD again, where they are what `stage` left.

    Raises:
        LandError: HEAD has moved, or something was changed since; nothing was touched.
    """
    now = await Repository.open(repository.root)
    if now.head != repository.head:
        raise LandError("HEAD has moved since the result was staged", hint="git restore takes single files back")
    await _refresh(repository)
    places = ("diff-index", "--cached", "--quiet", tip), ("diff-files", "--quiet")
    for command in places:
        if (await git(*command, cwd=repository.root, ok=(0, 1))).returncode:
            raise LandError("the checkout is no longer what was staged", hint="git restore takes single files back")
    await uninterrupted(_switch(repository, tip, repository.head))


async def brought_before(repository: Repository, tip: str) -> bool:
    """Whether the checkout or its index is at `tip`; if not, what was written of it is taken back.

    For who finds that a process which was killed had begun to fast-forward or to stage.

    Raises:
        LandError: it can't be taken back.
    """
    now = await Repository.open(repository.root)
    if now.head != repository.head:
        return now.head == tip
    staged = await git("diff-index", "--cached", "--quiet", tip, cwd=repository.root, ok=(0, 1))
    if staged.returncode == 0:  # git writes the index last
        return True
    try:
        await uninterrupted(take_back(repository, tip))
    except (GitError, OSError) as error:
        raise LandError(
            f"part of the result is in the checkout: {error}", hint="git reset --hard HEAD takes it back"
        ) from error
    return False


async def _bring(repository: Repository, tip: str, how: _Bring, command: str, *, on_branch: bool) -> None:
    by_hand = f"the result is {tip[:12]}: once that is settled, {command}"
    if reason := await _obstacle(repository, tip, on_branch=on_branch):
        raise LandError(reason, hint=by_hand)
    undone = _content(repository.git_dir / "ORIG_HEAD")
    try:
        await uninterrupted(how(repository, tip))
    except GitError as error:
        _put_back(repository.git_dir / "ORIG_HEAD", undone)  # written before a merge that then fails
        reason = f"can't write the checkout: {error.message}"
        try:
            await uninterrupted(take_back(repository, tip))
        except (GitError, OSError) as worse:
            reason += f"; part of it is in the checkout ({worse}), git reset --hard HEAD takes it back"
        raise LandError(reason, hint=by_hand) from error


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _put_back(path: Path, content: bytes | None) -> None:
    with contextlib.suppress(OSError):
        if content is None:
            path.unlink(missing_ok=True)
        elif content != path.read_bytes():
            path.write_bytes(content)


async def _merge(repository: Repository, tip: str) -> None:
    quietly = ("--no-autostash", "--no-stat", "--no-verify-signatures", "--no-overwrite-ignore", "--quiet")
    await git("merge", "--ff-only", *quietly, tip, cwd=repository.root, places={"GIT_REFLOG_ACTION": "fanfold"})


async def _read_tree(repository: Repository, tip: str) -> None:
    await _switch(repository, repository.head, tip)


async def _switch(repository: Repository, old: str, new: str) -> None:
    """Bring checkout and index from one tree to another."""
    await _refresh(repository)
    await git("read-tree", "-m", "-u", old, new, cwd=repository.root)


async def _refresh(repository: Repository) -> None:
    """Have the index know the times of files as they are: plumbing takes a file with others for changed."""
    await git("update-index", "-q", "--refresh", cwd=repository.root, ok=(0, 1, 128))  # 128: what follows says why


async def _obstacle(repository: Repository, tip: str, *, on_branch: bool) -> str | None:
    """Why the checkout can't be moved; None = it can."""
    now, state, (added, deleted) = await asyncio.gather(
        Repository.open(repository.root), repository.working_state(), _comes_and_goes(repository, tip)
    )
    if on_branch and now.branch is None:
        return "no branch is checked out"
    here = now.branch or "HEAD"
    if (now.branch, now.head) != (repository.branch, repository.head):
        return f"{here} is no longer where the run began"
    if not await _descends(repository, tip):
        return f"{tip[:12]} doesn't descend from {here}"
    if operation := _under_way(now):
        return f"a {operation} is under way"
    if not state.clean:
        return f"the checkout has uncommitted changes: {_some(sorted({*state.staged, *state.unstaged}))}"
    if obstacles := [path for path in added if _in_the_way(repository.root, path, deleted)]:
        return f"files that git doesn't track are in the way: {_some(obstacles)}"
    return None


async def _descends(repository: Repository, tip: str) -> bool:
    done = await git("merge-base", "--is-ancestor", repository.head, tip, cwd=repository.root, ok=(0, 1))
    return done.returncode == 0


def _under_way(repository: Repository) -> str | None:
    return next((what for name, what in _UNDER_WAY.items() if (repository.git_dir / name).exists()), None)


async def _comes_and_goes(repository: Repository, tip: str) -> tuple[list[str], set[str]]:
    """The paths that `tip` adds, and those that it deletes."""
    args = ("diff-tree", "-r", "-z", "--name-status", "--no-renames", repository.head, tip)
    parts = [text(part) for part in records((await git(*args, cwd=repository.root)).stdout)]
    changes = list(zip(parts[::2], parts[1::2], strict=True))
    return [path for status, path in changes if status == "A"], {path for status, path in changes if status == "D"}


def _in_the_way(root: Path, path: str, deleted: set[str]) -> bool:
    """Whether something that doesn't go stands at a path that is to be made, or a file where it needs a folder."""
    if any(gone.startswith(f"{path}/") for gone in deleted):  # a folder becomes a file
        return any(str(below.relative_to(root)) not in deleted for below in _files(root / path))
    for place in (*reversed(Path(path).parents), Path(path)):
        try:
            mode = (root / place).lstat().st_mode
        except FileNotFoundError:
            return False
        if not stat.S_ISDIR(mode):
            return str(place) not in deleted
    return True


def _files(folder: Path) -> Iterator[Path]:
    for above, folders, names in os.walk(folder):
        links = [name for name in folders if Path(above, name).is_symlink()]
        yield from (Path(above, name) for name in (*names, *links))


def _some(paths: list[str]) -> str:
    more = len(paths) - _NAMED
    return ", ".join(paths[:_NAMED]) + (f" and {more} more" if more > 0 else "")
