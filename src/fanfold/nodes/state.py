"""The fields of a state, whichever of its three kinds it is: a pydantic model, a dataclass or a dict."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, MutableMapping
from typing import Any

from fanfold.engine.schema import schema_of, values_of
from fanfold.errors import FanfoldError


class UnknownField(FanfoldError):
    """A node asks for a field that the state doesn't have."""


def field_names(state: object) -> tuple[str, ...]:
    """The names of the state's fields, in its own order.

    Raises:
        SchemaError: this is no state.
    """
    schema_of(state)
    return tuple(values_of(state))


def fields_of(state: object, names: Iterable[str], *, optional: Container[str] = ()) -> dict[str, Any]:
    """The values of these fields; optional ones are left out where the state has none.

    Raises:
        UnknownField: the state has no such field.
    """
    return {name: field_of(state, name) for name in names if name not in optional or _has(state, name)}


def field_of(state: object, name: str) -> Any:
    """The value of one field.

    Raises:
        UnknownField: the state has no such field.
    """
    try:
        return state[name] if isinstance(state, Mapping) else getattr(state, name)
    except (KeyError, AttributeError):
        raise _unknown(state, name) from None


def set_fields(state: object, values: Mapping[str, object]) -> None:
    """Give these fields their values; a dict takes new ones too.

    Raises:
        UnknownField: the state has no such field.
    """
    for name, value in values.items():
        if isinstance(state, MutableMapping):
            state[name] = value
        elif hasattr(state, name) or name in field_names(state):
            setattr(state, name, value)
        else:
            raise _unknown(state, name)


def _has(state: object, name: str) -> bool:
    if isinstance(state, Mapping):
        return name in state
    # A model's or dataclass's own methods (`copy`, `json`) are no fields; its properties are as good as these.
    return hasattr(state, name) and (name in field_names(state) or not callable(getattr(type(state), name, None)))


def _unknown(state: object, name: str) -> UnknownField:
    known = ", ".join(field_names(state)) or "no fields"
    return UnknownField(f"the state ({type(state).__name__}) has no field {name!r}", hint=f"it has {known}")
