"""Check and test what all changes come to together, and take out the ones that break it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from fanfold.fix.census import able, against_base, census_of
from fanfold.fix.checkers import Census
from fanfold.fix.compare import Comparison
from fanfold.fix.record import Run
from fanfold.fix.settle import settle
from fanfold.fix.tested import Part

Good = Callable[[Sequence[str]], Awaitable[bool]]
Again = Callable[[Sequence[str], Sequence[str]], Awaitable[None]]
"""Works once more on some tasks, each attempt tested with the tests of these names; none = with the whole suite."""


async def settle_together(run: Run, again: Again) -> None:
    """Make what landed good as a whole: no finding that the base lacks, no test that passed on the base broken.

    What breaks it is found by halving and taken out. Changes that break tests get one more attempt, with these
    tests as part of its verification: often only one fix of many in a file was wrong.
    """
    chances = 1
    while run.landing.landed:
        run.phase("verifying", "all changes together")
        commit = await run.landing.compose(tuple(run.landing.landed))
        broken = await _examine(run, commit)
        if not broken:
            return
        names, part = await _narrowed(run, commit) if run.broken_tests else ((), None)
        if run.tester is not None and run.broken_tests and part is None:
            run.notes.append(f"flaky: {broken[0]} once, and not again on the same tree")
            run.broken_tests = ()
            return
        # From here on until the next examination nothing is known of what is on the branch.
        run.after, run.comparison, run.broken_tests, run.tests_ran = None, None, (), False
        run.phase("bisecting", f"what {broken[0]}")
        settled = await settle(tuple(run.landing.landed), _good(run, part))
        await run.landing.take_out(dict.fromkeys(settled.guilty, broken[0]))
        if part is not None and chances and run.settings.tests != "each":
            chances -= 1
            await again(settled.guilty, names)


async def _examine(run: Run, commit: str) -> tuple[str, ...]:
    """What a commit breaks, in words; noted in the record as the last that is known of the result."""
    run.after, run.comparison = await _checked(run, commit)
    reasons = tuple(f"adds {one.checker} {one.rule} at {one.path}:{one.line}" for one in run.comparison.added)
    if reasons or run.tester is None:
        return reasons
    run.phase("testing", run.tester.suite.command)
    run.broken_tests = await run.tester.broken_by(commit)
    run.tests_ran = True
    return tuple(f"breaks {name}" for name in run.broken_tests)


async def _checked(run: Run, commit: str) -> tuple[Census, Comparison]:
    census = await census_of(run, commit, able(run))
    return census, await against_base(run, commit, census)


async def _narrowed(run: Run, commit: str) -> tuple[tuple[str, ...], Part | None]:
    """The smallest part of the suite that is red again on the same commit, None where nothing is; by which tests."""
    if run.tester is None:
        return (), None
    paths = {entry.path for entry in await run.repository.tree(run.repository.head)}
    parts = ((run.broken_tests, await run.tester.part(run.broken_tests, paths)), ((), await run.tester.whole()))
    for names, part in parts:
        if await run.tester.broken_by(commit, part):
            return names, part
    return (), None


def _good(run: Run, part: Part | None) -> Good:
    """Tells good sets of changes from others by what was broken: by tests or, without a part, by findings."""

    async def good(keys: Sequence[str]) -> bool:
        commit = await run.landing.compose(keys)
        if part is None or run.tester is None:
            _, comparison = await _checked(run, commit)
            return not comparison.added
        return not await run.tester.broken_by(commit, part)

    return good
