"""Results one by one as nodes finish, and what they make together so far."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Generic, Self, TypeVar

from fanfold.nodes.context import RunContext
from fanfold.nodes.merge import MergeStrategy, Strategy
from fanfold.nodes.result import NodeResult

StateT = TypeVar("StateT")


class NodeStream(Generic[StateT]):
    """The results of nodes that run together, in the order in which they finish.

        async with executor.stream_parallel(nodes, ctx) as results:
            async for result in results:
                so_far = results.partial()

    Leaving the block ends the nodes that still run, and waits for them. `async for` without the block works too;
    where it is left early, the rest ends when Python gets round to it. A stream is used once.
    """

    def __init__(
        self,
        running: AbstractAsyncContextManager[AsyncIterator[tuple[int, NodeResult[StateT]]]],
        merge: Callable[[list[NodeResult[StateT]], Strategy[StateT]], RunContext[StateT]],
        given: RunContext[StateT],
    ) -> None:
        self._running = running
        self._merge = merge
        self._given = given
        self._results: AsyncIterator[tuple[int, NodeResult[StateT]]] | None = None
        self._finished: dict[int, NodeResult[StateT]] = {}

    @property
    def finished(self) -> list[NodeResult[StateT]]:
        """The results that have come so far, in node order."""
        return [self._finished[position] for position in sorted(self._finished)]

    def partial(self, strategy: Strategy[StateT] = MergeStrategy.ALL_SUCCESS) -> RunContext[StateT]:
        """What those results so far that succeeded make together; where there is none, the given context itself.

        Raises:
            MergeError: they don't fit together.
        """
        good = [result for result in self.finished if result.is_success]
        return self._merge(good, strategy) if good else self._given

    async def __aenter__(self) -> Self:
        self._results = await self._running.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._running.__aexit__(kind, error, traceback)

    def __aiter__(self) -> AsyncIterator[NodeResult[StateT]]:
        # In a block no generator is handed out: one that is left early ends in a task of its own, after the block.
        return self._alone() if self._results is None else self

    async def __anext__(self) -> NodeResult[StateT]:
        if self._results is None:
            raise RuntimeError("a stream is read in its block: async with executor.stream_parallel(...) as results")
        position, result = await anext(self._results)
        self._finished[position] = result
        return result

    async def _alone(self) -> AsyncIterator[NodeResult[StateT]]:
        async with self:
            async for result in self:
                yield result
