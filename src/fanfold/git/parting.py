"""Where a branch parted from another, and what of files with other names by now is still the same."""

from __future__ import annotations

from fanfold.git.command import git, text
from fanfold.git.diff import LINES, FileDiff, parse_diff
from fanfold.git.repository import Repository, RepositoryError

_TRUNKS = ("main", "master", "trunk")


async def parted_from(repository: Repository, rev: str) -> str:
    """The id of the newest commit that HEAD has in common with `rev`.

    Raises:
        RepositoryError: `rev` is unknown, or has no history in common with HEAD.
    """
    commit = await repository.resolve(rev)
    done = await git("merge-base", commit, repository.head, cwd=repository.root, ok=(0, 1))
    if done.returncode:
        raise RepositoryError(
            f"{rev} and HEAD have no commit in common",
            hint="a shallow clone lacks the commits in between: git fetch --unshallow",
        )
    return text(done.stdout).strip()


async def trunk_of(repository: Repository) -> str:
    """What the current branch came from: the remote's default branch, else its upstream, else a local main branch.

    Raises:
        RepositoryError: there is none of these.
    """
    refs = await repository.refs()
    done = await git("for-each-ref", "--format=%(symref)", "refs/remotes/origin/HEAD", cwd=repository.root)
    candidates = [text(done.stdout).strip(), *(f"refs/remotes/origin/{name}" for name in _TRUNKS)]
    if repository.branch is not None:
        asked = f"refs/heads/{repository.branch}"
        done = await git("for-each-ref", "--format=%(upstream)", asked, cwd=repository.root)
        candidates.append(text(done.stdout).strip())
    candidates += [f"refs/heads/{name}" for name in _TRUNKS if name != repository.branch]
    for name in candidates:
        if name in refs:
            return name.removeprefix("refs/remotes/").removeprefix("refs/heads/")
    where = "HEAD is on no branch" if repository.branch is None else f"{repository.branch} has no upstream"
    raise RepositoryError(
        f"{where}, and there is no other branch called main, master or trunk that it could have come from",
        hint="name one, as in --only-new=develop",
    )


async def followed(repository: Repository, old: str, new: str) -> dict[str, FileDiff]:
    """Which lines differ from `old` to `new`, by new path; a file that was renamed has its `old_path`."""
    asked = ("diff-tree", "-r", *LINES, "--find-renames", "-l5000", old, new)
    return parse_diff((await git(*asked, cwd=repository.root)).stdout)
