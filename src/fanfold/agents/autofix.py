"""The agent that needs no model: ruff's own fixes and autotyping's, each rung of the ladder verified.

A rung is kept, or the file is put back. What fails whole goes through the sieve, which takes every fix of it but those
that add a finding; these are listed in the report.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from fanfold.agents import annotate
from fanfold.agents.annotate import Annotations
from fanfold.agents.draft import Draft, FixId
from fanfold.agents.protocol import Assignment, Report
from fanfold.agents.registry import AgentSettings, refuse_options
from fanfold.agents.ruff import Offer, Ruff, RuffFixes, Target, covers
from fanfold.agents.sieve import Rewriter, Sieve

NOT_UTF8 = "left alone: not UTF-8"
KINDS = ("safe", "unsafe")


class Autofix:
    """Fixes with the tools' own fixers; the same file always gets the same result."""

    name = "autofix"
    deterministic = True

    @classmethod
    def make(cls, settings: AgentSettings) -> Autofix:
        """The agent.

        Raises:
            AgentUnusable: it was given settings; it has none.
        """
        refuse_options(settings)
        return cls()

    async def work(self, assignment: Assignment) -> Report:
        """Climb the ladder on the assignment's file.

        Raises:
            AgentError: ruff itself failed.
        """
        path = assignment.root / assignment.path
        if path.is_symlink() or not path.is_file():
            return Report(summary="left alone: not a regular file")
        try:
            target, text = Target.open(path)
        except UnicodeDecodeError:
            return Report(summary=NOT_UTF8, refused=(NOT_UTF8,))
        if path.suffix == ".ipynb":
            return await _Notebook(assignment).climb()
        return await _Ladder(assignment, target, Draft.of(text)).climb()


@dataclass
class _Ladder:
    """One file on its way up. `draft` is what has been accepted, and on disk whenever no trial runs."""

    assignment: Assignment
    target: Target
    draft: Draft
    refused: dict[FixId, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    async def climb(self) -> Report:
        if self._ruff is None:
            self.notes.append("ruff is not among the checkers")
        else:
            await self._fixes(self._ruff)
        if self.assignment.annotate:
            await self._annotations()
        return Report(summary="; ".join(self.notes) or "nothing to fix", refused=await self._refusals())

    @property
    def _ruff(self) -> Ruff | None:
        return _ruff(self.assignment)

    async def _fixes(self, ruff: Ruff) -> None:
        """Try each kind of fixes whole; the sieve then takes what it can of the last kind that failed.

        What a safe fix adds, an unsafe one may take away, so a rung that failed is part of the next one.
        """
        self.refused |= dict.fromkeys(self._stays, "the project lives with it")
        failed: RuffFixes | None = None
        for kind in KINDS:
            fixes = self._ruff_fixes(ruff, unsafe=kind == "unsafe")
            if any(offer.kind == kind for offer in await ruff.offers() if fixes.takes(offer)):
                # By itself ruff would fix what is to stay, too.
                whole = not self._stays and await self._whole(ruff, fixes)
                failed = None if whole else fixes
                if not self._stays:
                    self.notes.append(f"ruff's {kind} fixes: {'all' if whole else 'not whole'}")
        if failed is not None:
            await self._sieve("ruff's fixes, one by one", failed)

    @functools.cached_property
    def _stays(self) -> frozenset[FixId]:
        """Ruff's fixes of what the project lives with, as they are named on the base."""
        base = Draft.of(self.draft.base)
        known = (one for one in self.assignment.leave if one.checker == "ruff" and one.line)
        return frozenset(base.id_at(one.rule, base.lines.offset(one.line, one.column)) for one in known)

    async def _whole(self, ruff: Ruff, fixes: RuffFixes) -> bool:
        """Let ruff make all fixes by itself, which takes one call where the sieve takes one for each of its passes."""
        if not (self.assignment.select or self.assignment.ignore):
            await ruff.fix(unsafe=fixes.unsafe)
        else:
            rules: frozenset[str] = frozenset()
            while more := {offer.rule for offer in await ruff.offers() if fixes.takes(offer)} - rules:
                rules |= more
                await ruff.fix(unsafe=fixes.unsafe, rules=rules)
        await self._format()
        text = self.target.read()
        if text == self.draft.text or (await self.assignment.verify()).harmless:
            self.draft = self.draft.rewritten(text)
            return True
        self._settle(self.draft)
        return False

    async def _annotations(self) -> None:
        if not annotate.available():
            self.notes.append("no annotations: autotyping is not installed")
            return
        ruff = self._ruff
        after = self._ruff_fixes(ruff, unsafe=True).rewrite if ruff else self._settled
        rewriter = Annotations(self.target.path.name, self.assignment.scratch, after)
        await self._sieve("autotyping's annotations", rewriter)
        if rewriter.failure:
            self.notes.append(f"autotyping: {rewriter.failure}")

    async def _sieve(self, rung: str, rewriter: Rewriter) -> None:
        before, refused = len(self.draft.removed), len(self.refused)
        sieve = Sieve(
            path=self.assignment.path,
            rewriter=_Formatted(self, rewriter) if self.assignment.formats else rewriter,
            judge=self.assignment.verify,
            findings=self._findings,
            settle=self._settle,
            draft=self.draft,
            refused=self.refused,
        )
        await sieve.admit()
        self.draft = sieve.draft
        made = len(self.draft.removed) - before
        if made or len(self.refused) > refused:
            self.notes.append(f"{rung}: {made} made, {len(self.refused) - refused} refused")

    def _ruff_fixes(self, ruff: Ruff, *, unsafe: bool) -> RuffFixes:
        return RuffFixes(ruff, self.target, unsafe, self._permitted)

    def _permitted(self, rule: str) -> bool:
        return _permitted(self.assignment, rule)

    async def _findings(self) -> tuple[Offer, ...]:
        return await self._ruff.offers() if self._ruff else ()

    async def _settled(self, draft: Draft, denied: Collection[FixId]) -> Draft:  # noqa: ARG002  (a rewriter's shape)
        self._settle(draft)
        return draft

    def _settle(self, draft: Draft) -> None:
        self.target.write(draft.text)

    async def _format(self) -> None:
        if self._ruff and self.assignment.formats:
            await self._ruff.format()

    async def formatted(self, draft: Draft) -> Draft:
        """The draft as the formatter leaves it, on disk too."""
        await self._format()
        return draft.rewritten(self.target.read())

    async def _refusals(self) -> tuple[str, ...]:
        """The refused fixes that ruff still offers; some are gone with what other fixes changed."""
        if not self.refused:
            return ()
        offered = {offer.fix(self.draft).id for offer in await self._findings() if offer.edits}
        return tuple(
            f"{self.assignment.path}:{self.draft.base_lines.number(one.base)} {one.rule}: {why}"
            for one, why in sorted(self.refused.items())
            if one not in self._stays and (one in offered or one.rule == annotate.RULE)
        )


@dataclass(frozen=True)
class _Formatted:
    """A rewriter's text, formatted."""

    ladder: _Ladder
    rewriter: Rewriter

    async def rewrite(self, draft: Draft, denied: Collection[FixId]) -> Draft:
        return await self.ladder.formatted(await self.rewriter.rewrite(draft, denied))


@dataclass
class _Notebook:
    """Ruff's places in a notebook count cell by cell, so its fixes are tried rule by rule."""

    assignment: Assignment
    refused: dict[str, str] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)

    async def climb(self) -> Report:
        ruff = _ruff(self.assignment)
        if ruff is None:
            return Report(summary="ruff is not among the checkers")
        for unsafe in (kind == "unsafe" for kind in KINDS):
            while rules := sorted({offer.rule for offer in await ruff.offers() if self._wants(offer, unsafe=unsafe)}):
                for rule in rules:
                    await self._try(ruff, rule, unsafe=unsafe)
        return Report(summary=f"rules fixed: {', '.join(sorted(self.kept)) or 'none'}", refused=tuple(self._refusals()))

    def _wants(self, offer: Offer, *, unsafe: bool) -> bool:
        wanted = offer.kind == "safe" or (unsafe and offer.kind == "unsafe")
        stays = any(one.checker == "ruff" and one.rule == offer.rule for one in self.assignment.leave)
        return wanted and not stays and offer.rule not in self.refused and _permitted(self.assignment, offer.rule)

    async def _try(self, ruff: Ruff, rule: str, *, unsafe: bool) -> None:
        path = self.assignment.root / self.assignment.path
        before = path.read_bytes()
        await ruff.fix(unsafe=unsafe, rules={rule})
        verdict = await self.assignment.verify()
        if verdict.harmless and path.read_bytes() != before:
            self.kept.add(rule)
            return
        path.write_bytes(before)
        added = ", ".join(sorted({finding.rule for finding in verdict.added}))
        self.refused[rule] = f"would add {added}" if added else "; ".join(verdict.reasons) or "changes nothing"

    def _refusals(self) -> Iterator[str]:
        for rule, why in sorted(self.refused.items()):
            yield f"{self.assignment.path} {rule}: {why}"


def _ruff(assignment: Assignment) -> Ruff | None:
    command = assignment.commands.get("ruff")
    return Ruff(command, assignment.root, assignment.path) if command else None


def _permitted(assignment: Assignment, rule: str) -> bool:
    """Whether the user lets a rule be fixed: it is selected and not ignored."""
    selected = not assignment.select or any(covers(prefix, rule) for prefix in assignment.select)
    return selected and not any(covers(prefix, rule) for prefix in assignment.ignore)
