"""H4's acceptance criteria, under the document's names and with its nodes, on virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from fanfold.engine import Limit
from fanfold.engine.content import content_hash
from fanfold.nodes import BaseNode, End, MergeStrategy, NodeResult, ParallelExecutor, RunContext
from fanfold.testing.clock import run, virtual_time


class TestState(BaseModel):
    __test__ = False  # the document's name, which pytest would collect

    value: int = 0
    counter: int = 0
    nested: dict[str, list[int]] = {"seen": []}


class PlainNode:
    """The document's Protocol, from nothing but a class."""

    signature: Any = None

    def extract_inputs(self, state: TestState) -> dict[str, Any]:
        return state.model_dump()

    def update_state(self, state: TestState, result: Any) -> None:
        state.value = result

    async def run(self, ctx: RunContext[TestState]) -> BaseNode[TestState] | End:
        self.update_state(ctx.state, 1)
        return End()


TestNode = PlainNode
QuickNode = SuccessNode = PlainNode


class SlowNode(PlainNode):
    def __init__(self, delay_ms: int) -> None:
        self.delay_ms = delay_ms

    async def run(self, ctx: RunContext[TestState]) -> BaseNode[TestState] | End:
        await asyncio.sleep(self.delay_ms / 1000)
        return await super().run(ctx)


class IncrementNode(PlainNode):
    async def run(self, ctx: RunContext[TestState]) -> BaseNode[TestState] | End:
        before = ctx.state.counter
        await asyncio.sleep(0)
        ctx.state.counter = before + 1
        ctx.state.nested["seen"].append(before)
        ctx.metadata.setdefault("seen", []).append(before)
        return End()


class FailNode(PlainNode):
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def run(self, ctx: RunContext[TestState]) -> BaseNode[TestState] | End:
        ctx.state.value = 13
        raise self.error


@virtual_time
async def test_speedup_parallel_paths() -> None:
    nodes = [SlowNode(delay_ms=100) for _ in range(4)]
    ctx = RunContext(state=TestState())
    now_s = asyncio.get_running_loop().time

    began_s = now_s()
    for node in nodes:
        await node.run(ctx)
    sequential_s = now_s() - began_s

    executor: ParallelExecutor[TestState] = ParallelExecutor(max_concurrent=4)
    began_s = now_s()
    results = await executor.execute_parallel(nodes, ctx)
    parallel_s = now_s() - began_s

    assert sequential_s == pytest.approx(0.4)
    assert parallel_s == pytest.approx(0.1)
    assert sequential_s / parallel_s >= 2.0
    assert [result.execution_time_ms for result in results] == [pytest.approx(100)] * 4


@virtual_time
async def test_deterministic_100_runs() -> None:
    node = TestNode()
    ctx = RunContext(state=TestState(value=42))
    executor: ParallelExecutor[TestState] = ParallelExecutor(max_concurrent=4)
    outputs = []
    for _ in range(100):
        results = await executor.execute_parallel([node], ctx)
        outputs.append(results[0].context.state.model_dump_json())
    assert len(set(outputs)) == 1
    assert outputs[0] != ctx.state.model_dump_json()


@virtual_time
async def test_deterministic_100_runs_of_a_merge_whatever_each_node_takes() -> None:
    executor: ParallelExecutor[TestState] = ParallelExecutor(max_concurrent=3)
    ctx = RunContext(state=TestState(), execution_id="e")
    merged = []
    for turn in range(100):
        delays = [(turn * 37 + position * 11) % 50 for position in range(8)]
        nodes: list[BaseNode[TestState]] = [Appender(position, delay) for position, delay in enumerate(delays)]
        results = await executor.execute_parallel(nodes, ctx)
        together = executor.merge_states(results, MergeStrategy.ALL_SUCCESS)
        merged.append(content_hash((together.state, together.provenance)))
    assert len(set(merged)) == 1


class Appender(SlowNode):
    def __init__(self, position: int, delay_ms: int) -> None:
        super().__init__(delay_ms)
        self.position = position

    async def run(self, ctx: RunContext[TestState]) -> BaseNode[TestState] | End:
        following = await super().run(ctx)
        ctx.state.nested["seen"].append(self.position)
        ctx.add_provenance(f"node {self.position}", "nothing")
        return following


@virtual_time
async def test_no_race_conditions() -> None:
    nodes = [IncrementNode() for _ in range(10)]
    ctx = RunContext(state=TestState(counter=0))
    executor: ParallelExecutor[TestState] = ParallelExecutor(max_concurrent=10)
    results = await executor.execute_parallel(nodes, ctx)
    for result in results:
        assert result.context.state.counter == 1, "State not properly isolated"
        assert result.context.state.nested == {"seen": [0]}
        assert result.context.metadata == {"seen": [0]}
    assert (ctx.state, ctx.metadata) == (TestState(), {})


@virtual_time
async def test_no_deadlocks() -> None:
    nodes = [QuickNode() for _ in range(100)]
    ctx = RunContext(state=TestState())
    executor: ParallelExecutor[TestState] = ParallelExecutor(max_concurrent=4)
    async with asyncio.timeout(5.0):
        results = await executor.execute_parallel(nodes, ctx)
    assert len(results) == 100


@virtual_time
async def test_error_propagation() -> None:
    nodes: list[BaseNode[TestState]] = [SuccessNode(), FailNode(ValueError("Test error")), SuccessNode()]
    ctx = RunContext(state=TestState())
    executor: ParallelExecutor[TestState] = ParallelExecutor(max_concurrent=3)
    results = await executor.execute_parallel(nodes, ctx)
    assert len(results) == 3
    assert results[1].error is not None
    assert isinstance(results[1].error, ValueError)
    assert results[0].error is None
    assert results[2].error is None
    assert results[1].is_end
    assert [result.is_success for result in results] == [True, False, True]
    assert [result.node for result in results] == nodes


class Nested(PlainNode):
    """A node that runs others through the executor that runs it."""

    def __init__(self, executor: ParallelExecutor[TestState], spy: Spy, depth: int) -> None:
        self.executor, self.spy, self.depth = executor, spy, depth

    async def run(self, ctx: RunContext[TestState]) -> BaseNode[TestState] | End:
        if self.depth == 0:
            async with self.spy:
                await asyncio.sleep(0.01)
            return End()
        inner = [Nested(self.executor, self.spy, self.depth - 1) for _ in range(3)]
        for result in await self.executor.execute_parallel(inner, ctx):
            assert result.is_success
        return End()


class Spy:
    """Counts who is inside at the same time."""

    def __init__(self) -> None:
        self.inside = self.peak = self.entered = 0

    async def __aenter__(self) -> None:
        self.inside += 1
        self.entered += 1
        self.peak = max(self.peak, self.inside)

    async def __aexit__(self, *_: object) -> None:
        self.inside -= 1


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_nested_and_concurrent_calls_share_the_slots_and_never_deadlock(limit: int) -> None:
    async def main() -> Spy:
        executor: ParallelExecutor[TestState] = ParallelExecutor(max_concurrent=limit)
        spy = Spy()
        ctx = RunContext(state=TestState())
        calls = [executor.execute_parallel([Nested(executor, spy, 2)] * 3, ctx) for _ in range(2)]
        for results in await asyncio.gather(*calls):
            assert all(result.is_success for result in results)
        assert executor.limit.running == 0
        return spy

    spy = run(main())
    assert (spy.peak, spy.entered) == (limit, 2 * 3 * 3 * 3)


@virtual_time
async def test_executors_share_slots_through_one_limit() -> None:
    limit, spy = Limit(2), Spy()
    first: ParallelExecutor[TestState] = ParallelExecutor(limit=limit)
    second: ParallelExecutor[TestState] = ParallelExecutor(limit=limit)
    ctx = RunContext(state=TestState())
    await asyncio.gather(*(one.execute_parallel([Nested(one, spy, 0)] * 5, ctx) for one in (first, second)))
    assert (spy.peak, spy.entered) == (2, 10)


@virtual_time
async def test_the_join_of_a_batch_has_a_result_for_each_of_0_1_and_many_nodes() -> None:
    executor: ParallelExecutor[TestState] = ParallelExecutor()
    for count in (0, 1, 50):
        results: list[NodeResult[TestState]] = await executor.execute_parallel(
            [QuickNode()] * count, RunContext(state=TestState())
        )
        assert len(results) == count
