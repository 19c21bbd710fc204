"""A node that does what it was told to, for tests of graphs, plans and executors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from fanfold.nodes import End, NextNode, NodeSignature, RunContext
from fanfold.nodes.state import fields_of, set_fields

StateT = TypeVar("StateT")


class ScriptedNode(Generic[StateT]):
    """Writes the same values into the state at each run, after a while, unless it is to fail.

    Args:
        writes: the values, by the state's fields.
        reads: the fields that it says it reads.
        delay_s: how long each run takes.
        errors: what the first runs raise, one after another; runs after these succeed.
        next_node: where the path goes on; None = nowhere.
        name: what messages and provenance call it.

    Attributes:
        inputs: what each run read, the failed ones included.
    """

    def __init__(
        self,
        writes: Mapping[str, Any] | None = None,
        *,
        reads: Sequence[str] = (),
        delay_s: float = 0.0,
        errors: Sequence[Exception] = (),
        next_node: NextNode[StateT] | None = None,
        name: str = "scripted",
    ) -> None:
        self.name = name
        self.inputs: list[dict[str, Any]] = []
        self.signature: Any = NodeSignature(tuple(reads), tuple(writes or ()))
        self._writes = dict(writes or {})
        self._delay_s = delay_s
        self._errors = list(errors)
        self._next_node = next_node

    def extract_inputs(self, state: StateT) -> dict[str, Any]:
        """The fields that it says it reads."""
        return fields_of(state, self.signature.reads)

    def update_state(self, state: StateT, result: Mapping[str, Any]) -> None:
        """Write the values."""
        set_fields(state, result)

    async def run(self, ctx: RunContext[StateT]) -> NextNode[StateT]:
        """Read, wait, raise or write, and go on."""
        self.inputs.append(self.extract_inputs(ctx.state))
        await asyncio.sleep(self._delay_s)
        if self._errors:
            raise self._errors.pop(0)
        self.update_state(ctx.state, self._writes)
        ctx.add_provenance(self.name)
        return End() if self._next_node is None else self._next_node
