"""A base class for nodes: derive from it, and write only what differs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, TypeVar

from fanfold.errors import FanfoldError
from fanfold.nodes.context import RunContext
from fanfold.nodes.protocol import End, NextNode, name_of
from fanfold.nodes.signature import optional_of, reads_of, signature_name, writes_of
from fanfold.nodes.state import fields_of, set_fields

StateT = TypeVar("StateT")


class NodeIncomplete(FanfoldError):
    """A node lacks what it needs to run."""


class UnexpectedOutput(FanfoldError):
    """What a node came to doesn't have the fields that the node writes."""


class AbstractBaseNode(Generic[StateT]):
    """A node that reads its signature's inputs from the state, does its work, and writes the outputs back.

    Give it a DSPy signature and it asks the model through `dspy.Predict`; or override `_execute_signature` and do
    the work there. Override `_determine_next_node` to go on to another node. The methods' names are H6's.

    Attributes:
        signature: a DSPy signature, `"question -> answer"` or a `NodeSignature`.
        module_type: the DSPy module that runs a DSPy signature; None = `dspy.Predict`.
        name: what messages and provenance call the node; None = its class.
        priority: among nodes that wait for a slot, a higher one starts first.
    """

    signature: Any = None
    module_type: ClassVar[Callable[[Any], Any] | None] = None
    name: str | None = None
    priority: float = 0

    def extract_inputs(self, state: StateT) -> dict[str, Any]:
        """The fields of the state that the node reads, by name; optional ones that the state lacks are left out.

        Raises:
            UndeclaredFields: the node doesn't say what it reads.
            UnknownField: the state has no such field.
        """
        return fields_of(state, reads_of(self), optional=optional_of(self))

    def update_state(self, state: StateT, result: Any) -> None:
        """Write the fields that the node writes from `result`, a mapping or an object with these attributes.

        Raises:
            UnexpectedOutput: the result lacks one of them.
        """
        set_fields(state, outputs_of(self, result, writes_of(self)))

    async def run(self, ctx: RunContext[StateT]) -> NextNode[StateT]:
        """Read, work, write, note it in the provenance, and say what comes next."""
        result = await self._execute_signature(self.extract_inputs(ctx.state))
        self.update_state(ctx.state, result)
        ctx.add_provenance(name_of(self), signature_name(self))
        return await self._determine_next_node(ctx.state)

    async def _execute_signature(self, inputs: dict[str, Any]) -> Any:
        """The node's work: from its inputs to an object or mapping with its outputs.

        Raises:
            NodeIncomplete: there is neither a DSPy signature nor a method of the node's own.
        """
        from fanfold.nodes.dspy_node import ask, is_dspy_signature  # noqa: PLC0415 dspy is an extra

        if not is_dspy_signature(self.signature):
            raise NodeIncomplete(
                f"{name_of(self)} has no DSPy signature to run",
                hint="override `_execute_signature`, or set `signature` to a subclass of dspy.Signature",
            )
        return await ask(self.signature, type(self).module_type, inputs)

    async def _determine_next_node(self, state: StateT) -> NextNode[StateT]:  # noqa: ARG002 for those who override it
        """Where the path goes on, with the state as the node left it; by default nowhere."""
        return End()


def outputs_of(node: object, result: Any, names: Iterable[str]) -> dict[str, Any]:
    """These fields of what a node came to.

    Raises:
        UnexpectedOutput: one is missing.
    """
    outputs = {}
    for name in names:
        try:
            # A Prediction has `keys` and `[]` too, and a field named as one of its methods is only there.
            outputs[name] = result[name] if hasattr(result, "keys") else getattr(result, name)
        except (KeyError, AttributeError):
            raise UnexpectedOutput(
                f"{name_of(node)} writes {name!r}, and what it came to ({type(result).__name__}) has none",
                hint="return all fields that the node writes, or declare fewer",
            ) from None
    return outputs


async def following(choice: object, state: StateT) -> NextNode[StateT]:
    """Where a path goes on: the choice itself, or what it says when it is asked with the state."""
    if choice is None:
        return End()
    if callable(choice) and not hasattr(choice, "run"):
        choice = choice(state)
        if inspect.isawaitable(choice):
            choice = await choice
    following_node: NextNode[StateT] = checked_next(choice)
    return following_node


def checked_next(found: Any) -> Any:
    """What `run` returned, as something that a path can go on with; nothing counts as `End()`.

    Raises:
        NodeIncomplete: it is no node, no list of nodes and no End.
    """
    if found is None:
        return End()
    nodes = found if isinstance(found, list | tuple) else [found]
    for node in nodes:
        if isinstance(node, type) or not (isinstance(node, End) or callable(getattr(node, "run", None))):
            raise NodeIncomplete(
                f"{node!r} is no node that a path could go on with", hint="return a node, a list of nodes, or End()"
            )
    return found
