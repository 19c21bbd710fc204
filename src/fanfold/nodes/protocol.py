"""What a node of a graph is: the Protocol that every executor, graph and plan of this package takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

from fanfold.nodes.context import RunContext

StateT = TypeVar("StateT")


@dataclass(frozen=True, slots=True)
class End:
    """What `run` returns where its path through the graph is over."""


@runtime_checkable
class BaseNode(Protocol[StateT]):
    """One step of a graph. A node is code and settings; what it works on comes with the context.

    One node may run many times at once, so `run` changes the context that it is given and not the node.
    """

    signature: Any
    """What the node reads and writes: a DSPy signature, `"question -> answer"`, `NodeSignature`, or None."""

    def extract_inputs(self, state: StateT) -> dict[str, Any]:
        """The part of the state that the node works on, by name."""

    def update_state(self, state: StateT, result: Any) -> None:
        """Write what the node came to, a `dspy.Prediction` say, into the state."""

    async def run(self, ctx: RunContext[StateT]) -> NextNode[StateT]:
        """Do the node's work on `ctx`, which is its own, and say which node or nodes come next."""


NextNode: TypeAlias = BaseNode[StateT] | Sequence[BaseNode[StateT] | End] | End
"""Where a path goes on: at one node, at several that run together, or nowhere; an End among several is nowhere."""


def nodes_in(following: NextNode[StateT]) -> list[BaseNode[StateT]]:
    """The nodes that a path goes on at: an End stands for none, alone and in a list."""
    named = following if isinstance(following, list | tuple) else [following]
    return [cast("BaseNode[StateT]", node) for node in named if not isinstance(node, End)]


def refuse_others(nodes: Sequence[object]) -> None:
    """Refuse what is no node, such as None, or a class where a node of it was meant.

    Raises:
        TypeError: naming the first one.
    """
    for position, node in enumerate(nodes):
        if isinstance(node, type):
            raise TypeError(f"nodes[{position}] is the class {node.__name__} and no node: write {node.__name__}(...)")
        if not callable(getattr(node, "run", None)):
            raise TypeError(f"nodes[{position}] is {node!r} and no node: it has no `run`")


def name_of(node: object) -> str:
    """What messages, keys and provenance call a node: its own `name`, else its class."""
    name = getattr(node, "name", None)
    return name if isinstance(name, str) and name else type(node).__name__
