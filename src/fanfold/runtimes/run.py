"""One run of a flow: what it was given, and what its functions can ask for."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from fanfold.engine import Done, Event, Failed, Limit, Outcome, current_branch, fields_of, fold, freeze
from fanfold.errors import FanfoldError
from fanfold.runtimes.flow import INHERITED, Flow, Update, name_of

if TYPE_CHECKING:
    from fanfold.engine import Journal

S = TypeVar("S")
C = TypeVar("C")


class NoContext(FanfoldError):
    """A function of a flow asks for a context that the run wasn't given."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was given, or has from the run around it: see `Flow.run`."""

    limit: int | Limit | None = None
    context: Any = None
    journal: Journal | None = None
    on_event: Callable[[Event], None] | None = None


@dataclass(frozen=True, slots=True)
class Result(Generic[S]):
    """What a run came to.

    Attributes:
        state: the final one: a dict for a TypedDict, else of the flow's own type.
        outcomes: one for each item, in item order; the value of a branch that is done is its update.
        runtime: the name of the runtime that ran it.
    """

    state: S
    outcomes: tuple[Outcome[Any], ...]
    runtime: str


class Runtime(Protocol):
    """Who runs a flow. The same flow comes to the same state on each."""

    @property
    def name(self) -> str:
        """What reports call it."""

    async def run(self, flow: Flow[S], state: S, options: Options) -> Result[S]:
        """Run the flow to its end, each function within `within`."""


class _Around:
    """The run that code is in: what flows inside of it inherit."""

    __slots__ = ("options", "runtime")

    def __init__(self, runtime: Runtime, options: Options) -> None:
        self.runtime = runtime
        self.options = options


_around: ContextVar[_Around | None] = ContextVar("fanfold_run", default=None)


def get_context(kind: type[C]) -> C:
    """What the run of this flow was given as its context.

    Raises:
        NoContext: this code runs in no flow, or the run's context is of another type.
    """
    around = _around.get()
    if around is None:
        raise NoContext("get_context was called outside of a flow", hint="call it in a step or a branch")
    if not isinstance(around.options.context, kind):
        given = type(around.options.context).__name__
        raise NoContext(
            f"the context of this run is a {given}, not a {kind.__name__}",
            hint="pass context= when the flow is run",
        )
    return around.options.context


@contextlib.contextmanager
def within(runtime: Runtime, options: Options) -> Iterator[None]:
    """Code in this block is part of the run."""
    before = _around.set(_Around(runtime, options))
    try:
        yield
    finally:
        _around.reset(before)


async def run(
    flow: Flow[S],
    state: S | Mapping[str, Any],
    limit: int | Limit | None,
    context: Any,
    runtime: Runtime | None,
    journal: Journal | None,
    on_event: Callable[[Event], None] | None,
) -> Result[S]:
    """Run the flow with what was given, and with the rest from the run around it."""
    from fanfold.runtimes.native import Native  # noqa: PLC0415 it is one of those that run flows

    around = _around.get()
    if around is not None:
        context = around.options.context if context is INHERITED else context
        journal = journal or around.options.journal
        if runtime is None and current_branch() is None:
            runtime = around.runtime
    options = Options(limit, None if context is INHERITED else context, journal, on_event)
    return await (runtime or Native()).run(flow, begun(flow, state), options)


def begun(flow: Flow[S], state: S | Mapping[str, Any]) -> Any:
    """The state to begin with: of the flow's type, and with the start of each reducer in a field that is missing.

    Raises:
        FoldError: a mapping has a field that the state lacks.
        Whatever a dataclass or a model raises for values that it refuses.
    """
    if not isinstance(state, Mapping):
        return state
    starts = {name: field.start() for name, field in fields_of(flow.state).items() if field.start is not None}
    nothing: dict[str, Any] = {}
    known = fold(nothing, [Done(f"the state given to {flow.name}", dict(state), 0.0, 0.0)])
    return made(flow, {**starts, **known})


def made(flow: Flow[S], values: Mapping[str, Any]) -> Any:
    """A state of the flow's own type."""
    return dict(values) if issubclass(flow.state, dict) else flow.state(**values)


async def stepped(flow: Flow[S], step: Callable[[S], Awaitable[Update]], state: S) -> S:
    """The state with a step's update folded into it."""
    update = await step(viewed(flow, state))
    return fold(state, [Done(name_of(step), update, 0.0, 0.0)], schema=flow.state)


def viewed(flow: Flow[S], state: S) -> S:
    """An isolated view of the state: what is done to it stays in it."""
    return freeze(state, as_type=flow.state).view()


def update_of(flow: Flow[Any], outcome: Outcome[Any]) -> Outcome[Any]:
    """What is folded of an outcome: a failure's update, where the flow makes one of it."""
    if flow.failed is None or not isinstance(outcome, Failed):
        return outcome
    update = flow.failed(outcome)
    return Done(outcome.key, update, outcome.started_s, outcome.elapsed_s, outcome.attempts, outcome.index)
