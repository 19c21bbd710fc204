"""The context that a node runs in: the state, who runs it, and what has happened so far."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

StateT = TypeVar("StateT")


def _new_execution_id() -> str:
    return str(uuid.uuid4())


@dataclass
class RunContext(Generic[StateT]):
    """What one execution of a graph works on.

    Args:
        state: a pydantic model, a dataclass or a dict.
        execution_id: names the execution in provenance and in storage; made up where it isn't given.
        user_id: on whose behalf.
        metadata: data beside the state, by name.
        provenance: what happened, one entry for each node that ran, oldest first.
    """

    state: StateT
    execution_id: str = field(default_factory=_new_execution_id)
    user_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    provenance: list[dict[str, Any]] = field(default_factory=list)

    def add_provenance(self, node_name: str, signature_name: str | None = None, **details: Any) -> None:
        """Note that a node ran.

        Args:
            node_name: the node.
            signature_name: what it was to do.
            details: more of it, as JSON-like data; times don't belong here, for equal runs have equal provenance.
        """
        entry = {"node": node_name, "signature": signature_name, "execution_id": self.execution_id}
        self.provenance.append(entry | details)
