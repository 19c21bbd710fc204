"""Run the suite on the base once, beside the work, and on what the work came to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field, replace

from fanfold.fix.suite.run import Suite, SuiteResult, regressions
from fanfold.git import WorkspacePool


@dataclass(frozen=True)
class Part:
    """Some of the suite's files, or all of them, with how they went on the base."""

    suite: Suite
    base: SuiteResult


@dataclass
class Tester:
    """The project's suite, held against how it went on the base commit.

    The base's run starts when the tester is entered and is waited for by whoever needs it first. What a tree breaks
    is remembered, so that none is run twice unless that is asked for.

    Attributes:
        runs: of the whole suite, the base's among them.
        partial_runs: of some of its files.
        elapsed_s: seconds of all runs.
    """

    __test__ = False

    suite: Suite
    pool: WorkspacePool
    base: str
    runs: int = 0
    partial_runs: int = 0
    elapsed_s: float = 0.0
    warnings: dict[str, None] = field(default_factory=dict)
    _base: asyncio.Task[SuiteResult] | None = None
    _whole_s: float = 0.0
    _known: dict[tuple[str, tuple[str, ...], bool], tuple[str, ...]] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def running(self, *, at_once: bool = True) -> AsyncIterator[None]:
        """Start the base's run, at once or once it is needed; on the way out it is stopped where nobody waits."""
        if at_once:
            self._base = self._start()
        try:
            yield
        finally:
            if self._base is not None:
                self._base.cancel()
                await asyncio.gather(self._base, return_exceptions=True)

    def _start(self) -> asyncio.Task[SuiteResult]:
        if self._base is None:
            self._base = asyncio.create_task(self._on(self.suite, self.base), name="suite on the base")
        return self._base

    def known_base(self) -> SuiteResult | None:
        """How the suite went before any change, where that is known by now."""
        done = self._base is not None and self._base.done() and not self._base.cancelled()
        return self._base.result() if self._base is not None and done else None

    @property
    def whole_s(self) -> float:
        """Seconds that one run of the whole suite takes, on average; 0 = none has ended yet."""
        return self._whole_s / self.runs if self.runs else 0.0

    async def whole(self) -> Part:
        """All of the suite, once it is known how it went before any change."""
        return Part(self.suite, await asyncio.shield(self._start()))

    async def part(self, names: Collection[str], paths: Collection[str], *, to_the_end: bool = False) -> Part:
        """The files of these tests only; all of the suite where that can't be.

        Args:
            names: tests as a result calls them.
            paths: all files of the base, among which the tests' own are looked for.
            to_the_end: don't stop at the first failure.
        """
        whole = await self.whole()
        files = {name: file_of(name, paths) for name in (whole.base.cases or {})}
        chosen = {files.get(name) for name in names}
        if self.suite.kind != "pytest" or not chosen or None in chosen:
            return whole
        cases = {name: status for name, status in (whole.base.cases or {}).items() if files[name] in chosen}
        green = all(status in ("passed", "skipped") for status in cases.values())
        argv = (*self.suite.argv, *sorted(file for file in chosen if file))
        suite = replace(self.suite, argv=argv, stops_early=green and not to_the_end)
        return Part(suite, replace(whole.base, cases=cases, ok=green))

    def divides(self, part: Part) -> bool:
        """Whether a part is less than all of the suite."""
        return part.suite.argv != self.suite.argv

    async def broken_by(self, tree: str, part: Part | None = None, *, again: bool = False) -> tuple[str, ...]:
        """What a tree or commit breaks of a part of the suite, None = of all of it.

        Args:
            again: run it although it is known.
        """
        part = part or await self.whole()
        if not comparable(part.base):
            return ()
        key = tree, part.suite.argv, part.suite.stops_early
        if not again:
            if key in self._known:
                return self._known[key]
            if self._known.get(self._whole_of(tree)) == ():
                return ()
        now = await self._on(part.suite, tree)
        names = breaks(part.base, now)
        # Stopped at the first failure, the suite never came to the tests behind it.
        failed = [name for name in names if (now.cases or {}).get(name, "passed") != "passed"]
        self._known[key] = tuple(failed) if part.suite.stops_early and failed else names
        return self._known[key]

    def correct(self, tree: str, names: tuple[str, ...]) -> None:
        """Remember that a tree breaks these tests of the whole suite and no others, whatever a run said."""
        self._known[self._whole_of(tree)] = names

    def _whole_of(self, tree: str) -> tuple[str, tuple[str, ...], bool]:
        return tree, self.suite.argv, self.suite.stops_early

    async def _on(self, suite: Suite, tree: str) -> SuiteResult:
        result = await self.run(suite, tree)
        if suite.argv == self.suite.argv:
            self.runs += 1
            self._whole_s += result.elapsed_s
        else:
            self.partial_runs += 1
        self.elapsed_s += result.elapsed_s
        self.warnings.update(dict.fromkeys(result.warnings))
        return result

    async def run(self, suite: Suite, tree: str) -> SuiteResult:
        """Run a part of the suite on a tree, in a workspace of its own."""
        async with self.pool.lease(tree) as workspace:
            return await suite.run(workspace.root, workspace.cache)


def comparable(base: SuiteResult) -> bool:
    """Whether anything can be said of a change by this suite: it ran on the base, and something passed there."""
    return base.error is None and (base.ok if base.cases is None else "passed" in base.cases.values())


def breaks(base: SuiteResult, now: SuiteResult) -> tuple[str, ...]:
    """The tests that passed on the base and do not now; why there is no answer, where there is none now."""
    if now.error is not None:
        return (now.error,)
    return regressions(base, now)


def file_of(name: str, paths: Collection[str]) -> str | None:
    """The file that a test stands in, told by its dotted name; None where no such file is there."""
    parts = name.partition("::")[0].split(".")
    for end in range(len(parts), 0, -1):
        file = "/".join(parts[:end]) + ".py"
        if file in paths:
            return file
    return None
