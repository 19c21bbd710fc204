"""H4's executor as its document describes it: a deep copy for each node, a semaphore, `gather`.

Written from the description: `_copy_context` takes `model_copy(deep=True)` of the state and shallow copies of metadata
and provenance, inside the slot; an error becomes part of the result.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from engine_peers.case import WORKS, Case, Run, items_of
from engine_peers.model import as_model


class Small(BaseModel):
    """A state as small as the one that the other peers share."""

    offset: int = 1
    notes: list[str] = ["isolated"]

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


@dataclass
class Context:
    """What a node runs in."""

    state: Any
    execution_id: str
    user_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    provenance: list[dict[str, Any]] = field(default_factory=list)


class End:
    """Where a node's path ends."""


@dataclass
class Result:
    """What one node came to."""

    node: Node
    next_node: End
    context: Context
    execution_time_ms: float
    error: Exception | None = None


@dataclass
class Node:
    """One branch: it leaves its value in its context."""

    work: str
    item: Any

    async def run(self, context: Context) -> End:
        """Do the work over the context's state."""
        context.metadata["value"] = await WORKS[self.work](self.item, context.state)
        return End()


class Executor:
    """Runs nodes together, each over a deep copy."""

    def __init__(self, max_concurrent: int) -> None:
        self._semaphore = asyncio.Semaphore(max_concurrent)

    async def execute_parallel(self, nodes: list[Node], context: Context) -> list[Result]:
        """Results in the order of the nodes."""
        return await asyncio.gather(*(self._isolated(node, context) for node in nodes))

    async def _isolated(self, node: Node, context: Context) -> Result:
        async with self._semaphore:
            isolated = _copy_context(context)
            started = time.perf_counter()
            error: Exception | None = None
            try:
                following = await node.run(isolated)
            except Exception as raised:  # noqa: BLE001 the document's own: an error is part of the result
                following, error = End(), raised
            elapsed_ms = (time.perf_counter() - started) * 1000
            return Result(node, following, isolated, elapsed_ms, error)


def _copy_context(context: Context) -> Context:
    return Context(
        state=context.state.model_copy(deep=True),
        execution_id=context.execution_id,
        user_id=context.user_id,
        metadata=context.metadata.copy(),
        provenance=context.provenance.copy(),
    )


@asynccontextmanager
async def probe(_: str, case: Case) -> AsyncIterator[Run]:
    """Set up one run."""
    state = as_model(case.state_bytes) if case.state_bytes else Small()
    nodes = [Node(case.work, item) for item in items_of(case)]
    context = Context(state, str(uuid.uuid4()))
    executor = Executor(case.limit or max(1, case.n))
    yield Run(lambda: executor.execute_parallel(nodes, context), _reader(case))


def _reader(case: Case) -> Callable[[Any], list[int]]:
    if case.work == "fail":
        return lambda results: [int(result.error.args[0]) * 2 + 1 for result in results]
    return lambda results: [result.context.metadata["value"] for result in results]
