"""The database file of what was learned: its tables, and how it is opened."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from fanfold.fix.learning.errors import LearningError

NAME = "learning.sqlite"
APPLICATION = int.from_bytes(b"FFln")
"""What `file` and PRAGMA application_id know such a file by."""
FORMAT = 1
BUSY_S = 10.0
CHECK_AGAIN_S = 0.01

# `token` names a project without saying where it is; `place` is NULL for one whose figures were imported.
_TABLES = (
    "CREATE TABLE projects (id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, place TEXT UNIQUE)",
    """CREATE TABLE tries (
        trail TEXT NOT NULL, checker TEXT NOT NULL, rule TEXT NOT NULL,
        project INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE, run TEXT NOT NULL, agent TEXT NOT NULL,
        stage INTEGER NOT NULL, number INTEGER NOT NULL, asked INTEGER NOT NULL, fixed INTEGER NOT NULL,
        cost_usd REAL, tokens REAL, agent_s REAL NOT NULL, at_s REAL NOT NULL,
        PRIMARY KEY (trail, checker, rule)
    ) WITHOUT ROWID""",
    "CREATE INDEX tries_agent ON tries (agent)",
    "CREATE INDEX tries_project ON tries (project)",
    """CREATE TABLE examples (
        project INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE, checker TEXT NOT NULL, rule TEXT NOT NULL,
        trail TEXT NOT NULL, diff TEXT NOT NULL, at_s REAL NOT NULL,
        PRIMARY KEY (project, checker, rule, trail)
    ) WITHOUT ROWID""",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {FORMAT}",
)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the file, which is made if it isn't there; for its owner's eyes alone.

    Raises:
        LearningError: it can't be used; so is whatever SQLite refuses inside.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from error
    try:
        _prepare(connection, path)
        yield connection
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    finally:
        connection.close()


@contextlib.contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside, or nothing of it; other processes wait meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA foreign_keys = ON")
    if not _is_ready(connection, path):
        _use_write_ahead_log(connection)
        with writing(connection):
            if not _is_ready(connection, path):
                for statement in _TABLES:
                    connection.execute(statement)
    connection.execute("PRAGMA synchronous = NORMAL")


def _is_ready(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the tables are there.

    Raises:
        LearningError: they are another program's, or of a newer Fanfold.
    """
    ((application,),) = connection.execute("PRAGMA application_id")
    ((version,),) = connection.execute("PRAGMA user_version")
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_schema")
    if application == APPLICATION and version <= FORMAT:
        return True
    if application == APPLICATION:
        raise LearningError(
            f"{path} has format {version}, and this Fanfold knows {FORMAT}",
            hint="use the newer Fanfold that wrote it; the file was left as it is",
        )
    if application or version or tables:
        raise LearningError(f"{path} is another program's database", hint="move it away; it was left as it is")
    return False


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Readers don't wait for a run that writes; for this change SQLite itself doesn't wait for others."""
    until_s = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until_s:
                raise
            time.sleep(CHECK_AGAIN_S)
        else:
            return


def _unusable(path: Path, error: Exception) -> LearningError:
    return LearningError(
        f"what was learned can't be kept in {path}: {error}",
        hint="move the file away to begin anew, or run with --no-learn",
    )
