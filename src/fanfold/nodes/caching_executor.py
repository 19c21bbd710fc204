"""The executor with a cache, under H3's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from fanfold.engine.caching import CacheStatistics, Store
from fanfold.nodes.caching import NodeCache
from fanfold.nodes.context import RunContext
from fanfold.nodes.executor import ParallelExecutor
from fanfold.nodes.protocol import BaseNode
from fanfold.nodes.result import NodeResult
from fanfold.nodes.snapshots import snapshot

StateT = TypeVar("StateT")


class CachedParallelExecutor(ParallelExecutor[StateT]):
    """A `ParallelExecutor` that runs a node once for equal contexts; lookups are made in parallel too.

    Args:
        max_concurrent: nodes running together, >= 1.
        cache: a `NodeCache`, or a store for one; None = a `MemoryStore`.
        cache_enabled: False runs every node, to compare.
        options: as for `ParallelExecutor`.
    """

    def __init__(
        self,
        max_concurrent: int = 4,
        cache: NodeCache[StateT] | Store | None = None,
        cache_enabled: bool = True,
        **options: Any,
    ) -> None:
        if cache is None:
            from fanfold.engine.caching import MemoryStore  # noqa: PLC0415 brings cachetools

            cache = MemoryStore()
        kept = cache if isinstance(cache, NodeCache) else NodeCache(cache)
        super().__init__(max_concurrent, cache=kept if cache_enabled else None, **options)

    async def execute_parallel_with_cache(
        self, nodes: Sequence[BaseNode[StateT]], ctx: RunContext[StateT], node_version: str | None = None
    ) -> list[NodeResult[StateT]]:
        """As `execute_parallel`; `node_version` is the version of nodes that have none themselves."""
        return await self.execute(nodes, snapshot(ctx), cache=self.cache, version=node_version)

    async def execute_with_cache(
        self, node: BaseNode[StateT], ctx: RunContext[StateT], node_version: str | None = None
    ) -> NodeResult[StateT]:
        """As `execute_single_with_isolation`; `node_version` is the version of a node that has none itself."""
        (result,) = await self.execute_parallel_with_cache([node], ctx, node_version)
        return result

    async def invalidate(self, nodes: str = "*", *, version: str = "*") -> int:
        """Forget what has a matching node class (`module.Class`) and version, both shell patterns; how many."""
        return 0 if self.cache is None else await self.cache.invalidate(nodes, version=version)

    def cache_statistics(self) -> CacheStatistics:
        """Hits, misses, joined runs and entries of the cache; zeros where it is switched off."""
        return CacheStatistics() if self.cache is None else self.cache.statistics
