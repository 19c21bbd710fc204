"""Run nodes together, each isolated from the others, and make one context of what they came to (H4)."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

from fanfold.engine.events import Event
from fanfold.engine.fan_out import fan_out, stream
from fanfold.engine.limit import Limit
from fanfold.nodes.batch import Attempt, Batch, jobs_of
from fanfold.nodes.context import RunContext
from fanfold.nodes.errors import ParallelExecutionError, failures
from fanfold.nodes.limits import around_attempts, slots
from fanfold.nodes.merge import MergeStrategy, Strategy, merge_results
from fanfold.nodes.protocol import BaseNode
from fanfold.nodes.result import NodeResult, Statistics
from fanfold.nodes.snapshots import snapshot
from fanfold.nodes.statistics import Tally
from fanfold.nodes.streaming import NodeStream

if TYPE_CHECKING:
    from fanfold.engine.isolate import Frozen
    from fanfold.engine.wrapper import Wrapper
    from fanfold.nodes.caching import NodeCache
    from fanfold.nodes.concurrency import ConcurrencyModel

StateT = TypeVar("StateT")

LAST_ERRORS = 100


class ParallelExecutor(Generic[StateT]):
    """Runs independent nodes together, at most `max_concurrent` at once over all its calls.

    One executor may be used from within its own nodes, and by several tasks at once: a node that waits for nested
    ones lends them its slot, so that they never wait for each other in a circle. It belongs to one event loop at a
    time.

    Args:
        max_concurrent: nodes running together, >= 1.
        limit: slots shared with other executors or fan-outs, instead of `max_concurrent`. An AdaptiveLimit learns
            from how nodes end.
        concurrency: a provider's limits: `max_concurrent` follows from them instead, and each attempt of a node waits
            for its share of requests and tokens per minute.
        adaptive: halve the slots when nodes are refused (429 and the like) or time out, and let them grow again, one
            by one, up to the number that was given.
        priority: a number for a node, higher ones get a slot first; None = the node's own `priority`, else 0.
        retry: how often a failing node is tried, with exponential backoff between; or a wrapper that
            `fanfold.engine.retry.retry` makes. Each attempt starts from the untouched context.
        wrappers: more wrappers around each attempt, the outermost first: breakers, deadlines, spans.
        deadline_s: seconds for each node, retries and their waiting included; None = no deadline.
        total_deadline_s: seconds for all nodes of one call; None = no deadline.
        cache: where results of nodes are kept, so that a node runs once for equal contexts; None = they all run.
        schema: the class of the state where it declares reducers that the state itself can't show: a TypedDict.
        on_event: called with each of the engine's events; a branch's key is `position:node`.
    Raises:
        LimitError: a limit of less than 1.
        TypeError: an argument of the wrong type.
    """

    def __init__(
        self,
        max_concurrent: int = 4,
        *,
        limit: Limit | None = None,
        concurrency: ConcurrencyModel | None = None,
        adaptive: bool = False,
        priority: Callable[[BaseNode[StateT]], float] | None = None,
        retry: int | Wrapper | None = None,
        wrappers: Sequence[Wrapper] = (),
        deadline_s: float | None = None,
        total_deadline_s: float | None = None,
        cache: NodeCache[StateT] | None = None,
        schema: type | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.limit = slots(max_concurrent, limit, concurrency, adaptive)
        self.cache = cache
        self.schema = schema
        self.priority_of = priority or _own_priority
        self._wrappers = around_attempts(retry, wrappers, concurrency, self.limit)
        self._deadline_s = deadline_s
        self._total_deadline_s = total_deadline_s
        self._on_event = on_event
        self._tally = Tally(most_errors=LAST_ERRORS)

    @property
    def max_concurrent(self) -> int | None:
        """Nodes that may run together now; None = any number."""
        return self.limit.most

    async def execute_parallel(
        self, nodes: Sequence[BaseNode[StateT]], ctx: RunContext[StateT], *, raise_if_all_fail: bool = False
    ) -> list[NodeResult[StateT]]:
        """Run all nodes together, each on a context of its own.

        Args:
            nodes: n nodes that don't need each other's results; the same node may be there several times.
            ctx: what each starts from; never changed.
            raise_if_all_fail: raise where no node succeeded.
        Returns:
            n results in the order of the nodes, those of failed nodes included.
        Raises:
            TypeError: before anything starts: something in `nodes` is no node.
            ParallelExecutionError: all nodes failed, and `raise_if_all_fail` is set.
            IsolationError: before anything starts: the context holds what can't be copied; it names the field.
        """
        results = await self.execute(nodes, snapshot(ctx), cache=self.cache)
        failed = failures(results)
        if raise_if_all_fail and failed and len(failed) == len(results):
            raise ParallelExecutionError(failed, results, "all nodes failed")
        return results

    async def execute_single_with_isolation(
        self, node: BaseNode[StateT], ctx: RunContext[StateT]
    ) -> NodeResult[StateT]:
        """Run one node on a context of its own; what it raises is in the result.

        Raises:
            IsolationError: before it starts: the context holds what can't be copied.
        """
        (result,) = await self.execute_parallel([node], ctx)
        return result

    def stream_parallel(self, nodes: Sequence[BaseNode[StateT]], ctx: RunContext[StateT]) -> NodeStream[StateT]:
        """Run all nodes together, and have their results one by one as they finish: see `NodeStream`.

        Raises:
            IsolationError: the context holds what can't be copied.
        """
        batch = Batch(jobs_of(nodes, snapshot(ctx)))
        return NodeStream(self.running(batch, range(len(batch.jobs))), self.merge_states, ctx)

    def merge_states(
        self, results: Sequence[NodeResult[StateT]], strategy: Strategy[StateT] = MergeStrategy.FIRST_SUCCESS
    ) -> RunContext[StateT]:
        """Make one context of several results.

        Args:
            results: of one call, in node order.
            strategy: FIRST_SUCCESS takes the first result without an error, provenance and all. ALL_SUCCESS wants
                all of them and puts together what each changed: fields with a reducer take each change through it;
                otherwise lists take each one's new tail, dicts each one's keys, and other values must agree;
                provenance is that of all, without duplicates. MAJORITY takes the result whose state occurs most
                often, by content. Their names do too, as "majority". A function of the results returns the context
                itself.
        Returns:
            A context of its own: changing it changes no result. What a function returns is passed on as it is.
        Raises:
            MergeError: it can't be done; `failed_nodes` and `partial_results` say with what.
            ValueError, TypeError: no strategy has this name, or it is none.
        """
        return merge_results(results, strategy, self.schema)

    def get_statistics(self, results: Iterable[NodeResult[StateT]] | None = None) -> Statistics:
        """Counts and times of these results; None = of all that this executor has run, with its last 100 errors."""
        return (self._tally if results is None else Tally(results)).statistics()

    async def execute(
        self,
        nodes: Sequence[BaseNode[StateT]],
        base: Frozen[RunContext[StateT]],
        *,
        cache: NodeCache[StateT] | None,
        version: str | None = None,
    ) -> list[NodeResult[StateT]]:
        """As `execute_parallel`, from a snapshot, with a cache other than the executor's own.

        Args:
            base: what each starts from.
            cache: None = every node runs.
            version: of nodes that have none themselves; None = the cache's.
        """
        batch = Batch(jobs_of(nodes, base))
        outcomes = await fan_out(
            self._wrapped(batch, cache, version), range(len(batch.jobs)), limit=self.limit, key=batch.key,
            priority=lambda position: self.priority_of(batch.jobs[position].node),
            deadline_s=self._deadline_s, total_deadline_s=self._total_deadline_s, on_event=self._on_event,
        )  # fmt: skip
        return [self._counted(batch.result(outcome)) for outcome in outcomes]

    @asynccontextmanager
    async def running(
        self, batch: Batch[StateT], positions: Sequence[int] | AsyncIterable[int]
    ) -> AsyncIterator[AsyncIterator[tuple[int, NodeResult[StateT]]]]:
        """Run the batch's jobs at these positions; results come as they finish, each with its position.

        Leaving the block ends what still runs, and waits for it.
        """
        ranked = isinstance(positions, Sequence)
        async with stream(
            self._wrapped(batch, self.cache), positions, limit=self.limit, key=batch.key,
            priority=(lambda position: self.priority_of(batch.jobs[position].node)) if ranked else None,
            deadline_s=self._deadline_s, total_deadline_s=self._total_deadline_s, on_event=self._on_event,
        ) as outcomes:  # fmt: skip
            results = ((outcome.index, self._counted(batch.result(outcome))) async for outcome in outcomes)
            async with aclosing(results):
                yield results

    def _wrapped(self, batch: Batch[StateT], cache: NodeCache[StateT] | None, version: str | None = None) -> Attempt:
        attempt: Attempt = batch.attempt
        for wrapper in reversed(self._wrappers):
            attempt = wrapper(attempt)
        return attempt if cache is None else cache.wrap(batch, attempt, version)

    def _counted(self, result: NodeResult[StateT]) -> NodeResult[StateT]:
        self._tally.add(result)
        return result


def _own_priority(node: object) -> float:
    priority = getattr(node, "priority", 0)
    return priority if isinstance(priority, int | float) else 0
