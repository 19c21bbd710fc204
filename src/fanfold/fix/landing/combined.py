"""Verify what changes come to together before it becomes the tip: checkers, the user's own hook, the suite."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fanfold.fix.checkers import Census, Checked, Scope, run_checkers
from fanfold.fix.findings.census import able, against_base, census_of, named
from fanfold.fix.landing.candidate import MAX_REASONS, Candidate, Green, Red
from fanfold.fix.landing.hook import Hook
from fanfold.fix.record import Run
from fanfold.fix.suite.check import SuiteCheck
from fanfold.git.hooks import pre_commit_hook

HOOK = "the pre-commit hook"


@dataclass
class Verification:
    """Verifies trees one after another; knows what the checkers said of the tip.

    Args:
        census: what the checkers say of the tip.
        tested: whether the suite has judged the tip.
        unable: checkers that could check the base and no longer can check the tip, with their words.
    """

    run: Run
    hook: Hook | None
    suite: SuiteCheck | None
    census: Census
    tested: bool = False
    unable: dict[str, str] = field(default_factory=dict)

    async def ready(self) -> float:
        """Wait until trees can be verified; about how many seconds that takes, as far as it is known."""
        if self.suite is None:
            return 0.0
        if self.suite.tester.known_base() is not None:
            return await self.suite.ready()
        self.run.phase("waiting", "for the suite to end on the base, before anything lands")
        takes_s = await self.suite.ready()
        self.run.phase("going on", f"now that the suite has run on the base, in {takes_s:.1f} s")
        return takes_s

    async def verify(self, candidate: Candidate) -> Green | Red:
        """By everything: what is cheap first."""
        detail = ", ".join(candidate.paths) if candidate.count == 1 else f"{candidate.count} changes together"
        self.run.phase("verifying", f"{detail} on the tip")
        checked = await self._checked(candidate)
        if isinstance(checked, Red):
            return checked
        red = await self._hooked(candidate) or await self._tested(candidate)
        return red or replace(checked, tested=self.suite is not None and await self.suite.judges())

    async def shows(self, red: Red, candidate: Candidate) -> Red | None:
        """Whether another tree is red by the same, by that alone; only for what is narrow."""
        self.run.phase("bisecting", f"what {red.reasons[0]}")
        if red.by == "checkers":
            checked = await self._checked(candidate)
            return checked if isinstance(checked, Red) else None
        if red.by == "hook":
            return await self._hooked(candidate)
        return await self.suite.shows(red, candidate.tree) if self.suite else None

    async def confirms(self, candidate: Candidate, *, tip: bool) -> bool:
        """Whether a change that a suite that doesn't divide is against is bad, and wasn't red by chance."""
        if self.suite is None:
            return True
        return await self.suite.confirms(candidate.tree, await self._tree_of(candidate.tip) if tip else None)

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
        if self.suite is None or not await self.suite.judges():
            return None
        self.run.phase("testing", self.suite.tester.suite.command)
        return await self.suite.examine(candidate.tree, await self._tree_of(candidate.tip))

    async def _tree_of(self, commit: str) -> str:
        return await self.run.landing.branch.compose((), on=commit)


def _merged(before: Checked, now: Checked | None, paths: Sequence[str]) -> Checked:
    """What a checker of single files says of a tree of which it was asked about some paths only."""
    if now is not None and now.error is not None:
        return now
    elsewhere = tuple(finding for finding in before.findings if finding.path not in paths)
    return replace(before, findings=tuple(sorted((*elsewhere, *(now.findings if now else ())))))


async def verification_of(run: Run) -> Verification:
    """The verification of a run, whose result branch may have been begun by an earlier process."""
    tip, base = run.landing.branch.tip, run.repository.head
    paths = tuple(entry.path for entry in await run.repository.tree(base))
    path = await pre_commit_hook(run.repository) if run.settings.hooks else None
    hook = None if path is None else Hook(path, run.project, run.pool, paths)
    suite = None if run.tester is None else SuiteCheck(run.tester, frozenset(paths))
    verification = Verification(run, hook, suite, run.census)
    if tip != base:
        census = await census_of(run, tip, able(run))
        tested = suite is not None and await suite.judges()
        verification.accept(Green(census, await against_base(run, tip, census), tested))
    return verification
