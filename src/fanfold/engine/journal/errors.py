"""What a journal refuses to do, and why."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from fanfold.errors import FanfoldError


class JournalError(FanfoldError):
    """The journal can't be used as asked."""


class JournalUnusable(JournalError):
    """The file is no journal, or can't be read or made: foreign, damaged, newer than this Fanfold, no permission."""


class JournalInUse(JournalError):
    """The run is open in a process that is alive."""


class JournalFenced(JournalError):
    """Another opening has taken the run over: what this one still has to record is refused."""


class NotDurable(JournalError):
    """An outcome could not be written, so it doesn't count: disk full, read-only, locked for too long."""


class FailedBefore(JournalError):
    """The branch failed in an earlier run of the program, and kept failures aren't run again.

    Attributes:
        error_type: the full name of what it raised.
        traceback: the text that Python would have printed then.
    """

    def __init__(self, message: str, *, error_type: str, traceback: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.error_type = error_type
        self.traceback = traceback


def fenced(run: str) -> JournalFenced:
    """The error of an opening that has lost its run."""
    return JournalFenced(
        f"the run {run!r} was taken over by a later opening: nothing more is recorded by this one",
        hint="let the later one finish, or open the run again",
    )


_UNREADABLE = {
    "SQLITE_NOTADB": ("is no journal: it isn't an SQLite database", "choose another path; the file was left as it is"),
    "SQLITE_CORRUPT": (
        "is damaged",
        "restore it from a copy, or rescue rows with `sqlite3 FILE .recover`; the file was left as it is",
    ),
    "SQLITE_CANTOPEN": ("can't be opened or made", "check that its folder exists and may be written to"),
    "SQLITE_PERM": ("may not be opened", "check who may read and write it"),
    "SQLITE_READONLY": ("may not be written to", "check who may write to it and to its folder"),
    "SQLITE_BUSY": ("is locked by another program", "close what holds it open, such as an SQL shell in a transaction"),
    "SQLITE_FULL": ("has no room to grow: the disk is full", "make room, and run again: what is recorded is kept"),
    "SQLITE_IOERR": ("can't be read or written", "check the disk; what is recorded is kept"),
}


def explained(error: sqlite3.Error, path: Path, kind: type[JournalError]) -> JournalError:
    """What SQLite said, as a journal's error of this kind."""
    name = getattr(error, "sqlite_errorname", None) or ""
    why, hint = next((told for prefix, told in _UNREADABLE.items() if name.startswith(prefix)), (None, None))
    return kind(f"the journal {path} {why or 'failed'} ({error})", hint=hint)
