"""Verify what changes come to together before it becomes the tip: checkers, the user's own hook, the suite."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from fanfold.fix.census import able, against_base, census_of, named
from fanfold.fix.checkers import Census, Checked, Scope, run_checkers
from fanfold.fix.compare import Comparison
from fanfold.fix.hook import Hook
from fanfold.fix.record import Run
from fanfold.fix.tested import Part, Tester, comparable
from fanfold.git.hooks import pre_commit_hook

MAX_REASONS = 10
HOOK = "the pre-commit hook"


@dataclass(frozen=True)
class Candidate:
    """A tree that may become the tip.

    Args:
        tip: the commit that it is on.
        tree: the whole tree.
        paths: in which it differs from the tip.
        count: of the changes that it is made of.
    """

    tip: str
    tree: str
    paths: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Green:
    """Nothing speaks against a tree; what the checkers say of it, and whether the suite could judge it."""

    census: Census
    comparison: Comparison
    tested: bool


@dataclass(frozen=True)
class Red:
    """What speaks against a tree.

    Args:
        by: what found it; `narrow` = that is less than the whole verification, and shows it again by itself.
        reasons: in words that follow "it".
        tests: names of the tests that it breaks.
        part: of the suite, which shows it again; None where it was something else.
    """

    by: Literal["checkers", "hook", "tests"]
    reasons: tuple[str, ...]
    tests: tuple[str, ...] = ()
    part: Part | None = None
    narrow: bool = True


@dataclass
class Verification:
    """Verifies trees one after another; knows what the checkers said of the tip, and which tests are flaky.

    Args:
        census: what the checkers say of the tip.
        tested: whether the suite has judged the tip.
        flaky: tests that failed without the change, too, or not the second time.
        unable: checkers that could check the base and no longer can check the tip, with their words.
    """

    run: Run
    hook: Hook | None
    paths: frozenset[str]
    census: Census
    tested: bool = False
    flaky: dict[str, None] = field(default_factory=dict)
    unable: dict[str, str] = field(default_factory=dict)
    _doubt: Part | None = None

    async def ready(self) -> float:
        """Wait until trees can be verified; about how many seconds that takes, as far as it is known."""
        tester = self.run.tester
        if tester is None:
            return 0.0
        await tester.whole()
        return tester.whole_s

    async def verify(self, candidate: Candidate) -> Green | Red:
        """By everything: what is cheap first."""
        detail = "1 change" if candidate.count == 1 else f"{candidate.count} changes together"
        self.run.phase("verifying", f"{detail} on the tip")
        checked = await self._checked(candidate)
        if isinstance(checked, Red):
            return checked
        red = await self._hooked(candidate) or await self._tested(candidate)
        if red is not None:
            return red
        self._doubt = None
        tester = self.run.tester
        return replace(checked, tested=tester is not None and comparable((await tester.whole()).base))

    async def shows(self, red: Red, candidate: Candidate) -> Red | None:
        """Whether another tree is red by the same, by that alone; only for what is narrow."""
        self.run.phase("bisecting", f"what {red.reasons[0]}")
        if red.by == "checkers":
            checked = await self._checked(candidate)
            return checked if isinstance(checked, Red) else None
        if red.by == "hook":
            return await self._hooked(candidate)
        tester = self.run.tester
        names = await tester.broken_by(candidate.tree, red.part) if tester else ()
        return replace(red, reasons=_breaks(names), tests=names) if names else None

    async def confirms(self, candidate: Candidate) -> bool:
        """Run a suite that doesn't divide once more on a red tree, and on its tip: whether it is red by the change."""
        tester = self.run.tester
        if tester is None:
            return True
        names = await tester.broken_by(candidate.tree, again=True)
        flaky = not names or bool(await tester.broken_by(await self._tree_of(candidate.tip), again=True))
        if flaky:
            self.flaky[tester.suite.command] = None
            tester.correct(candidate.tree, ())
        return not flaky

    def accept(self, green: Green) -> None:
        """What was verified is the tip now."""
        self.census, self.tested = green.census, green.tested
        self.run.after, self.run.comparison = green.census, green.comparison

    async def _checked(self, candidate: Candidate) -> Green | Red:
        census = await self._census(candidate)
        words = {name: error for name, error in census.errors.items() if name not in self.unable}
        if words and (broken := await self._broken_tip(candidate, words)):
            self.unable.update(broken)
        reasons = tuple(f"can't be checked with {name}: {words[name]}" for name in words if name not in self.unable)
        comparison = await against_base(self.run, candidate.tree, census)
        reasons += tuple(
            f"adds {one.checker} {one.rule} at {one.path}:{one.line}: {one.message}" for one in comparison.added
        )
        return Red("checkers", reasons[:MAX_REASONS]) if reasons else Green(census, comparison, tested=False)

    async def _broken_tip(self, candidate: Candidate, words: Collection[str]) -> dict[str, str]:
        """Those of the checkers that can't check the tip either."""
        checkers = [checker for checker in able(self.run) if checker.name in words]
        async with self.run.pool.lease(candidate.tip) as workspace:
            errors = (await run_checkers(checkers, self._scope(workspace.root))).errors
        return dict(errors)

    async def _census(self, candidate: Candidate) -> Census:
        """What checkers say of the tree; of a single file's findings those of the tip hold for all other files."""
        checkers = able(self.run)
        async with self.run.pool.lease(candidate.tree) as workspace:
            there = tuple(path for path in candidate.paths if (workspace.root / path).is_file())
            asked = [checker for checker in checkers if there or checker.reach == "project"]
            found = named(await run_checkers(asked, self._scope(workspace.root, there)), workspace.root)
        before = {one.checker: one for one in self.census.checked}
        now = {one.checker: one for one in found.checked}
        near = {checker.name for checker in checkers if checker.reach == "file"}
        merged = [
            _merged(before[one.name], now.get(one.name), candidate.paths) if one.name in near else now[one.name]
            for one in checkers
        ]
        return Census(tuple(merged))

    def _scope(self, root: Path, paths: tuple[str, ...] | None = None) -> Scope:
        settings = self.run.settings
        return Scope(root, self.run.project, self.run.cache, paths, settings.select, settings.exclude)

    async def _hooked(self, candidate: Candidate) -> Red | None:
        if self.hook is None or self.hook.usable is False:
            return None
        said = await self.hook.refuses(candidate.tip, candidate.tree)
        return None if said is None else Red("hook", (f"is refused by {HOOK}: {said}",))

    async def _tested(self, candidate: Candidate) -> Red | None:
        """By the suite; by what was red a moment ago first, which takes less."""
        tester = self.run.tester
        if tester is None or not comparable((await tester.whole()).base):
            return None
        if self._doubt is not None and (names := await tester.broken_by(candidate.tree, self._doubt)):
            return Red("tests", _breaks(names), names, self._doubt)
        self.run.phase("testing", tester.suite.command)
        names = await tester.broken_by(candidate.tree)
        return await self._really_broken(tester, names, candidate) if names else None

    async def _really_broken(self, tester: Tester, names: tuple[str, ...], candidate: Candidate) -> Red | None:
        """What is left of a red run without the flaky tests: those fail without the change, or pass the second time."""
        part = await tester.part(names, self.paths, to_the_end=True)
        if not tester.divides(part):
            return Red("tests", _breaks(names), names, part, narrow=False)
        again = await tester.broken_by(candidate.tree, part, again=True)
        without = await tester.broken_by(await self._tree_of(candidate.tip), part, again=True)
        real = tuple(name for name in names if name in again and name not in without)
        if real:
            red = Red("tests", _breaks(real), real, part)
        else:
            # What fails only after other tests is as real, and no part shows it.
            whole = set(names) - set(without)
            once_more = await tester.broken_by(candidate.tree, again=True) if whole else ()
            real = tuple(name for name in once_more if name in whole)
            red = Red("tests", _breaks(real), real, await tester.whole(), narrow=False)
        self.flaky.update(dict.fromkeys(name for name in names if name not in real))
        tester.correct(candidate.tree, real)
        if not real:
            return None
        self._doubt = part if red.narrow else None
        return red

    async def _tree_of(self, commit: str) -> str:
        return await self.run.landing.branch.compose((), on=commit)


def _merged(before: Checked, now: Checked | None, paths: Sequence[str]) -> Checked:
    """What a checker of single files says of a tree of which it was asked about some paths only."""
    if now is not None and now.error is not None:
        return now
    elsewhere = tuple(finding for finding in before.findings if finding.path not in paths)
    return replace(before, findings=tuple(sorted((*elsewhere, *(now.findings if now else ())))))


def _breaks(names: Sequence[str]) -> tuple[str, ...]:
    more = len(names) - MAX_REASONS
    told = tuple(f"breaks {name}" for name in names[:MAX_REASONS])
    return (*told, f"breaks {more} more") if more > 0 else told


async def verification_of(run: Run) -> Verification:
    """The verification of a run, whose result branch may have been begun by an earlier process."""
    tip, base = run.landing.branch.tip, run.repository.head
    paths = tuple(entry.path for entry in await run.repository.tree(base))
    path = await pre_commit_hook(run.repository) if run.settings.hooks else None
    hook = None if path is None else Hook(path, run.project, run.pool, paths)
    verification = Verification(run, hook, frozenset(paths), run.census)
    if tip != base:
        census = await census_of(run, tip, able(run))
        tested = run.tester is not None and comparable((await run.tester.whole()).base)
        verification.accept(Green(census, await against_base(run, tip, census), tested))
    return verification
