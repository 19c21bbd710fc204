from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from fanfold.engine.caching import MemoryStore, SqliteStore
from fanfold.nodes import (
    AbstractBaseNode,
    CachedParallelExecutor,
    End,
    NextNode,
    NodeCache,
    ParallelExecutor,
    RunContext,
    from_function,
    plan,
    run_graph,
)
from fanfold.testing.clock import virtual_time


class State(BaseModel):
    question: str = "q"
    answers: list[str] = []
    other: int = 0


class Ask(AbstractBaseNode[State]):
    """A node that takes a second; equal ones are those with an equal suffix."""

    runs = 0
    signature = "question -> answers"

    def __init__(self, suffix: str = "!", following: NextNode[State] | None = None, *, fails: bool = False) -> None:
        self.suffix, self.following, self.fails = suffix, following, fails

    async def run(self, ctx: RunContext[State]) -> NextNode[State]:
        type(self).runs += 1
        await asyncio.sleep(1)
        if self.fails:
            raise ValueError("no")
        ctx.state.answers.append(ctx.state.question + self.suffix)
        ctx.metadata["asked"] = True
        ctx.add_provenance("Ask", "question -> answers")
        return self.following or End()


@pytest.fixture(autouse=True)
def _count_from_zero() -> None:
    Ask.runs = 0


def executor(**options: Any) -> CachedParallelExecutor[State]:
    return CachedParallelExecutor(4, **options)


@virtual_time
async def test_a_node_runs_once_for_equal_contexts() -> None:
    runs = executor()
    (first,) = await runs.execute_parallel([Ask()], RunContext(State(), "first", provenance=[{"node": "start"}]))
    (second,) = await runs.execute_parallel([Ask()], RunContext(State(), "second"))
    assert Ask.runs == 1
    assert (first.cached, second.cached) == (False, True)
    assert second.context.state == first.context.state == State(answers=["q!"])
    assert type(second.context.state) is State
    assert second.context.metadata == {"asked": True}
    assert second.context.execution_id == "second"
    assert second.context.provenance == [
        {"node": "Ask", "signature": "question -> answers", "execution_id": "second"},
    ]
    assert second.execution_time_ms == 0
    statistics = runs.cache_statistics()
    assert (statistics.hits, statistics.misses, statistics.entries) == (1, 1, 1)
    assert runs.get_statistics()["cached"] == 1


@virtual_time
async def test_other_states_metadata_users_settings_and_versions_are_other_keys() -> None:
    runs = executor()
    await runs.execute_single_with_isolation(Ask(), RunContext(State()))
    for ctx in (RunContext(State(other=1)), RunContext(State(), metadata={"a": 1}), RunContext(State(), user_id="ada")):
        assert not (await runs.execute_single_with_isolation(Ask(), ctx)).cached
    assert not (await runs.execute_single_with_isolation(Ask("?"), RunContext(State()))).cached
    assert not (await runs.execute_with_cache(Ask(), RunContext(State()), node_version="2")).cached
    assert (await runs.execute_with_cache(Ask(), RunContext(State()), node_version="2")).cached
    assert Ask.runs == 6


@virtual_time
async def test_equal_nodes_at_the_same_time_run_once_and_lookups_are_parallel() -> None:
    runs = executor()
    nodes = [Ask(str(number % 5)) for number in range(50)]
    results = await runs.execute_parallel_with_cache(nodes, RunContext(State()))
    assert Ask.runs == 5
    assert asyncio.get_running_loop().time() == 2
    assert [result.context.state.answers for result in results] == [[f"q{number % 5}"] for number in range(50)]
    assert sum(result.cached for result in results) == 45


@virtual_time
async def test_what_a_caller_does_to_a_result_no_other_sees() -> None:
    runs = executor()
    for _ in range(3):
        (result,) = await runs.execute_parallel([Ask()], RunContext(State()))
        assert result.context.state.answers == ["q!"]
        result.context.state.answers.append("mine")


@virtual_time
async def test_errors_are_not_kept() -> None:
    runs = executor()
    for _ in range(2):
        (result,) = await runs.execute_parallel([Ask(fails=True)], RunContext(State()))
        assert isinstance(result.error, ValueError)
        assert not result.cached
    assert Ask.runs == 2


@virtual_time
async def test_a_cached_graph_goes_on_where_it_went() -> None:
    runs = executor()
    start = Ask("1", Ask("2"))
    for _ in range(2):
        done = await run_graph(start, RunContext(State()), executor=runs)
        assert done.context.state.answers == ["q1", "q2"]
    assert Ask.runs == 2
    assert all(result.cached for result in done.results)


@virtual_time
async def test_forgetting_and_switching_off() -> None:
    runs = executor()
    for _ in range(2):
        await runs.execute_parallel([Ask()], RunContext(State()))
        assert await runs.invalidate("nobody") == 0
        assert await runs.invalidate(f"{Ask.__module__}.*") == 1
    assert Ask.runs == 2
    off = executor(cache_enabled=False)
    for _ in range(2):
        assert not (await off.execute_with_cache(Ask(), RunContext(State()))).cached
    assert (await off.invalidate(), off.cache_statistics().misses) == (0, 0)
    assert Ask.runs == 4


@virtual_time
async def test_results_are_forgotten_after_their_time() -> None:
    runs = executor(cache=NodeCache(MemoryStore(), ttl_s=10))
    await runs.execute_parallel([Ask()], RunContext(State()))
    await asyncio.sleep(9)
    assert (await runs.execute_parallel([Ask()], RunContext(State())))[0].cached
    await asyncio.sleep(2)
    assert not (await runs.execute_parallel([Ask()], RunContext(State())))[0].cached


@virtual_time
async def test_declared_fields_alone_may_count() -> None:
    runs = executor(cache=NodeCache(MemoryStore(), by="declared"))
    await runs.execute_parallel([Ask()], RunContext(State(other=1)))
    (hit,) = await runs.execute_parallel([Ask()], RunContext(State(other=2)))
    assert hit.cached
    assert hit.context.state == State(answers=["q!"], other=2)
    (miss,) = await runs.execute_parallel([Ask()], RunContext(State(question="p")))
    assert not miss.cached


async def plain(question: str) -> str:
    Ask.runs += 1
    return question


@virtual_time
async def test_nodes_that_cant_be_compared_equal_themselves_alone() -> None:
    def closed(word: str) -> Any:
        async def say() -> str:
            Ask.runs += 1
            return word

        return from_function(say, writes="question")

    runs = executor()
    a, b = closed("a"), closed("b")
    results = await runs.execute_parallel([a, b, a, b], RunContext(State()))
    assert [result.context.state.question for result in results] == ["a", "b", "a", "b"]
    assert Ask.runs == 2
    for _ in range(2):
        await runs.execute_parallel([from_function(plain, writes="question")], RunContext(State()))
    assert Ask.runs == 3


@virtual_time
async def test_classes_of_one_name_from_one_function_arent_taken_for_each_other() -> None:
    def made(word: str) -> AbstractBaseNode[State]:
        class Says(AbstractBaseNode[State]):
            async def run(self, ctx: RunContext[State]) -> NextNode[State]:
                ctx.state.question = word
                return End()

        return Says()

    results = await executor().execute_parallel([made("a"), made("b")], RunContext(State()))
    assert [result.context.state.question for result in results] == ["a", "b"]


@virtual_time
async def test_a_plan_uses_the_cache_too() -> None:
    runs = executor()
    nodes = [from_function(plain, writes="answers")]
    for _ in range(2):
        done = await plan(nodes).run(RunContext(State()), executor=runs)
    assert done.results[0].cached
    assert Ask.runs == 1


async def test_a_file_keeps_results_for_other_processes(tmp_path: Path) -> None:
    for turn in range(2):
        async with SqliteStore(tmp_path / "cache.db") as store:
            runs: ParallelExecutor[State] = ParallelExecutor(cache=NodeCache(store))
            node = from_function(plain, writes="question", name="plain")
            (result,) = await runs.execute_parallel([node], RunContext(State(question="q")))
            assert result.cached is bool(turn)
            assert result.context.state == State(question="q")
            assert type(result.context.state) is State
    assert Ask.runs == 1


async def test_a_file_doesnt_keep_where_a_path_goes_on(tmp_path: Path) -> None:
    for _ in range(2):
        async with SqliteStore(tmp_path / "cache.db") as store:
            runs: ParallelExecutor[State] = ParallelExecutor(cache=NodeCache(store))
            following = Ask("2")
            (result,) = await runs.execute_parallel([Asks(following)], RunContext(State()))
            assert result.next_node is following
            assert not result.cached
            assert result.context.state.answers == ["q!"]


class Asks(Ask):
    """An Ask that a cache knows by name, wherever it goes on."""

    cache_key = "asks"

    def __init__(self, following: NextNode[State]) -> None:
        super().__init__(following=following)
