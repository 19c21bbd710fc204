"""Run the suite on the base once, beside the work, and on what the work came to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fanfold.fix.suite import Suite, SuiteResult, regressions
from fanfold.git import Workspace, WorkspacePool


@dataclass
class Tester:
    """The project's suite, held against how it went on the base commit.

    The base's run starts when the tester is entered and is waited for by whoever needs it first.
    """

    suite: Suite
    pool: WorkspacePool
    base: str
    runs: int = 0
    elapsed_s: float = 0.0
    _base: asyncio.Task[SuiteResult] | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start the base's run; on the way out it is stopped where nobody waited for it."""
        base = self._start()
        try:
            yield
        finally:
            base.cancel()
            await asyncio.gather(base, return_exceptions=True)

    def _start(self) -> asyncio.Task[SuiteResult]:
        if self._base is None:
            self._base = asyncio.create_task(self.on_commit(self.base), name="suite on the base")
        return self._base

    async def on_base(self) -> SuiteResult:
        """How the suite went before any change."""
        return await asyncio.shield(self._start())

    def known_base(self) -> SuiteResult | None:
        """How the suite went before any change, where that is known by now."""
        done = self._base is not None and self._base.done() and not self._base.cancelled()
        return self._base.result() if self._base is not None and done else None

    async def on_commit(self, commit: str) -> SuiteResult:
        """Run the suite on a commit, in a workspace of its own."""
        async with self.pool.lease(commit) as workspace:
            return await self._run(workspace)

    async def broken(self, workspace: Workspace) -> tuple[str, ...]:
        """What a change in a workspace breaks: tests that passed on the base and no longer do."""
        return breaks(await self.on_base(), await self._run(workspace))

    async def _run(self, workspace: Workspace) -> SuiteResult:
        result = await self.suite.run(workspace.root, workspace.cache)
        self.runs += 1
        self.elapsed_s += result.elapsed_s
        return result


def comparable(base: SuiteResult) -> bool:
    """Whether anything can be said of a change by this suite: it ran on the base, and something passed there."""
    return base.error is None and (base.cases is not None or base.ok)


def breaks(base: SuiteResult, now: SuiteResult) -> tuple[str, ...]:
    """What passed on the base and does not now; none where the base itself can't be compared with."""
    if not comparable(base):
        return ()
    if now.error is not None:
        return (f"the tests no longer run: {now.error}",)
    return tuple(f"breaks the test {name}" for name in regressions(base, now))
