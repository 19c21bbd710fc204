"""H4's acceptance criteria and performance targets, through Fanfold's `ParallelExecutor`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from engine_peers.acceptance import acceptance
from engine_peers.case import WORKS, Case, Run, items_of
from engine_peers.h4 import Small
from engine_peers.model import as_model
from fanfold.nodes import End, NodeResult, ParallelExecutor, RunContext


class Node:
    """One branch: it leaves its value in its context."""

    signature: Any = None

    def __init__(self, work: str, item: Any) -> None:
        self._work, self._item = work, item

    def extract_inputs(self, state: Any) -> dict[str, Any]:  # noqa: ARG002 the protocol's
        """Reads what it likes."""
        return {}

    def update_state(self, state: Any, result: Any) -> None:
        """Writes nothing."""

    async def run(self, ctx: RunContext[Any]) -> End:
        """Do the work over the context's state."""
        ctx.metadata["value"] = await WORKS[self._work](self._item, ctx.state)
        return End()


@asynccontextmanager
async def probe(_: str, case: Case) -> AsyncIterator[Run]:
    """Set up one run."""
    if case.variant == "acceptance":
        figures: dict[str, float] = {}
        yield Run(lambda: acceptance(figures), lambda _: case.expected(), figures)
        return
    state = as_model(case.state_bytes) if case.state_bytes else Small()
    nodes = [Node(case.work, item) for item in items_of(case)]
    executor: ParallelExecutor[Any] = ParallelExecutor(max_concurrent=case.limit or max(1, case.n))
    extra: dict[str, float] = {}
    if case.variant == "speedup":
        extra["serial_s"] = await _one_after_another(nodes, state)

    async def call() -> list[NodeResult[Any]]:
        started = time.perf_counter()
        results = await executor.execute_parallel(nodes, RunContext(state=state))
        extra["parallel_s"] = time.perf_counter() - started
        return results

    def read(results: list[NodeResult[Any]]) -> list[int]:
        if case.work == "fail":
            return [int(result.error.args[0]) * 2 + 1 for result in results if result.error]
        return [result.context.metadata["value"] for result in results]

    yield Run(call, read, extra)


async def _one_after_another(nodes: list[Node], state: Any) -> float:
    started = time.perf_counter()
    for node in nodes:
        await node.run(RunContext(state=state))
    return time.perf_counter() - started
