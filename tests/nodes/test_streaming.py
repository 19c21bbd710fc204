from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fanfold.nodes import MergeError, MergeStrategy, ParallelExecutor, RunContext, from_function
from fanfold.testing.clock import virtual_time


def appends(name: str, delay_s: float, error: Exception | None = None) -> Any:
    async def work(items: list[str]) -> list[str]:
        await asyncio.sleep(delay_s)
        if error:
            raise error
        return [*items, name]

    return from_function(work, writes="items", name=name)


@virtual_time
async def test_results_come_as_they_finish_and_merge_in_node_order_so_far() -> None:
    executor: ParallelExecutor[Any] = ParallelExecutor()
    ctx = RunContext({"items": ["given"]})
    seen, states = [], []
    async with executor.stream_parallel([appends("a", 3), appends("b", 1), appends("c", 2)], ctx) as results:
        assert results.partial() is ctx
        async for result in results:
            seen.append(result.node.name)  # type: ignore[attr-defined]
            states.append(results.partial().state["items"])
    assert seen == ["b", "c", "a"]
    assert states == [["given", "b"], ["given", "b", "c"], ["given", "a", "b", "c"]]
    assert [result.node.name for result in results.finished] == ["a", "b", "c"]  # type: ignore[attr-defined]
    assert ctx.state == {"items": ["given"]}


@virtual_time
async def test_a_partial_merge_leaves_failed_nodes_out() -> None:
    nodes = [appends("a", 1), appends("b", 2, ValueError("no")), appends("c", 3)]
    async with ParallelExecutor[Any]().stream_parallel(nodes, RunContext({"items": []})) as results:
        async for _ in results:
            partial = results.partial()
    assert partial.state["items"] == ["a", "c"]
    assert [result.is_success for result in results.finished] == [True, False, True]
    assert results.partial(MergeStrategy.FIRST_SUCCESS).state["items"] == ["a"]
    with pytest.raises(MergeError):
        results.partial(MergeStrategy.MAJORITY)


@virtual_time
async def test_leaving_the_block_ends_the_nodes_that_still_run() -> None:
    executor: ParallelExecutor[Any] = ParallelExecutor()
    nodes = [appends("a", 1), appends("b", 100)]
    async with executor.stream_parallel(nodes, RunContext({"items": []})) as results:
        async for result in results:
            assert result.context.state["items"] == ["a"]
            break
    assert asyncio.get_running_loop().time() == 1
    assert executor.limit.running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual_time
async def test_a_stream_can_be_read_without_a_block() -> None:
    executor: ParallelExecutor[Any] = ParallelExecutor()
    ctx: RunContext[Any] = RunContext({"items": []})
    names = [result.node.name async for result in executor.stream_parallel([appends("a", 2), appends("b", 1)], ctx)]  # type: ignore[attr-defined]
    assert names == ["b", "a"]
    async for _ in executor.stream_parallel([appends("a", 1), appends("b", 100)], ctx):
        break
    await asyncio.sleep(0.5)
    assert executor.limit.running == 0


@virtual_time
async def test_a_stream_of_nothing_ends_at_once() -> None:
    async with ParallelExecutor[Any]().stream_parallel([], RunContext({})) as results:
        assert [result async for result in results] == []


@virtual_time
async def test_a_stream_is_not_read_outside_of_its_block() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await anext(ParallelExecutor[Any]().stream_parallel([appends("a", 1)], RunContext({"items": []})))
