"""The branches of one run, each sent in a task of LangGraph's, as one fan-out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import Context, copy_context
from typing import Any

from langgraph.errors import GraphBubbleUp

from fanfold.engine import BranchFinished, Event, Limit, Outcome, current_branch, yield_slot
from fanfold.engine.isolate import freeze
from fanfold.engine.items import Items
from fanfold.engine.running import Options, Running
from fanfold.runtimes.flow import Flow
from fanfold.runtimes.langgraph.runs import Passing


class Line:
    """Where the branches of a run line up for its slots, as the graph sends them.

    Each runs in the context of the task that was sent, so that it can write to the graph's streams and be interrupted.

    Args:
        limit: shared by all of them.
        on_event: told of each event of the fan-out.
        call: runs the branch function over the item at a place.
    """

    def __init__(
        self,
        flow: Flow[Any],
        limit: Limit | None,
        on_event: Callable[[Event], None] | None,
        call: Callable[[int], Awaitable[Any]],
    ) -> None:
        outer = current_branch()
        self._depth = len(outer.path) + 1 if outer is not None else 1
        self._on_event = on_event
        self._sent = _Sent()
        self._queue: asyncio.Queue[int | None] = asyncio.Queue()
        self._branch = call
        self._contexts: dict[int, Context] = {}
        self._told: dict[int, asyncio.Future[Outcome[Any]]] = {}
        self._passed: dict[int, GraphBubbleUp] = {}
        options = Options(
            limit, flow.deadline_s, flow.total_deadline_s, "collect", self._tell, is_fetched=False, is_stream=True
        )
        self._running = Running[Any](self._call, self._sent, options, self._coming(), self._contexts)
        self._running.begin()
        self._watcher = asyncio.create_task(self._watch())

    async def run(self, index: int, key: str, priority: Callable[[int], float]) -> Outcome[Any]:
        """What the branch comes to.

        Raises:
            GraphBubbleUp: it waits for an answer.
        """
        told = self._told[index] = asyncio.get_running_loop().create_future()
        self._contexts[index] = copy_context()
        self._sent.enter(index, key, priority)
        self._queue.put_nowait(index)
        try:
            outcome = await told if current_branch() is None else await _lending(told)
        except asyncio.CancelledError:
            # LangGraph cancels one of them where it ends the superstep.
            await self.close(abandon=True)
            raise
        finally:
            self._told.pop(index, None)
        if (passed := self._passed.pop(index, None)) is not None:
            raise passed
        return outcome

    async def close(self, *, abandon: bool = False) -> None:
        """End, when the branches have ended or, with `abandon`, been cancelled."""
        if abandon:
            self._running.abandon()
        self._queue.put_nowait(None)
        await asyncio.wait([self._watcher])

    async def _call(self, index: int) -> Any:
        try:
            return await self._branch(index)
        except Passing as passing:
            self._passed[index] = passing.error
            return None

    async def _coming(self) -> AsyncIterator[int]:
        while (index := await self._queue.get()) is not None:
            yield index

    def _tell(self, event: Event) -> None:
        if isinstance(event, BranchFinished) and len(event.path) == self._depth:
            index = event.outcome.index
            if index in self._told and not self._told[index].done():
                self._told[index].set_result(event.outcome)
            if index in self._passed:
                return  # it has come to nothing yet
        if self._on_event is not None:
            self._on_event(event)

    async def _watch(self) -> None:
        """Let nobody wait when the fan-out has ended early."""
        await self._running.end()
        error = self._running.error
        for told in self._told.values():
            if not told.done():
                told.set_exception(error) if error is not None else told.cancel()


async def _lending(told: asyncio.Future[Outcome[Any]]) -> Outcome[Any]:
    async with yield_slot():
        return await told


class _Sent(Items[Any]):
    """The items that were sent so far, by their places among all."""

    def __init__(self) -> None:
        super().__init__(lambda item, name: freeze(item, key=name))
        self._by_index: dict[int, str] = {}
        self._priority_at: Callable[[int], float] = lambda _: 0.0
        self.keys = _Keys(self._by_index)

    def enter(self, index: int, key: str, priority: Callable[[int], float]) -> None:
        """Tell what is going to be sent."""
        self._by_index[index] = key
        self._priority_at = priority

    def add(self, item: int) -> int:
        """The place of one that was sent: it says so itself."""
        return item

    def in_order(self) -> list[int]:
        """None is there from the start."""
        return []

    def priority(self, position: int) -> float:
        """Of the item."""
        return self._priority_at(position)


class _Keys(list[str]):
    """Keys by place."""

    def __init__(self, by_index: dict[int, str]) -> None:
        super().__init__()
        self._by_index = by_index

    def __getitem__(self, position: Any) -> Any:
        return self._by_index[position]
