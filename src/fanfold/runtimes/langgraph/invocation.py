"""One run of a flow's graph: what its nodes share, which LangGraph itself has no place for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from langchain_core.runnables.config import var_child_runnable_config
from langgraph.config import get_config
from langgraph.runtime import get_runtime

from fanfold.engine import (
    Done,
    Event,
    Folded,
    FoldError,
    Limit,
    Outcome,
    fields_of,
    fold,
)
from fanfold.engine.schema import values_of
from fanfold.runtimes.flow import Flow, name_of
from fanfold.runtimes.langgraph.branches import Branches, Payload, Record, folded_of, outcome_of
from fanfold.runtimes.langgraph.channels import overwriting
from fanfold.runtimes.langgraph.line import Line
from fanfold.runtimes.langgraph.place import values_here
from fanfold.runtimes.langgraph.runs import Ending, Run
from fanfold.runtimes.langgraph.typed import typed
from fanfold.runtimes.run import Options, Runtime, made, update_by, update_of, viewed, within

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

INVOCATION: Final = "__fanfold_invocation__"
"""Where a run's config has it; LangGraph saves and traces no key that begins so."""

UNLIMITED: Final = 2**31
"""The `max_concurrency` of the graph itself: branches are held to the run's limit, which a branch can lend."""

BETWEEN: Final = 3
"""Supersteps of a graph beside its steps: the input, the branches, the fold."""

LEAST_STEPS: Final = 25
"""The lowest `recursion_limit` that LangGraph has had by default."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a graph was compiled of: see `to_langgraph`."""

    flow: Flow[Any]
    limit: int | Limit | None = None
    context: Any = None
    journal: Path | None = None
    on_event: Callable[[Event], None] | None = None


class Invocation:
    """What the nodes of one run share.

    Args:
        plan: of the graph.
        most: the `max_concurrency` of the run's config.
        options: what the flow was run with; default: as the plan says.
        state: to begin with, as an object; the graph has its fields.
        runtime: who runs flows that are nested in steps; default: a LangGraph runtime.
    """

    def __init__(
        self,
        plan: Plan,
        most: int | None = None,
        options: Options | None = None,
        state: Any = None,
        runtime: Runtime | None = None,
    ) -> None:
        from fanfold.runtimes.langgraph.runtime import LangGraph  # noqa: PLC0415 which runs graphs, and so knows these

        self.plan = plan
        self.most = most
        self.outcomes: tuple[Outcome[Any], ...] = ()
        self.has_ended = False
        self._state = state
        self._options = options
        self._runtime: Runtime = runtime or LangGraph()
        self._stale: set[str] = set()
        self._seen: Mapping[str, Any] | None = None if state is None else values_of(state)
        given = options.limit if options else plan.limit
        # A limit that others share isn't lowered for this run: then LangGraph holds the graph to `most`, too.
        self._is_own_limit = not isinstance(given, Limit)
        self._limit = given if isinstance(given, Limit) else _lower(given, most)
        self._run = Run(plan.flow, plan.journal, options.journal if options else None)
        self._branches: Branches | None = None
        self._line: Line | None = None
        self._staying: within
        self._preparing = asyncio.Lock()
        self._is_open = False

    @classmethod
    def of(cls, plan: Plan, bound: RunnableConfig | None, config: RunnableConfig | None) -> Invocation:
        """The one that a run with this config was given, or a new one."""
        given = (config or {}).get("configurable", {}).get(INVOCATION)
        if isinstance(given, Invocation) and given.plan is plan and not given._is_open:
            return given
        return cls(plan, _known("max_concurrency", config, bound))

    @property
    def state(self) -> Any:
        """The flow's state as it is now."""
        return self._state

    @classmethod
    def here(cls, plan: Plan, config: RunnableConfig) -> Invocation:
        """The one that a node runs in; one by itself where the graph's state is only being edited."""
        found = _in(config)
        return found if found is not None and found.plan is plan else cls(replace(plan, journal=None))

    def config(self, bound: RunnableConfig | None, config: RunnableConfig | None) -> RunnableConfig:
        """The config to run the graph with."""
        given: RunnableConfig = {**config} if config else {}
        given["configurable"] = {**given.get("configurable", {}), INVOCATION: self}
        steps = len(self.plan.flow.prepare) + len(self.plan.flow.finish) + BETWEEN
        if _known("recursion_limit", config, bound, default=LEAST_STEPS) < steps:
            given["recursion_limit"] = steps
        if self.most is not None and self._is_own_limit:
            given.pop("max_concurrency", None)
            if _known("max_concurrency", given, bound) is not None:
                given["max_concurrency"] = UNLIMITED  # the graph has one that can't be taken away
        return given

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Run the graph in this block; afterwards nothing is kept of the run but its outcomes."""
        self._is_open = True
        try:
            yield
        except BaseException:
            await self._close("failed")
            raise
        else:
            await self._close("finished" if self.has_ended else "paused")
        finally:
            self._branches = None

    async def _close(self, ending: Ending) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.close(abandon=ending == "failed")
        delivered = self._branches.delivered if self._branches is not None else set[str]()
        await self._run.close(ending, sorted(delivered))

    async def step(self, step: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """What a step writes to the graph's state."""
        with self._within():
            before = self._state_of(values)
            update = Done(name_of(step), await update_by(self.plan.flow, step, before), 0.0, 0.0)
            self.has_ended = step in self.plan.flow.finish[-1:]
            return self._folded(values, before, [update])

    async def begin(self, values: Mapping[str, Any]) -> list[Payload]:
        """What each branch is sent, those that are to start first at the front."""
        with self._within():
            branches = self._branches = self._taken(values)
        return branches.payloads(await self._run.begin(branches.fingerprint))

    async def branch(self, payload: Payload) -> Record:
        """Run a branch to its end; what the graph is told of it.

        Raises:
            GraphBubbleUp: it waits for an answer.
            What `on_outcome` raises.
        """
        branches = self._branches or await self._again(payload)
        branches.check(payload)
        if self.most is not None:
            # What the branch itself invokes, it invokes with the config as it was given.
            var_child_runnable_config.set({**get_config(), "max_concurrency": self.most})
        if self._line is None:
            self._staying = self._within()
            self._line = Line(self.plan.flow, self._limit, self._on_event, self._call)
        self._staying.stay()  # the context is that of this node alone
        return await branches.arrived(await self._line.run(payload["index"], payload["key"], branches.priority))

    def _call(self, index: int) -> Awaitable[Any]:
        if self._branches is None:
            raise AssertionError("a branch began without what branches share")
        return self._branches.call(index, self._run.branch)

    def fold(self, values: Mapping[str, Any], records: list[Record]) -> dict[str, Any]:
        """What the fold of all branches writes to the graph's state."""
        flow, known = self.plan.flow, self._branches.outcomes if self._branches is not None else {}
        in_order = sorted(records, key=lambda record: record["index"])
        self.outcomes = tuple(known.get(record["index"]) or outcome_of(flow, record) for record in in_order)
        with self._within():
            before = self._state_of(values)
            updates = [
                update_of(flow, known[record["index"]]) if record["index"] in known else folded_of(flow, record)
                for record in in_order
            ]
            self.has_ended = not flow.finish
            try:
                return self._folded(values, before, updates, self._on_event)
            except FoldError as error:
                error.outcomes = self.outcomes  # a failure is still one, whatever was made of it
                raise

    def _folded(
        self,
        values: Mapping[str, Any],
        before: Any,
        updates: list[Outcome[Any]],
        on_event: Callable[[Event], None] | None = None,
    ) -> dict[str, Any]:
        """What is to be written for the graph's state to have these updates."""
        flow, told = self.plan.flow, list[Folded]()
        after = fold(before, updates, schema=flow.state, on_event=told.append)
        if on_event is not None:
            on_event(told[0])
        was, now = values_of(before), values_of(after)
        known = values.keys() - self._stale - set(told[0].fields)
        names = [name for name in now if name not in known or _differ(was, now, name)]
        self._stale = set()
        new = {name: now[name] for name in names}
        self._state, self._seen = after, {**values, **new}
        return overwriting(flow, new)

    def _state_of(self, values: Mapping[str, Any]) -> Any:
        """The flow's state with these values: the very object that they were made of, where it is known."""
        seen = self._seen
        if seen is None:
            # A saver may have brought them back, from a checkpoint or from what the last step was about to write.
            restored = typed(self.plan.flow, values)
            self._stale = {name for name in values if restored[name] is not values[name]}
            self._state, self._seen = made(self.plan.flow, restored), dict(values)
        elif seen.keys() != values.keys() or any(seen[name] is not values[name] for name in seen):
            self._state, self._seen = made(self.plan.flow, values), dict(values)
        return self._state

    def _taken(self, values: Mapping[str, Any]) -> Branches:
        state = self._state_of(values)
        return Branches(self.plan.flow, state, self.plan.flow.items(viewed(self.plan.flow, state)))

    async def _again(self, payload: Payload) -> Branches:
        """What branches share, of the graph's state: the run was begun in another process, or before an interrupt."""
        async with self._preparing:
            if self._branches is None:
                with self._within():
                    branches = self._taken(values_here(fields_of(self.plan.flow.state)))
                branches.delivered.update(await self._run.resume(payload["run"], branches.fingerprint))
                self._branches = branches
        return self._branches

    def _within(self) -> within:
        """Code in this block is part of the flow's run."""
        if self._options is None:
            given = getattr(get_runtime(), "context", None)  # no runtime where the state is only edited
            context = self.plan.context if given is None else given
            self._options = Options(self._limit, context, self._run.journal, self.plan.on_event)
        if self._options.journal is not self._run.journal:
            self._options = replace(self._options, journal=self._run.journal)
        return within(self._runtime, self._options)

    @property
    def _on_event(self) -> Callable[[Event], None] | None:
        return self._options.on_event if self._options else self.plan.on_event


def _in(config: RunnableConfig | None) -> Invocation | None:
    found = (config or {}).get("configurable", {}).get(INVOCATION)
    return found if isinstance(found, Invocation) else None


def _known(name: str, config: Any, bound: Any, default: Any = None) -> Any:
    """What a run's config says, else that which is bound to the graph, else the one of the node around."""
    configs: tuple[Any, ...] = (config, bound, var_child_runnable_config.get())
    return next((one[name] for one in configs if one and one.get(name) is not None), default)


def _lower(limit: int | None, most: int | None) -> Limit | None:
    given = [one for one in (limit, most) if one is not None]
    return Limit(min(given)) if given else None


def _differ(was: Mapping[str, Any], now: Mapping[str, Any], name: str) -> bool:
    """Whether a field has another value, as it may though nobody wrote it, where a model's validators make it."""
    if name not in was:
        return True
    try:
        return was[name] is not now[name] and bool(was[name] != now[name])
    except Exception:  # noqa: BLE001 what a value's own comparison raises says nothing of it
        return True
