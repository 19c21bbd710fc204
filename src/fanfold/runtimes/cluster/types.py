"""The types by which a hop's state and value are written as JSON."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, get_origin, get_type_hints
from weakref import WeakKeyDictionary

from typing_extensions import TypedDict

from fanfold.engine import Codec, ContentError, fields_of
from fanfold.runtimes.cluster.wire import Message
from fanfold.runtimes.flow import Flow
from fanfold.runtimes.types import type_of

_typed_dict: Any = TypedDict  # mypy knows no fields that come from elsewhere
_made: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


_plain = Codec[Any](Any)


def codecs_of(flow: Flow[Any]) -> list[tuple[Codec[Any], Codec[Any]]]:
    """For each hop, what writes the value that it is called with, and what writes the one that it returns.

    Raises:
        JournalError: a hop before the last doesn't declare what it returns.
        ContentError: what is declared can't be written as JSON.
    """
    returned = [Codec[Any](type_of(flow, hop)) for hop in flow.hops]
    return list(zip([Codec[Any](parameter_type(flow.hops[0])), *returned[:-1]], returned, strict=True))


def written(value: Any, codec: Codec[Any], *, is_update: bool) -> Message:
    """What is sent of a hop's value.

    An update that isn't of its type is sent as plain JSON, where it is that: who folds it says what is wrong with it.

    Raises:
        ContentError: it can't be written.
    """
    try:
        return {"value": codec.encode(value)}
    except ContentError:
        if is_update:
            with contextlib.suppress(ContentError):
                return {"value": _plain.encode(value), "plain": True}
        raise


def read(message: Message, codec: Codec[Any]) -> Any:
    """The value of which `written` made a message."""
    return (_plain if message.get("plain") else codec).decode(message["value"])


def state_type(schema: Any) -> Any:
    """The type of a whole state; one that is a dict may lack fields, and has what the given one had."""
    if not issubclass(get_origin(schema) or schema, dict):
        return schema
    if schema not in _made:
        _made[schema] = _typed_dict(
            "State", {name: field.type for name, field in fields_of(schema).items()}, total=False
        )
    return _made[schema]


def parameter_type(hop: Callable[[Any, Any], Awaitable[Any]]) -> Any:
    """The type of a function's first parameter; Any where it doesn't say."""
    plain: Any = inspect.unwrap(hop)
    parameters = list(inspect.signature(plain).parameters)
    plain = getattr(plain, "func", plain)  # what a functools.partial calls
    function = plain if inspect.isroutine(plain) else type(plain).__call__
    return get_type_hints(function, include_extras=True).get(parameters[0], Any) if parameters else Any
