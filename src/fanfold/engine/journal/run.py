"""One run in the journal: taken over by its owner, read once, given back; and those of the past."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from fanfold.engine.journal.errors import JournalInUse, JournalUnusable
from fanfold.engine.journal.owner import Owner, hold, is_held, let_go
from fanfold.engine.journal.schema import opened, transaction

LOCK_TIMEOUT_S = 10.0
BETWEEN_VERSIONS = " / "


class Key(NamedTuple):
    """What an outcome is of: it counts only for the same function at the same place with the same input.

    Attributes:
        version: the function's own, beside the journal's; "" = it has none.
    """

    function: str
    path: str
    item_hash: str
    state_hash: str | None
    version: str = ""


class Committed(NamedTuple):
    """What the journal has of an outcome: a value as JSON, or an error."""

    value: str | None
    error_type: str | None = None
    error: str | None = None
    traceback: str | None = None


@dataclass(slots=True)
class Past:
    """How often a function has come to an outcome at one place.

    Attributes:
        attempt: the number of its last record in the journal.
        done: values that the flow has been given, in this process, from the journal or not.
    """

    attempt: int = 0
    done: int = 0


@dataclass(slots=True)
class Taken:
    """A run that this process owns, and what was committed before.

    Attributes:
        uid: tells the run from all others, those of the same name in other journals included.
        token: higher with each opening; rows with a lower one are refused.
        number: of the last row.
        note_number: of the last note.
        notes: by kind, as JSON, in order.
        committed: what counts, the next one to be used last.
        past: by function and path.
        states: hashes of the shared states that are stored.
    """

    run_id: int
    uid: str
    token: int
    number: int = 0
    note_number: int = 0
    notes: dict[str, list[str]] = field(default_factory=dict)
    committed: dict[Key, list[Committed]] = field(default_factory=dict)
    past: dict[tuple[str, str], Past] = field(default_factory=dict)
    states: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run that a journal holds.

    Attributes:
        version: of the flow that opened it last.
        is_open: whether a process that is alive has it open.
        places: at how many places, by their paths of keys, a value was come to.
        owner_pid: the process that has it open, or had it when it died; None = it was closed.
        created_s, last_used_s: seconds since 1970.
        done, failed: outcomes recorded, those of earlier versions and attempts included.
    """

    name: str
    version: str
    is_open: bool
    created_s: float
    last_used_s: float
    done: int
    failed: int
    places: int = 0
    owner_pid: int | None = None


def take(
    connection: sqlite3.Connection,
    name: str,
    version: str,
    *,
    take_over: bool,
    keep_failures: bool,
    on_step: Callable[[str], None],
) -> Taken:
    """Own the run from here on, and read what counts of it.

    Raises:
        JournalInUse: another owner is alive, and isn't to be taken over.
    """
    with transaction(connection):
        taken = _own(connection, name, version, take_over)
    hold(taken.uid, taken.token)
    on_step("taken")
    # Read after the token has been raised: whatever an earlier owner committed is seen, and it commits no more.
    try:
        _read(connection, taken, version, keep_failures)
    except BaseException:
        give_back(connection, taken)
        raise
    return taken


def give_back(connection: sqlite3.Connection, taken: Taken) -> None:
    """Own the run no longer; nothing happens where another owner has it by now."""
    let_go(taken.uid, taken.token)
    connection.execute(
        "UPDATE run SET owner_pid = NULL, owner_process = NULL, closed_s = ? WHERE run_id = ? AND token = ?",
        (time.time(), taken.run_id, taken.token),
    )


def _own(connection: sqlite3.Connection, name: str, version: str, take_over: bool) -> Taken:
    me, now_s = Owner.me(), time.time()
    query = "SELECT run_id, uid, token, owner_pid, owner_process FROM run WHERE name = ?"
    row = connection.execute(query, (name,)).fetchone()
    if row is None:
        uid = str(uuid.uuid4())
        added = connection.execute(
            "INSERT INTO run (name, uid, version, token, owner_pid, owner_process, created_s, opened_s)"
            " VALUES (?, ?, ?, 1, ?, ?, ?, ?)",
            (name, uid, version, me.pid, me.process, now_s, now_s),
        )
        return Taken(added.lastrowid or 0, uid, 1)
    run_id, uid, token, pid, process = row
    if not take_over and pid is not None and is_held(Owner(pid, process), uid, token):
        raise in_use(name, pid)
    connection.execute(
        "UPDATE run SET version = ?, token = ?, owner_pid = ?, owner_process = ?, opened_s = ? WHERE run_id = ?",
        (version, token + 1, me.pid, me.process, now_s, run_id),
    )
    return Taken(run_id, uid, token + 1)


def in_use(name: str, pid: int) -> JournalInUse:
    """The error of who wants a run that another owner has."""
    return JournalInUse(
        f"the run {name!r} is open in the process {pid}, which is alive",
        hint="wait for it, end it, or open the run with take_over=True: the other one can then record nothing more",
    )


def _read(connection: sqlite3.Connection, taken: Taken, version: str, keep_failures: bool) -> None:
    of_run = (taken.run_id,)
    taken.states.update(hash_ for (hash_,) in connection.execute("SELECT hash FROM state WHERE run_id = ?", of_run))
    query = "SELECT number, kind, value FROM note WHERE run_id = ? ORDER BY number"
    for taken.note_number, kind, value in connection.execute(query, of_run):
        taken.notes.setdefault(kind, []).append(value)
    rows = connection.execute(
        "SELECT number, attempt, version, function, path, item_hash, state_hash, value, error_type, error, traceback"
        " FROM outcome WHERE run_id = ? ORDER BY number DESC",
        of_run,
    )
    for number, attempt, recorded_version, function, path, item_hash, state_hash, *outcome in rows:
        taken.number = max(taken.number, number)
        past = taken.past.setdefault((function, path), Past())
        past.attempt = max(past.attempt, attempt)
        committed = Committed(*outcome)
        own = _own_version(recorded_version, version)
        if own is not None and (committed.value is not None or keep_failures):
            taken.committed.setdefault(Key(function, path, item_hash, state_hash, own), []).append(committed)


def both_versions(version: str, own: str) -> str:
    """A row's version: the journal's, and the function's own where it has one."""
    return f"{version}{BETWEEN_VERSIONS}{own}" if own else version


def _own_version(recorded: str, version: str) -> str | None:
    """The function's part of a row's version; None where the journal's part is of another version."""
    if recorded == version:
        return ""
    journals, between, own = recorded.partition(f"{version}{BETWEEN_VERSIONS}")
    return own if between and not journals else None


def summaries(path: Path) -> list[RunSummary]:
    """All runs of a journal, the oldest first.

    Raises:
        JournalUnusable: there is no journal, or it can't be read.
    """
    query = (
        "SELECT name, version, uid, token, owner_pid, owner_process, created_s, max(opened_s, coalesce(closed_s, 0)),"
        " (SELECT count(value) FROM outcome WHERE outcome.run_id = run.run_id),"
        " (SELECT count(error_type) FROM outcome WHERE outcome.run_id = run.run_id),"
        " (SELECT count(DISTINCT path) FROM outcome WHERE outcome.run_id = run.run_id AND value IS NOT NULL)"
        " FROM run ORDER BY run_id"
    )
    found = []
    with opened(path, make=False, lock_timeout_s=LOCK_TIMEOUT_S) as connection:
        for name, version, uid, token, pid, process, created_s, used_s, done, failed, places in connection.execute(
            query
        ):
            is_open = pid is not None and is_held(Owner(pid, process), uid, token)
            found.append(RunSummary(name, version, is_open, created_s, used_s, done, failed, places, pid))
    return found


def notes_of(path: Path, name: str) -> dict[str, list[str]]:
    """What was noted of a run by now, as JSON by kind, in order; whoever has it open isn't disturbed.

    Raises:
        JournalUnusable: there is no journal, or no such run in it.
    """
    found: dict[str, list[str]] = {}
    with opened(path, make=False, lock_timeout_s=LOCK_TIMEOUT_S) as connection, transaction(connection, "DEFERRED"):
        (run_id, *_) = _row_of(connection, path, name)
        query = "SELECT kind, value FROM note WHERE run_id = ? ORDER BY number"
        for kind, value in connection.execute(query, (run_id,)):
            found.setdefault(kind, []).append(value)
    return found


def _row_of(connection: sqlite3.Connection, path: Path, name: str) -> tuple[int, str, int, int | None, str]:
    """Id, uid and token of a run, and its owner."""
    query = "SELECT run_id, uid, token, owner_pid, owner_process FROM run WHERE name = ?"
    row: tuple[int, str, int, int | None, str] | None = connection.execute(query, (name,)).fetchone()
    if row is None:
        raise JournalUnusable(f"the journal {path} has no run {name!r}", hint="see Journal.runs(path)")
    return row


def forget(path: Path, name: str) -> int:
    """Delete a run with all its outcomes, states and notes, and give the room back to the disk.

    Returns:
        How many outcomes are gone.
    Raises:
        JournalInUse: a process that is alive has it open.
        JournalUnusable: there is no journal, or no such run in it.
    """
    with opened(path, make=False, lock_timeout_s=LOCK_TIMEOUT_S) as connection:
        with transaction(connection):
            run_id, uid, token, pid, process = _row_of(connection, path, name)
            if pid is not None and is_held(Owner(pid, process), uid, token):
                raise in_use(name, pid)
            gone = connection.execute("DELETE FROM outcome WHERE run_id = ?", (run_id,)).rowcount
            connection.execute("DELETE FROM state WHERE run_id = ?", (run_id,))
            connection.execute("DELETE FROM note WHERE run_id = ?", (run_id,))
            connection.execute("DELETE FROM run WHERE run_id = ?", (run_id,))
        # It has a step for every page, and `execute` would take only the first.
        connection.executescript("PRAGMA incremental_vacuum")
    return gone
