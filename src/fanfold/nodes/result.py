"""What one node came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar

from fanfold.engine.isolate import Frozen, IsolationError, detach
from fanfold.nodes.context import RunContext
from fanfold.nodes.protocol import BaseNode, NextNode, name_of, nodes_in
from fanfold.nodes.snapshots import snapshot

StateT = TypeVar("StateT")


@dataclass
class NodeResult(Generic[StateT]):
    """One node's run: where its path goes on, the context that it left, and how long it took.

    `context` is the node's own, a plain object of the caller's types that shares nothing with other results. Where
    the node failed, `error` is what it raised, `next_node` is `End()`, and the context is as far as it came.
    `execution_time_ms` counts from when the node got its slot, retries and their waiting included.
    """

    node: BaseNode[StateT]
    next_node: NextNode[StateT]
    context: RunContext[StateT]
    execution_time_ms: float
    error: Exception | None = None
    attempts: int = 1
    cached: bool = False
    base: RunContext[StateT] | None = field(default=None, repr=False, compare=False)
    """The context that the node was given, which ALL_SUCCESS needs to tell what is new; None = not known."""

    def hold(self, left: Frozen[RunContext[StateT]]) -> None:
        """Take this as the context, made into plain objects when somebody looks at it: that costs as much as a copy."""
        self.__dict__.pop("context", None)
        self.__dict__["_left"] = left

    def snapshot(self) -> Frozen[RunContext[StateT]]:
        """The context as it is now, frozen; that costs next to nothing while nobody has looked at it."""
        left: Frozen[RunContext[StateT]] | None = self.__dict__.get("_left")
        if left is None or "context" in self.__dict__:
            return snapshot(self.context)
        return left

    def copied(self) -> RunContext[StateT]:
        """The context again, as plain objects that share nothing with `context`."""
        try:
            return detach(self.snapshot().view())
        except IsolationError:  # the node put a live object into it, which both have then
            return detach(self.context)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name != "context" or "_left" not in self.__dict__:
                raise AttributeError(f"a NodeResult has no {name!r}")
            self.context = detach(self.__dict__["_left"].view())
            return self.context

    def key(self, position: int) -> str:
        """What errors and votes call the result at this position: `position:node`."""
        return f"{position}:{name_of(self.node)}"

    @property
    def is_success(self) -> bool:
        """Whether the node ran without an error."""
        return self.error is None

    @property
    def is_end(self) -> bool:
        """Whether the path is over."""
        return not nodes_in(self.next_node)


class Statistics(TypedDict):
    """`ParallelExecutor.get_statistics`: counts, milliseconds, and one text for each error."""

    total_nodes: int
    successes: int
    failures: int
    success_rate: float
    attempts: int
    cached: int
    avg_time_ms: float
    min_time_ms: float
    max_time_ms: float
    total_time_ms: float
    errors: list[str]
