"""Run a node once for equal contexts (H3)."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, cast

from fanfold.engine.caching import CacheKey, CacheStatistics, Store, run_once
from fanfold.engine.content import ContentError, content_hash
from fanfold.nodes.batch import Attempt, Batch, Job
from fanfold.nodes.context import RunContext
from fanfold.nodes.protocol import BaseNode, End, NextNode
from fanfold.nodes.signature import optional_of, reads_of, writes_of
from fanfold.nodes.state import fields_of, set_fields

StateT = TypeVar("StateT")
K = TypeVar("K")
V = TypeVar("V")

MOST_REMEMBERED = 4_096


@dataclass(frozen=True, slots=True)
class Kept(Generic[StateT]):
    """What a node did to its context: the state that it left, metadata that it set, provenance that it added."""

    state: StateT
    metadata: dict[str, Any]
    provenance: list[dict[str, Any]]
    execution_id: str
    ends: bool


class NodeCache(Generic[StateT]):
    """Keeps what nodes did to their contexts, and runs a node once for equal contexts at the same time.

    Contexts are equal where state, metadata and user are. Nodes are equal where their class, their attributes and
    their version are; one with attributes that can't be compared (a client, a function defined inside another) equals
    itself alone, unless it has a `cache_key`. Errors aren't kept. Where a path goes on is kept in this object: a
    store that outlives it has only the nodes that end theirs, and others run again.

    Args:
        store: where it is kept: `MemoryStore`, `SqliteStore` from `fanfold.engine.caching`.
        version: changed when nodes change what they do; a node's own `version` counts over it.
        ttl_s: seconds that a result is kept; None = the store's default.
        by: "state": the whole state is compared, which is always right. "declared": the fields that a node reads are
            compared, and a hit gives those that it writes; right only for nodes that declare all of both.
    """

    def __init__(
        self,
        store: Store,
        *,
        version: str = "1",
        ttl_s: float | None = None,
        by: Literal["state", "declared"] = "state",
    ) -> None:
        self.store = store
        self.version = version
        self._ttl_s = ttl_s
        self._by = by
        self._following: _Recent[str, NextNode[StateT]] = _Recent()
        self._themselves: _Recent[int, tuple[object, str]] = _Recent()

    @property
    def statistics(self) -> CacheStatistics:
        """What the store did so far: hits, misses, joined runs, entries."""
        return self.store.statistics

    async def invalidate(self, nodes: str = "*", *, version: str = "*") -> int:
        """Forget what has a matching node class (`module.Class`) and version, both shell patterns; how many."""
        return await self.store.invalidate(nodes, version=version)

    def wrap(self, batch: Batch[StateT], attempt: Attempt, version: str | None = None) -> Attempt:
        """Run the batch's nodes through the cache; `version` is what this call says of nodes without their own."""

        contents: dict[int, str] = {}

        async def cached(position: int) -> None:
            job = batch.jobs[position]
            key = self._key(job.node, self._content(job, contents), version)
            ran = False

            async def run() -> Kept[StateT]:
                nonlocal ran
                ran = True
                await attempt(position)
                return self._kept(batch, position, key)

            of = cast("Any", Kept)[type(job.given.state)]
            kept: Kept[StateT] = await run_once(self.store, key, run, ttl_s=self._ttl_s, of=of)
            if ran:
                return
            following = End() if kept.ends else self._following.get(key.digest)
            if following is None:
                await run()
            else:
                ctx = job.base.view()
                self._apply(job.node, kept, ctx)
                batch.adopt(position, ctx, following)

        return cached

    def _kept(self, batch: Batch[StateT], position: int, key: CacheKey) -> Kept[StateT]:
        ctx, following = batch.left(position)
        given = batch.jobs[position].given
        if not isinstance(following, End):
            self._following.put(key.digest, following)
        metadata = {
            name: value
            for name, value in ctx.metadata.items()
            if name not in given.metadata or given.metadata[name] != value
        }
        added = ctx.provenance[len(given.provenance) :]
        return Kept(ctx.state, metadata, added, ctx.execution_id, isinstance(following, End))

    def _apply(self, node: BaseNode[StateT], kept: Kept[StateT], ctx: RunContext[StateT]) -> None:
        if self._by == "declared":
            set_fields(ctx.state, fields_of(kept.state, writes_of(node)))
        else:
            ctx.state = kept.state
        ctx.metadata.update(kept.metadata)
        ctx.provenance += [
            entry | {"execution_id": ctx.execution_id} if entry.get("execution_id") == kept.execution_id else entry
            for entry in kept.provenance
        ]

    def _content(self, job: Job[StateT], contents: dict[int, str]) -> str:
        """The hash of what the node works on; one for all nodes of a call that were given the same context."""
        if self._by == "declared":
            return content_hash(fields_of(job.given.state, reads_of(job.node), optional=optional_of(job.node)))
        if id(job.given) not in contents:
            ctx = job.given
            contents[id(ctx)] = content_hash((ctx.state, ctx.metadata, ctx.user_id))
        return contents[id(job.given)]

    def _key(self, node: BaseNode[StateT], inputs: str, version: str | None) -> CacheKey:
        kind = type(node)
        label = f"{kind.__module__}.{kind.__qualname__}"
        own = getattr(node, "version", None)
        known = own if isinstance(own, str) else version or self.version
        return CacheKey.of(label, known, (self._identity(node), inputs))

    def _identity(self, node: BaseNode[StateT]) -> object:
        """What tells a node from others of its class."""
        key = getattr(node, "cache_key", None)
        if key is not None:
            return key
        local = self._itself(type(node)) if "<locals>" in type(node).__qualname__ else None
        try:
            return local, content_hash(vars(node))
        except (ContentError, TypeError):
            return self._itself(node)

    def _itself(self, thing: object) -> str:
        """A name that no other object has, in any process."""
        found = self._themselves.get(id(thing))
        if found is None:
            found = (thing, str(uuid.uuid4()))  # held, so that no other object gets its id
            self._themselves.put(id(thing), found)
        return found[1]


class _Recent(Generic[K, V]):
    """The entries that were used last."""

    def __init__(self) -> None:
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key]

    def put(self, key: K, value: V) -> None:
        self._entries[key] = value
        if len(self._entries) > MOST_REMEMBERED:
            self._entries.popitem(last=False)
