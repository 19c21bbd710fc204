from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel

from fanfold.engine import (
    BranchFinished,
    BranchNotStarted,
    BranchRetried,
    DeadlineExceeded,
    Event,
    IsolationError,
    Limit,
)
from fanfold.engine.adaptive import AdaptiveLimit
from fanfold.engine.deadline import deadline
from fanfold.engine.retry import retry
from fanfold.nodes import (
    AbstractBaseNode,
    BaseNode,
    ConcurrencyModel,
    End,
    NextNode,
    NodeIncomplete,
    ParallelExecutionError,
    ParallelExecutor,
    ProviderRateLimits,
    RunContext,
    from_function,
    plan,
    run_graph,
)
from fanfold.testing.clock import virtual_time


class Model(BaseModel):
    items: list[str] = []
    nested: dict[str, list[int]] = {}


@dataclass
class Data:
    items: list[str] = field(default_factory=list)
    nested: dict[str, list[int]] = field(default_factory=dict)


class Node(AbstractBaseNode[Any]):
    """A node that takes `delay_s`, appends its name, and may fail so many times."""

    def __init__(self, name: str = "node", *, delay_s: float = 0.0, fails: int = 0, priority: float = 0) -> None:
        self.name, self.delay_s, self.fails, self.priority = name, delay_s, fails, priority
        self.starts: list[float] = []

    async def run(self, ctx: RunContext[Any]) -> NextNode[Any]:
        self.starts.append(asyncio.get_running_loop().time())
        items = ctx.state["items"] if isinstance(ctx.state, dict) else ctx.state.items
        items.append(self.name)
        await asyncio.sleep(self.delay_s)
        if self.fails >= len(self.starts):
            raise ConnectionError(f"attempt {len(self.starts)} of {self.name}")
        return End()


class Refused(Exception):
    status_code = 429


@pytest.mark.parametrize("state", [Model(), Data(), {"items": [], "nested": {}}], ids=["model", "dataclass", "dict"])
@virtual_time
async def test_results_have_plain_contexts_of_the_callers_types(state: Any) -> None:
    ctx = RunContext(state, metadata={"a": [1]}, provenance=[{"node": "before"}])
    results = await ParallelExecutor[Any]().execute_parallel([Node("a"), Node("b")], ctx)
    for result, name in zip(results, "ab", strict=True):
        made = result.context
        assert type(made) is RunContext
        assert type(made.state) is type(state)
        values = made.state if isinstance(made.state, dict) else vars(made.state)
        assert values["items"] == [name]
        assert type(values["items"]) is list
        assert type(values["nested"]) is dict
        assert type(made.metadata) is dict
        assert type(made.metadata["a"]) is list
        assert type(made.provenance[0]) is dict
        made.metadata["a"].append(2)
        made.provenance[0]["node"] = "changed"
    assert ctx.metadata == {"a": [1]}
    assert ctx.provenance == [{"node": "before"}]
    assert ctx.execution_id == results[0].context.execution_id


@virtual_time
async def test_a_node_may_put_a_new_state_into_its_context() -> None:
    async def run(ctx: RunContext[dict[str, int]]) -> None:
        ctx.state = {"new": 1}

    node = Node()
    node.run = run  # type: ignore[method-assign,assignment]
    result = await ParallelExecutor[dict[str, int]]().execute_single_with_isolation(node, RunContext({"old": 0}))
    assert result.context.state == {"new": 1}
    assert result.next_node == End()


@virtual_time
async def test_what_cant_be_copied_is_refused_before_anything_starts() -> None:
    node = Node()
    with pytest.raises(IsolationError, match="lock"):
        await ParallelExecutor[Any]().execute_parallel([node], RunContext({"items": [], "lock": threading.Lock()}))
    assert node.starts == []


@virtual_time
async def test_nodes_themselves_are_shared_for_they_hold_what_cant_be_copied() -> None:
    node = Node()
    node.client = threading.Lock()  # type: ignore[attr-defined]
    (result,) = await ParallelExecutor[Any]().execute_parallel([node], RunContext({"items": []}))
    assert result.node is node
    assert result.is_success


@virtual_time
async def test_all_failing_raises_only_where_that_is_asked_for() -> None:
    executor: ParallelExecutor[Any] = ParallelExecutor()
    ctx: RunContext[Any] = RunContext({"items": []})
    bad = [Node("x", fails=1), Node("y", fails=1)]
    results = await executor.execute_parallel(bad, ctx)
    assert [type(result.error) for result in results] == [ConnectionError, ConnectionError]
    bad = [Node("x", fails=1), Node("y", fails=1)]
    with pytest.raises(ParallelExecutionError, match="all nodes failed") as caught:
        await executor.execute_parallel(bad, ctx, raise_if_all_fail=True)
    assert [node for node, _ in caught.value.failed_nodes] == bad
    assert [result.node for result in caught.value.partial_results] == bad
    mixed = [Node("x", fails=1), Node("y")]
    assert len(await executor.execute_parallel(mixed, ctx, raise_if_all_fail=True)) == 2
    assert await executor.execute_parallel([], ctx, raise_if_all_fail=True) == []


def test_the_errors_message_is_optional() -> None:
    node = Node("x")
    error = ParallelExecutionError([(node, ValueError("bad"))], [])
    assert error.message == "1 node failed (x: ValueError: bad)"
    assert (error.failed_nodes[0][0], error.partial_results) == (node, [])
    assert str(ParallelExecutionError(failed_nodes=[], partial_results=[], message="no")) == "no"


@virtual_time
async def test_a_failed_nodes_context_is_as_far_as_it_came() -> None:
    (result,) = await ParallelExecutor[Any]().execute_parallel([Node("x", fails=1)], RunContext({"items": ["given"]}))
    assert result.context.state == {"items": ["given", "x"]}
    assert result.is_end


@virtual_time
async def test_a_retry_starts_from_the_untouched_context_after_a_growing_wait() -> None:
    events: list[Event] = []
    node = Node("x", fails=2)
    executor: ParallelExecutor[Any] = ParallelExecutor(retry=3, on_event=events.append)
    (result,) = await executor.execute_parallel([node], RunContext({"items": []}))
    assert result.is_success
    assert result.attempts == 3
    assert result.context.state == {"items": ["x"]}
    waits = [event.wait_s for event in events if isinstance(event, BranchRetried)]
    assert len(waits) == 2
    assert waits[0] <= 0.5
    assert waits[1] <= 1.0
    assert result.execution_time_ms == pytest.approx(sum(waits) * 1000)
    assert [event.key for event in events if isinstance(event, BranchFinished)] == ["0:x"]


@virtual_time
async def test_retries_come_to_an_end() -> None:
    node = Node("x", fails=9)
    executor: ParallelExecutor[Any] = ParallelExecutor(retry=retry(2, wait_initial_s=0, isolate=False))
    (result,) = await executor.execute_parallel([node], RunContext({"items": []}))
    assert isinstance(result.error, ConnectionError)
    assert (result.attempts, len(node.starts)) == (2, 2)


@virtual_time
async def test_higher_priority_runs_first_and_equal_ones_in_order() -> None:
    nodes = [Node("a"), Node("b", priority=1), Node("c", priority=2), Node("d", priority=1)]
    for node in nodes:
        node.delay_s = 1
    await ParallelExecutor[Any](1).execute_parallel(nodes, RunContext({"items": []}))
    assert "".join(node.name or "" for node in sorted(nodes, key=lambda node: node.starts)) == "cbda"

    backwards: ParallelExecutor[Any] = ParallelExecutor(1, priority=lambda node: ord(getattr(node, "name", "a")))
    nodes = [Node(name, delay_s=1) for name in "abc"]
    await backwards.execute_parallel(nodes, RunContext({"items": []}))
    assert [node.starts for node in nodes] == [[6.0], [5.0], [4.0]]


@virtual_time
async def test_deadlines_end_a_node_or_all_of_them() -> None:
    ctx: RunContext[Any] = RunContext({"items": []})
    one, other = await ParallelExecutor[Any](deadline_s=1).execute_parallel([Node(delay_s=2), Node(delay_s=0.5)], ctx)
    assert isinstance(one.error, DeadlineExceeded)
    assert one.context.state == {"items": ["node"]}
    assert other.is_success
    results = await ParallelExecutor[Any](1, total_deadline_s=1.5).execute_parallel(
        [Node(delay_s=1), Node(delay_s=1), Node(delay_s=1)], ctx
    )
    assert [type(result.error) for result in results] == [type(None), DeadlineExceeded, BranchNotStarted]
    assert results[2].context.state == {"items": []}


@virtual_time
async def test_a_wrapper_is_around_each_attempt() -> None:
    node = Node("x", delay_s=2)
    executor: ParallelExecutor[Any] = ParallelExecutor(retry=3, wrappers=[deadline(1)])
    (result,) = await executor.execute_parallel([node], RunContext({"items": []}))
    assert isinstance(result.error, DeadlineExceeded)
    assert len(node.starts) == 3


@virtual_time
async def test_concurrency_falls_when_a_provider_refuses_and_grows_again() -> None:
    executor: ParallelExecutor[Any] = ParallelExecutor(8, adaptive=True)
    refuses = True

    async def call() -> None:
        await asyncio.sleep(1)
        if refuses:
            raise Refused

    node = from_function(call)
    ctx: RunContext[Any] = RunContext({})
    await executor.execute_parallel([node] * 8, ctx)
    assert executor.max_concurrent == 4
    await executor.execute_parallel([node] * 8, ctx)
    assert executor.max_concurrent == 1
    refuses = False
    await executor.execute_parallel([node] * 100, ctx)
    assert executor.max_concurrent == 8


def test_adaptive_needs_a_limit_that_adapts() -> None:
    with pytest.raises(ValueError, match="AdaptiveLimit"):
        ParallelExecutor(limit=Limit(3), adaptive=True)
    limit = AdaptiveLimit(2, highest=5)
    assert ParallelExecutor[Any](limit=limit, adaptive=True).limit is limit


@virtual_time
async def test_a_providers_limits_hold_over_any_minute() -> None:
    limits = ProviderRateLimits(provider="p", requests_per_minute=10, avg_latency_seconds=12)
    executor: ParallelExecutor[Any] = ParallelExecutor(concurrency=ConcurrencyModel(limits, safety_margin=1.0))
    assert executor.max_concurrent == 2
    node = Node(delay_s=1)
    await executor.execute_parallel([node] * 25, RunContext({"items": []}))
    starts = node.starts
    assert len(starts) == 25
    assert all(later - earlier >= 60 for earlier, later in zip(starts, starts[10:], strict=False))


@virtual_time
async def test_tokens_of_a_provider_are_reserved() -> None:
    limits = ProviderRateLimits(
        provider="p", tokens_per_minute=5_000, avg_tokens_per_request=1_000, max_concurrent_requests=50
    )
    executor: ParallelExecutor[Any] = ParallelExecutor(concurrency=ConcurrencyModel(limits, safety_margin=1.0))
    node = Node()
    await executor.execute_parallel([node] * 6, RunContext({"items": []}))
    assert node.starts[:5] == [0.0] * 5
    assert node.starts[5] >= 60


@virtual_time
async def test_statistics_count_results_or_all_that_ran() -> None:
    executor: ParallelExecutor[Any] = ParallelExecutor()
    assert executor.get_statistics()["success_rate"] == 0.0
    ctx: RunContext[Any] = RunContext({"items": []})
    results = await executor.execute_parallel([Node(delay_s=1), Node(delay_s=3), Node("x", fails=1)], ctx)
    expected = {
        "total_nodes": 3,
        "successes": 2,
        "failures": 1,
        "success_rate": pytest.approx(2 / 3),
        "attempts": 3,
        "cached": 0,
        "avg_time_ms": pytest.approx(4000 / 3),
        "min_time_ms": 0.0,
        "max_time_ms": 3000.0,
        "total_time_ms": 4000.0,
        "errors": ["ConnectionError: attempt 1 of x"],
    }
    assert executor.get_statistics(results) == expected
    assert executor.get_statistics() == expected
    await executor.execute_single_with_isolation(Node(), ctx)
    assert executor.get_statistics()["total_nodes"] == 4
    assert executor.get_statistics([])["total_nodes"] == 0


@pytest.mark.parametrize("bad", [0, -1])
def test_an_executor_needs_a_slot(bad: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ParallelExecutor(max_concurrent=bad)


@pytest.mark.parametrize("following", [End, 3, "node", [3]], ids=str)
@virtual_time
async def test_what_is_no_next_node_is_an_error(following: Any) -> None:
    class Wrong(Node):
        async def run(self, ctx: RunContext[Any]) -> NextNode[Any]:  # noqa: ARG002
            return following  # type: ignore[no-any-return]

    (result,) = await ParallelExecutor[Any]().execute_parallel([Wrong()], RunContext({}))
    assert "is no node that a path could go on with" in str(result.error)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Node, r"nodes\[1\] is the class Node and no node: write Node\(...\)"),
        (None, r"nodes\[1\] is None and no node: it has no `run`"),
    ],
)
@virtual_time
async def test_what_is_no_node_is_refused_before_anything_starts(wrong: Any, message: str) -> None:
    node, executor, ctx = Node(), ParallelExecutor[Any](), RunContext[Any]({"items": []})
    with pytest.raises(TypeError, match=message):
        await executor.execute_parallel([node, wrong], ctx)
    with pytest.raises(TypeError, match=message):
        executor.stream_parallel([node, wrong], ctx)
    with pytest.raises(TypeError, match=message):
        plan([from_function(_nothing), wrong])
    with pytest.raises(TypeError, match=message):
        await run_graph([node, wrong], ctx)
    assert executor.get_statistics()["total_nodes"] == 0


async def _nothing() -> None:
    """Reads and writes nothing."""


@virtual_time
async def test_a_run_that_isnt_async_is_told_so() -> None:
    class Blocking(Node):
        def run(self, ctx: RunContext[Any]) -> Any:  # noqa: ARG002
            return End()

    (result,) = await ParallelExecutor[Any]().execute_parallel([Blocking()], RunContext({}))
    assert isinstance(result.error, NodeIncomplete)
    assert "run of node is not async" in str(result.error)


@pytest.mark.parametrize("options", [{"retry": "x"}, {"retry": True}, {"limit": 4}, {"wrappers": [None]}], ids=str)
def test_an_option_of_the_wrong_type_is_refused_by_name(options: Any) -> None:
    (name,) = options
    with pytest.raises(TypeError, match=f"{name} is a"):
        ParallelExecutor(**options)


class Mute(Exception):
    """As a client library's error that reads a response which it never got."""

    def __str__(self) -> str:
        raise AttributeError


@virtual_time
async def test_an_error_that_cant_be_rendered_is_told_by_its_type() -> None:
    class Failing(Node):
        async def run(self, ctx: RunContext[Any]) -> NextNode[Any]:  # noqa: ARG002
            raise Mute

    with pytest.raises(ParallelExecutionError, match="node: Mute:"):
        await ParallelExecutor[Any]().execute_parallel([Failing()], RunContext({}), raise_if_all_fail=True)


@virtual_time
async def test_cancelling_the_caller_ends_the_nodes() -> None:
    node = Node(delay_s=100)
    executor: ParallelExecutor[Any] = ParallelExecutor()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await executor.execute_parallel([node] * 3, RunContext({"items": []}))
    assert executor.limit.running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_a_plain_class_is_a_node() -> None:
    class Plain:
        signature = None

        def extract_inputs(self, state: object) -> dict[str, Any]:  # noqa: ARG002
            return {}

        def update_state(self, state: object, result: Any) -> None: ...

        async def run(self, ctx: RunContext[Any]) -> End:  # noqa: ARG002
            return End()

    node: BaseNode[Any] = Plain()
    assert isinstance(node, BaseNode)


def test_each_context_has_an_execution_id_of_its_own() -> None:
    first, second = RunContext(Model()), RunContext(Model())
    assert first.execution_id != second.execution_id
    first.add_provenance("node", "signature", tokens=3)
    assert first.provenance == [
        {"node": "node", "signature": "signature", "execution_id": first.execution_id, "tokens": 3}
    ]
    assert second.provenance == []
