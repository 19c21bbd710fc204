"""Run a flow on the engine itself, on this event loop."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from fanfold.engine import Event, FoldError, JournalError, Outcome, detach, fan_out, fold, freeze
from fanfold.runtimes.flow import Flow, name_of
from fanfold.runtimes.run import Options, Result, Runtime, stepped, update_of, viewed, within
from fanfold.runtimes.types import type_of

if TYPE_CHECKING:
    from fanfold.engine import Journal

S = TypeVar("S")

Hop: TypeAlias = Callable[[Any, Any], Awaitable[Any]]


class Native:
    """Runs flows on asyncio, in this process."""

    @property
    def name(self) -> str:
        """What reports call it."""
        return "native"

    async def run(self, flow: Flow[S], state: S, options: Options) -> Result[S]:
        """Run the flow to its end."""
        return await carry_out(self, flow, state, options, flow.hops)


async def carry_out(runtime: Runtime, flow: Flow[S], state: S, options: Options, hops: tuple[Hop, ...]) -> Result[S]:
    """The way through a flow; its hops may be stand-ins that have the work done elsewhere."""
    branch = branch_of(flow, hops, options.journal)
    with within(runtime, options):
        for step in flow.prepare:
            state = await stepped(flow, step, state)
        outcomes = await fan_out(
            branch,
            list(flow.items(viewed(flow, state))),
            state=state,
            schema=flow.state,
            limit=options.limit,
            key=flow.key,
            priority=flow.priority,
            deadline_s=flow.deadline_s,
            total_deadline_s=flow.total_deadline_s,
            on_outcome=flow.on_outcome,
            on_event=options.on_event,
        )
        state = folded(flow, state, outcomes, options.on_event)
        for step in flow.finish:
            state = await stepped(flow, step, state)
    return Result(state, tuple(outcomes), runtime.name)


def folded(flow: Flow[S], state: S, outcomes: list[Outcome[Any]], on_event: Callable[[Event], None] | None = None) -> S:
    """The state with the updates of all branches."""
    updates = [update_of(flow, outcome) for outcome in outcomes]
    try:
        return fold(state, updates, schema=flow.state, on_event=on_event)
    except FoldError as error:
        error.outcomes = tuple(outcomes)  # a failure is still one, whatever was made of it
        raise


def branch_of(flow: Flow[Any], hops: tuple[Hop, ...], journal: Journal | None) -> Hop:
    """One function that goes through all hops, each of them journaled where there is a journal."""
    if journal is not None:
        hops = journaled(flow, hops, journal)
    if len(hops) == 1:
        return hops[0]

    async def through(value: Any, state: Any) -> Any:
        # Each hop starts from the untouched state, as it does where hops run in different places.
        frozen = freeze(state, as_type=flow.state)
        for hop in hops:
            value = detach(await hop(value, frozen.view()))
        return value

    return through


def journaled(flow: Flow[Any], hops: tuple[Hop, ...], journal: Journal) -> tuple[Hop, ...]:
    """The flow's hops, or stand-ins for them, each of which gives back what it came to before, on any runtime.

    Raises:
        JournalError: a hop before the last doesn't declare what it returns; or another flow of the same name and
            version has run with this journal, whose hop of the same name is another function.
    """
    try:
        return tuple(
            journal.wrap(
                _in_place_of(own, hop),
                returns=type_of(flow, own),
                name=f"{flow.name}: {name_of(own)}",
                version=flow.version,
            )
            for own, hop in zip(flow.hops, hops, strict=True)
        )
    except JournalError as error:
        if error.message.startswith("two functions"):
            error.hint = "name the flows differently, or have items and state carry what their functions depend on"
        raise


def _in_place_of(own: Hop, hop: Hop) -> Hop:
    """A stand-in that says for whom: each run has other ones, and to a journal they are the same."""
    if hop is own:
        return hop

    @functools.wraps(own)
    async def stand_in(value: Any, state: Any) -> Any:
        return await hop(value, state)

    return stand_in
