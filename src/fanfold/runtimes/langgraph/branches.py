"""The branches of one run: what each of them is given, and what they came to."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypedDict

from fanfold.engine import Done, Failed, FailedBefore, Freezer, Frozen, Outcome
from fanfold.engine.items import Items
from fanfold.engine.journal.ledger import failure
from fanfold.engine.journal.states import item_hash
from fanfold.runtimes.flow import Flow, FlowError
from fanfold.runtimes.langgraph.typed import typed
from fanfold.runtimes.native import Hop
from fanfold.runtimes.run import update_of


class Payload(TypedDict):
    """What a Send carries: which branch of which run; `run` is None without a journal."""

    run: str | None
    index: int
    key: str


class Record(TypedDict):
    """What the graph is told of a branch; `failed` has the type, the message and the traceback of an error.

    A dict, for of a tuple savers make a list, and LangGraph takes a list for several records.
    """

    index: int
    key: str
    update: Any
    failed: Sequence[str] | None


class Branches:
    """Items and state as they were when the branches began, and outcomes as they arrive.

    Attributes:
        outcomes: by index.
        delivered: keys of those that `on_outcome` has had.
    Raises:
        DuplicateKeyError, IsolationError: as `fan_out`.
    """

    def __init__(self, flow: Flow[Any], state: Any, items: Iterable[Any]) -> None:
        self._flow = flow
        freezer = Freezer()
        self._base: Frozen[Any] = freezer.freeze(state, name="the state", as_type=flow.state)
        kept: list[Frozen[Any]] = []

        def keep(item: Any, key: str) -> Frozen[Any]:
            kept.append(freezer.freeze(item, key=key))
            return kept[-1]

        self._items = Items[Any](keep, flow.key, flow.priority)
        given = list(items)
        self._item_at: Callable[[int], Any] = given.__getitem__
        if not self._items.name_plain(given):
            for item in given:
                self._items.add(item)
            self._item_at = lambda index: kept[index].view()
        self.outcomes: dict[int, Outcome[Any]] = {}
        self.delivered: set[str] = set()
        self._delivering = asyncio.Lock()
        self._has_refused = False

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of what the branches are given: flow, version, state and items."""
        flow = self._flow
        given = [
            item_hash(self._base.view()),
            *(item_hash(self._item_at(index)) for index in range(len(self._items.keys))),
        ]
        return item_hash([flow.name, flow.version, self._items.keys, given])

    def payloads(self, run: str | None) -> list[Payload]:
        """What each branch is sent: those of a higher priority first, for they start in this order."""
        keys = self._items.keys
        return [{"run": run, "index": index, "key": keys[index]} for index in self._items.in_order()]

    def priority(self, index: int) -> float:
        """A branch's; higher ones start first."""
        return self._items.priority(index)

    def check(self, payload: Payload) -> None:
        """Refuse what was sent for another item.

        Raises:
            FlowError: there is no such item.
        """
        index = payload["index"]
        if index >= len(self._items.keys) or self._items.keys[index] != payload["key"]:
            raise FlowError(
                f"the flow {self._flow.name} has gone on with other items: number {index} was {payload['key']!r}",
                hint="have `items` depend on the state alone, and on no file, time or chance",
            )

    def call(self, index: int, branch: Hop) -> Awaitable[Any]:
        """Call the branch function with the item at this place, and with the state."""
        return branch(self._item_at(index), self._base.view())

    async def arrived(self, outcome: Outcome[Any]) -> Record:
        """Take an outcome, once `on_outcome` had it, after those that arrived before."""
        self.outcomes[outcome.index] = outcome
        if self._flow.on_outcome is not None and outcome.key not in self.delivered:
            await _to_its_end(self._deliver(self._flow.on_outcome, outcome))
        if not isinstance(outcome, Failed):
            return {"index": outcome.index, "key": outcome.key, "update": outcome.value, "failed": None}
        update = update_of(self._flow, outcome)
        told = failure(outcome.error)
        return {
            "index": outcome.index,
            "key": outcome.key,
            "update": update.value if isinstance(update, Done) else None,
            "failed": (told.error_type or "", told.error or "", told.traceback or ""),
        }

    async def _deliver(self, on_outcome: Callable[[Outcome[Any]], Awaitable[None]], outcome: Outcome[Any]) -> None:
        async with self._delivering:
            if self._has_refused:
                return  # the run ends with what an earlier one raised
            try:
                await on_outcome(outcome)
                self.delivered.add(outcome.key)
            except BaseException:
                self._has_refused = True
                raise


def outcome_of(flow: Flow[Any], record: Record) -> Outcome[Any]:
    """The outcome of a branch that another process ran, or this one before an interrupt."""
    if record["failed"] is None:
        return folded_of(flow, record)
    key, (error_type, message, traceback) = record["key"], record["failed"]
    error = FailedBefore(f"{key} failed before: {message}", error_type=error_type, traceback=traceback)
    return Failed(key, error, 0.0, 0.0, index=record["index"])


def folded_of(flow: Flow[Any], record: Record) -> Done[Any]:
    """What is folded of it: of a failure what was made of it then."""
    return Done(record["key"], typed(flow, record["update"]), 0.0, 0.0, index=record["index"])


async def _to_its_end(work: Any) -> None:
    """Wait for work that a single cancellation doesn't cut short: an outcome that is there is delivered."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if task.cancelled():
            raise
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
        raise
