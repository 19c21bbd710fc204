"""The state of a flow as LangGraph's channels, each of which begins and takes updates as the flow's own state does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from langgraph.channels import BinaryOperatorAggregate, LastValue, Topic, UntrackedValue
from langgraph.types import Overwrite
from typing_extensions import TypedDict

from fanfold.engine import detach, fields_of
from fanfold.engine.reducers import Reducer
from fanfold.engine.schema import Field
from fanfold.runtimes.flow import Flow
from fanfold.runtimes.run import has_default

BRANCHES = "__fanfold_branches__"
"""The private channel with what branches came to."""

NOTHING: Any = LastValue(object).checkpoint()  # LangGraph's own sentinel, which has no public name
OVERWRITE = "__overwrite__"

_typed_dict: Any = TypedDict  # mypy knows no fields that come from elsewhere


class Reduced(BinaryOperatorAggregate[Any]):
    """A field with a reducer: it begins as the flow's state does, and the first value given to it is what it holds.

    LangGraph's own begins with an empty value of its type, and adds the first one to that.
    """

    __slots__ = ("start",)
    operator: Reducer[Any]

    def __init__(self, typ: Any, operator: Reducer[Any], start: Callable[[], Any] | None = None) -> None:
        super().__init__(typ, operator)
        self.value = NOTHING
        self.start = start

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reduced) and other.operator is self.operator

    __hash__ = None  # type: ignore[assignment]

    def copy(self) -> Reduced:
        """The same once more."""
        return self._with(self.value)

    def from_checkpoint(self, checkpoint: Any) -> Reduced:
        """The channel as it was saved."""
        return self._with(checkpoint)

    def update(self, values: Sequence[Any]) -> bool:
        """Take what is added; whether there was anything."""
        if not values:
            return False
        if self.value is NOTHING:
            first, *values = values
            # What is under it is held as it is; below, an Overwrite would have LangGraph pass over what comes after.
            self.value = first if not _is_overwrite(first) else None
            values = [first, *values] if _is_overwrite(first) else values
        if not self.operator.pure:
            self.value, values = detach((self.value, [*values]))  # it may change what it is given
        super().update(values)
        return True

    def get(self) -> Any:
        """What the field holds."""
        return self.start() if self.value is NOTHING and self.start is not None else super().get()

    def is_available(self) -> bool:
        """Whether it holds anything."""
        return self.start is not None or super().is_available()

    def _with(self, value: Any) -> Reduced:
        other = Reduced(self.typ, self.operator, self.start)
        other.key = self.key
        other.value = value
        return other


class Spared(UntrackedValue[Any]):
    """What the branches of the superstep before came to, where a journal has it, too.

    LangGraph doesn't save what is written to an UntrackedValue until the superstep ends: for a saver, that is a
    transaction for each branch, and takes longer with each. Unlike one, this is part of the checkpoint after that.
    """

    __slots__ = ()

    def update(self, values: Sequence[Any]) -> bool:
        """Take what the branches of a superstep wrote; what those before wrote is gone."""
        had = self.is_available()
        self.value = [*values] if values else NOTHING
        return had or bool(values)

    def checkpoint(self) -> Any:
        """What a saver keeps."""
        return self.value

    def from_checkpoint(self, checkpoint: Any) -> Spared:
        """The channel as it was saved."""
        channel = super().from_checkpoint(checkpoint)
        channel.value = checkpoint
        return channel


def schema_of(flow: Flow[Any]) -> Any:
    """The flow's state as a TypedDict of channels."""
    return _typed_dict(flow.state.__name__, _annotated(flow), total=False)


def schema_with_branches(flow: Flow[Any], *, has_journal: bool) -> Any:
    """The same, and what branches came to in the superstep before."""
    channel: Any = Spared(list, guard=False) if has_journal else Topic(dict)
    return _typed_dict("Fold", {**_annotated(flow), BRANCHES: Annotated[list[Any], channel]}, total=False)


def overwriting(flow: Flow[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """What a node writes for the graph's state to hold these values: they are reduced already."""
    fields = fields_of(flow.state)
    return {
        name: Overwrite(value) if name in fields and fields[name].reducer is not None else value
        for name, value in values.items()
    }


def _annotated(flow: Flow[Any]) -> dict[str, Any]:
    return {name: Annotated[field.type, _channel(flow, field)] for name, field in fields_of(flow.state).items()}


def _channel(flow: Flow[Any], field: Field) -> LastValue[Any] | Reduced:
    if field.reducer is None:
        channel: LastValue[Any] | Reduced = LastValue(field.type)
    else:
        start = None if has_default(flow.state, field.name) else field.start
        channel = Reduced(field.type, field.reducer, start)
    channel.key = field.name
    return channel


def _is_overwrite(value: object) -> bool:
    """Whether LangGraph takes this for an Overwrite: one that went through JSON is a dict."""
    if isinstance(value, dict):
        return value.keys() == {OVERWRITE} or (value.get("type") == OVERWRITE and "value" in value)
    return isinstance(value, Overwrite)
