"""Which findings a project lives with: those of its baseline, and those that were there before the branch."""

from __future__ import annotations

import shutil
from asyncio import to_thread
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from fanfold.config import FixSettings
from fanfold.fix.checkers.rules import matches
from fanfold.fix.findings.census import able, census_of
from fanfold.fix.findings.compare import compare
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.globs import Globs
from fanfold.fix.findings.knownfile import Entry, match, read_baseline
from fanfold.fix.findings.select import Known
from fanfold.fix.record import Run
from fanfold.git import Repository
from fanfold.git.parting import followed, parted_from, trunk_of

TRUNK = "auto"
"""The REF of --only-new that stands for what the branch came from."""
IN_BASELINE = "in the baseline"


async def refuse_unusable(settings: FixSettings, repository: Repository) -> None:
    """Read what says which findings are known, before any checker runs.

    Raises:
        FanfoldError: the baseline can't be read, or there is no such commit to part from.
    """
    if settings.baseline is not None:
        await to_thread(read_baseline, settings.baseline, repository.root)
    if settings.only_new is not None:
        await parted_from(repository, await _ref(settings.only_new, repository))


async def known_of(run: Run) -> Known:
    """What of the base's findings is known.

    Raises:
        FanfoldError: as `refuse_unusable`.
    """
    baseline, before = await _by_baseline(run), await _before_branch(run)
    return Known({**before.reasons, **baseline.reasons}, (*baseline.notes, *before.notes))


async def _by_baseline(run: Run) -> Known:
    file = run.settings.baseline
    if file is None:
        return Known()
    entries = await to_thread(read_baseline, file, run.repository.root)
    matched = match(run.census.findings, entries)
    gone = _asked_for(run, matched.gone)
    told = f"the baseline {file.name} has {_counted(gone, 'finding')} that {'is' if gone == 1 else 'are'} gone"
    notes = (f"{told}: write it anew with --write-baseline",) if gone else ()
    return Known(dict.fromkeys(matched.known, IN_BASELINE), notes)


def _asked_for(run: Run, gone: Iterable[Entry]) -> int:
    """How many of these would have been found if they were there: by who could check, of what was asked for."""
    settings, checkers = run.settings, Counter(checker.name.lower() for checker in able(run))
    excluded = Globs(settings.exclude)
    count = 0
    for entry in gone:
        finding = Finding(entry.path, entry.line, 0, entry.checker, entry.rule, "")
        wanted = not settings.select or any(matches(finding, one) for one in settings.select)
        count += entry.checker.lower() in checkers and wanted and not excluded.match(entry.path)
    return count


async def _before_branch(run: Run) -> Known:
    if run.settings.only_new is None:
        return Known()
    ref = await _ref(run.settings.only_new, run.repository)
    commit = await parted_from(run.repository, ref)
    reason = f"not new since {ref}"
    if commit == run.repository.head:
        return Known(dict.fromkeys(run.census.findings, reason), (f"HEAD has no commit of its own since {ref}",))
    run.phase("checking", f"the commit before, {commit[:12]}")
    return await _there_before(run, commit, reason)


async def _there_before(run: Run, commit: str, reason: str) -> Known:
    census = await census_of(run, commit, able(run), await to_thread(_own_cache, run))
    diffs = await followed(run.repository, commit, run.repository.head)
    names = {diff.old_path: path for path, diff in diffs.items() if diff.old_path is not None}
    checked = {one.checker for one in census.checked if one.error is None}
    before = [replace(one, path=names.get(one.path, one.path)) for one in census.findings if one.checker in checked]
    now = [one for one in run.census.findings if one.checker in checked]
    kept = compare(before, now, diffs).kept
    notes = [
        f"{name} could not check {commit[:12]}, so all that it finds counts as new: {' '.join(words.split())}"
        for name, words in census.errors.items()
    ]
    return Known({new: reason for _, new in kept}, tuple(notes))


def _own_cache(run: Run) -> Path:
    """Caches to check another commit with: those of the base stay as they are for who works on it."""
    cache = run.scratch / "cache-before"
    if not cache.exists():
        shutil.copytree(run.cache, cache, symlinks=True)
    return cache


async def _ref(asked: str, repository: Repository) -> str:
    return await trunk_of(repository) if asked == TRUNK else asked


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
