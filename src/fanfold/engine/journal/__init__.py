"""Durable outcomes in SQLite: after a crash, a run goes on with what had not finished.

`Journal.open` owns a run, `journal.wrap(branch)` is the branch function to fan out. The tables and views are in
`schema.py`, for people and programs that read them with plain SQL.
"""

from fanfold.engine.journal.effects import idempotency_key
from fanfold.engine.journal.errors import (
    FailedBefore,
    JournalError,
    JournalFenced,
    JournalInUse,
    JournalUnusable,
    NotDurable,
)
from fanfold.engine.journal.journal import Journal
from fanfold.engine.journal.run import RunSummary
from fanfold.engine.journal.writer import STEPS

__all__ = [
    "STEPS",
    "FailedBefore",
    "Journal",
    "JournalError",
    "JournalFenced",
    "JournalInUse",
    "JournalUnusable",
    "NotDurable",
    "RunSummary",
    "idempotency_key",
]
