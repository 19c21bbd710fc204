"""Group commit: one thread that owns the database writes what all branches of a moment have to record."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Final, TypeAlias

from fanfold.engine.journal.errors import JournalError, JournalFenced, NotDurable, explained, fenced
from fanfold.engine.journal.run import Taken, give_back, take
from fanfold.engine.journal.schema import OUTCOME_COLUMNS, Synchronous, opened, transaction
from fanfold.engine.journal.states import State

STEPS: Final = ("taken", "received", "begun", "inserted", "committed", "told", "closing")
"""What a journal does, in this order; where a test may want a process to die.

`taken`: the run has a new token. `received`: the thread has a group of outcomes and notes. `begun`: the transaction
has begun. `inserted`: all rows are in. `committed`: they are durable, and nobody knows. `told`: branches and whoever
made a note know, on the event loop. `closing`: nothing is left to write, and the run isn't given back yet.
"""

# Rows in one statement, and records that the thread gets before the event loop has nothing else to do.
MOST_ROWS: Final = 256
FULL_GROUP: Final = 64
Row: TypeAlias = tuple[str | int | float | None, ...]
ONE_ROW: Final = f"({', '.join('?' * len(OUTCOME_COLUMNS.split(',')))})"


class Record:
    """A row on its way to the disk.

    Attributes:
        row: in the order of the table's columns.
        is_note: whether it is one of the note table, not of the outcome table.
        state: the shared state that it refers to.
        told: done when the row is durable, or has an error that says why it isn't.
        durable: whether it is; None while that is open.
    """

    __slots__ = ("durable", "is_note", "row", "state", "told")

    def __init__(self, row: Row, state: State | None, told: asyncio.Future[None], *, is_note: bool = False) -> None:
        self.row = row
        self.is_note = is_note
        self.state = state
        self.told = told
        self.durable: bool | None = None


class Writer:
    """Commits records in the order in which they come, all that wait in one transaction.

    The event loop never touches the database. While one group is being written, the next one gathers.

    Attributes:
        recorded: outcomes that are durable.
        is_fenced: whether another opening has taken the run over, and this one knows.
    """

    def __init__(
        self,
        path: Path,
        run: str,
        version: str,
        *,
        synchronous: Synchronous,
        take_over: bool,
        keep_failures: bool,
        lock_timeout_s: float,
        on_step: Callable[[str], None],
    ) -> None:
        self._path = path
        self._run = run
        self._version = version
        self._synchronous = synchronous
        self._take_over = take_over
        self._keep_failures = keep_failures
        self._lock_timeout_s = lock_timeout_s
        self._on_step = on_step
        self.recorded = 0
        self.is_fenced = False
        self._stored: set[str] = set()
        self._loop = asyncio.get_running_loop()
        self._group: list[Record] = []
        self._groups: SimpleQueue[list[Record] | asyncio.Future[None] | None] = SimpleQueue()
        self._taken: asyncio.Future[Taken] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        # A daemon: a program that ends without closing its journal has nothing to wait for, for no branch was told.
        self._thread = Thread(target=self._work, name=f"fanfold-journal-{run}", daemon=True)

    async def open(self) -> Taken:
        """Start the thread, and own the run.

        Raises:
            JournalError: the run can't be had.
        """
        self._thread.start()
        return await self._taken

    def record(self, row: Row, state: State | None) -> Record:
        """Have an outcome written soon."""
        return self._soon(Record(row, state, self._loop.create_future()))

    def note(self, row: Row) -> Record:
        """Have a note written soon, after all that came before it."""
        return self._soon(Record(row, None, self._loop.create_future(), is_note=True))

    def _soon(self, record: Record) -> Record:
        if not self._group:
            self._loop.call_soon(self._hand_over)
        self._group.append(record)
        if len(self._group) >= FULL_GROUP:
            self._hand_over()
        return record

    async def settled(self) -> None:
        """Wait until all that was recorded so far is durable or has failed."""
        self._hand_over()
        reached = self._loop.create_future()
        self._groups.put(reached)
        await reached

    async def close(self) -> None:
        """Write what is left, give the run back and end the thread, even when the caller is cancelled meanwhile."""
        self._hand_over()
        self._groups.put(None)
        cancelled: asyncio.CancelledError | None = None
        while not self._ended.done():
            try:
                await asyncio.shield(self._ended)
            except asyncio.CancelledError as error:
                cancelled = error
        self._thread.join()
        if cancelled is not None:
            raise cancelled

    def _hand_over(self) -> None:
        if self._group:
            self._groups.put(self._group)
            self._group = []

    # What follows runs in the thread, unless it says otherwise.

    def _work(self) -> None:
        try:
            with opened(
                self._path, make=True, synchronous=self._synchronous, lock_timeout_s=self._lock_timeout_s
            ) as connection:
                taken = take(
                    connection,
                    self._run,
                    self._version,
                    take_over=self._take_over,
                    keep_failures=self._keep_failures,
                    on_step=self._on_step,
                )
                self._stored.update(taken.states)
                self._call_back(_resolve, self._taken, taken)
                self._commit_groups(connection)
                self._on_step("closing")
                # Where that can't be written either, the owner will be dead by the time somebody asks.
                with suppress(sqlite3.Error):
                    give_back(connection, taken)
        except BaseException as error:  # noqa: BLE001 it has no other way out of the thread
            self._call_back(_reject, self._taken, error)
        finally:
            self._call_back(_resolve, self._ended, None)

    def _commit_groups(self, connection: sqlite3.Connection) -> None:
        coming = True
        while coming:
            given = self._next_groups()
            coming = None not in given
            records = [record for group in given if isinstance(group, list) for record in group]
            if records:
                self._commit(connection, records)
            for reached in given:
                if isinstance(reached, asyncio.Future):
                    self._call_back(_resolve, reached, None)

    def _next_groups(self) -> list[list[Record] | asyncio.Future[None] | None]:
        """All that was handed over by now, at least one."""
        groups = [self._groups.get()]
        while not self._groups.empty():
            groups.append(self._groups.get_nowait())
        return groups

    def _commit(self, connection: sqlite3.Connection, records: list[Record]) -> None:
        try:
            self._write(connection, records)
        except Exception as error:  # noqa: BLE001 whatever it is, branches wait to hear of it
            if len(records) > 1 and not isinstance(error, sqlite3.OperationalError) and not _is_fence(error):
                # One row that can't be stored must not take the others with it.
                for record in records:
                    self._commit(connection, [record])
            else:
                self._call_back(self._tell, records, self._why_not(error))
        else:
            self._call_back(self._tell, records, None)

    def _write(self, connection: sqlite3.Connection, records: list[Record]) -> None:
        self._on_step("received")
        states = self._new_states(records)
        with transaction(connection):
            self._on_step("begun")
            connection.executemany("INSERT OR IGNORE INTO state VALUES (?, ?, ?)", states)
            _insert(connection, [record for record in records if not record.is_note])
            notes = [record.row for record in records if record.is_note]
            connection.executemany("INSERT INTO note VALUES (?, ?, ?, ?, ?, ?)", notes)
            self._on_step("inserted")
        self._stored.update(hash_ for _, hash_, _ in states)
        self._on_step("committed")

    def _new_states(self, records: list[Record]) -> list[tuple[object, str, str]]:
        new = {record.state: record.row[0] for record in records if record.state is not None}
        return [
            (run_id, state.hash, state.text)
            for state, run_id in new.items()
            if state.text is not None and state.hash not in self._stored
        ]

    def _why_not(self, error: Exception) -> Callable[[], JournalError]:
        def make() -> JournalError:
            if _is_fence(error):
                return fenced(self._run)
            if isinstance(error, sqlite3.Error):
                return explained(error, self._path, NotDurable)
            return NotDurable(f"the journal {self._path} can't store what it was given: {error}")

        return make

    def _tell(self, records: list[Record], why_not: Callable[[], JournalError] | None) -> None:
        """On the event loop: let the branches go on, each with an error of its own where there is one."""
        if why_not is None:
            self.recorded += sum(not record.is_note for record in records)
        elif isinstance(why_not(), JournalFenced):
            self.is_fenced = True
        for record in records:
            record.durable = why_not is None
            if record.told.done():
                continue
            if why_not is None:
                record.told.set_result(None)
            else:
                record.told.set_exception(why_not())
        self._on_step("told")

    def _call_back(self, function: Callable[..., None], *args: object) -> None:
        # The loop is closed where the program ended without closing its journal.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *args)


def _insert(connection: sqlite3.Connection, records: list[Record]) -> None:
    """All rows, in few statements: a thread waits for its turn after each, for long where the event loop is busy."""
    start, size = 0, MOST_ROWS
    while start < len(records):
        while size > len(records) - start:
            size //= 2  # powers of two: few statements to keep prepared
        values = [value for record in records[start : start + size] for value in record.row]
        connection.execute(_statement(size), values)
        start += size


_statements: dict[int, str] = {}


def _statement(rows: int) -> str:
    statement = _statements.get(rows)
    if statement is None:
        statement = f"INSERT INTO outcome ({OUTCOME_COLUMNS}) VALUES {', '.join([ONE_ROW] * rows)}"  # noqa: S608
        _statements[rows] = statement
    return statement


def _is_fence(error: Exception) -> bool:
    return isinstance(error, sqlite3.IntegrityError) and str(error) == "fenced"


def _resolve(future: asyncio.Future[object], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _reject(future: asyncio.Future[object], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
