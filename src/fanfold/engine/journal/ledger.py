"""What is known of a run: what was committed before, and what has been recorded since."""

from __future__ import annotations

import asyncio
import time
from json.encoder import encode_basestring_ascii
from traceback import format_exception
from typing import Final

from fanfold.engine.branch import current_branch
from fanfold.engine.journal.errors import JournalError, fenced
from fanfold.engine.journal.run import Committed, Key, Past, Taken, both_versions
from fanfold.engine.journal.states import State
from fanfold.engine.journal.writer import Record, Writer
from fanfold.engine.wrapper import message_of

MOST_TRACEBACK_CHARS: Final = 20_000


class Ledger:
    """Gives back what a flow has come to before, one record for one call, and records what it comes to now.

    A flow that calls a function twice with the same input at the same place, in rounds, gets two outcomes, and after
    a resume the same two in the same order.

    Attributes:
        uid: the run's.
        restored: outcomes given back so far.
    """

    def __init__(self, run: str, version: str, taken: Taken, writer: Writer, *, keep_failures: bool) -> None:
        self.uid = taken.uid
        self.restored = 0
        self.is_closed = False
        self._run = run
        self._version = version
        self._taken = taken
        self._writer = writer
        self._keep_failures = keep_failures
        self._unclaimed: dict[Key, list[tuple[Record, Committed]]] = {}
        self._noted: dict[str, list[tuple[Record, str]]] = {}

    def check_usable(self) -> None:
        """Raise where nothing can be recorded any more."""
        if self._writer.is_fenced:
            raise fenced(self._run)
        if self.is_closed:
            raise JournalError(
                f"the journal of the run {self._run!r} is closed",
                hint="fan out inside of `async with Journal.open(...)`",
            )

    def past(self, key: Key) -> Past:
        """What came of the function at that place so far."""
        past = self._taken.past.get(key[:2])
        if past is None:
            past = self._taken.past[key[:2]] = Past()
        return past

    async def committed(self, key: Key) -> Committed | None:
        """The next outcome that this very call has come to before; None when it has come to no further one."""
        outcome = self._next(key)
        if outcome is None and self._unclaimed:
            outcome = await self._claimed(key)
        if outcome is not None:
            self.restored += 1
            self.past(key).done += outcome.value is not None
        return outcome

    def _next(self, key: Key) -> Committed | None:
        waiting = self._taken.committed.get(key)
        if waiting is None:
            return None
        if len(waiting) == 1:
            del self._taken.committed[key]
        return waiting.pop()

    async def _claimed(self, key: Key) -> Committed | None:
        """An outcome whose branch was cancelled before it heard that it is durable."""
        waiting = self._unclaimed.get(key, [])
        while waiting:
            record, outcome = waiting[0]
            if record.durable is None:
                await self._writer.settled()
            if waiting and waiting[0][0] is record:
                del waiting[0]
                if record.durable:
                    return outcome
        return None

    async def record(self, key: Key, state: State | None, outcome: Committed, started_s: float) -> None:
        """Write an outcome, and wait until it is durable.

        Raises:
            JournalError: it is not, or the journal is closed.
        """
        self.check_usable()
        taken, past, branch = self._taken, self.past(key), current_branch()
        past.attempt = max(past.attempt + 1, branch.attempt if branch is not None else 1)
        taken.number += 1
        version = both_versions(self._version, key.version)
        at = (taken.run_id, taken.number, key.function, key.path, past.attempt, version, key.item_hash, key.state_hash)
        record = self._writer.record((*at, *outcome, started_s, time.time() - started_s, taken.token), state)
        try:
            await record.told
        except asyncio.CancelledError:
            if outcome.value is not None or self._keep_failures:
                self._unclaimed.setdefault(key, []).append((record, outcome))
            raise
        past.done += outcome.value is not None

    async def note(self, kind: str, text: str) -> None:
        """Write a note, and wait until it is durable.

        Raises:
            JournalError: it is not, or the journal is closed.
        """
        self.check_usable()
        taken = self._taken
        taken.note_number += 1
        record = self._writer.note((taken.run_id, taken.note_number, kind, text, time.time(), taken.token))
        self._noted.setdefault(kind, []).append((record, text))
        await record.told

    def notes(self, kind: str) -> list[str]:
        """The durable notes of one kind, in order."""
        noted = self._noted.get(kind, ())
        return [*self._taken.notes.get(kind, ()), *(text for record, text in noted if record.durable)]


def path_text(path: tuple[str, ...]) -> str:
    """A path as the journal has it: a JSON array."""
    return f"[{', '.join(map(encode_basestring_ascii, path))}]"


def failure(error: Exception) -> Committed:
    """What the journal has of an error: its full name, what it says and its traceback, the middle of a long one cut."""
    kind = type(error)
    traceback = "".join(format_exception(error))
    if len(traceback) > MOST_TRACEBACK_CHARS:
        half = MOST_TRACEBACK_CHARS // 2
        traceback = f"{traceback[:half]}\n...\n{traceback[-half:]}"
    return Committed(None, f"{kind.__module__}.{kind.__qualname__}", _storable(message_of(error)), _storable(traceback))


def _storable(text: str) -> str:
    """Without halves of surrogate pairs, which no database takes."""
    return text.encode("utf-8", "backslashreplace").decode()
