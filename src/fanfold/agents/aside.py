"""What a repository has for agents' programs is put aside while one works: they would run what stands there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from fanfold.agents.protocol import AgentError, Assignment
from fanfold.process import uninterrupted


@asynccontextmanager
async def put_aside(assignment: Assignment, patterns: Sequence[str]) -> AsyncIterator[None]:
    """Keep what lies at the top of the workspace and is called like this elsewhere, as long as the block.

    What setup made or the user copied there stays in a sandbox, which keeps it as it is: it is no repository's.
    Afterwards all is as it was, whatever a program has put in its place.

    Args:
        patterns: of names, in small letters; there are systems where other letters are the same file.
    Raises:
        AgentError: the file to work on is among them.
    """
    for path in (assignment.path, *assignment.others):
        if _is_called(PurePosixPath(path).parts[0], patterns):
            raise AgentError(
                f"{path} is kept from programs, which would take it for settings of theirs",
                hint="fix it with the agent llm, or by hand",
            )
    moved: dict[Path, Path] = {}
    try:
        await uninterrupted(asyncio.to_thread(_put, assignment, patterns, moved))
        yield
    finally:
        await uninterrupted(asyncio.to_thread(_put_back, moved))  # before anybody else can look


def _put(assignment: Assignment, patterns: Sequence[str], moved: dict[Path, Path]) -> None:
    kept = () if assignment.sandbox is None else assignment.sandbox.kept
    found = [path for one in _named(assignment.root, patterns) for path in _beside(one, kept)]
    if not found:
        return
    aside = Path(tempfile.mkdtemp(prefix="aside-", dir=assignment.scratch))
    for number, path in enumerate(found):
        place = aside / str(number)
        shutil.move(path, place)
        moved[path] = place


def _beside(path: Path, kept: Collection[Path]) -> Iterator[Path]:
    """What there is at a path but what is kept: all of it, or what lies around that."""
    if path in kept:
        return
    if not any(one.is_relative_to(path) for one in kept):
        yield path
        return
    for inner in sorted(path.iterdir()):
        yield from _beside(inner, kept)


def _put_back(moved: Mapping[Path, Path]) -> None:
    for path, aside in moved.items():
        with contextlib.suppress(OSError):  # a program that does away with it has deleted a file, which is seen
            _remove(path)
            shutil.move(aside, path)


def _named(root: Path, patterns: Sequence[str]) -> list[Path]:
    return sorted(path for path in root.iterdir() if _is_called(path.name, patterns)) if patterns else []


def _is_called(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name.casefold(), pattern) for pattern in patterns)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists() or path.is_symlink():
        os.unlink(path)  # noqa: PTH108 links are not followed
