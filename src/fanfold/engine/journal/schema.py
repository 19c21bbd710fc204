"""The tables of a journal, and the file that holds them."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from fanfold.engine.journal.errors import JournalUnusable, explained

Synchronous = Literal["NORMAL", "FULL"]

APPLICATION_ID: Final = 0x466E666A  # "Fnfj": what `file` and SQLite know the format by
SCHEMA_VERSION: Final = 2
CHECK_AGAIN_S: Final = 0.02

# Without rowids, rows stand in the order of their runs: reading one run reads nothing of the others.
# Run ids are never used again, for a stale writer may still hold the id of a run that was forgotten.
# The fence is in the database itself, where no writer can pass it by.
_FIRST_TABLES: Final = """
CREATE TABLE run (
    run_id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    uid TEXT NOT NULL,
    version TEXT NOT NULL,
    token INTEGER NOT NULL,
    owner_pid INTEGER,
    owner_process TEXT,
    created_s REAL NOT NULL,
    opened_s REAL NOT NULL,
    closed_s REAL
);
CREATE TABLE state (
    run_id INTEGER NOT NULL REFERENCES run,
    hash TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run_id, hash)
) WITHOUT ROWID;
CREATE TABLE outcome (
    run_id INTEGER NOT NULL REFERENCES run,
    number INTEGER NOT NULL,
    function TEXT NOT NULL,
    path TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    version TEXT NOT NULL,
    item_hash TEXT NOT NULL,
    state_hash TEXT,
    value TEXT,
    error_type TEXT,
    error TEXT,
    traceback TEXT,
    started_s REAL NOT NULL,
    elapsed_s REAL NOT NULL,
    token INTEGER NOT NULL,
    PRIMARY KEY (run_id, number),
    UNIQUE (run_id, path, function, attempt),
    CHECK ((value IS NULL) <> (error_type IS NULL))
) WITHOUT ROWID;
CREATE TRIGGER fence BEFORE INSERT ON outcome
WHEN NEW.token IS NOT (SELECT token FROM run WHERE run_id = NEW.run_id)
BEGIN
    SELECT RAISE(ABORT, 'fenced');
END;
CREATE VIEW runs AS
SELECT name, version, datetime(created_s, 'unixepoch') AS created,
    datetime(max(opened_s, coalesce(closed_s, 0)), 'unixepoch') AS last_used, owner_pid,
    (SELECT count(value) FROM outcome WHERE outcome.run_id = run.run_id) AS done,
    (SELECT count(error_type) FROM outcome WHERE outcome.run_id = run.run_id) AS failed
FROM run;
CREATE VIEW outcomes AS
SELECT name AS run, function,
    (SELECT group_concat(part.value, ' / ') FROM json_each(outcome.path) AS part) AS branch, attempt,
    iif(error_type IS NULL, 'done', 'failed') AS status, outcome.value, error_type, error, outcome.version,
    datetime(started_s, 'unixepoch') AS started, round(elapsed_s * 1000, 3) AS elapsed_ms
FROM outcome JOIN run USING (run_id)
ORDER BY run_id, number;
"""
_NOTES: Final = """
CREATE TABLE note (
    run_id INTEGER NOT NULL REFERENCES run,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    made_s REAL NOT NULL,
    token INTEGER NOT NULL,
    PRIMARY KEY (run_id, number)
) WITHOUT ROWID;
CREATE TRIGGER fence_note BEFORE INSERT ON note
WHEN NEW.token IS NOT (SELECT token FROM run WHERE run_id = NEW.run_id)
BEGIN
    SELECT RAISE(ABORT, 'fenced');
END;
CREATE VIEW notes AS
SELECT name AS run, number, kind, note.value, datetime(made_s, 'unixepoch') AS made
FROM note JOIN run USING (run_id)
ORDER BY run_id, number;
"""
_STEPS: Final = (_FIRST_TABLES, _NOTES)
"""What brings a journal from each schema to the next one, beginning with an empty file."""

OUTCOME_COLUMNS: Final = (
    "run_id, number, function, path, attempt, version, item_hash, state_hash, "
    "value, error_type, error, traceback, started_s, elapsed_s, token"
)


@contextmanager
def opened(
    path: Path, *, make: bool, synchronous: Synchronous = "NORMAL", lock_timeout_s: float
) -> Iterator[sqlite3.Connection]:
    """A connection to the journal at `path`, closed afterwards; made first if it is to be and isn't there.

    A new file can be read and written by its owner alone. One that is no journal isn't changed.

    Raises:
        JournalUnusable: there is none, or it can't be used; the message says why. So is whatever SQLite refuses
            inside.
    """
    if make:
        _make_file(path)
    elif not path.exists():
        raise JournalUnusable(f"there is no journal {path}", hint="check the path")
    try:
        connection = sqlite3.connect(path.absolute(), timeout=lock_timeout_s, isolation_level=None)
    except sqlite3.Error as error:
        raise explained(error, path, JournalUnusable) from error
    try:
        _prepare(connection, path, synchronous, time.monotonic() + lock_timeout_s)
        yield connection
    except sqlite3.Error as error:
        raise explained(error, path, JournalUnusable) from error
    finally:
        connection.close()


def _make_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise JournalUnusable(
            f"the journal {path} can't be made: {error.strerror}",
            hint="check that its folder exists and may be written to",
        ) from error


def _prepare(connection: sqlite3.Connection, path: Path, synchronous: Synchronous, until_s: float) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    with transaction(connection, "DEFERRED"):  # all that is read is of one moment
        version = _version(connection, path)
    if not version:
        # Has no effect once there are tables, nor when the file is in WAL mode.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _use_write_ahead_log(connection, path, until_s)
    if version < SCHEMA_VERSION:
        _bring_up_to_date(connection, path)
    connection.execute(f"PRAGMA synchronous = {synchronous}")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema of the file; 0 where it has no tables yet.

    Raises:
        JournalUnusable: it has, and they are none of ours.
    """
    ((application,),) = connection.execute("PRAGMA application_id")
    ((version,),) = connection.execute("PRAGMA user_version")
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_schema")
    if application == APPLICATION_ID and version > SCHEMA_VERSION:
        raise JournalUnusable(
            f"the journal {path} has schema {version}, and this Fanfold knows {SCHEMA_VERSION}",
            hint="use the newer Fanfold that wrote it; the file was left as it is",
        )
    if application == APPLICATION_ID:
        return int(version)
    if application or version or tables:
        raise JournalUnusable(
            f"{path} is no journal: it is another program's SQLite database",
            hint="choose another path; the file was left as it is",
        )
    return 0


def _use_write_ahead_log(connection: sqlite3.Connection, path: Path, until_s: float) -> None:
    """Readers never wait for the writer, nor the writer for readers."""
    while True:
        try:
            ((mode,),) = connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # For this change SQLite doesn't wait by itself.
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > until_s:
                raise
            time.sleep(CHECK_AGAIN_S)
        else:
            break
    if mode != "wal":
        raise JournalUnusable(
            f"the journal {path} can't have a write-ahead log here", hint="put it on a local disk of this machine"
        )


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    with transaction(connection):
        # Asked again: another process may have been faster.
        for step in _STEPS[_version(connection, path) :]:
            for statement in _statements(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _statements(script: str) -> Iterator[str]:
    """One after another: `executescript` would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def transaction(connection: sqlite3.Connection, kind: Literal["DEFERRED", "IMMEDIATE"] = "IMMEDIATE") -> Iterator[None]:
    """All of what is done inside is committed when it ends, or nothing is; other writers wait meanwhile."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
