"""What a flow's values are declared to be, so that they can be written as JSON and read back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Optional
from weakref import WeakKeyDictionary

from typing_extensions import TypedDict

from fanfold.engine import fields_of
from fanfold.engine.journal.signature import return_type
from fanfold.runtimes.flow import Flow

_made: WeakKeyDictionary[type, Any] = WeakKeyDictionary()


def type_of(flow: Flow[Any], hop: Callable[[Any, Any], Awaitable[Any]]) -> Any:
    """The type of what a hop returns: the last one's is an update of the flow's state.

    Raises:
        JournalError: another hop doesn't declare what it returns.
    """
    return update_type(flow.state) if hop is flow.hops[-1] else return_type(hop)


def update_type(schema: type) -> Any:
    """Some of a state's fields, or None."""
    if schema not in _made:
        fields: dict[str, Any] = {name: field.type for name, field in fields_of(schema).items() if not field.read_only}
        _made[schema] = Optional[TypedDict("Update", fields, total=False)]  # type: ignore[operator]  # noqa: UP045
    return _made[schema]
