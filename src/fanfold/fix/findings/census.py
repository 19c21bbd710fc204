"""What the checkers say of a whole commit, and how that differs from the base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from fanfold.fix.checkers import Census, Checker, Scope, run_checkers
from fanfold.fix.findings.compare import Comparison, compare
from fanfold.fix.findings.fingerprint import with_fingerprints
from fanfold.fix.record import Run


async def census_of(run: Run, commit: str, checkers: Sequence[Checker], cache: Path | None = None) -> Census:
    """Check all of a commit, in a workspace of its own; findings come with fingerprints.

    Args:
        cache: the checkers' caches, None = those of the base.
    """
    async with run.pool.lease(commit) as workspace:
        caches = cache or run.cache
        scope = Scope(workspace.root, run.project, caches, None, run.settings.select, run.settings.exclude)
        return named(await run_checkers(checkers, scope), workspace.root)


def able(run: Run) -> tuple[Checker, ...]:
    """The checkers that could check the base; the others can't judge a change."""
    return tuple(checker for checker in run.checkers if checker.name not in run.census.errors)


async def against_base(run: Run, commit: str, census: Census) -> Comparison:
    """How the findings of a commit differ from the base's, of those checkers that could check both."""
    checked = {one.checker for one in census.checked if one.error is None}
    base = [finding for finding in run.census.findings if finding.checker in checked]
    return compare(base, census.findings, await run.repository.hunks(run.repository.head, commit))


def named(census: Census, root: Path) -> Census:
    """With fingerprints, of the files below `root`."""
    read = partial(_read, root)
    return Census(tuple(replace(one, findings=with_fingerprints(one.findings, read)) for one in census.checked))


def _read(root: Path, path: str) -> bytes | None:
    file = root / path
    return file.read_bytes() if file.is_file() and not file.is_symlink() else None
