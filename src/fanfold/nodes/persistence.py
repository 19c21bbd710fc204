"""A context as data that can be stored and read again (H2)."""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from fanfold.engine.content import Codec, ContentError
from fanfold.errors import FanfoldError
from fanfold.nodes.context import RunContext

StateT = TypeVar("StateT")


class StateTypeError(FanfoldError):
    """The class of a stored state can't be found, or isn't what was stored."""


def _now() -> str:
    return datetime.now(UTC).isoformat()


class GraphState(BaseModel):
    """One execution's context, as JSON-like data.

    `GraphState.from_context(ctx).model_dump_json()` is a text to store, and
    `GraphState.model_validate_json(text).to_context()` the context again.
    """

    execution_id: str
    state_snapshot: dict[str, Any]
    state_type: str
    provenance: list[dict[str, Any]] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)
    user_id: str | None = None
    created_at: str = Field(default_factory=_now)
    updated_at: str = Field(default_factory=_now)

    @classmethod
    def from_context(cls, ctx: RunContext[Any], *, before: GraphState | None = None) -> GraphState:
        """The context as data.

        Args:
            ctx: its state is a pydantic model, a dataclass or a dict; metadata and provenance are JSON-like.
            before: what was stored of this execution earlier; its `created_at` is kept.
        Raises:
            ContentError: a value wouldn't come back equal; the error names its place.
        """
        kept = {} if before is None else {"created_at": before.created_at}
        return cls(
            execution_id=ctx.execution_id,
            state_snapshot=_as_data(_state_type(ctx.state), ctx.state, "state"),
            state_type=_type_name(_state_type(ctx.state)),
            provenance=_as_data(list, ctx.provenance, "provenance"),
            metadata=_as_data(dict, ctx.metadata, "metadata"),
            user_id=ctx.user_id,
            **kept,
        )

    def to_context(self, state_type: type[StateT] | None = None) -> RunContext[StateT]:
        """The context again, with a state of its type and containers of its own.

        Args:
            state_type: the class of the state, a TypedDict for instance; None = the one that `state_type` names,
                which must be imported already: stored data imports no modules.
        Raises:
            StateTypeError: the class isn't imported, or isn't one that a state can have.
            ContentError: the snapshot isn't a state of this class.
        """
        found: type[StateT] = state_type or _find(self.state_type)
        stored = self.model_copy(deep=True)
        return RunContext(
            state=Codec(found).decode(json.dumps(self.state_snapshot)),
            execution_id=self.execution_id,
            user_id=self.user_id,
            metadata=stored.metadata,
            provenance=stored.provenance,
        )


def _state_type(state: object) -> Any:
    return dict if isinstance(state, dict) else type(state)


def _as_data(kind: Any, value: object, where: str) -> Any:
    try:
        return json.loads(Codec(kind).encode(value))
    except ContentError as error:
        raise ContentError(f"the {where} can't be stored: {error.message}", hint=error.hint) from error


def _type_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _find(name: str) -> Any:
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        if (module := sys.modules.get(".".join(parts[:cut]))) is None:
            continue
        found: Any = module
        for part in parts[cut:]:
            found = getattr(found, part, None)
        if found is dict or (
            isinstance(found, type) and (issubclass(found, BaseModel) or dataclasses.is_dataclass(found))
        ):
            return found
        break
    raise StateTypeError(
        f"the state's class {name} isn't imported here, or is no class of a state",
        hint="import its module first, or give the class: to_context(MyState)",
    )
