"""What every node keeps to, whatever it is made of."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fanfold.nodes import (
    AbstractBaseNode,
    BaseNode,
    End,
    MergeStrategy,
    NextNode,
    NodeResult,
    ParallelExecutor,
    RunContext,
    from_function,
    plan,
    run_graph,
)
from fanfold.testing.clock import virtual_time
from fanfold.testing.nodes import ScriptedNode


async def answered(question: str) -> str:
    return f"{question}!"


class Derived(AbstractBaseNode[Any]):
    signature = "question -> answer"
    name = "node"

    async def _execute_signature(self, inputs: dict[str, Any]) -> Any:
        return {"answer": await answered(**inputs)}


class Plain:
    signature: Any = "question -> answer"
    name = "node"

    def extract_inputs(self, state: Any) -> dict[str, Any]:
        return {"question": state["question"]}

    def update_state(self, state: Any, result: Any) -> None:
        state["answer"] = result["answer"]

    async def run(self, ctx: RunContext[Any]) -> End:
        self.update_state(ctx.state, {"answer": await answered(**self.extract_inputs(ctx.state))})
        return End()


EVERY: list[Callable[[], BaseNode[Any]]] = [
    lambda: ScriptedNode({"answer": "why!"}, reads=["question"], name="node"),
    lambda: from_function(answered, writes="answer", name="node"),
    Derived,
    Plain,
]


@pytest.mark.parametrize("make", EVERY, ids=["scripted", "function", "derived", "plain"])
@virtual_time
async def test_every_kind_of_node_runs_everywhere(make: Callable[[], BaseNode[Any]]) -> None:
    node = make()
    assert isinstance(node, BaseNode)
    assert node.extract_inputs({"question": "why", "other": 1}) == {"question": "why"}
    state: dict[str, Any] = {"question": "why"}
    node.update_state(state, {"answer": "x"}) if not hasattr(node, "function") else node.update_state(state, "x")
    assert state["answer"] == "x"
    ctx = RunContext({"question": "why"}, "id")
    done = {"question": "why", "answer": "why!"}
    (result,) = await ParallelExecutor[Any]().execute_parallel([node], ctx)
    assert (result.context.state, result.next_node) == (done, End())
    for run in (await run_graph(node, ctx), await plan([node]).run(ctx)):
        assert run.context.state == done
    assert [entry["node"] for entry in (await run_graph(node, ctx)).context.provenance] == ["node"]


@virtual_time
async def test_a_scripted_node_fails_as_often_as_told() -> None:
    node = ScriptedNode[Any]({"a": 1}, delay_s=1, errors=[ValueError("one"), ValueError("two")])
    executor: ParallelExecutor[Any] = ParallelExecutor()
    errors = [(await executor.execute_single_with_isolation(node, RunContext({}))).error for _ in range(3)]
    assert [str(error) for error in errors] == ["one", "two", "None"]
    assert asyncio.get_running_loop().time() == 3
    assert node.inputs == [{}] * 3


class Leaves(AbstractBaseNode[Any]):
    """A node that leaves a task running, which changes the context later."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    async def run(self, ctx: RunContext[Any]) -> NextNode[Any]:
        async def later() -> None:
            await asyncio.sleep(1)
            ctx.state["items"].append("late")

        ctx.state["items"].append("in time")
        self.tasks.append(asyncio.create_task(later()))
        return End()


@virtual_time
async def test_what_a_node_left_running_no_longer_changes_its_result() -> None:
    node = Leaves()
    (result,) = await ParallelExecutor[Any]().execute_parallel([node], RunContext({"items": []}))
    await asyncio.gather(*node.tasks)
    assert result.context.state == {"items": ["in time"]}


async def results(*values: str) -> list[NodeResult[Any]]:
    nodes = [ScriptedNode[Any]({value: value}) for value in values]
    return await ParallelExecutor[Any]().execute_parallel(nodes, RunContext({"items": []}, "id"))


@virtual_time
async def test_a_results_context_is_the_callers_to_change() -> None:
    first, second = await results("a", "b")
    first.context.state["items"].append("mine")
    assert first.context.state["items"] == ["mine"]
    assert first.context is first.context
    merged = ParallelExecutor[Any]().merge_states([first, second], MergeStrategy.ALL_SUCCESS)
    assert merged.state == {"items": ["mine"], "a": "a", "b": "b"}


@virtual_time
async def test_a_result_is_a_plain_value() -> None:
    (first,) = await results("a")
    for other in (copy.copy(first), replace(first, attempts=2)):
        assert other.context.state == {"items": [], "a": "a"}
    assert "RunContext(state={'items': [], 'a': 'a'}" in repr(first)
    assert first == replace(first)
    with pytest.raises(AttributeError, match="contxt"):
        _ = first.contxt  # type: ignore[attr-defined]
    first.context = RunContext({"new": 1})
    assert first.context.state == {"new": 1}
    assert first.snapshot().view().state == {"new": 1}
