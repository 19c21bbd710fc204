"""What both applications are: prepare, fan out, branch, fold, finish. It is data; a runtime runs it."""

from __future__ import annotations

import functools
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from fanfold.engine import Event, Failed, Limit, Outcome, fields_of, updates_only
from fanfold.errors import FanfoldError

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from fanfold.engine import Journal
    from fanfold.runtimes.asking import Answer
    from fanfold.runtimes.run import Result, Runtime

S = TypeVar("S")

Update: TypeAlias = Mapping[str, Any] | None
"""What a step or a branch adds to the state: some of its fields, or nothing."""

INHERITED: Any = type("Inherited", (), {"__repr__": lambda _: "inherited"})()
"""Stands for a context that wasn't given: that of the flow around this one."""


class FlowError(FanfoldError):
    """A flow is declared in a way that can't run."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Flow(Generic[S]):
    """A declared fan-out and fold over a typed state.

    Steps and hops are async functions that get isolated views and return updates. What they work with and is no data
    (connections, repositories, agents) they get from `get_context`.

    Attributes:
        name: names it in journals, graphs and messages; one name, one flow.
        state: a TypedDict, dataclass or pydantic model; fields that several branches write have reducers.
        items: what the state after the `prepare` steps fans out to; each item has a unique key.
        branch: called with an item and that state, returns an update. Several functions are the hops of one branch:
            each gets what the one before it returned, the last returns the update. One that returns its state
            instead fails (UpdateError), as with `engine.updates_only`.
        prepare, finish: steps before the fan-out and after the fold, one after another; each is called with the
            state, and its update is folded into it before the next one.
        failed: makes an update of a branch that failed; default: it adds nothing.
        on_outcome: awaited with each branch's outcome, one after another as they arrive, while other branches run.
            After a crash it may be called once more with an outcome that it had before.
        key, priority, deadline_s, total_deadline_s: as for `engine.fan_out`; a deadline is for all hops together.
        pack, prepare_worker: for runtimes that have branches run elsewhere. `pack` is awaited once, in the run, when it
            comes to its branches: what all workers need, as bytes. `prepare_worker` is called with that on each of
            them: what its context manager yields is what `get_context` gives there. Both are functions of a module.
        attend: for these runtimes, too, and called in the run: with a branch's key, each time that it is placed
            somewhere. What its context manager yields answers what the branch asks there through `coordinator()`; the
            manager is left when the branch has ended there, or with the error that its place was lost.
        version: change it when branches would come to other outcomes: journaled ones of another version don't count.
    Raises:
        FlowError: two of its functions share a name, it has no branch, or what should be a function is none.
        SchemaError: `state` is no schema.
    """

    name: str
    state: type[S]
    items: Callable[[S], Iterable[Any]]
    branch: Callable[[Any, S], Awaitable[Any]] | tuple[Callable[[Any, S], Awaitable[Any]], ...]
    prepare: tuple[Callable[[S], Awaitable[Update]], ...] = ()
    finish: tuple[Callable[[S], Awaitable[Update]], ...] = ()
    failed: Callable[[Failed], Update] | None = None
    on_outcome: Callable[[Outcome[Any]], Awaitable[None]] | None = None
    key: Callable[[Any], str] | None = None
    priority: Callable[[Any], float] | None = None
    deadline_s: float | None = None
    total_deadline_s: float | None = None
    pack: Callable[[], Awaitable[bytes]] | None = None
    prepare_worker: Callable[[bytes], AbstractAsyncContextManager[Any]] | None = None
    attend: Callable[[str], AbstractAsyncContextManager[Answer]] | None = None
    version: str = "1"

    def __post_init__(self) -> None:
        texts: dict[str, Any] = {"name for a flow": self.name, "version of a flow": self.version}
        for what, text in texts.items():
            if not isinstance(text, str) or not text.isprintable() or not text:
                raise FlowError(f"{text!r} is no {what}", hint="use printable characters, at least one")
        fields_of(self.state)
        for part in ("prepare", "finish"):
            object.__setattr__(self, part, self._functions(part))  # a list is welcome, too
        if not callable(self.branch):
            object.__setattr__(self, "branch", self._functions("branch"))
        if not self.branch:
            raise FlowError(f"the flow {self.name} has no branch", hint="give it a function of an item and the state")
        self._check_options()
        functions: list[Callable[..., Any]] = [*self.prepare, *self.hops, *self.finish]
        names = Counter(name_of(function) for function in functions)
        for name, times in names.items():
            if times > 1:
                raise FlowError(
                    f"two functions of the flow {self.name} are called {name}",
                    hint="its functions are told apart by their names: rename one",
                )

    def _functions(self, part: str) -> tuple[Callable[..., Awaitable[Any]], ...]:
        given = getattr(self, part)
        functions = tuple(given) if isinstance(given, Iterable) else (given,)
        if callable(given) or not all(map(callable, functions)):
            raise FlowError(f"{part} of the flow {self.name} is no tuple of functions", hint="write (function, ...)")
        return functions

    def _check_options(self) -> None:
        for part in ("items", "failed", "on_outcome", "key", "priority", "pack", "prepare_worker", "attend"):
            function = getattr(self, part)
            if not callable(function) and (function is not None or part == "items"):
                raise FlowError(f"{part} of the flow {self.name} is no function: {function!r}")
        if inspect.iscoroutinefunction(self.items) or inspect.isasyncgenfunction(self.items):
            hint = "find out what is asynchronous in a prepare step"
            raise FlowError(f"items of the flow {self.name} is an async function", hint=hint)
        for part in ("deadline_s", "total_deadline_s"):
            seconds = getattr(self, part)
            if seconds is not None and (not isinstance(seconds, int | float) or not seconds > 0):
                raise FlowError(f"{part} of the flow {self.name} is {seconds!r}", hint="give seconds, or None for none")

    @functools.cached_property
    def hops(self) -> tuple[Callable[[Any, S], Awaitable[Any]], ...]:
        """The functions that a branch goes through, at least one; the last refuses to return its state."""
        *first, last = (self.branch,) if callable(self.branch) else self.branch
        return (*first, updates_only(last, schema=self.state))

    async def run(
        self,
        state: S | Mapping[str, Any],
        *,
        limit: int | Limit | None = None,
        context: Any = INHERITED,
        runtime: Runtime | None = None,
        journal: Journal | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Result[S]:
        """Run the flow to its end.

        Inside another flow, what isn't given is that flow's: its context, its limit, its journal and, in a step, its
        runtime; within a branch the runtime is the native one, and the branch's slot is lent while this flow runs.

        Args:
            state: to begin with; never changed. A mapping has some of its fields by name; others hold what their
                reducer or the state's type begins with.
            limit: branches running together, in flows nested in this one too; None = all at once. A flow that runs in
            a step and is given a limit has that one instead.
            context: what `get_context` gives to the flow's functions.
            runtime: who runs it; default: `Native()`.
            journal: keeps what each hop came to; what it has isn't run again.
            on_event: called with each event of the fan-out, and must return at once.
        Returns:
            The final state, the same on every runtime, and the outcomes of the branches in item order.
        Raises:
            FlowError, IsolationError, JournalError, LimitError: before anything starts.
            What a step, `items` or `on_outcome` raised, as it was; a branch that fails is an outcome.
            FoldError: the updates can't be folded.
        """
        from fanfold.runtimes import run  # noqa: PLC0415 it knows what a flow is

        return await run.run(self, state, limit, context, runtime, journal, on_event)

    def to_langgraph(self, **options: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
        """This flow as an ordinary LangGraph graph: see `runtimes.langgraph.compile`."""
        from fanfold.runtimes.langgraph import to_langgraph  # noqa: PLC0415 LangGraph is an extra

        return to_langgraph(self, **options)


def name_of(function: Callable[..., Any]) -> str:
    """A step's or hop's own name, without the place where it is defined."""
    while not hasattr(function, "__name__") or not hasattr(getattr(function, "__wrapped__", function), "__name__"):
        # A decorator can't take over the name of what has none, such as a partial, and stands there with its own.
        inner = getattr(function, "__wrapped__", None) or getattr(function, "func", None)
        if inner is None:
            break
        function = inner
    return str(getattr(function, "__name__", type(function).__name__))
