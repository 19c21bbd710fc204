"""The durable record of outcomes: what makes a run resumable."""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from fanfold.engine.content import Codec, ContentError, first_difference
from fanfold.engine.identity import are_one
from fanfold.engine.journal import run as runs
from fanfold.engine.journal.effects import Call, path_here, running
from fanfold.engine.journal.errors import FailedBefore, JournalError
from fanfold.engine.journal.ledger import Ledger, failure, path_text
from fanfold.engine.journal.run import Committed, Key, RunSummary, Taken
from fanfold.engine.journal.schema import Synchronous
from fanfold.engine.journal.signature import function_name, return_type
from fanfold.engine.journal.states import States, item_hash
from fanfold.engine.journal.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")

LOCK_TIMEOUT_S: Final = 30.0
NOTE_HINT: Final = "use str, int, finite float, bool, None, lists, and dicts with str keys"


class Journal:
    """Outcomes of one run, durable before their branches end; `Journal.open` makes one.

    Attributes:
        path: the SQLite file.
        run: the name of the run.
        version: of the flow; outcomes of another version don't count.
        token: the fencing token: higher with each opening of the run.
    """

    def __init__(self, path: Path, run: str, version: str, taken: Taken, writer: Writer, ledger: Ledger) -> None:
        self.path = path
        self.run = run
        self.version = version
        self.token = taken.token
        self._writer = writer
        self._ledger = ledger
        self._states = States(taken.states)
        self._functions: dict[str, Callable[..., object]] = {}

    @property
    def restored(self) -> int:
        """How many outcomes the journal gave back instead of running a branch."""
        return self._ledger.restored

    @property
    def recorded(self) -> int:
        """How many outcomes this opening has made durable, failures included."""
        return self._writer.recorded

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path | str,
        *,
        run: str,
        version: str,
        synchronous: Synchronous = "NORMAL",
        keep_failures: bool = False,
        take_over: bool = False,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        on_step: Callable[[str], None] | None = None,
    ) -> AsyncIterator[Journal]:
        """Own a run, a new one or one to resume; leaving the block writes what is left and gives the run back.

        Args:
            path: the journal's file, made with access for its owner alone if it isn't there; its folder must be.
                A local disk, for SQLite's write-ahead log needs shared memory. One file holds many runs.
            run: names what is to be done; the same name goes on with it.
            version: of the flow: change it when branches would come to other outcomes.
            synchronous: "NORMAL" survives a killed process, "FULL" a power failure too, at one disk flush a group.
            keep_failures: branches that failed fail again (FailedBefore) instead of running again.
            take_over: own the run even while another process that is alive has it open.
            lock_timeout_s: how long to wait for another program that locks the file, before an outcome is given
                up as not durable.
            on_step: called with each of STEPS as it is reached, for tests; most of them on the journal's thread.
        Raises:
            JournalInUse: the run is open in a process that is alive, or a second time in this one.
            JournalUnusable: the file is no journal, damaged, of a newer Fanfold, or out of reach.
        Source:
            Group commit: DeWitt et al., Implementation Techniques for Main Memory Database Systems, 1984. Fencing
            tokens: Kleppmann, Designing Data-Intensive Applications, chapter 8.
        """
        path, run, version = Path(path), _named("run", run), _named("version", version)
        writer = Writer(
            path,
            run,
            version,
            synchronous=synchronous,
            take_over=take_over,
            keep_failures=keep_failures,
            lock_timeout_s=lock_timeout_s,
            on_step=on_step or _ignore,
        )
        try:
            taken = await writer.open()
            ledger = Ledger(run, version, taken, writer, keep_failures=keep_failures)
            try:
                yield cls(path, run, version, taken, writer, ledger)
            finally:
                ledger.is_closed = True
        finally:
            await writer.close()

    @staticmethod
    async def runs(path: Path | str) -> list[RunSummary]:
        """All runs of the journal at `path`, the oldest first.

        Raises:
            JournalUnusable: there is no journal, or it can't be read.
        """
        return await asyncio.to_thread(runs.summaries, Path(path))

    @staticmethod
    async def read_notes(path: Path | str, run: str) -> dict[str, list[Any]]:
        """What was noted of a run by now, by kind and in order; needn't own the run, nor disturb its owner.

        Raises:
            JournalUnusable: there is no journal, or no such run in it.
        """
        found = await asyncio.to_thread(runs.notes_of, Path(path), run)
        return {kind: [json.loads(text) for text in texts] for kind, texts in found.items()}

    @staticmethod
    async def forget(path: Path | str, run: str) -> int:
        """Delete a run with all its outcomes, and give the room back to the disk; how many outcomes that were.

        Raises:
            JournalInUse: a process that is alive has it open.
            JournalUnusable: there is no journal, or no such run in it.
        """
        return await asyncio.to_thread(runs.forget, Path(path), run)

    def wrap(
        self,
        branch: Callable[P, Awaitable[T]],
        *,
        returns: Any = None,
        name: str | None = None,
        version: str | None = None,
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """The same branch function, only that an outcome it has come to before is given back without running it.

        What it has come to is asked for by function, path of keys, the content of item and state, and version. A
        value is durable before the branch ends. A branch whose deadline passes while its value is being written
        has timed out; a retry then finds the value.

        Args:
            branch: called with an item, or an item and a state. What else it uses (a default, a global, a file, and
                with a `name` what it is bound to) isn't looked at: have `version` or `name` tell when that differs.
            returns: the type of its values; None = what its annotation says.
            name: to record its outcomes under; None = its qualified name. It must be given where that says too
                little: for lambdas, partials, bound methods, and functions that use variables of the function
                around them.
            version: of this function, beside the journal's: outcomes of another one don't count. None = it has none.
        Raises:
            JournalError: no type is known, it needs a name, or this opening knows another function by that name.
            ContentError: values of this type can't be written as JSON.
            From the branch: ContentError where a value wouldn't come back equal; NotDurable where it can't be
            written, JournalFenced where another opening has taken the run over.
        """
        function = _named("function", function_name(branch) if name is None else name)
        own_version = "" if version is None else _named("version", version)
        self._register(function, branch)
        codec: Codec[T] = Codec(return_type(branch) if returns is None else returns)
        ledger = self._ledger

        @functools.wraps(branch)
        async def journaled(*args: P.args, **kwargs: P.kwargs) -> T:
            ledger.check_usable()
            item, shared = _item_and_state(function, args, kwargs)
            state = self._states.of(*shared) if shared else None
            path = path_here()
            key = Key(function, path_text(path), item_hash(item), state.hash if state else None, own_version)
            if (outcome := await ledger.committed(key)) is not None:
                return _restored(key, outcome, codec)
            started_s = time.time()
            here = running.set(Call(ledger.uid, key, path, ledger.past(key).done))
            try:
                value = await branch(*args, **kwargs)
                text = codec.encode(value)
            except Exception as error:
                # Raised from the branch's own, where even that it failed can't be recorded.
                await ledger.record(key, state, failure(error), started_s)
                raise
            finally:
                running.reset(here)
            await ledger.record(key, state, Committed(text), started_s)
            return value

        return journaled

    async def note(self, kind: str, value: Any) -> None:
        """Write down a step of the run, durable when this returns, also when the caller is cancelled meanwhile.

        Notes are committed in the order in which they are made, together with outcomes of the same moment.

        Args:
            kind: tells notes for different readers apart.
            value: JSON: str, int, finite float, bool, None, lists and dicts with str keys.
        Raises:
            ContentError: `value` is no JSON.
            NotDurable: it can't be written. JournalFenced: another opening has taken the run over.
        """
        await self._ledger.note(_named("kind of note", kind), _json_of(value))

    def notes(self, kind: str) -> list[Any]:
        """All durable notes of one kind, those of earlier openings first; values of the caller's own."""
        return [json.loads(text) for text in self._ledger.notes(kind)]

    def _register(self, function: str, branch: Callable[..., object]) -> None:
        if not are_one(self._functions.setdefault(function, branch), branch):
            raise JournalError(
                f"two functions would record their outcomes as {function!r}",
                hint="pass a name= of its own to each, or make one function and wrap that",
            )


def _named(what: str, name: str) -> str:
    if not name or not name.isprintable():
        raise JournalError(f"{name!r} is no name for a {what}", hint="use printable characters, at least one")
    return name


def _json_of(value: Any) -> str:
    """A value as JSON that comes back equal; in ASCII, so that undecodable bytes of file names survive.

    Raises:
        ContentError: it is no JSON; the message names where.
    """
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ContentError(f"a note is no JSON: {error}", hint=NOTE_HINT) from error
    if changed := first_difference(value, json.loads(text)):
        raise ContentError(f"a note would not come back equal from JSON: {changed.path or 'all of it'}", hint=NOTE_HINT)
    return text


def _item_and_state(
    function: str, args: tuple[object, ...], kwargs: dict[str, object]
) -> tuple[object, tuple[object, ...]]:
    if kwargs or not 1 <= len(args) <= 2:
        raise TypeError(f"{function} is journaled, so it takes an item, or an item and a state, by position")
    return args[0], args[1:]


def _restored(key: Key, outcome: Committed, codec: Codec[T]) -> T:
    if outcome.value is None:
        raise FailedBefore(
            f"{key.function} failed for {key.path} when it ran before: {outcome.error_type}: {outcome.error}",
            error_type=outcome.error_type or "",
            traceback=outcome.traceback or "",
            hint="open the journal without keep_failures to have it run again",
        )
    try:
        return codec.decode(outcome.value)
    except ContentError as error:
        raise JournalError(
            f"what the journal has of {key.function} for {key.path} isn't of the type that it returns now: {error}",
            hint="open the journal with another version= when what branches return changes",
        ) from error


def _ignore(step: str) -> None:
    """Tell nobody."""
