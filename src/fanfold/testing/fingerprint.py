"""Everything of a user's repository that Fanfold must leave alone, in a form that can be compared."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

OWN = ("heads/fanfold/", "fanfold/")
"""Where Fanfold's own branches are, and what runs that may be resumed have pinned; below `refs/` and `logs/refs/`."""


def fingerprint(root: Path) -> dict[str, str]:
    """Every file of a checkout and of its git directory, with what is in it.

    Covered are the files with their kind, executable bit and content, empty folders, and all that lies in the git
    directory: index bytes, HEAD, refs, stash, reflogs, configuration, hooks, locks, states of a merge or rebase.
    Left out are objects, which may only be added, and Fanfold's own refs. Times don't count.

    Args:
        root: top folder of a checkout, a linked worktree's too.
    Returns:
        Text to compare and to read, by name; two are equal if nothing but objects and own branches was touched.
    """
    git_dir, common_dir = (_git(root, asked) for asked in ("--absolute-git-dir", "--git-common-dir"))
    listed = _listed(root, without=".git")
    found = {f"file {name}": what for name, what in listed if name.split("/")[0] != ".git"}
    for folder, kind in {git_dir: "worktree", common_dir: "git"}.items():
        for name, what in _listed(folder, without="objects"):
            if not _is_own(name):
                found[f"{kind} {name}"] = what if name != "packed-refs" else _without_own(folder / name)
    return {name: what for name, what in sorted(found.items()) if what}


def _git(root: Path, asked: str) -> Path:
    outer = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "rev-parse", "--path-format=absolute", asked]
    done = subprocess.run(command, cwd=root, env=outer, capture_output=True, check=True)  # noqa: S603
    return Path(os.fsdecode(done.stdout[:-1]))


def _is_own(name: str) -> bool:
    return any(part in f"{name}/" for own in OWN for part in (f"refs/{own}", f"logs/refs/{own}"))


def _listed(folder: Path, *, without: str) -> Iterator[tuple[str, str]]:
    """What lies below a folder but for one folder at its top, which isn't read: it may change meanwhile."""
    for above, folders, names in os.walk(folder):
        if above == str(folder) and without in folders:
            folders.remove(without)
        where = Path(above)
        for name in [*names, *(each for each in folders if (where / each).is_symlink())]:
            path = where / name
            yield path.relative_to(folder).as_posix(), _content(path)
        if not names and not folders and where != folder and "refs" not in where.relative_to(folder).parts:
            yield f"{where.relative_to(folder).as_posix()}/", "empty folder"


def _content(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"link to {os.fsdecode(path.readlink())}"
    if not stat.S_ISREG(mode):
        return f"special {stat.S_IFMT(mode):o}"
    executable = "executable " if mode & stat.S_IXUSR else ""
    return executable + hashlib.sha256(path.read_bytes()).hexdigest()


def _without_own(packed: Path) -> str:
    lines = packed.read_text(errors="surrogateescape").splitlines()
    theirs = (line for line in lines if not any(f" refs/{own}" in line for own in OWN))
    return "\n".join(line for line in theirs if not line.startswith("#"))


def contents(root: Path) -> dict[str, str | bytes]:
    """All below a folder but a git directory at its top: a file's bytes, and what links, pipes, empty folders are.

    Keys are paths; undecodable bytes in them are written out.
    """
    found: dict[str, str | bytes] = {}
    for above, folders, names in os.walk(root):
        if Path(above) == root:
            folders[:] = [name for name in folders if name != ".git"]
        for name in [*names, *folders]:
            path = Path(above, name)
            what = _what(path)
            if what is not None:
                found[os.fsencode(path.relative_to(root)).decode(errors="backslashreplace")] = what
    return found


def _what(path: Path) -> str | bytes | None:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if path.is_dir():
        return None if any(path.iterdir()) else "empty folder"
    return path.read_bytes() if path.is_file() else "special"
