"""What goes wrong with several nodes at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fanfold.engine.three_way import MergeError as EngineMergeError
from fanfold.engine.votes import Votes
from fanfold.engine.wrapper import text_of
from fanfold.errors import FanfoldError
from fanfold.nodes.protocol import BaseNode, name_of
from fanfold.nodes.result import NodeResult


class ParallelExecutionError(FanfoldError):
    """Nodes failed, and what was asked for can't be had without them.

    Args:
        failed_nodes: the nodes that failed, each with what it raised.
        partial_results: all results, in node order, those of the failed nodes included.
        message: what can't be had; by default the failures in words.
    """

    def __init__(
        self,
        failed_nodes: Sequence[tuple[BaseNode[Any], Exception]] = (),
        partial_results: Sequence[NodeResult[Any]] = (),
        message: str | None = None,
        *,
        hint: str | None = None,
    ) -> None:
        self.failed_nodes = list(failed_nodes)
        self.partial_results = list(partial_results)
        super().__init__(_in_words(message, self.failed_nodes, len(self.partial_results)), hint=hint)


class MergeError(ParallelExecutionError, EngineMergeError):
    """Results can't be made into one context.

    Args:
        failed_nodes, partial_results, message: as for ParallelExecutionError.
        field: the state's field at fault.
        branches: the nodes at fault, as `position:name`.
        votes: how often each state occurred, where that was counted.
    """

    def __init__(
        self,
        failed_nodes: Sequence[tuple[BaseNode[Any], Exception]] = (),
        partial_results: Sequence[NodeResult[Any]] = (),
        message: str | None = None,
        *,
        hint: str | None = None,
        field: str | None = None,
        branches: Sequence[str] = (),
        votes: Votes[Any] | None = None,
    ) -> None:
        super().__init__(failed_nodes, partial_results, message, hint=hint)
        self.field = field
        self.branches = tuple(branches)
        self.votes = votes


def failures(results: Sequence[NodeResult[Any]]) -> list[tuple[BaseNode[Any], Exception]]:
    """The failed nodes of these results, each with what it raised."""
    return [(result.node, result.error) for result in results if result.error is not None]


def _in_words(message: str | None, failed: Sequence[tuple[BaseNode[Any], Exception]], total: int) -> str:
    said = "; ".join(f"{name_of(node)}: {text_of(error)}" for node, error in failed)
    count = f"{len(failed)} of {total}" if total else str(len(failed))
    told = message or f"{count} node{'' if count == '1' else 's'} failed"
    return f"{told} ({said})" if said else told
