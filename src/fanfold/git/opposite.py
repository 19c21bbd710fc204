"""What takes commits back: for each the opposite change; branches go where they are still as they were made."""

from __future__ import annotations

from itertools import pairwise

from fanfold.git.change import Change, path_changes
from fanfold.git.command import GitError, git, records, text
from fanfold.git.objects import Objects
from fanfold.git.repository import Repository


async def commits_between(repository: Repository, base: str, tip: str) -> tuple[str, ...]:
    """The commits that `tip` has and `base` has not, the newest first.

    Raises:
        GitError: there is no such commit.
    """
    done = await git("rev-list", "--topo-order", f"{base}..{tip}", "--", cwd=repository.root)
    return tuple(text(done.stdout).split())


async def opposites(repository: Repository, base: str, tip: str) -> tuple[tuple[Change, str], ...]:
    """For each commit of the line from `base` to `tip`, the last one first: what takes it back, and a message."""
    commits = [*await commits_between(repository, base, tip), base]
    found = []
    async with Objects(repository) as objects:
        for commit, parent in pairwise(commits):
            new, old = await objects.root_of(commit), await objects.root_of(parent)
            paths = path_changes(await objects.differences(new, old), len(commit))
            said = await git("show", "--no-patch", "--format=%s", commit, cwd=repository.root)
            message = f'Revert "{text(said.stdout).strip()}"\n\nThis reverts commit {commit}.\n'
            found.append((Change(commit, old, paths), message))
    return tuple(found)


async def checked_out(repository: Repository) -> dict[str, str]:
    """The branches that a checkout of the repository is on, with its folder."""
    done = await git("worktree", "list", "--porcelain", "-z", cwd=repository.root)
    found, folder = {}, ""
    for record in records(done.stdout):
        kind, _, rest = text(record).partition(" ")
        if kind == "worktree":
            folder = rest
        elif kind == "branch":
            found[rest.removeprefix("refs/heads/")] = folder
    return found


async def drop_branch(repository: Repository, name: str, commit: str) -> None:
    """Delete a branch that is at `commit`; its commits stay as long as git keeps what nothing names.

    Raises:
        GitError: it is somewhere else by now.
    """
    places = {"GIT_DIR": str(repository.git_dir)}
    try:
        await git("update-ref", "--no-deref", "-d", f"refs/heads/{name}", commit, cwd=repository.root, places=places)
    except GitError as error:
        raise GitError(f"can't delete branch {name}: {error.message}", hint=f"git branch -D {name}") from error
