"""The branches of one run, each in a task of LangGraph's and a fan-out of its own, as if they were all in one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fanfold.engine import Event, Limit, Outcome, current_branch, yield_slot
from fanfold.engine.items import Items
from fanfold.engine.running import Options, Running
from fanfold.runtimes.flow import Flow
from fanfold.runtimes.langgraph.runs import Passing


class Line:
    """Where the branches of a run line up for its slots.

    A fan-out in the task of a Send, and not one for all: the branch is then in that task's context, so that it can
    write to the graph's streams, be interrupted, and be cancelled with it.

    Args:
        limit: shared by all of them.
        on_event: told what one fan-out of all branches would tell.
    """

    def __init__(self, flow: Flow[Any], limit: Limit | None, on_event: Callable[[Event], None] | None) -> None:
        self._options = Options(limit, flow.deadline_s, flow.total_deadline_s, "collect", on_event, is_fetched=False)

    async def run(self, index: int, key: str, priority: float, call: Callable[[], Awaitable[Any]]) -> Outcome[Any]:
        """What the branch comes to.

        Raises:
            GraphBubbleUp: it waits for an answer.
        """
        running = Running[Any](lambda _: call(), _One(index, key, priority), self._options)
        running.begin()
        try:
            (outcome,) = running.result(await _ended(running))
        except Passing as passing:
            raise passing.error from None
        finally:
            # It knows the fan-out again: all that the branch had would be left to the garbage collector.
            del running._place
        return outcome


async def _ended(running: Running[Any]) -> Any:
    if current_branch() is None:
        return await running.end()
    async with yield_slot():
        return await running.end()


class _One(Items[Any]):
    """One item, at the place that it has among all."""

    def __init__(self, index: int, key: str, priority: float) -> None:
        self.keys = _Key((key,))
        self._index = index
        self._priority = priority

    def in_order(self) -> list[int]:
        """Its position."""
        return [self._index]

    def priority(self, position: int) -> float:  # noqa: ARG002 there is but one
        """Of the item."""
        return self._priority


class _Key(list[str]):
    """The key of one item, wherever it stands."""

    def __getitem__(self, position: Any) -> Any:
        return super().__getitem__(0)
