"""One run of a flow: what it was given, and what its functions can ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import MISSING, dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast, get_origin

from fanfold.engine import (
    Done,
    Event,
    Failed,
    Limit,
    Outcome,
    UpdateError,
    current_branch,
    detach,
    fields_of,
    fold,
    freeze,
    updates_only,
)
from fanfold.engine.schema import is_model
from fanfold.errors import FanfoldError
from fanfold.runtimes.flow import INHERITED, Flow, FlowError, Update, name_of

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
        given = around.options.context
        has = "has no context" if given is None else f"has a {type(given).__name__} as its context"
        raise NoContext(f"this run {has}, not a {kind.__name__}", hint="pass context= when the flow is run")
    return around.options.context


class within:  # noqa: N801 used as a function is: `with within(runtime, options):`
    """Code in this block is part of the run."""

    __slots__ = ("_around", "_before")

    def __init__(self, runtime: Runtime, options: Options) -> None:
        self._around = _Around(runtime, options)
        self._before: Token[_Around | None] | None = None

    def __enter__(self) -> None:
        self._before = _around.set(self._around)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            _around.reset(self._before)

    def stay(self) -> None:
        """Have the rest of this context be part of the run."""
        _around.set(self._around)


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
        limit = around.options.limit if limit is None else limit
        if runtime is None and current_branch() is None:
            runtime = around.runtime
    # One for the whole run: it is shared by flows that run while its branches do, and a wrong one is refused here.
    limit = limit if isinstance(limit, Limit | None) else Limit(limit)
    options = Options(limit, None if context is INHERITED else context, journal, on_event)
    return await (runtime or Native()).run(flow, begun(flow, state), options)


def begun(flow: Flow[S], state: S | Mapping[str, Any]) -> Any:
    """The state to begin with: of the flow's type; a field that is missing has its default, else its reducer's start.

    Raises:
        FlowError: it is of another type, or a mapping has a field that the state lacks.
        Whatever a dataclass or a model raises for values that it refuses.
    """
    schema = _plain(flow.state)
    if not isinstance(state, Mapping):
        if issubclass(schema, dict) or not isinstance(state, schema):
            given = f"the flow {flow.name} begins with a {schema.__name__}, and was given a {type(state).__name__}"
            raise FlowError(given, hint=f"pass a {schema.__name__}, or a mapping of its fields")
        return state
    fields = fields_of(schema)
    for name in state:
        # What a dataclass is only made with is among its own fields.
        if name not in fields and name not in getattr(schema, "__dataclass_fields__", ()):
            near = get_close_matches(str(name), fields, n=1)
            hint = f"is it {near[0]!r}?" if near else f"the state has {', '.join(fields)}"
            raise FlowError(f"the state given to the flow {flow.name} has {name!r}, which its type lacks", hint=hint)
    missing = {
        name: field.start for name, field in fields.items() if name not in state and not has_default(schema, name)
    }
    known = {name: start() for name, start in missing.items() if start is not None} | detach(dict(state))
    return made(flow, {name: known[name] for name in [*(name for name in fields if name in known), *known]})


def made(flow: Flow[S], values: Mapping[str, Any]) -> Any:
    """A state of the flow's own type."""
    schema: Any = _plain(flow.state)
    if issubclass(schema, dict):
        return dict(values)
    return schema.model_validate(values, by_alias=False, by_name=True) if is_model(schema) else schema(**values)


def _plain(schema: type) -> type:
    """Without the arguments of a generic type."""
    return schema if is_model(schema) else cast("type", get_origin(schema) or schema)


def has_default(schema: Any, name: str) -> bool:
    """Whether the type itself has something for a field that isn't given."""
    if is_model(schema):
        return not schema.model_fields[name].is_required()
    if (field := getattr(schema, "__dataclass_fields__", {}).get(name)) is None:
        return False
    return not field.init or field.default is not MISSING or field.default_factory is not MISSING


async def stepped(flow: Flow[S], step: Callable[[S], Awaitable[Update]], state: S) -> S:
    """The state with a step's update folded into it.

    Raises:
        As `update_by`; FoldError: its update can't be folded.
    """
    update = await update_by(flow, step, state)
    return fold(state, [Done(name_of(step), update, 0.0, 0.0)], schema=flow.state)


async def update_by(flow: Flow[S], step: Callable[[S], Awaitable[Update]], state: S) -> Update:
    """What a step adds to the state, of which it has a view of its own.

    Raises:
        UpdateError: it returned its state. Else what the step raised.
    """

    async def asked(_: None, view: S) -> Update:
        return await step(view)

    try:
        return await updates_only(asked, schema=flow.state)(None, viewed(flow, state))
    except UpdateError as error:
        raise UpdateError(f"in the step {name_of(step)}: {error.message}", hint=error.hint) from None


def viewed(flow: Flow[S], state: S) -> S:
    """An isolated view of the state: what is done to it stays in it."""
    return freeze(state, as_type=flow.state).view()


def update_of(flow: Flow[Any], outcome: Outcome[Any]) -> Outcome[Any]:
    """What is folded of an outcome: a failure's update, where the flow makes one of it."""
    if flow.failed is None or not isinstance(outcome, Failed):
        return outcome
    update = flow.failed(outcome)
    return Done(outcome.key, update, outcome.started_s, outcome.elapsed_s, outcome.attempts, outcome.index)
