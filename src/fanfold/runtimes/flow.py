"""What both applications are: prepare, fan out, branch, fold, finish. It is data; a runtime runs it."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from fanfold.engine import Event, Failed, Limit, Outcome, fields_of
from fanfold.errors import FanfoldError

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from fanfold.engine import Journal
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
            each gets what the one before it returned, the last returns the update.
        prepare, finish: steps before the fan-out and after the fold, one after another; each is called with the
            state, and its update is folded into it before the next one.
        failed: makes an update of a branch that failed; default: it adds nothing.
        on_outcome: awaited with each branch's outcome, one after another as they arrive, while other branches run.
            After a crash it may be called once more with an outcome that it had before.
        key, priority, deadline_s, total_deadline_s: as for `engine.fan_out`; a deadline is for all hops together.
        pack, prepare_worker: for runtimes that have branches run elsewhere. `pack` is awaited once, in the run, when it
            comes to its branches: what all workers need, as bytes. `prepare_worker` is called with that on each of
            them: what its context manager yields is what `get_context` gives there. Both are functions of a module.
        version: change it when branches would come to other outcomes: journaled ones of another version don't count.
    Raises:
        FlowError: two of its functions share a name, or it has no branch.
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
    version: str = "1"

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable():
            raise FlowError(f"{self.name!r} is no name for a flow", hint="use printable characters, at least one")
        for part in ("prepare", "finish"):
            object.__setattr__(self, part, tuple(getattr(self, part)))  # a list is welcome, too
        if not self.hops:
            raise FlowError(f"the flow {self.name} has no branch", hint="give it a function of an item and the state")
        fields_of(self.state)
        functions: list[Callable[..., Any]] = [*self.prepare, *self.hops, *self.finish]
        names = Counter(name_of(function) for function in functions)
        for name, times in names.items():
            if times > 1:
                raise FlowError(
                    f"two functions of the flow {self.name} are called {name}",
                    hint="its functions are told apart by their names: rename one",
                )

    @functools.cached_property
    def hops(self) -> tuple[Callable[[Any, S], Awaitable[Any]], ...]:
        """The functions that a branch goes through, at least one."""
        return (self.branch,) if callable(self.branch) else tuple(self.branch)

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

        Inside another flow, what isn't given is that flow's: its context, its journal and, in a step, its runtime;
        within a branch the runtime is the native one, and the branch's slot is lent while this flow runs.

        Args:
            state: to begin with; never changed. A mapping may lack fields.
            limit: branches running together, in flows nested in this one too; None = all at once.
            context: what `get_context` gives to the flow's functions.
            runtime: who runs it; default: `Native()`.
            journal: keeps what each hop came to; what it has isn't run again.
            on_event: called with each event of the fan-out, and must return at once.
        Returns:
            The final state, the same on every runtime, and the outcomes of the branches in item order.
        Raises:
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
    inner = getattr(function, "func", function)
    return str(getattr(inner, "__name__", type(inner).__name__))
