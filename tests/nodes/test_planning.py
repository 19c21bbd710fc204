from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from fanfold.engine import BranchNotStarted, DeadlineExceeded, IsolationError
from fanfold.nodes import (
    CyclicPlan,
    DependencyFailed,
    End,
    MergeError,
    NodeResult,
    NoProducer,
    ParallelExecutionError,
    ParallelExecutor,
    Plan,
    RunContext,
    SeveralProducers,
    UndeclaredWrite,
    UnexpectedOutput,
    from_function,
    plan,
)
from fanfold.nodes.function_node import FunctionNode
from fanfold.testing.clock import run, virtual_time


def node(signature: str, delay_s: float = 0, does: Callable[..., Any] | None = None, **more: Any) -> FunctionNode[Any]:
    """A node that takes its time, and writes into each field what it read."""
    reads, writes = ([name.strip() for name in side.split(",") if name.strip()] for side in signature.split("->"))

    async def work(**inputs: Any) -> dict[str, Any]:
        await asyncio.sleep(delay_s)
        if does is not None:
            does()
        return {name: f"{name}({','.join(str(inputs[read]) for read in reads)})" for name in writes}

    return from_function(work, reads=reads, writes=writes, name=more.pop("name", signature), **more)


def now_s() -> float:
    return asyncio.get_running_loop().time()


@virtual_time
async def test_a_node_starts_as_soon_as_its_inputs_are_there() -> None:
    starts: dict[str, float] = {}

    def noted(name: str, signature: str, delay_s: float) -> FunctionNode[Any]:
        return node(signature, delay_s, lambda: starts.setdefault(name, now_s() - delay_s))

    nodes = [noted("e", "c, d -> e", 1), noted("b", "a -> b", 1), noted("slow", "a -> s", 10), noted("c", "b -> c", 1),
             noted("d", "b -> d", 5), noted("f", "c -> f", 1)]  # fmt: skip
    done = await plan(nodes).run(RunContext({"a": "A"}), executor=ParallelExecutor(6))
    assert starts == {"b": 0, "slow": 0, "c": 1, "d": 1, "f": 2, "e": 6}
    assert now_s() == 10
    assert done.context.state["e"] == "e(c(b(A)),d(b(A)))"
    assert [entry["node"] for entry in done.context.provenance] == [
        "a -> b", "a -> s", "b -> c", "b -> d", "c, d -> e", "c -> f",
    ]  # fmt: skip
    assert [result.node for result in done.results] == nodes


@virtual_time
async def test_a_node_sees_what_it_depends_on_and_nothing_else() -> None:
    seen: dict[str, set[str]] = {}

    class Looks(FunctionNode[Any]):
        async def run(self, ctx: RunContext[Any]) -> Any:
            seen[self.name or ""] = set(ctx.state)
            return await super().run(ctx)

    def looks(signature: str) -> FunctionNode[Any]:
        made = node(signature)
        return Looks(made.function, reads=made.signature.reads, writes=made.signature.writes, name=signature)

    nodes = [looks("a -> b"), looks("a -> x"), looks("b -> c"), looks("c -> d")]
    await plan(nodes).run(RunContext({"a": 1}))
    assert seen == {"a -> b": {"a"}, "a -> x": {"a"}, "b -> c": {"a", "b"}, "c -> d": {"a", "b", "c"}}


@virtual_time
async def test_a_model_is_a_state_too_and_keeps_what_no_node_writes() -> None:
    class State(BaseModel):
        question: str
        draft: str = ""
        answer: str = ""
        kept: list[int] = [1]

    ctx = RunContext(State(question="q"), metadata={"k": [1]})
    done = await plan([node("draft -> answer"), node("question -> draft")]).run(ctx)
    assert done.context.state == State(question="q", draft="draft(q)", answer="answer(draft(q))", kept=[1])
    assert type(done.context.state.kept) is list
    assert done.context.metadata == {"k": [1]}
    assert ctx.state == State(question="q")


def test_what_cant_be_run_is_refused_before_anything_starts() -> None:
    ran: list[int] = []
    with pytest.raises(CyclicPlan):
        plan([node("a -> b"), node("b -> a")])
    with pytest.raises(SeveralProducers):
        plan([node("a -> b"), node("c -> b")])
    with pytest.raises(NoProducer):
        plan([node("a -> b")], given=["c"])
    unfit = plan([node("-> x", does=lambda: ran.append(1)), node("a -> b")])
    assert unfit.inputs == ("a",)
    with pytest.raises(NoProducer, match="'a'"):
        run(unfit.run(RunContext({"c": 1})))
    assert ran == []


def no() -> None:
    raise ValueError("no")


@virtual_time
async def test_what_doesnt_need_a_failed_node_runs_all_the_same() -> None:
    nodes = [node("a -> b", does=no), node("b -> c"), node("c -> d"), node("a -> x", 1), node("x -> y")]
    with pytest.raises(ParallelExecutionError, match="3 of 5 nodes of the plan failed") as caught:
        await plan(nodes).run(RunContext({"a": "A"}))
    results: list[NodeResult[Any]] = caught.value.partial_results
    assert [type(result.error) for result in results] == [
        ValueError, DependencyFailed, DependencyFailed, type(None), type(None),
    ]  # fmt: skip
    assert str(results[2].error) == "c -> d was not run: b -> c, which it needs, failed"
    assert results[4].context.state["y"] == "y(x(A))"
    assert results[1].attempts == 0


@virtual_time
async def test_a_change_that_wasnt_declared_is_an_error() -> None:
    class Sneaky(FunctionNode[Any]):
        async def run(self, ctx: RunContext[Any]) -> Any:
            ctx.state["other"].append(1)
            return await super().run(ctx)

    made = node("a -> b")
    sneaky = Sneaky(made.function, reads=["a"], writes=["b"], name="sneaky")
    with pytest.raises(ParallelExecutionError) as caught:
        await plan([sneaky, node("b -> c")]).run(RunContext({"a": 1, "other": []}))
    assert [type(error) for _, error in caught.value.failed_nodes] == [UndeclaredWrite, DependencyFailed]
    assert "sneaky changed 'other'" in str(caught.value)


@virtual_time
async def test_a_declared_field_that_isnt_written_is_an_error() -> None:
    class Lazy(FunctionNode[Any]):
        async def run(self, ctx: RunContext[Any]) -> Any:
            ctx.state.pop("other", None)
            return End()

    made = node("a -> b")
    lazy = Lazy(made.function, reads=["a"], writes=["b"], name="lazy")
    with pytest.raises(ParallelExecutionError, match="lazy didn't write 'b', which it declares") as caught:
        await plan([lazy, node("b -> c")]).run(RunContext({"a": 1}))
    assert isinstance(caught.value.failed_nodes[0][1], UnexpectedOutput)
    with pytest.raises(ParallelExecutionError, match="lazy changed 'other'"):
        await plan([lazy]).run(RunContext({"a": 1, "other": 1}))


@virtual_time
async def test_a_long_chain_is_given_up_whole() -> None:
    nodes = [node(f"f{number} -> f{number + 1}", does=None if number else no) for number in range(2_000)]
    with pytest.raises(ParallelExecutionError) as caught:
        await plan(nodes).run(RunContext({"f0": 1}))
    assert len(caught.value.failed_nodes) == 2_000


@virtual_time
async def test_what_cant_be_copied_fails_those_that_would_get_it() -> None:
    async def lock() -> Any:
        return threading.Lock()

    nodes = [from_function(lock, writes="b"), node("b -> c"), node("a -> d")]
    with pytest.raises(ParallelExecutionError) as caught:
        await plan(nodes).run(RunContext({"a": 1}))
    assert IsolationError in [type(error) for _, error in caught.value.failed_nodes]
    assert caught.value.partial_results[2].is_success


@virtual_time
async def test_metadata_is_merged_and_a_conflict_is_an_error() -> None:
    class Notes(FunctionNode[Any]):
        def __init__(self, signature: str, value: int) -> None:
            made = node(signature)
            super().__init__(made.function, reads=made.signature.reads, writes=made.signature.writes, name=signature)
            self.value = value

        async def run(self, ctx: RunContext[Any]) -> Any:
            ctx.metadata["seen"] = self.value
            return await super().run(ctx)

    ctx = RunContext({"a": 1})
    done = await plan([Notes("a -> b", 1), Notes("b -> c", 2)]).run(ctx)
    assert done.context.metadata == {"seen": 2}
    with pytest.raises(MergeError, match="a -> b and a -> c set metadata 'seen' to different values"):
        await plan([Notes("a -> b", 1), Notes("a -> c", 2)]).run(ctx)
    with pytest.raises(ParallelExecutionError, match="set metadata 'seen'"):
        await plan([Notes("a -> b", 1), Notes("a -> c", 2), node("b, c -> d")]).run(ctx)


@virtual_time
async def test_of_several_ready_nodes_the_one_with_the_highest_priority_starts_first() -> None:
    started: list[str] = []

    def noted(name: str, priority: float) -> FunctionNode[Any]:
        return node(f"a -> {name}", does=lambda: started.append(name), priority=priority)

    nodes = [noted("x", 0), noted("y", 2), noted("z", 1)]
    await plan(nodes).run(RunContext({"a": 1}), executor=ParallelExecutor(1))
    assert started == ["y", "z", "x"]


@virtual_time
async def test_no_plan_exceeds_its_executors_slots() -> None:
    executor: ParallelExecutor[Any] = ParallelExecutor(3)
    peak = 0

    def look() -> None:
        nonlocal peak
        peak = max(peak, executor.limit.running)

    nodes = [node(f"a -> f{number}", 1, look) for number in range(10)]
    await plan(nodes).run(RunContext({"a": 1}), executor=executor)
    assert peak == 3
    assert executor.limit.running == 0


@virtual_time
async def test_an_empty_plan_changes_nothing() -> None:
    ctx = RunContext({"a": 1})
    nothing: Plan[dict[str, int]] = plan([])
    done = await nothing.run(ctx)
    assert done.context == ctx


@given(st.data())
def test_any_plan_gives_what_its_nodes_give_one_after_another(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    needs = [sorted(data.draw(st.sets(st.integers(0, number - 1)))) if number else [] for number in range(count)]
    delays = data.draw(st.lists(st.integers(0, 5), min_size=count, max_size=count))
    signatures = [
        f"{', '.join(f'f{need}' for need in needed) or 'a'} -> f{number}" for number, needed in enumerate(needs)
    ]
    shuffled = data.draw(st.permutations(range(count)))
    nodes = [node(signatures[number], delays[number]) for number in shuffled]

    async def in_turn() -> dict[str, Any]:
        ctx = RunContext({"a": "A"})
        for signature in signatures:
            await node(signature).run(ctx)
        return ctx.state

    async def planned() -> tuple[dict[str, Any], float]:
        done = await plan(nodes).run(RunContext({"a": "A"}), executor=ParallelExecutor(count))
        return done.context.state, now_s()

    state, took_s = run(planned())
    assert state == run(in_turn())
    ends = list[int]()
    for number, needed in enumerate(needs):
        ends.append(max((ends[need] for need in needed), default=0) + delays[number])
    assert took_s == max(ends)


@virtual_time
async def test_a_plan_out_of_time_has_a_result_for_every_node() -> None:
    nodes = [node(f"{read} -> {write}", 1) for read, write in ("ab", "bc", "cd", "ax", "ay", "az")]
    with pytest.raises(ParallelExecutionError) as caught:
        await plan(nodes).run(RunContext({"a": "A"}), executor=ParallelExecutor(1, total_deadline_s=2.5))
    assert [type(result.error) for result in caught.value.partial_results] == [
        type(None), DeadlineExceeded, DependencyFailed, type(None), BranchNotStarted, BranchNotStarted,
    ]  # fmt: skip
    assert "a -> z was not started in time" in str(caught.value)
    assert "4:a -> y was not started" in str(caught.value)
