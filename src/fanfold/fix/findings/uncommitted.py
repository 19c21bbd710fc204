"""Findings in text that the user has not committed: named, never worked on."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from fanfold.fix.checkers.protocol import Checker, Scope
from fanfold.fix.checkers.run import run_checkers
from fanfold.fix.findings.compare import compare
from fanfold.fix.findings.finding import Finding
from fanfold.fix.project import Project
from fanfold.git import FileDiff, Repository, Workspace, WorkspacePool

MAX_BYTES = 4 * 1024 * 1024
PYTHON = frozenset({".py", ".pyi"})


async def uncommitted_findings(
    repository: Repository,
    pool: WorkspacePool,
    base: Iterable[Finding],
    checkers: tuple[Checker, ...],
    project: Project,
    select: tuple[str, ...] = (),
) -> tuple[Finding, ...]:
    """What the checkers say of the user's changed and new Python files beyond what they say of the base commit.

    Only checkers of single files look: the answer names findings, it judges nothing. The user's files are read,
    never written; they are checked as copies in a workspace.
    """
    state = await repository.working_state()
    dirty = sorted({*state.staged, *state.unstaged, *state.untracked})
    paths = tuple(path for path in dirty if PurePosixPath(path).suffix in PYTHON and _readable(repository.root / path))
    narrow = tuple(checker for checker in checkers if checker.reach == "file")
    if not paths or not narrow:
        return ()
    async with pool.lease(repository.head) as workspace:
        paths = tuple(path for path in paths if _copied(repository.root, workspace.root, path))
        if not paths:
            return ()
        census = await run_checkers(narrow, Scope(workspace.root, project, workspace.cache, paths, select))
        known = [finding for finding in base if finding.path in paths]
        return compare(known, census.findings, await _diffs(workspace, paths)).added


async def _diffs(workspace: Workspace, paths: tuple[str, ...]) -> dict[str, FileDiff]:
    diffs = {path: await workspace.hunks(path) for path in paths}
    return {path: diff for path, diff in diffs.items() if diff is not None}


def _readable(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_BYTES


def _copied(source: Path, target: Path, path: str) -> bool:
    """Copy one file into the workspace; whether that worked, since the user may change or remove it meanwhile.

    What the commit has in place of one of its folders goes first: through a link the copy would land outside.
    """
    place = target / path
    try:
        for folder in reversed(PurePosixPath(path).parents[:-1]):
            if (target / folder).is_symlink() or (target / folder).is_file():
                (target / folder).unlink()
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        shutil.copyfile(source / path, place)
    except OSError:
        return False
    return True
