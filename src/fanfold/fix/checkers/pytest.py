"""Failing tests as findings, at the place in the project's code that they fail for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from fanfold.fix.checkers.invoke import DEADLINE_S, Answer, CouldNotCheck, checked
from fanfold.fix.checkers.paths import OutsideTree, Tree
from fanfold.fix.checkers.protocol import Checked, Reach, Scope
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import Layout, is_test, layout_of
from fanfold.fix.suite.failures import Failure, Failures, Place
from fanfold.fix.suite.run import Suite, SuiteResult, find_suite

FAILED = "Failed"
"""The rule of a test that fails without an exception."""
MAX_ALONE = 100
"""If more tests fail, it isn't by chance."""
NOT_COPIED = {".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


@dataclass(frozen=True)
class Pytest:
    """Runs the project's tests; each that fails is a finding, and is gone once it passes.

    It is placed where the project's own code raised, else at what the test calls, and in the test itself only where
    no other code has a part in it. What fails runs once more: what then passes did not fail for the code. The tests
    run on a copy of the tree, since they may leave files behind, with the guard that sees to it that the tree's code
    is what runs. No project gets this checker without asking for it.

    Args:
        call: how pytest is called, as the user types it, None = as usual.
    """

    call: str | None = None
    deadline_s: float = DEADLINE_S
    name: str = "pytest"
    reach: Reach = "project"

    @classmethod
    def called(cls, command: str) -> Pytest:
        """With a command line of the user's own, as in `--check "pytest=pytest tests/unit -x"`."""
        return cls(call=command)

    def command(self, scope: Scope) -> tuple[str, ...]:
        """How pytest is called."""
        suite = self._suite(scope)
        return (str(scope.project.python), "-m", "pytest") if suite is None else suite.argv

    async def check(self, scope: Scope) -> Checked:
        """Run the tests.

        Raises:
            FixError: the command isn't pytest's.
        """
        suite = await asyncio.to_thread(self._suite, scope)
        return await checked(self.name, self._answer(suite, scope))

    def _suite(self, scope: Scope) -> Suite | None:
        suite = find_suite(scope.root, scope.project, self.call, self.deadline_s)
        if suite is not None and suite.kind != "pytest":
            raise FixError(f"{self.call!r} does not call pytest", hint="name it as in pytest=pytest tests/unit")
        return suite

    async def _answer(self, suite: Suite | None, scope: Scope) -> Answer:
        if suite is None:
            raise CouldNotCheck(
                f"there is no pytest for {scope.project.python}, or there are no tests: install it where the "
                "project's code runs"
            )
        found, version = await _steady(suite, scope)
        wanted = None if scope.paths is None else frozenset(scope.paths)
        return Answer(tuple(one for one in found if wanted is None or one.path in wanted), version)


async def _steady(suite: Suite, scope: Scope) -> tuple[tuple[Finding, ...], str | None]:
    """The failures that aren't there by chance: of tests that fail alone, too, or whenever all of them run."""
    found, version = await _failing(suite, scope)
    names = sorted({case.removesuffix(" (setup)").removesuffix(" (teardown)") for case in found})
    if not names or len(names) > MAX_ALONE:
        return tuple(found.values()), version
    try:
        alone, _ = await _failing(replace(suite, argv=(*suite.argv, *names)), scope)
    except CouldNotCheck:
        alone = {}  # not every configuration of pytest takes the names that it gives
    if doubtful := found.keys() - alone.keys():
        again, _ = await _failing(suite, scope)
        chance = doubtful - again.keys()
        found = {case: one for case, one in found.items() if case not in chance}
    return tuple(found.values()), version


async def _failing(suite: Suite, scope: Scope) -> tuple[dict[str, Finding], str | None]:
    """What fails when a suite runs once, by the test's name; and pytest's version."""
    failures = Failures()
    async with _copied(scope) as root:
        result = await suite.run(root, scope.cache, failures)
        layout = await asyncio.to_thread(layout_of, root)
        found = [_finding(one, Tree(root), layout) for one in failures.found.values() if one.case]
    _refuse(result, failures)
    return {one.case: one for one in found}, failures.version


@contextlib.asynccontextmanager
async def _copied(scope: Scope) -> AsyncIterator[Path]:
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="tests-", dir=scope.cache.resolve()))
    root = folder / "tree"
    try:
        await asyncio.to_thread(shutil.copytree, scope.root, root, symlinks=True, ignore=_left_behind)
        yield root
    except (OSError, shutil.Error) as error:
        raise CouldNotCheck(f"the tree can't be copied: {error}") from error
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _left_behind(_: str, names: Iterable[str]) -> set[str]:
    return NOT_COPIED & set(names)


def _refuse(result: SuiteResult, failures: Failures) -> None:
    """See to it that what is known of the tests is all there is to know."""
    if result.error is not None:
        raise CouldNotCheck(result.error)
    for one in failures.found.values():
        if one.when == "collect":
            raise CouldNotCheck(f"the tests of {one.case} could not be collected: {one.type}: {one.message}")
    red = sum(status in ("failed", "error") for status in (result.cases or {}).values())
    if not failures.found and (red or result.returncode):
        what = f"{red} tests fail" if red else f"pytest ended with exit code {result.returncode}"
        raise CouldNotCheck(f"{what}, and where is not known: {result.output_tail[-500:]}")


def _finding(failure: Failure, tree: Tree, layout: Layout) -> Finding:
    path, line = _where(failure, tree, layout)
    case = failure.case if failure.when == "call" else f"{failure.case} ({failure.when})"
    message = failure.message.replace(f"{tree.root}/", "")
    return Finding(
        path=path,
        line=line,
        column=1 if line else 0,
        checker="pytest",
        rule=failure.type or FAILED,
        message=f"{message or 'fails'} ({case})",
        case=case,
    )


def _where(failure: Failure, tree: Tree, layout: Layout) -> Place:
    """The place to work on: the project's own code before the tests', what raised before what was called."""
    raised = [place for one in reversed(failure.frames) if (place := _inside(one, tree))]
    called = [place for one in failure.calls if (place := _inside(one, tree))]
    own = [place for place in (*raised, *called) if not is_test(place[0], layout)]
    if own:
        return own[0]
    return next(iter(raised), None) or _inside(failure.place, tree) or (failure.case.partition("::")[0], 0)


def _inside(place: Place, tree: Tree) -> Place | None:
    file, line = place
    try:
        path = tree.relative(file)
    except OutsideTree:
        return None
    return (path, line) if os.path.isfile(tree.root / path) else None  # noqa: PTH113 -- any name that a test may give
