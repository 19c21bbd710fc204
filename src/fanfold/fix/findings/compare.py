"""Tell old findings from new ones after a change, however the lines have moved.

A finding on a line that the change left alone must be the same finding at the line's new place, one to one. Inside
changed hunks lines have no identity, so the findings there are counted per checker and rule. What is left over on
both sides is the same finding where its extent, carried through the diff, still overlaps: an unsorted import block
whose first line went away is still that block. What a test's failure is depends on no place: it is the test's.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fanfold.fix.findings.finding import Finding
from fanfold.git import FileDiff, Hunk

Key = tuple[str, str, int]
IN_HUNK = -1


@dataclass(frozen=True)
class Comparison:
    """`added` are findings that the base doesn't have, `gone` those of the base that are no more.

    `kept` pairs each finding of the base that is still there with what it is now.
    """

    added: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    kept: tuple[tuple[Finding, Finding], ...] = ()


def compare(base: Iterable[Finding], now: Iterable[Finding], diffs: Mapping[str, FileDiff]) -> Comparison:
    """Match the findings of two trees, file by file.

    Args:
        base: all findings of the files compared, before the change.
        now: all findings of the same files, after it.
        diffs: what changed, by path; a path that isn't there is unchanged.
    Returns:
        What was added, what is gone and what was kept, each in the order of its place.
    """
    (cases, base), (new_cases, now) = _apart(base), _apart(now)
    before, after = _by_path(base), _by_path(now)
    files = [_compare_cases(cases, new_cases)]
    files += [
        _compare_file(before[path], after[path], _Lines(diffs[path].hunks if path in diffs else ()))
        for path in sorted(before.keys() | after.keys())
    ]
    return Comparison(
        tuple(one for file in files for one in sorted(file.added)),
        tuple(one for file in files for one in sorted(file.gone)),
        tuple(pair for file in files for pair in sorted(file.kept)),
    )


def _apart(findings: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Failures of tests, and all the others."""
    found: tuple[list[Finding], list[Finding]] = [], []
    for finding in findings:
        found[not finding.case].append(finding)
    return found


def _compare_cases(base: Sequence[Finding], now: Sequence[Finding]) -> Comparison:
    before = {(one.checker, one.case): one for one in base}
    after = {(one.checker, one.case): one for one in now}
    return Comparison(
        tuple(one for name, one in after.items() if name not in before),
        tuple(one for name, one in before.items() if name not in after),
        tuple((one, after[name]) for name, one in before.items() if name in after),
    )


def _by_path(findings: Iterable[Finding]) -> defaultdict[str, list[Finding]]:
    grouped: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        grouped[finding.path].append(finding)
    return grouped


def _compare_file(base: Sequence[Finding], now: Sequence[Finding], lines: _Lines) -> Comparison:
    waiting: defaultdict[Key, deque[Finding]] = defaultdict(deque)
    for old in base:
        waiting[_key(old, lines.after(old.line))].append(old)
    kept: list[tuple[Finding, Finding]] = []
    added = []
    for new in now:
        twins = waiting[_key(new, None if lines.is_new(new.line) else new.line)]
        if twins:
            kept.append((twins.popleft(), new))
        else:
            added.append(new)
    gone = [old for twins in waiting.values() for old in twins]
    moved = _pair_overlaps(added, gone, lines)
    return Comparison(tuple(added), tuple(gone), tuple(kept + moved))


def _key(finding: Finding, line: int | None) -> Key:
    return finding.checker, finding.rule, IN_HUNK if line is None else line


def _pair_overlaps(added: list[Finding], gone: list[Finding], lines: _Lines) -> list[tuple[Finding, Finding]]:
    """Take out of both lists what is the same finding at a new first line."""
    pairs = []
    for new in tuple(added):
        twin = next((old for old in gone if _same_place(old, new, lines)), None)
        if twin is not None:
            gone.remove(twin)
            added.remove(new)
            pairs.append((twin, new))
    return pairs


def _same_place(old: Finding, new: Finding, lines: _Lines) -> bool:
    if (old.checker, old.rule) != (new.checker, new.rule):
        return False
    first, last = lines.extent(old.line, old.end_line or old.line)
    return first <= (new.end_line or new.line) and new.line <= last


class _Lines:
    """Carries line numbers of the old text over to the new one."""

    def __init__(self, hunks: Sequence[Hunk]) -> None:
        self._hunks = hunks

    def after(self, line: int) -> int | None:
        """Where an old line stands now; None where the change touched it."""
        shift = 0
        for hunk in self._hunks:
            if line < _first(hunk):
                break
            if line < hunk.old_start + hunk.old_count:
                return None
            shift += hunk.new_count - hunk.old_count
        return line + shift

    def is_new(self, line: int) -> bool:
        """Whether a line of the new text was written by the change."""
        return any(hunk.new_start <= line < hunk.new_start + hunk.new_count for hunk in self._hunks)

    def extent(self, first: int, last: int) -> tuple[int, int]:
        """The lines of the new text that old lines `first` to `last` became, touched hunks whole.

        What stood on the first line may speak of the whole file, so it still reaches up to the first line.
        """
        start, end = self.after(first), self.after(last)
        if start is None:
            start = self._hunk_of(first).new_start
        if end is None:
            hunk = self._hunk_of(last)
            end = hunk.new_start + (hunk.new_count - 1 if hunk.new_count else 1)
        return (1 if first == 1 else start), max(start, end)

    def _hunk_of(self, line: int) -> Hunk:
        return next(hunk for hunk in self._hunks if _first(hunk) <= line < hunk.old_start + hunk.old_count)


def _first(hunk: Hunk) -> int:
    """The first old line that a hunk replaces; git numbers an insertion by the line before it."""
    return hunk.old_start if hunk.old_count else hunk.old_start + 1
