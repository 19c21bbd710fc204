from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from fanfold.nodes import (
    AbstractBaseNode,
    End,
    Graph,
    MergeError,
    MergeStrategy,
    NextNode,
    ParallelExecutionError,
    ParallelExecutor,
    RunContext,
    TooManySteps,
    run_graph,
)
from fanfold.testing.clock import virtual_time


class Step(AbstractBaseNode[dict[str, Any]]):
    """A node that appends its name, takes a second, and goes on where it was told."""

    def __init__(self, name: str, following: Any = None, *, error: Exception | None = None) -> None:
        self.name, self.following, self.error = name, following, error

    async def run(self, ctx: RunContext[dict[str, Any]]) -> NextNode[dict[str, Any]]:
        await asyncio.sleep(1)
        if self.error:
            raise self.error
        ctx.state["path"].append(self.name)
        following = self.following(ctx.state) if callable(self.following) else self.following
        return End() if following is None else following


def start(**values: Any) -> RunContext[dict[str, Any]]:
    return RunContext({"path": []} | values)


def names(ctx: RunContext[Any]) -> list[str]:
    return [entry["node"] for entry in ctx.provenance]


@virtual_time
async def test_a_path_is_followed_until_its_end_and_is_in_the_provenance() -> None:
    ctx = start()
    run = await run_graph(Step("a", Step("b", Step("c"))), ctx)
    assert run.context.state == {"path": ["a", "b", "c"]}
    assert names(run.context) == ["a", "b", "c"]
    assert [len(step) for step in run.steps] == [1, 1, 1]
    assert [result.is_end for result in run.results] == [False, False, True]
    assert run.context.execution_id == ctx.execution_id
    assert ctx.state == {"path": []}


@virtual_time
async def test_nodes_of_one_list_run_together_and_join() -> None:
    join = Step("join")
    run = await run_graph(Step("a", [Step(name, join) for name in "bcd"]), start())
    assert run.context.state == {"path": ["a", "b", "c", "d", "join"]}
    assert names(run.context) == ["a", "b", "c", "d", "join"]
    assert asyncio.get_running_loop().time() == 3
    assert [len(step) for step in run.steps] == [1, 3, 1]


@pytest.mark.parametrize("count", [0, 1, 2, 20])
@virtual_time
async def test_a_join_runs_once_for_0_1_and_many_branches(count: int) -> None:
    class Join(Step): ...

    async def branches(state: dict[str, Any]) -> None: ...

    nodes = [Step(f"n{number}", lambda _: Join("join")) for number in range(count)]
    run = await run_graph(nodes or Join("join"), start())
    assert run.context.state["path"].count("join") == 1


@dataclass
class Same(AbstractBaseNode[dict[str, Any]]):
    """Nodes that are equal where their number is."""

    number: int

    async def run(self, ctx: RunContext[dict[str, Any]]) -> NextNode[dict[str, Any]]:
        ctx.state["path"].append(self.number)
        return End()


@virtual_time
async def test_equal_nodes_of_different_paths_are_one_and_those_of_one_list_are_several() -> None:
    run = await run_graph([Step("a", [Same(1), Same(1), Same(2)]), Step("b", [Same(2), Same(1), Same(3)])], start())
    assert run.context.state["path"] == ["a", "b", 1, 1, 2, 3]


@virtual_time
async def test_paths_end_one_by_one() -> None:
    run = await run_graph([Step("a"), Step("b", Step("c", Step("d")))], start())
    assert run.context.state["path"] == ["a", "b", "c", "d"]


@virtual_time
async def test_an_end_among_several_nodes_ends_its_path_alone() -> None:
    begin = Step("a", [Step("b"), End()])
    run = await run_graph([begin, End()], start())
    assert run.context.state["path"] == ["a", "b"]
    assert [result.is_end for result in run.results] == [False, True]
    over = await run_graph(Step("a", [End(), End()]), start())
    assert over.results[0].is_end
    assert len(over.steps) == 1


@virtual_time
async def test_a_strategys_name_is_as_good_as_itself() -> None:
    named = await run_graph([Step("a", Step("c")), Step("b", Step("d"))], start(), strategy="first_success")
    assert named.context.state["path"] == ["a", "c"]
    with pytest.raises(ValueError, match="no strategy is called 'best'"):
        Graph(Step("a"), strategy="best")  # type: ignore[arg-type]


@virtual_time
async def test_a_loop_goes_on_until_it_is_left_and_never_beyond_its_limit() -> None:
    loop: Step = Step("loop", lambda state: loop if len(state["path"]) < 5 else End())
    assert len((await run_graph(loop, start())).steps) == 5
    with pytest.raises(TooManySteps, match="had not ended after 3 steps; next is loop") as caught:
        await run_graph(loop, start(), max_steps=3)
    assert caught.value.run.context.state["path"] == ["loop"] * 3
    assert len(caught.value.run.results) == 3


@virtual_time
async def test_a_failed_node_ends_the_run_with_all_results() -> None:
    nodes = [Step("b"), Step("c", error=ValueError("no"))]
    with pytest.raises(ParallelExecutionError, match=r"step 2 of the graph failed \(c: ValueError: no\)") as caught:
        await run_graph(Step("a", nodes), start())
    assert [node for node, _ in caught.value.failed_nodes] == nodes[1:]
    assert [result.is_success for result in caught.value.partial_results] == [True, True, False]


@virtual_time
async def test_states_that_disagree_end_the_run() -> None:
    class Sets(Step):
        async def run(self, ctx: RunContext[dict[str, Any]]) -> NextNode[dict[str, Any]]:
            ctx.state["value"] = self.name
            return End()

    with pytest.raises(MergeError, match="value"):
        await run_graph([Sets("a"), Sets("b")], start(value="?"))


@virtual_time
async def test_first_success_goes_on_from_the_first_path_that_works() -> None:
    alternatives = [Step("a", error=ValueError("no")), Step("b", Step("after b")), Step("c", Step("after c"))]
    run = await run_graph(alternatives, start(), strategy=MergeStrategy.FIRST_SUCCESS)
    assert run.context.state["path"] == ["b", "after b"]
    assert names(run.context) == ["b", "after b"]


@virtual_time
async def test_a_function_of_the_results_merges_each_step() -> None:
    graph = Graph([Step("a"), Step("b", error=ValueError("no"))], strategy=lambda results: results[0].context)
    run = await graph.run(start())
    assert run.context.state["path"] == ["a"]


@virtual_time
async def test_a_graph_runs_any_number_of_times_within_its_executors_slots() -> None:
    executor: ParallelExecutor[dict[str, Any]] = ParallelExecutor(2)
    graph = Graph([Step(name) for name in "abcd"], executor)
    for run in await asyncio.gather(*(graph.run(start()) for _ in range(3))):
        assert run.context.state["path"] == ["a", "b", "c", "d"]
    assert asyncio.get_running_loop().time() == 6
    assert executor.get_statistics()["total_nodes"] == 12


@virtual_time
async def test_nothing_to_run_is_the_context_itself() -> None:
    ctx = start()
    choices: list[NextNode[dict[str, Any]]] = [End(), []]
    for nothing in choices:
        run = await run_graph(nothing, ctx)
        assert (run.context, run.steps) == (ctx, ())
