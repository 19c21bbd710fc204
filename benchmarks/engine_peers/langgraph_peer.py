"""LangGraph: `Send` to one node for each item, results added up by a reducer.

Three ways: as shipped; with a deep copy of the shared state in each branch, which is what equal isolation takes; with
its SQLite saver. Compiling the graph and opening the saver aren't timed.
"""

from __future__ import annotations

import copy
import importlib
import itertools
import operator
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict

from engine_peers.case import WORKS, Case, Run, items_of, make_state
from engine_peers.plain import GROUP, Spy
from engine_peers.savers import bytes_in, opened_saver

graphs = importlib.import_module("langgraph.graph")
Send = importlib.import_module("langgraph.types").Send

_threads = itertools.count()


class State(TypedDict):
    """The graph's state: what goes in, and what the branches add."""

    items: list[Any]
    results: Annotated[list[int], operator.add]


@asynccontextmanager
async def probe(peer: str, case: Case) -> AsyncIterator[Run]:
    """Set up one run."""
    config: dict[str, Any] = {"max_concurrency": case.limit} if case.limit else {}
    async with AsyncExitStack() as stack:
        if case.section == "nested":
            spy = Spy()
            graph = _nested_graph(spy, config)
            items: list[Any] = list(range(0, case.n, GROUP))
        else:
            spy, items = Spy(), items_of(case)
            graph = _spreading(_node(case, copying=peer.endswith("-copy")), make_state(case.state_bytes))
        saver, figures = None, spy.seen if case.section == "nested" else {}
        if peer.endswith("-saver"):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-engine-")))
            saver = await stack.enter_async_context(opened_saver(folder, case.variant or "FULL"))
            config |= {"configurable": {"thread_id": str(next(_threads))}}
        compiled = graph.compile(checkpointer=saver)

        async def call() -> Any:
            return await compiled.ainvoke({"items": items, "results": []}, config=config)

        def read(final: Any) -> list[int]:
            if saver is not None:
                figures["disk_bytes"] = bytes_in(folder)
            results: list[int] = final["results"]
            return results

        yield Run(call, read, figures)


def _node(case: Case, *, copying: bool) -> Callable[[Any], Any]:
    work = WORKS[case.work]

    async def node(sent: Any) -> dict[str, list[int]]:
        shared = copy.deepcopy(sent["shared"]) if copying else sent["shared"]
        return {"results": [await work(sent["item"], shared)]}

    return node


def _spreading(node: Callable[[Any], Any], shared: Any) -> Any:
    def spread(state: State) -> list[Any]:
        return [Send("work", {"item": item, "shared": shared}) for item in state["items"]]

    graph = graphs.StateGraph(State)
    graph.add_node("work", node)
    graph.add_conditional_edges(graphs.START, spread, ["work"])
    graph.add_edge("work", graphs.END)
    return graph


def _nested_graph(spy: Spy, config: dict[str, Any]) -> Any:
    async def leaf(sent: Any) -> dict[str, list[int]]:
        return {"results": [await spy.leaf(sent["item"])]}

    inner = _spreading(leaf, None).compile()

    async def group(sent: Any) -> dict[str, list[int]]:
        numbers = list(range(sent["item"], sent["item"] + GROUP))
        final = await inner.ainvoke({"items": numbers, "results": []}, config=config)
        return {"results": final["results"]}

    return _spreading(group, None)
