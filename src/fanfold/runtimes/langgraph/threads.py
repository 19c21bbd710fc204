"""Journals of LangGraph threads: one run of a journal's file for each `thread_id`."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from fanfold.engine import Journal


class ThreadJournals:
    """Opens a thread's run when its first branch asks for it; `ThreadJournals.open` makes one."""

    def __init__(self, path: Path, version: str, most_open: int, options: dict[str, Any]) -> None:
        self._path = path
        self._version = version
        self._most_open = most_open
        self._options = options
        self._threads: OrderedDict[str, _Thread] = OrderedDict()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path | str, *, version: str, most_open: int = 16, **options: Any
    ) -> AsyncIterator[ThreadJournals]:
        """Keep the outcomes of each thread's branches in one file; leaving the block closes all runs.

        Args:
            path: the journal's file, as for `Journal.open`.
            version: of the graph: change it when its nodes would come to other outcomes.
            most_open: runs that stay open while no branch of theirs is at work; each has a thread and a connection.
            options: further ones of `Journal.open`: synchronous, keep_failures, take_over, lock_timeout_s, on_step.
        """
        journals = cls(Path(path), version, most_open, options)
        try:
            yield journals
        finally:
            await journals._close_all()

    @asynccontextmanager
    async def of(self, thread: str) -> AsyncIterator[Journal]:
        """The journal of a thread, open at least until the block ends.

        Raises:
            JournalInUse, JournalUnusable: as `Journal.open`.
        """
        known = self._threads.setdefault(thread, _Thread())
        self._threads.move_to_end(thread)
        known.users += 1
        try:
            async with known.lock:
                if known.journal is None:
                    opening = Journal.open(self._path, run=thread, version=self._version, **self._options)
                    known.journal = await known.stack.enter_async_context(opening)
            yield known.journal
        finally:
            known.users -= 1
            await self._close_idle()

    async def _close_idle(self) -> None:
        for thread, known in list(self._threads.items())[: max(0, len(self._threads) - self._most_open)]:
            # Whoever wants the thread meanwhile waits for the lock, and opens it again.
            async with known.lock:
                if not known.users:
                    await known.close()
            if not known.users:
                self._threads.pop(thread, None)

    async def _close_all(self) -> None:
        for known in self._threads.values():
            await known.close()


class _Thread:
    """A thread's journal, and how many branches use it now."""

    __slots__ = ("journal", "lock", "stack", "users")

    def __init__(self) -> None:
        self.journal: Journal | None = None
        self.lock = asyncio.Lock()
        self.stack = AsyncExitStack()
        self.users = 0

    async def close(self) -> None:
        """Give the run back; it may be opened again."""
        self.journal = None
        await self.stack.aclose()
