"""Nodes of a LangGraph graph whose outcomes are durable before LangGraph hears of them."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from langgraph.errors import GraphBubbleUp

from fanfold.engine import Failed, Journal, JournalError, SchemaError, detach, fan_out, freeze
from fanfold.engine.journal.signature import return_type
from fanfold.runtimes.langgraph.isolated import OnError, joined, shared_state
from fanfold.runtimes.langgraph.place import Place, place_here
from fanfold.runtimes.langgraph.threads import ThreadJournals
from fanfold.runtimes.langgraph.updates import is_async, refuse_no_function, updates_only
from fanfold.runtimes.types import update_type

Node: TypeAlias = Callable[..., Any]

_injected: ContextVar[tuple[tuple[Any, ...], dict[str, Any]]] = ContextVar("fanfold_langgraph_injected")


class _Passing(BaseException):
    """Brings an interrupt past those who take it for a failure."""

    def __init__(self, error: GraphBubbleUp) -> None:
        super().__init__(error)
        self.error = error


def journaled(
    journal: Journal | ThreadJournals,
    *,
    shared: type | None = None,
    on_error: OnError | None = None,
    returns: Any = None,
    key: Callable[[Any], str] | None = None,
    name: str | None = None,
) -> Callable[[Node], Node]:
    """A decorator that records what a node came to, in its own task, and gives it back instead of running it again.

    A branch's update is durable before LangGraph hears of it: after a crash, a branch that had finished isn't run
    again, with any saver and any `max_concurrency`, or without a saver. An outcome counts for the same node, at the
    same superstep and place among its Sends, with the same input and shared state. The node is isolated as by
    `isolated`, and a branch to the engine: `idempotency_key()` and the like work in it. A plain function runs in a
    thread, where they don't.

    Args:
        journal: an open one; or one for each thread, for graphs that serve many: `ThreadJournals`.
        shared, on_error: as for `isolated`. What failed is recorded as a failure, and runs again on a resume.
        returns: the type of what the node returns; None = an update of the `shared` state, else what its annotation
            says: for a state's type, some of its fields. Values are written as JSON.
        key: names a branch by what its Send carries, for people, and where Sends may come in another order next
            time; None = its position among the Sends.
        name: what outcomes are recorded under; None = the node's name in its graph. In one journal, a name belongs
            to one decorated node.
    Raises:
        JournalError: from the decorator, where no type is known.
        From the node: what `Journal.wrap` raises, and JournalError where the graph was given no `thread_id`.
    """

    def wrap(node: Node) -> Node:
        refuse_no_function(node)
        recorded = _Recorded(node, journal, shared, _type_of(node, returns, shared), key, name)

        @functools.wraps(node)
        async def wrapper(sent: Any, *args: Any, **kwargs: Any) -> Any:
            outcome = await recorded.run(sent, args, kwargs)
            if not isinstance(outcome, Failed):
                return outcome.value
            if on_error is None or not isinstance(outcome.error, Exception):
                raise outcome.error
            return detach(on_error(outcome.error, freeze(sent).view()))

        return wrapper

    return wrap


class _Recorded:
    """A node whose outcomes are recorded."""

    def __init__(
        self,
        node: Node,
        journal: Journal | ThreadJournals,
        shared: type | None,
        returns: Any,
        key: Callable[[Any], str] | None,
        name: str | None,
    ) -> None:
        self._node = node if shared is None else updates_only(node, schema=shared)
        self._journal = journal
        self._shared = shared
        self._returns = returns
        self._key = key
        self._name = name
        # One object for all journals and names: a journal tells functions apart by identity.
        self._branch = self._of_sent if shared is None else self._of_sent_and_state
        self._branches: WeakKeyDictionary[Journal, dict[str, Node]] = WeakKeyDictionary()

    async def run(self, sent: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The outcome that the node comes to, or came to before."""
        place = place_here()
        _injected.set((args, kwargs))
        state: dict[str, Any] = {}
        if self._shared is not None:
            state = {"state": shared_state(place.checkpoint, self._shared)}
        async with self._journal_of(place) as journal:
            branch = self._branch_in(journal, self._name or place.node)
            try:
                (outcome,) = await fan_out(branch, [sent], limit=1, key=lambda _: self._key_at(place, sent), **state)
            except _Passing as passing:
                raise passing.error from None
        return outcome

    @asynccontextmanager
    async def _journal_of(self, place: Place) -> AsyncIterator[Journal]:
        if isinstance(self._journal, Journal):
            yield self._journal
            return
        if place.thread is None:
            raise JournalError(
                f"nothing says which run the node {place.node} belongs to",
                hint='invoke the graph with {"configurable": {"thread_id": ...}}, or give the node an open Journal',
            )
        async with self._journal.of(place.thread) as journal:
            yield journal

    def _key_at(self, place: Place, sent: Any) -> str:
        """Tells branches of a run apart; the step does it for those of a later turn or round."""
        own = place.index if self._key is None else self._key(sent)
        return f"step {place.step}" if own is None else f"step {place.step}: {own}"

    def _branch_in(self, journal: Journal, name: str) -> Node:
        named = self._branches.setdefault(journal, {})
        if name not in named:
            named[name] = journal.wrap(self._branch, returns=self._returns, name=name)
        return named[name]

    async def _of_sent(self, sent: Any) -> Any:
        return await self._of_sent_and_state(sent, {})

    async def _of_sent_and_state(self, sent: Any, state: Mapping[str, Any]) -> Any:
        args, kwargs = _injected.get()
        given = joined(sent, state, self._shared)
        try:
            if is_async(self._node):
                return await self._node(given, *args, **kwargs)
            return await asyncio.to_thread(self._node, given, *args, **kwargs)
        except GraphBubbleUp as error:
            raise _Passing(error) from None


def _type_of(node: Node, returns: Any, shared: type | None) -> Any:
    if returns is not None:
        return returns
    declared = shared if shared is not None else return_type(node)
    try:
        return update_type(declared)
    except (SchemaError, TypeError):  # it says nothing of a state
        return declared
