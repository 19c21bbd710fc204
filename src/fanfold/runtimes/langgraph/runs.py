"""Which run of a journal a graph's run is: the one that its branches belong to, whoever began it."""

from __future__ import annotations

import asyncio
import functools
import json
import time
import uuid
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from langgraph.errors import GraphBubbleUp

from fanfold.engine import Journal, JournalError, JournalInUse
from fanfold.engine.journal.owner import Owner, is_held
from fanfold.engine.journal.run import forget
from fanfold.engine.journal.schema import opened
from fanfold.runtimes.flow import Flow
from fanfold.runtimes.native import Hop, branch_of

Ending: TypeAlias = Literal["finished", "paused", "failed"]

KEEP_S: Final = 7 * 24 * 3600.0
"""How long a finished run is kept: a graph may still be sent back to its branches."""

VERSION: Final = "1"
LOCK_TIMEOUT_S: Final = 30.0


class Passing(BaseException):
    """Brings an interrupt past all that takes it for a failure."""

    def __init__(self, error: GraphBubbleUp) -> None:
        super().__init__(error)
        self.error = error


class Run:
    """The run of a flow in a journal, if it has one.

    Args:
        path: the file of a journal to open.
        journal: one that is open.
    Attributes:
        branch: goes through the flow's hops.
        journal: None before it is opened, and where there is none.
    Raises:
        JournalError: the hops can't be journaled.
    """

    def __init__(self, flow: Flow[Any], path: Path | None, journal: Journal | None) -> None:
        self._flow = flow
        self._path = path if journal is None else None
        self._stack = AsyncExitStack()
        self._hops = tuple(map(passing, flow.hops))
        self.journal = journal
        self.branch: Hop = branch_of(flow, self._hops, journal)

    async def begin(self, fingerprint: str) -> str | None:
        """Open a run of branches that are given this: one that a process left when it died, or a new one.

        Returns:
            The run's name; None without a journal of its own.
        """
        if self._path is None:
            return None
        prefix = f"{self._flow.name} {fingerprint[:32]} "
        for name in await asyncio.to_thread(_unfinished, self._path, prefix):
            with suppress(JournalInUse):  # somebody else was faster
                await self._open(self._path, name)
                return name
        name = prefix + uuid.uuid4().hex
        await self._open(self._path, name)
        await asyncio.to_thread(_forget_old, self._path, self._flow.name)
        return name

    async def resume(self, name: str | None, fingerprint: str) -> list[str]:
        """Open the run that a branch belongs to.

        Returns:
            The keys of branches whose outcomes were delivered before the run paused.
        Raises:
            JournalInUse: another process, which is alive, goes on with it.
        """
        if self._path is None:
            return []
        if name is None:
            await self.begin(fingerprint)
            return []
        await self._open(self._path, name)
        return await asyncio.to_thread(_delivered, self._path, name)

    async def close(self, ending: Ending, delivered: list[str]) -> None:
        """Give the run back, with a word on how it ended: one that failed is begun again by who is given the same."""
        if self._path is None or self.journal is None:
            return
        with suppress(JournalError):
            if ending != "failed":
                await self.journal.wrap(_ended, name=_mark(ending))(delivered if ending == "paused" else [])
        await self._stack.aclose()

    async def _open(self, path: Path, name: str) -> None:
        opening = Journal.open(path, run=name, version=VERSION)
        self.journal = await self._stack.enter_async_context(opening)
        self.branch = branch_of(self._flow, self._hops, self.journal)


def passing(hop: Hop) -> Hop:
    """The hop, whose interrupts are no failures."""

    @functools.wraps(hop)
    async def wrapper(value: Any, state: Any) -> Any:
        try:
            return await hop(value, state)
        except GraphBubbleUp as error:
            raise Passing(error) from None

    return wrapper


async def _ended(delivered: list[str]) -> list[str]:
    return delivered


def _mark(ending: str) -> str:
    """Under which name the journal has it that a run ended so."""
    return f"the graph has {ending}"


def _unfinished(path: Path, prefix: str) -> list[str]:
    """Runs that neither finished nor wait for an answer, and that nobody who is alive has open; the latest first."""
    query = (
        "SELECT name, uid, token, owner_pid, owner_process FROM run WHERE substr(name, 1, ?) = ? AND NOT EXISTS"
        " (SELECT 1 FROM outcome WHERE outcome.run_id = run.run_id AND function IN (?, ?)) ORDER BY run_id DESC"
    )
    with opened(path, make=True, lock_timeout_s=LOCK_TIMEOUT_S) as connection:
        rows = connection.execute(query, (len(prefix), prefix, _mark("finished"), _mark("paused"))).fetchall()
    return [
        name for name, uid, token, pid, process in rows if pid is None or not is_held(Owner(pid, process), uid, token)
    ]


def _delivered(path: Path, name: str) -> list[str]:
    """What was delivered when the run paused for the last time, if it did."""
    query = (
        "SELECT value FROM outcome JOIN run USING (run_id) WHERE name = ? AND function = ? ORDER BY number DESC LIMIT 1"
    )
    with opened(path, make=False, lock_timeout_s=LOCK_TIMEOUT_S) as connection:
        row = connection.execute(query, (name, _mark("paused"))).fetchone()
    return json.loads(row[0]) if row is not None else []


def _forget_old(path: Path, flow: str) -> None:
    """Delete this flow's runs that finished long ago."""
    query = (
        "SELECT name FROM run WHERE substr(name, 1, ?) = ? AND closed_s < ? AND EXISTS"
        " (SELECT 1 FROM outcome WHERE outcome.run_id = run.run_id AND function = ?)"
    )
    until_s = time.time() - KEEP_S
    with opened(path, make=False, lock_timeout_s=LOCK_TIMEOUT_S) as connection:
        rows = connection.execute(query, (len(flow) + 1, f"{flow} ", until_s, _mark("finished"))).fetchall()
    for (name,) in rows:
        with suppress(JournalError):
            forget(path, name)
