"""llama-index-workflows: an event for each item, a step with that many workers, and `collect_events`."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from engine_peers.case import WORKS, Case, Run, items_of, make_state

if TYPE_CHECKING:
    # Steps are wired by their annotations, so these have to be types; the library itself is no dependency.
    step: Any

    class Event:
        """Stands for each of the library's types."""

        def __init__(self, **fields: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

    Context: TypeAlias = Event
    StartEvent: TypeAlias = Event
    StopEvent: TypeAlias = Event
    Workflow: TypeAlias = Event

else:
    workflows, events = importlib.import_module("workflows"), importlib.import_module("workflows.events")
    Context, Workflow, step = workflows.Context, workflows.Workflow, workflows.step
    Event, StartEvent, StopEvent = events.Event, events.StartEvent, events.StopEvent


class Work(Event):
    """One item to work on."""

    item: Any


class Finished(Event):
    """What came of one item."""

    position: int
    value: int


@asynccontextmanager
async def probe(_: str, case: Case) -> AsyncIterator[Run]:
    """Set up one run; making the workflow's class isn't timed."""
    flow, items = _flow(case), items_of(case)

    async def call() -> Any:
        return await flow.run(given=items)

    yield Run(call, lambda found: [value for _, value in sorted(found)])


def _flow(case: Case) -> Any:
    work, state = WORKS[case.work], make_state(case.state_bytes)

    class Flow(Workflow):
        @step
        async def begin(self, context: Context, event: StartEvent) -> Work | None:
            await context.store.set("count", len(event.given))
            for item in event.given:
                context.send_event(Work(item=item))
            return None

        @step(num_workers=case.limit or case.n)
        async def work(self, event: Work) -> Finished:
            return Finished(position=event.item, value=await work(event.item, state))

        @step
        async def end(self, context: Context, event: Finished) -> StopEvent | None:
            found = context.collect_events(event, [Finished] * await context.store.get("count"))
            return StopEvent(result=[(each.position, each.value) for each in found]) if found else None

    return Flow(timeout=None)
