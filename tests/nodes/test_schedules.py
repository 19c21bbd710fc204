"""Whatever the order in which tasks get their turn: the same contexts, every slot counted, no node left behind."""

from __future__ import annotations

import asyncio
from typing import Any

from fanfold.engine.content import content_hash
from fanfold.nodes import (
    AbstractBaseNode,
    CachedParallelExecutor,
    End,
    MergeStrategy,
    NextNode,
    ParallelExecutor,
    RunContext,
    from_function,
    plan,
    run_graph,
)
from fanfold.testing.schedules import explore, randomness

SCHEDULES = 120


class Worker(AbstractBaseNode[dict[str, Any]]):
    """A node that takes any time, may fail once, and may run others within itself."""

    def __init__(self, name: str, inner: int = 0, following: Any = None) -> None:
        self.name, self.inner, self.following = name, inner, following

    async def run(self, ctx: RunContext[dict[str, Any]]) -> NextNode[dict[str, Any]]:
        executor, spy = CURRENT["executor"], CURRENT["spy"]
        ctx.state["path"].append(self.name)
        if self.inner:
            nodes = [Worker(f"{self.name}{number}", self.inner - 1) for number in range(2)]
            results = await executor.execute_parallel(nodes, ctx)
            ctx.state["path"] = executor.merge_states(results, MergeStrategy.ALL_SUCCESS).state["path"]
        else:
            spy.append(+1)
            assert sum(spy) <= CURRENT["limit"]
            await asyncio.sleep(randomness().choice([0, 0, 1, 2]))
            spy.append(-1)
        return self.following or End()


CURRENT: dict[str, Any] = {}


def begin(limit: int, **options: Any) -> ParallelExecutor[dict[str, Any]]:
    executor: ParallelExecutor[dict[str, Any]] = ParallelExecutor(limit, **options)
    CURRENT.update(executor=executor, spy=[], limit=limit)
    return executor


def test_nested_nodes_merge_alike_and_never_exceed_their_slots() -> None:
    async def scenario() -> str:
        executor = begin(2)
        ctx: RunContext[dict[str, Any]] = RunContext({"path": []}, "id")
        nodes = [Worker("a", inner=2), Worker("b"), Worker("c", inner=1)]
        done = await run_graph([*nodes, Worker("d", following=Worker("e"))], ctx, executor=executor)
        assert executor.limit.running == 0
        return content_hash((done.context.state, done.context.provenance))

    assert len(set(explore(scenario, schedules=SCHEDULES))) == 1


def test_a_stream_that_is_left_early_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        executor = begin(2)
        ctx: RunContext[dict[str, Any]] = RunContext({"path": []})
        async with executor.stream_parallel([Worker(name) for name in "abcde"], ctx) as results:
            async for result in results:
                assert result.is_success
                if len(results.finished) == randomness().randint(1, 4):
                    break
        assert executor.limit.running == 0

    explore(scenario, schedules=SCHEDULES)


def test_a_plan_gives_the_same_context_and_runs_each_node_once() -> None:
    async def scenario() -> str:
        ran: list[str] = []

        def node(reads: str, write: str) -> Any:
            async def work(**inputs: Any) -> str:
                ran.append(write)
                await asyncio.sleep(randomness().choice([0, 0, 1, 2]))
                return f"{write}({','.join(str(value) for value in inputs.values())})"

            return from_function(work, reads=list(reads), writes=write, name=write)

        nodes = [node("cd", "e"), node("a", "b"), node("b", "c"), node("b", "d"), node("a", "x"), node("ex", "y")]
        done = await plan(nodes).run(RunContext({"a": "A"}, "id"), executor=begin(2))
        assert sorted(ran) == list("bcdexy")
        return content_hash((done.context.state, done.context.provenance))

    assert len(set(explore(scenario, schedules=SCHEDULES))) == 1


def test_equal_nodes_run_once_however_they_meet() -> None:
    async def scenario() -> None:
        runs = 0

        async def work(question: str) -> str:
            nonlocal runs
            runs += 1
            await asyncio.sleep(randomness().choice([0, 1]))
            return question + "!"

        node = from_function(work, writes="answer")
        executor: CachedParallelExecutor[Any] = CachedParallelExecutor(3)
        calls = [executor.execute_parallel([node] * 4, RunContext({"question": "q"})) for _ in range(2)]
        for results in await asyncio.gather(*calls):
            assert [result.context.state["answer"] for result in results] == ["q!"] * 4
        assert runs == 1

    explore(scenario, schedules=SCHEDULES)
