"""pydantic-graph: a step mapped over the input, joined into a list.

It has no limit of its own: a semaphore inside the step is one. The join gets results in the order of completion, so
each carries its number.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from engine_peers.case import WORKS, Case, Run, items_of, make_state

pydantic_graph = importlib.import_module("pydantic_graph")


@asynccontextmanager
async def probe(_: str, case: Case) -> AsyncIterator[Run]:
    """Set up one run; building the graph isn't timed."""
    graph, items = _graph(case), items_of(case)

    async def call() -> Any:
        return await graph.run(inputs=items)

    yield Run(call, _in_item_order)


def _graph(case: Case) -> Any:
    work, state = WORKS[case.work], make_state(case.state_bytes)
    semaphore = asyncio.Semaphore(case.limit) if case.limit else None

    async def step(context: Any) -> tuple[int, int]:
        if semaphore is None:
            return context.inputs, await work(context.inputs, state)
        async with semaphore:
            return context.inputs, await work(context.inputs, state)

    builder = pydantic_graph.GraphBuilder(input_type=list, output_type=list)
    mapped = builder.step(step)
    joined = builder.join(pydantic_graph.reduce_list_append, initial_factory=list)
    builder.add(
        builder.edge_from(builder.start_node).map().to(mapped),
        builder.edge_from(mapped).to(joined),
        builder.edge_from(joined).to(builder.end_node),
    )
    return builder.build()


def _in_item_order(results: list[tuple[int, int]]) -> list[int]:
    return [value for _, value in sorted(results)]
