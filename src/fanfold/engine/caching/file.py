"""The database file of a cache, as the one thread sees it that works on it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from fanfold.engine.caching.store import CacheError, CacheKey, matching

APPLICATION = int.from_bytes(b"FFca")  # what `file` and PRAGMA application_id know such a file by
LAYOUT = 1
BUSY_S = 10.0

MOST_TOUCHED = 1_000

# `bytes` counts those of the value, a higher `used` is a later use, `expires_s` counts from 1970.
MAKE_ROOM = """
DELETE FROM entries WHERE digest IN (
    SELECT digest FROM (SELECT digest, sum(bytes) OVER (ORDER BY used) - bytes AS older FROM entries) WHERE older < ?
)
"""
SCHEMA = (
    """CREATE TABLE entries (
        digest TEXT PRIMARY KEY, label TEXT NOT NULL, version TEXT NOT NULL, value TEXT NOT NULL,
        bytes INTEGER NOT NULL, used INTEGER NOT NULL, expires_s REAL
    )""",
    "CREATE INDEX by_use ON entries (used)",
    "CREATE INDEX by_expiry ON entries (expires_s) WHERE expires_s IS NOT NULL",
    "CREATE INDEX by_label ON entries (label, version)",
    "CREATE TABLE size (bytes INTEGER NOT NULL, entries INTEGER NOT NULL)",
    "INSERT INTO size VALUES (0, 0)",
    """CREATE TRIGGER grown AFTER INSERT ON entries BEGIN
        UPDATE size SET bytes = bytes + new.bytes, entries = entries + 1;
    END""",
    """CREATE TRIGGER shrunk AFTER DELETE ON entries BEGIN
        UPDATE size SET bytes = bytes - old.bytes, entries = entries - 1;
    END""",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {LAYOUT}",
)


class CacheFile:
    """The database, as its thread sees it."""

    def __init__(self, path: Path, max_bytes: int, clock: Callable[[], float]) -> None:
        self.entries = 0
        self._path = path
        self._max_bytes = max_bytes
        self._clock = clock
        self._opened: sqlite3.Connection | None = None
        self._is_closed = False
        self._touched: dict[str, None] = {}

    def get(self, digest: str) -> tuple[str | None, int]:
        """The JSON under a digest, and how many expired results were found in its stead: 0 or 1."""
        found = self._connection.execute("SELECT value, expires_s FROM entries WHERE digest = ?", [digest]).fetchone()
        if found is None:
            return None, 0
        if found[1] is not None and found[1] <= self._clock():
            self.remove(digest)
            return None, 1
        self._touched.pop(digest, None)
        self._touched[digest] = None
        if len(self._touched) >= MOST_TOUCHED:
            with _Transaction(self._connection) as run:
                self._note_uses(run)
        return found[0], 0

    def put(self, key: CacheKey, text: str, ttl_s: float | None) -> tuple[int, int]:
        """Write a result; how many expired ones went, and how many had to make room."""
        expires_s = None if ttl_s is None else self._clock() + ttl_s
        size = len(text.encode())
        with _Transaction(self._connection) as run:
            run("DELETE FROM entries WHERE digest = ?", [key.digest])
            expired = run("DELETE FROM entries WHERE expires_s <= ?", [self._clock()]).rowcount
            last = self._note_uses(run)
            row = (key.digest, key.label, key.version, text, size, last + 1, expires_s)
            run("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            evicted = self._make_room(run)
            self.entries = run("SELECT entries FROM size").fetchone()[0]
        return expired, evicted

    def invalidate(self, labels: str, version: str) -> int:
        """Remove what matches; how many that were."""
        with _Transaction(self._connection) as run:
            pairs = run("SELECT DISTINCT label, version FROM entries").fetchall()
            gone = sum(
                run("DELETE FROM entries WHERE label = ? AND version = ?", pair).rowcount
                for pair in matching(pairs, labels, version)
            )
            self.entries = run("SELECT entries FROM size").fetchone()[0]
        return gone

    def remove(self, digest: str) -> None:
        """Remove a result."""
        self._connection.execute("DELETE FROM entries WHERE digest = ?", [digest])

    def size(self) -> int:
        """Bytes of JSON held now."""
        held, self.entries = self._connection.execute("SELECT bytes, entries FROM size").fetchone()
        return int(held)

    def close(self) -> None:
        """Close the database; what was read last counts as used last when it is opened again."""
        self._is_closed = True
        if self._opened is not None:
            connection, self._opened = self._opened, None
            try:
                with _Transaction(connection) as run:
                    self._note_uses(run)
            finally:
                connection.close()

    def told(self, error: Exception) -> CacheError:
        """What went wrong, in SQLite's words."""
        if isinstance(error, sqlite3.OperationalError | OSError):
            return CacheError(f"the cache {self._path} can't be used: {error}")
        return CacheError(f"{self._path} is damaged, or no cache: {error}", hint="delete it, and it is made anew")

    def closed(self) -> CacheError:
        """That nothing can be done with it any more."""
        return CacheError(f"the cache {self._path} was closed", hint="use it inside `async with` alone")

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._is_closed:
            raise self.closed()
        if self._opened is None:
            # SQLite itself would make it readable to others; its -wal and -shm files take over the mode.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._opened = _opened(self._path)
        return self._opened

    def _note_uses(self, run: Callable[..., sqlite3.Cursor]) -> int:
        """Write down, in order, what was read since the last time; the highest number of use."""
        last: int = run("SELECT coalesce(max(used), 0) FROM entries").fetchone()[0]
        for digest in self._touched:
            last += 1
            run("UPDATE entries SET used = ? WHERE digest = ?", [last, digest])
        self._touched.clear()
        return last

    def _make_room(self, run: Callable[..., sqlite3.Cursor]) -> int:
        """Remove the least recently used until the rest fits; how many that were."""
        over: int = run("SELECT bytes FROM size").fetchone()[0] - self._max_bytes
        if over <= 0:
            return 0
        return run(MAKE_ROOM, [over]).rowcount


class _Transaction:
    """All or nothing; writers of other processes wait."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Callable[..., sqlite3.Cursor]:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection.execute

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._connection.execute("COMMIT")
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _check(path, connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(path: Path, connection: sqlite3.Connection) -> None:
    """Make the tables in an empty file, and refuse all files but our own, untouched."""
    with _Transaction(connection) as run:
        application, layout, tables = (
            run(asked).fetchone()[0]
            for asked in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        )
        if (application, layout, tables) == (0, 0, 0):
            for statement in SCHEMA:
                run(statement)
        elif application != APPLICATION:
            raise CacheError(f"{path} is another program's database, no cache", hint="give a path of its own")
        elif layout != LAYOUT:
            raise CacheError(f"{path} was made by another version of Fanfold", hint="delete it, or give another path")
