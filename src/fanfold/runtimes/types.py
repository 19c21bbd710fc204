"""What a flow's values are declared to be, so that they can be written as JSON and read back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, is_typeddict
from weakref import WeakKeyDictionary

import typing_extensions
from typing_extensions import TypedDict

from fanfold.engine import JournalError, fields_of
from fanfold.engine.journal.signature import return_type
from fanfold.runtimes.flow import Flow

_typed_dict: Any = TypedDict  # mypy knows no fields that come from elsewhere
_made: WeakKeyDictionary[Any, dict[Any, Any]] = WeakKeyDictionary()


def type_of(flow: Flow[Any], hop: Callable[[Any, Any], Awaitable[Any]]) -> Any:
    """The type of what a hop returns: the last one's is an update of the flow's state.

    Raises:
        JournalError: another hop doesn't declare what it returns.
    """
    return update_type(flow.state, _declared_update(hop)) if hop is flow.hops[-1] else return_type(hop)


def update_type(schema: Any, update: Any = None) -> Any:
    """Some of a state's fields, or None.

    What is none, and what a fold refuses, has a place in it too: who folds it says so, whatever way it came.

    Args:
        update: a TypedDict of fields that updates have of another type than the state.
    """
    known = _made.setdefault(schema, {})
    if update not in known:
        types = {**_types(schema), **(_types(update) if update else {})}
        fields = _typed_dict("Update", types, total=False)
        fields.__pydantic_config__ = {"extra": "allow"}
        known[update] = Union[fields, None, bool, int, float, str, list[Any]]  # noqa: UP007 fields are known only now
    return known[update]


def _declared_update(hop: Callable[[Any, Any], Awaitable[Any]]) -> Any:
    """The TypedDict that a hop declares to return, if it does."""
    try:
        declared = return_type(hop)
    except (JournalError, TypeError):
        return None
    for kind in (declared, *get_args(declared)):
        if _is_typed_dict(kind):
            return kind
    return None


def _is_typed_dict(kind: Any) -> bool:
    return is_typeddict(get_origin(kind) or kind) or typing_extensions.is_typeddict(get_origin(kind) or kind)


def _types(schema: Any) -> dict[str, Any]:
    """A schema's fields with their types, in which the arguments of a generic one stand for its parameters."""
    types = {name: field.type for name, field in fields_of(schema).items()}
    parameters = getattr(get_origin(schema), "__parameters__", ())
    return {name: _filled(kind, dict(zip(parameters, get_args(schema), strict=False))) for name, kind in types.items()}


def _filled(kind: Any, arguments: Mapping[Any, Any]) -> Any:
    if isinstance(kind, TypeVar):
        return arguments.get(kind, kind)
    free = getattr(kind, "__parameters__", ()) if get_args(kind) else ()
    return kind[tuple(arguments.get(parameter, parameter) for parameter in free)] if free and arguments else kind
