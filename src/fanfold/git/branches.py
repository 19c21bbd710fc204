"""Make several branches at once, all of them or none."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from fanfold.git.command import GitError, git, raw
from fanfold.git.land import LandError
from fanfold.git.repository import Repository

# What no ref may hold; besides, no part of it begins with a dot or ends with one or with ".lock".
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.+|@\{|[^\x21-\U0010ffff]")
_LOCK = ".lock"
_LONGEST = 180


async def make_branches(repository: Repository, commits: Mapping[str, str]) -> None:
    """Make a branch for each name, at its commit.

    Raises:
        LandError: one is there already or can't be made; then none was.
    """
    lines = [f"create refs/heads/{name} {commit}\n" for name, commit in commits.items()]
    script = "".join(["start\n", *lines, "prepare\n", "commit\n"])
    flags = ("--stdin", "--no-deref", "--create-reflog", "-m", "fanfold: one branch per file")
    places = {"GIT_DIR": str(repository.git_dir)}
    try:
        await git("update-ref", *flags, cwd=repository.root, places=places, stdin=raw(script))
    except GitError as error:
        raise LandError(f"can't make a branch for each file: {error.message}") from error


def branch_names(prefix: str, paths: Iterable[str], *, taken: Iterable[str] = ()) -> dict[str, str]:
    """A branch's name for each path: below the prefix, and the path itself as far as git allows.

    Where it doesn't, or where two would stand in each other's way, a hash of the path keeps them apart.

    Args:
        taken: names that are to stay free.
    """
    names: dict[str, str] = {}
    used = set(taken)
    folders: set[str] = set()
    for path in sorted(paths):
        plain = _plain(path)
        name = f"{prefix}/{plain}"
        if plain != path or name in used or name in folders or not used.isdisjoint(_folders(name)):
            name = f"{prefix}/{plain.replace('/', '-')}-{hashlib.sha256(raw(path)).hexdigest()[:8]}"
        used.add(name)
        folders.update(_folders(name))
        names[path] = name
    return names


def _plain(path: str) -> str:
    parts = [_FORBIDDEN.sub("-", part).strip(".") or "-" for part in path.split("/")]
    parts = [part.removesuffix(_LOCK) + "-lock" if part.endswith(_LOCK) else part for part in parts]
    return "/".join(parts).encode()[:_LONGEST].decode(errors="ignore").rstrip("/.")


def _folders(name: str) -> Iterable[str]:
    return (name[:at] for at, letter in enumerate(name) if letter == "/")
