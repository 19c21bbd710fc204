"""Run one function over many items at once, isolated, and collect what each came to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, TypeVar, overload

from fanfold.engine.branch import yield_slot
from fanfold.engine.events import Event
from fanfold.engine.isolate import Freezer, Frozen, freeze
from fanfold.engine.items import Items
from fanfold.engine.limit import Limit
from fanfold.engine.outcome import Outcome
from fanfold.engine.running import Mode, Options, Running
from fanfold.engine.schema import NOTHING

I = TypeVar("I")  # noqa: E741 an item
S = TypeVar("S")
T = TypeVar("T")


@overload
async def fan_out(
    branch: Callable[[I], Awaitable[T]],
    items: Iterable[I] | AsyncIterable[I],
    *,
    limit: int | Limit | None,
    key: Callable[[I], str] | None = None,
    priority: Callable[[I], float] | None = None,
    deadline_s: float | None = None,
    total_deadline_s: float | None = None,
    mode: Mode = "collect",
    on_outcome: Callable[[Outcome[T]], Awaitable[None]] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> list[Outcome[T]]: ...


@overload
async def fan_out(
    branch: Callable[[I, S], Awaitable[T]],
    items: Iterable[I] | AsyncIterable[I],
    *,
    limit: int | Limit | None,
    state: S,
    schema: type | None = None,
    key: Callable[[I], str] | None = None,
    priority: Callable[[I], float] | None = None,
    deadline_s: float | None = None,
    total_deadline_s: float | None = None,
    mode: Mode = "collect",
    on_outcome: Callable[[Outcome[T]], Awaitable[None]] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> list[Outcome[T]]: ...


async def fan_out(
    branch: Callable[..., Awaitable[T]],
    items: Iterable[I] | AsyncIterable[I],
    *,
    limit: int | Limit | None,
    state: Any = NOTHING,
    schema: type | None = None,
    key: Callable[[I], str] | None = None,
    priority: Callable[[I], float] | None = None,
    deadline_s: float | None = None,
    total_deadline_s: float | None = None,
    mode: Mode = "collect",
    on_outcome: Callable[[Outcome[T]], Awaitable[None]] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> list[Outcome[T]]:
    """Run `branch` once per item, isolated; outcomes come back in item order.

    A branch gets a copy-on-write view of its item, and of the state if there is one, and context variables of its
    own: siblings and the caller see nothing of what it does to them. What it returns is detached from them.

    Args:
        branch: called with one item, or with one item and the state; whatever it raises is its outcome.
        items: n values, never mutated. An asynchronous iterable may be endless: its next item is pulled when the
            one before it has started.
        limit: branches running together, >= 1; None = all at once. A fan-out inside a branch stays within the
            limits of the fan-outs around it too: a branch that waits for one lends it its slot. The same Limit
            given to several fan-outs is shared by them.
        state: one value for all branches, frozen once; each gets an isolated view of it.
        schema: the state's type where the state doesn't say: a TypedDict with read-only fields, say.
        key: what names an item; default: its `key` attribute, else the item itself where it is a string or a path,
            else its position. Keys are unique, and stable between runs.
        priority: a number for an item: higher ones start first, equal ones in item order; default: all alike.
        deadline_s: seconds until a branch is cancelled, counted from its own start; None = no deadline. The slot
            is free when the branch has ended, and a value that it returns after its deadline doesn't count.
        total_deadline_s: seconds until all branches are cancelled and no more are started; None = no deadline.
        mode: "collect": a failure is an outcome like another; "fail_fast": the first failure cancels the rest.
        on_outcome: awaited with each outcome, one after another in the order in which they arrive, while other
            branches run; a slow one holds up no branch.
        on_event: called with each event; must return at once.
    Returns:
        n outcomes; outcomes[i] belongs to items[i]. All have been through `on_outcome`.
    Raises:
        DuplicateKeyError, IsolationError, TypeError, ValueError: before anything starts.
        FanOutError: with all outcomes: on the first failure where the mode is "fail_fast"; when an asynchronous
            iterable raised, or an item from it has the key of another or can't be copied. Its cause is that error.
        A failing branch does not raise otherwise: it is a Failed outcome. What `on_outcome` or `on_event` raise,
        and what is no Exception (KeyboardInterrupt, SystemExit), cancels the branches and is raised when they have
        ended.
    When the caller is cancelled, the branches are cancelled and awaited; outcomes that are finished by then still
    go through `on_outcome` before the cancellation goes on, unless the caller is cancelled a second time.
    """
    options = Options(limit, deadline_s, total_deadline_s, mode, on_event, is_fetched=on_outcome is not None)
    running = _prepared(branch, items, state, schema, key, priority, options)
    running.begin()
    # Only now: the slot that this branch lends goes to the branches inside it first.
    async with yield_slot():
        courier = asyncio.create_task(_deliver(running, on_outcome)) if on_outcome else None
        cancelled = await running.end()
        if courier is not None:
            await _ended(courier, cancelled)
        return running.result(cancelled)


@overload
def stream(
    branch: Callable[[I], Awaitable[T]],
    items: Iterable[I] | AsyncIterable[I],
    *,
    limit: int | Limit | None,
    key: Callable[[I], str] | None = None,
    priority: Callable[[I], float] | None = None,
    deadline_s: float | None = None,
    total_deadline_s: float | None = None,
    mode: Mode = "collect",
    on_event: Callable[[Event], None] | None = None,
) -> AbstractAsyncContextManager[AsyncIterator[Outcome[T]]]: ...


@overload
def stream(
    branch: Callable[[I, S], Awaitable[T]],
    items: Iterable[I] | AsyncIterable[I],
    *,
    limit: int | Limit | None,
    state: S,
    schema: type | None = None,
    key: Callable[[I], str] | None = None,
    priority: Callable[[I], float] | None = None,
    deadline_s: float | None = None,
    total_deadline_s: float | None = None,
    mode: Mode = "collect",
    on_event: Callable[[Event], None] | None = None,
) -> AbstractAsyncContextManager[AsyncIterator[Outcome[T]]]: ...


@asynccontextmanager
async def stream(
    branch: Callable[..., Awaitable[T]],
    items: Iterable[I] | AsyncIterable[I],
    *,
    limit: int | Limit | None,
    state: Any = NOTHING,
    schema: type | None = None,
    key: Callable[[I], str] | None = None,
    priority: Callable[[I], float] | None = None,
    deadline_s: float | None = None,
    total_deadline_s: float | None = None,
    mode: Mode = "collect",
    on_event: Callable[[Event], None] | None = None,
) -> AsyncIterator[AsyncIterator[Outcome[T]]]:
    """Run `branch` once per item, as `fan_out` does; outcomes come one by one as branches finish.

        async with stream(branch, items, limit=8) as outcomes:
            async for outcome in outcomes:
                ...

    Leaving the block cancels the branches that still run and waits until they have ended. Where outcomes are
    fetched more slowly than they arrive, no further branch starts while as many as the limit are waiting. Outcomes
    that were fetched aren't kept: `outcomes` of a FanOutError has those that came with its cause or after it.

    Args:
        As for `fan_out`.
    Raises:
        As `fan_out`: before anything starts on entering the block, else where the outcomes end.
    """
    options = Options(limit, deadline_s, total_deadline_s, mode, on_event, is_fetched=True, is_stream=True)
    running = _prepared(branch, items, state, schema, key, priority, options)
    running.begin()
    try:
        yield _Outcomes(running)
    finally:
        running.abandon()
        async with yield_slot():
            cancelled = await running.end()
        running.raise_error(cancelled)


class _Outcomes(Generic[T]):
    """The outcomes of a running fan-out, in order of arrival."""

    def __init__(self, running: Running[T]) -> None:
        self._running = running

    def __aiter__(self) -> AsyncIterator[Outcome[T]]:
        return self

    async def __anext__(self) -> Outcome[T]:
        outcome = self._running.next_at_once()
        if outcome is None:
            async with yield_slot():
                outcome = await self._running.next()
        if outcome is None:
            self._running.result()
            raise StopAsyncIteration
        return outcome


async def _deliver(running: Running[T], on_outcome: Callable[[Outcome[T]], Awaitable[None]]) -> None:
    try:
        while (outcome := await running.next()) is not None:
            await on_outcome(outcome)
    except BaseException as error:  # noqa: BLE001 the caller's own error: it ends the fan-out and is raised there
        running.abandon(error)


async def _ended(courier: asyncio.Task[None], cancelled: list[asyncio.CancelledError]) -> None:
    """Wait until all is delivered; the caller's second cancellation ends that too."""
    while not courier.done():
        if len(cancelled) > 1:
            courier.cancel()
        try:
            await asyncio.wait([courier])
        except asyncio.CancelledError as error:
            cancelled.append(error)


def _prepared(
    branch: Callable[..., Awaitable[T]],
    items: Iterable[I] | AsyncIterable[I],
    state: Any,
    schema: type | None,
    key: Callable[[I], str] | None,
    priority: Callable[[I], float] | None,
    options: Options,
) -> Running[T]:
    """A fan-out that is ready to begin: everything is frozen, and what can't be is refused."""
    if not callable(branch):
        raise TypeError(f"a branch is an async function, not {branch!r}")
    freezer = Freezer()
    base = None
    if state is not NOTHING:
        base = freezer.freeze(state, name="the state", as_type=schema)
    elif schema is not None:
        raise ValueError("schema is the type of the state, and there is no state")
    if isinstance(items, AsyncIterable):
        if priority is not None:
            raise ValueError("priority needs all items at once, and these come one by one")
        # Items that come one by one may change between one and the next: each is a moment of its own.
        coming = Items[I](lambda item, name: freeze(item, key=name), key)
        return Running(_call(branch, coming.take, base), coming, options, items)
    there = Items[I](lambda item, name: freezer.freeze(item, key=name), key, priority)
    given = list(items)
    if there.name_plain(given):
        return Running(_call(branch, given.__getitem__, base), there, options)
    for item in given:
        there.add(item)
    return Running(_call(branch, there.take, base), there, options)


def _call(
    branch: Callable[..., Awaitable[T]], item_at: Callable[[int], Any], base: Frozen[Any] | None
) -> Callable[[int], Awaitable[T]]:
    """Calls the branch function with the item at a position, and with a view of the state if there is one."""
    if base is None:
        return lambda position: branch(item_at(position))
    view = base.viewer()
    return lambda position: branch(item_at(position), view())
