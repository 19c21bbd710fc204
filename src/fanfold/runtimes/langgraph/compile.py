"""Make an ordinary LangGraph graph of a flow.

    START → prepare steps → (one Send for each item, and `join`) → fold → finish steps → END

`join` is a node in the superstep of the Sends: it has `fold` run exactly once after them, were there none at all.
(`defer=True` doesn't: a deferred node runs again for Sends of Sends, and never where there are no Sends.)
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import Checkpointer, Send

from fanfold.engine import Event, Limit
from fanfold.engine.journal.signature import return_type
from fanfold.runtimes.flow import Flow, name_of
from fanfold.runtimes.langgraph.branches import Payload
from fanfold.runtimes.langgraph.channels import BRANCHES, schema_of, schema_with_branches
from fanfold.runtimes.langgraph.graph import FlowGraph
from fanfold.runtimes.langgraph.invocation import Invocation, Plan

JOIN = "join"
FOLD = "fold"


def to_langgraph(
    flow: Flow[Any],
    *,
    checkpointer: Checkpointer = None,
    limit: int | Limit | None = None,
    context: Any = None,
    journal: Path | str | None = None,
    on_event: Callable[[Event], None] | None = None,
    name: str | None = None,
    **options: Any,
) -> FlowGraph:
    """A flow as an ordinary LangGraph graph: invoked, streamed, drawn, saved and nested as any other.

    Its nodes are called as the flow's functions are: one for each step, and one for the branch, whose hops run in it
    one after another (`first+second`). `join` and `fold` stand between the branches and the finish steps.

    A run of it keeps what the engine promises: branches are isolated, retried on clean state and counted against one
    limit, that of flows nested in them included; a failure is an outcome; updates are folded once, in item order.
    An interrupt in a branch (`langgraph.types.interrupt`) stops the graph when the others have ended, and is answered
    with `Command(resume=...)`; that branch then runs again from its start.

    Args:
        checkpointer: a saver of LangGraph's; None = that of a graph around this one, False = none at all.
        limit: branches running together, as for `Flow.run`; the top-level `max_concurrency` of a run's config
            lowers it for that run.
        context: what `get_context` gives to the flow's functions, where the graph isn't invoked with `context=`.
        journal: an SQLite file that keeps what each hop came to, durable before LangGraph hears of it: after a crash
            no finished hop runs again, with any checkpointer or none. A graph that is invoked again after a crash, by
            its thread or with the same input, goes on with its run.
        on_event: called with each event of the fan-out, and must return at once.
        name: of the graph, in traces and in a graph around it; default: the flow's.
        options: further ones of `StateGraph.compile`: store, cache, interrupt_before, interrupt_after, debug.
    Raises:
        LimitError: limit is less than 1.
        JournalError: there is a journal, and a hop before the last doesn't declare what it returns.
    """
    Limit(limit) if not isinstance(limit, Limit) else None
    if journal is not None:
        for hop in flow.hops[:-1]:
            return_type(hop)
    plan = Plan(flow, limit, context, Path(journal) if journal is not None else None, on_event)
    graph = _builder(plan).compile(checkpointer, name=name or flow.name, **options)
    return FlowGraph.of(graph)


class FlowBuilder(StateGraph[Any, Any, Any, Any]):
    """A graph that knows of which flow it was made."""

    plan: Plan


def _builder(plan: Plan) -> FlowBuilder:
    flow = plan.flow
    schema = schema_of(flow)
    builder = FlowBuilder(schema, context_schema=None)
    builder.plan = plan
    functions: list[Callable[..., Any]] = [*flow.prepare, *flow.hops, *flow.finish]
    taken = set(map(name_of, functions))
    branch, join, fold = "+".join(map(name_of, flow.hops)), _free(JOIN, taken), _free(FOLD, taken)

    for step in (*flow.prepare, *flow.finish):
        builder.add_node(name_of(step), _step(plan, step))
    builder.add_node(branch, _branch(plan), destinations=(fold,))
    builder.add_node(join, _join)
    builder.add_node(fold, _fold(plan), input_schema=schema_with_branches(flow, has_journal=plan.journal is not None))

    before = [START, *map(name_of, flow.prepare)]
    after = [fold, *map(name_of, flow.finish), END]
    for one, next_one in (*pairwise(before), *pairwise(after), (join, fold)):
        builder.add_edge(one, next_one)
    builder.add_conditional_edges(before[-1], _fan_out(plan, branch, join), [branch, join])
    return builder


def _step(plan: Plan, step: Callable[..., Any]) -> Callable[..., Any]:
    async def node(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return await Invocation.here(plan, config).step(step, state)

    return node


def _fan_out(plan: Plan, branch: str, join: str) -> Callable[..., Any]:
    async def fan_out(state: dict[str, Any], config: RunnableConfig) -> list[Send | str]:
        payloads = await Invocation.here(plan, config).begin(state)
        return [*(Send(branch, payload) for payload in payloads), join]

    return fan_out


def _branch(plan: Plan) -> Callable[..., Any]:
    async def node(payload: Payload, config: RunnableConfig) -> dict[str, Any]:
        return {BRANCHES: await Invocation.here(plan, config).branch(payload)}

    return node


async def _join(state: dict[str, Any]) -> None:
    """Have `fold` run after this superstep."""


def _fold(plan: Plan) -> Callable[..., Any]:
    async def node(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        came_to = state.pop(BRANCHES, [])
        return Invocation.here(plan, config).fold(state, came_to)

    return node


def _free(name: str, taken: set[str]) -> str:
    return name if name not in taken else _free(f"{name}_", taken)
