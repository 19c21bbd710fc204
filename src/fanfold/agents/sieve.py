"""Of many fixes to one file, find the ones that verification refuses, with few verifications.

All fixes are tried together. Where a trial fails, the findings that it adds are laid at the fixes that wrote the lines
they stand on, or that took away a name they speak of. Fixes that are certainly at fault are refused, the innocent are
tried without the suspects, and suspects are tried rule by rule, then fix by fix.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fanfold.agents.draft import Draft, FixId
from fanfold.agents.protocol import Diagnostic, Verdict
from fanfold.agents.ruff import Offer

MAX_TRIALS = 100
NAMES = re.compile(r"[`\"']([^`\"'\s]+)[`\"']")

Group = frozenset[FixId]
"""Fixes of which at least one is at fault."""


@dataclass(frozen=True)
class _Blamed:
    """Why a trial failed: its fixes, and groups of them with what each group did."""

    new: Group
    groups: Mapping[Group, str]

    @property
    def suspects(self) -> Group:
        """All that may be at fault."""
        return frozenset().union(*self.groups)


class Rewriter(Protocol):
    """A source of fixes."""

    async def rewrite(self, draft: Draft, denied: Collection[FixId]) -> Draft:
        """The draft with every fix made that isn't denied; the file on disk holds its text."""
        ...


@dataclass
class Sieve:
    """One rung's fixes on one file.

    Args:
        path: the file, as findings name it.
        rewriter: makes the fixes.
        judge: verifies the file as it stands on disk.
        findings: what ruff finds in the file as it stands on disk; nothing where the project doesn't use ruff.
        settle: puts a draft on disk.
        draft: what has been accepted so far.
        refused: fixes never to be made, each with what it would do; those of rungs before this one stay refused.
    """

    path: str
    rewriter: Rewriter
    judge: Callable[[], Awaitable[Verdict]]
    findings: Callable[[], Awaitable[Sequence[Offer]]]
    settle: Callable[[Draft], None]
    draft: Draft
    refused: dict[FixId, str]
    trials: int = 0
    _known: frozenset[tuple[str, int]] | None = field(default=None)

    async def admit(self, waiting: Group = frozenset()) -> None:
        """Make every fix that is harmless, those in `waiting` left aside; on disk is what was accepted."""
        while blamed := await self._try(waiting):
            before = self._progress()
            await self._sort_out(blamed, waiting)
            if self._progress() == before:
                self._refuse(blamed.suspects, "; ".join(sorted(set(blamed.groups.values()))))

    async def _try(self, waiting: Group) -> _Blamed | None:
        """Make all fixes but the refused and the waiting; None where nothing is left to sort out."""
        tried = await self.rewriter.rewrite(self.draft, self.refused.keys() | waiting)
        if tried.text == self.draft.text:
            return None
        if (verdict := await self._judge()).harmless:
            self.draft, self._known = tried, None
            return None
        new = frozenset(tried.removed.keys() - self.draft.removed.keys())
        groups = await self._blame(tried, new, verdict)
        self.settle(self.draft)
        if self.trials >= MAX_TRIALS:
            self._refuse(new, "was given up after too many trials")
            return None
        return _Blamed(new, groups) if new else None

    async def _sort_out(self, blamed: _Blamed, waiting: Group) -> None:
        certain = [group for group in blamed.groups if len(group) == 1]
        for group in certain:
            self._refuse(group, blamed.groups[group])
        if certain:
            return
        before = self._progress()
        if blamed.suspects < blamed.new:
            await self.admit(waiting | blamed.suspects)
        if self._progress() == before:
            for half in _halves(blamed.suspects):
                await self.admit(waiting | half)

    async def _judge(self) -> Verdict:
        self.trials += 1
        return await self.judge()

    def _progress(self) -> tuple[int, int]:
        return len(self.draft.removed), len(self.refused)

    def _refuse(self, ids: Iterable[FixId], why: str) -> None:
        for one in ids:
            self.refused[one] = why

    async def _blame(self, tried: Draft, new: Group, verdict: Verdict) -> dict[Group, str]:
        """Groups of fixes, each with what it did. The file on disk is `tried`."""
        if not verdict.added:
            return {new: _shortened(verdict.reasons)}
        here = await self._added_by_ruff(tried)
        counts = Counter(finding.rule for finding in verdict.added if finding.checker == "ruff")
        blamed: defaultdict[Group, set[str]] = defaultdict(set)
        for finding in verdict.added:
            rows = here.get(finding.rule, ()) if finding.checker == "ruff" else ()
            if len(rows) > counts[finding.rule]:
                blamed[frozenset().union(*(_near(tried, row, new) for row in rows)) or new].add(finding.rule)
                continue
            for row in rows or ((finding.line,) if finding.path == self.path else (None,)):
                near = frozenset() if row is None else _near(tried, row, new)
                blamed[near or _naming(tried, finding, new) or new].add(finding.rule)
        return {group: "would add " + ", ".join(sorted(rules)) for group, rules in blamed.items()}

    async def _added_by_ruff(self, tried: Draft) -> dict[str, list[int]]:
        """The rows of ruff's findings, by rule, on lines that had no such finding in what was accepted.

        Verification counts within changed parts of the file, where it can't tell which of several equal findings is
        the new one.
        """
        now = await self.findings()
        if self._known is None:
            self.settle(self.draft)
            self._known = frozenset(_place(self.draft, offer) for offer in await self.findings())
            self.settle(tried)
        rows: defaultdict[str, list[int]] = defaultdict(list)
        for offer in now:
            if _place(tried, offer) not in self._known:
                rows[offer.rule].append(offer.row)
        return rows


def _place(draft: Draft, offer: Offer) -> tuple[str, int]:
    return offer.rule, draft.base_line_at(draft.lines.offset(offer.row, 1))


def _near(draft: Draft, row: int, new: Group) -> Group:
    """The fixes that wrote a line; else those that wrote the block that it begins."""
    start, end = draft.lines.span(row)
    on_line = draft.ids_between(start, end - 1) & new
    return on_line or draft.ids_between(start, _block_end(draft.text, start, end)) & new


def _block_end(text: str, start: int, end: int) -> int:
    """Where the lines end that are indented deeper than the one from `start` to `end`."""
    indent = _indent(text[start:end])
    at = end
    for line in text[end:].splitlines(keepends=True):
        if line.strip() and _indent(line) <= indent:
            break
        at += len(line)
    return at


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _naming(draft: Draft, finding: Diagnostic, new: Group) -> Group:
    """The fixes that took away a name that the finding speaks of."""
    names = {part for name in NAMES.findall(finding.message) for part in (name, name.rpartition(".")[2])}
    words = {one: set(re.findall(r"\w+", draft.removed[one])) for one in new}
    return frozenset(one for one in new if words[one] & names)


def _halves(ids: Group) -> tuple[Group, Group]:
    """About half of the fixes and the others, by rule where there are several rules, else by place."""
    rules = sorted({one.rule for one in ids})
    if len(rules) > 1:
        left = frozenset(one for one in ids if one.rule in rules[: len(rules) // 2])
    else:
        left = frozenset(sorted(ids)[: len(ids) // 2])
    return left, ids - left


def _shortened(reasons: Sequence[str]) -> str:
    more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return f"{reasons[0]}{more}" if reasons else "without a reason"
