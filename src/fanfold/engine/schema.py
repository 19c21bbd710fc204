"""What a state is made of: its fields, how each takes updates, and how a state with other values is made.

A schema is a TypedDict, a dataclass or a pydantic model. A state without one is a plain dict: whatever its keys are,
and no reducers.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import inspect
import types
import typing
from collections import abc
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar, get_args, get_origin, get_type_hints
from weakref import WeakKeyDictionary

from fanfold.engine.isolate import read_only
from fanfold.engine.reducers import Reducer, as_reducer
from fanfold.engine.wrapper import text_of
from fanfold.errors import FanfoldError

S = TypeVar("S")

NOTHING: Any = type("Nothing", (), {"__repr__": lambda _: "nothing"})()
"""Stands for the value of a field that a state lacks."""


class SchemaError(FanfoldError):
    """A type is no schema of a state, its annotations can't be read, or a reducer in them is none."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a state: `type` without what is said about it, and how it takes updates.

    `reducer` is None for a field that one branch alone may write, `start` makes what the field holds that a state
    lacks (None: its first update is taken as it is), `read_only` says that no branch may write it.
    """

    name: str
    type: object
    reducer: Reducer[Any] | None = None
    read_only: bool = False
    start: Callable[[], Any] | None = None


_QUALIFIERS = ("ClassVar", "Final", "NotRequired", "ReadOnly", "Required")
_EMPTY: dict[object, Callable[[], Any]] = {
    **{kind: kind for kind in (list, dict, set, frozenset, tuple, str, collections.deque, collections.Counter)},
    **dict.fromkeys((abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable), list),
    **dict.fromkeys((abc.Mapping, abc.MutableMapping), dict),
    **dict.fromkeys((abc.Set, abc.MutableSet), set),
}
_read: WeakKeyDictionary[type, Mapping[str, Field]] = WeakKeyDictionary()


def fields_of(schema: type) -> Mapping[str, Field]:
    """The fields of a TypedDict, dataclass or pydantic model by name, in the order of their declaration.

    A field's reducer stands in its annotation, `Annotated[list[str], operator.add]`: the last of the metadata that
    can be called with two values, and is no class. `Required`, `NotRequired` and `ReadOnly` may stand around it or
    in it. Read once for each type.

    Raises:
        SchemaError: the type is none of these, an annotation names what can't be found, the last of a field's
            metadata is a function that doesn't take two values, or its default stands where a reducer of the field's
            own name was meant.
    Source:
        LangGraph's convention: https://docs.langchain.com/oss/python/langgraph/graph-api#reducers
    """
    plain = get_origin(schema) or schema
    if plain not in _read:
        _read[plain] = types.MappingProxyType(
            {name: _field(plain, name, annotation) for name, annotation in _annotations(plain).items()}
        )
    return _read[plain]


def schema_of(state: object) -> type | None:
    """The schema that a state has of itself: its dataclass or model; None for a mapping."""
    if isinstance(state, Mapping):
        return None
    if is_model(type(state)) or dataclasses.is_dataclass(type(state)):
        return type(state)
    raise SchemaError(
        f"a {type(state).__name__} is no state",
        hint="a state is a dict (of a TypedDict), a dataclass or a pydantic model",
    )


def values_of(state: object) -> dict[str, Any]:
    """A state's values by field; what a dict holds under other keys than its schema's included."""
    if isinstance(state, Mapping):
        return dict(state)
    if is_model(type(state)):
        return dict(typing.cast("abc.Iterable[tuple[str, Any]]", state))
    if dataclasses.is_dataclass(state):
        return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    raise AssertionError(f"schema_of refuses a {type(state).__name__}")


def replaced(state: S, values: Mapping[str, object], *, validate: bool = True) -> S:
    """The state with these values for some of its fields; the state itself stays as it is.

    What isn't replaced is shared with the given state. A mapping becomes a dict. A dataclass is made through its
    constructor, so `__post_init__` runs; one with an InitVar that has no default is copied instead, for nobody knows
    what it was made with. A pydantic model is validated whole, so that a field's value has its type
    whoever wrote it; its private attributes are carried over.

    Args:
        validate: False makes the model without its validators.
    Raises:
        Whatever the state's own constructor or validation raises.
    """
    if isinstance(state, Mapping):
        return typing.cast("S", {**state, **values})
    if is_model(type(state)):
        return typing.cast("S", _model_with(typing.cast("_Model", state), values, validate))
    return _dataclass_with(state, values)


def complaint(error: Exception, names: Iterable[str]) -> tuple[str | None, str]:
    """Which of these fields the validation of a state complains of, if it says so, and what it says."""
    if type(error).__module__ == "pydantic_core._pydantic_core":
        first = error.errors()[0]  # type: ignore[attr-defined]
        path = ".".join(str(part) for part in first["loc"])
        name = next((name for name in names if (name,) == first["loc"][:1]), None)
        return name, f"{path}: {first['msg']}" if path else first["msg"]
    return None, text_of(error)


class _Model(Protocol):
    """The part of a pydantic model that is used here, so that the engine needn't import pydantic."""

    __pydantic_fields_set__: set[str]
    __pydantic_private__: dict[str, Any] | None

    @classmethod
    def model_validate(cls, obj: object, *, by_alias: bool, by_name: bool) -> _Model: ...

    def model_copy(self, *, update: Mapping[str, object]) -> _Model: ...


def _model_with(state: _Model, values: Mapping[str, object], validate: bool) -> _Model:
    if not validate:
        return state.model_copy(update=values)
    made = state.model_validate({**values_of(state), **values}, by_alias=False, by_name=True)
    # A frozen model refuses ordinary assignment.
    object.__setattr__(made, "__pydantic_fields_set__", state.__pydantic_fields_set__ | values.keys())
    if state.__pydantic_private__ is not None:
        object.__setattr__(made, "__pydantic_private__", dict(state.__pydantic_private__))
    return made


def _dataclass_with(state: S, values: Mapping[str, object]) -> S:
    late = {field.name for field in dataclasses.fields(typing.cast("Any", state)) if not field.init}
    if _lacks_init_var(state):
        made, late = copy.copy(state), set(values)
    else:
        made = dataclasses.replace(
            typing.cast("Any", state), **{name: value for name, value in values.items() if name not in late}
        )
    for name in late:
        # A frozen dataclass refuses ordinary assignment.
        object.__setattr__(made, name, values[name] if name in values else getattr(state, name))
    return made


def _lacks_init_var(state: object) -> bool:
    """Whether the constructor takes a value that the dataclass doesn't keep and that has no default."""
    declared: Mapping[str, dataclasses.Field[Any]] = typing.cast("Any", state).__dataclass_fields__
    kept = {field.name for field in dataclasses.fields(typing.cast("Any", state))}
    parameters = inspect.signature(type(state)).parameters if declared.keys() - kept else {}
    return any(
        name in parameters and parameters[name].default is inspect.Parameter.empty for name in declared.keys() - kept
    )


def _annotations(schema: Any) -> dict[str, object]:
    """A schema's annotations by field, with all their metadata."""
    if is_model(schema):
        return _model_annotations(schema)
    if not isinstance(schema, type) or not (_is_typed_dict(schema) or dataclasses.is_dataclass(schema)):
        raise SchemaError(
            f"{getattr(schema, '__name__', schema)} is no schema of a state",
            hint="declare the state as a TypedDict, a dataclass or a pydantic model",
        )
    try:
        hints = get_type_hints(schema, include_extras=True)
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise SchemaError(
            f"the annotations of {schema.__name__} can't be read: {error}",
            hint="import what they name at run time, not under TYPE_CHECKING, and declare it in a module",
        ) from error
    if dataclasses.is_dataclass(schema):
        return {field.name: hints[field.name] for field in dataclasses.fields(schema)}
    return hints


def _model_annotations(schema: Any) -> dict[str, object]:
    if not schema.__pydantic_complete__ and not schema.model_rebuild(raise_errors=False):
        raise SchemaError(
            f"the annotations of {schema.__name__} can't be read: it names what is not defined yet",
            hint="import what they name at run time, not under TYPE_CHECKING",
        )
    return {
        name: Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        for name, info in schema.model_fields.items()
    }


def _field(schema: type, name: str, annotation: object) -> Field:
    kind, metadata, is_read_only = _unwrapped(annotation)
    reducer = _reducer(schema, name, metadata)
    is_read_only = is_read_only or any(entry is read_only for entry in metadata)
    return Field(name, kind, reducer, is_read_only, None if reducer is None else _start(reducer, kind))


def _unwrapped(annotation: object) -> tuple[object, list[object], bool]:
    """An annotation's type, its metadata from the innermost out, and whether it is ReadOnly."""
    metadata: list[object] = []
    is_read_only = False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            metadata[:0] = typing.cast("Any", annotation).__metadata__
            annotation = typing.cast("Any", annotation).__origin__
        elif _qualifier(origin) is not None:
            is_read_only = is_read_only or _qualifier(origin) == "ReadOnly"
            annotation = get_args(annotation)[0]
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = typing.cast("Any", annotation).__value__
        else:
            return annotation, metadata, is_read_only


def _qualifier(origin: object) -> str | None:
    """The qualifier's name; typing_extensions has some that `typing` lacks before Python 3.13."""
    name = getattr(origin, "_name", None) or getattr(origin, "__name__", None)
    known = name in _QUALIFIERS and getattr(origin, "__module__", "") in ("typing", "typing_extensions")
    return typing.cast("str", name) if known else None


def _reducer(schema: type, name: str, metadata: list[object]) -> Reducer[Any] | None:
    for entry in reversed(metadata):
        if callable(entry) and not isinstance(entry, type):
            if _takes_two(entry):
                return as_reducer(entry)
            if inspect.isroutine(entry):
                raise SchemaError(
                    f"{schema.__name__}.{name}: {getattr(entry, '__name__', entry)} is no reducer, for it doesn't "
                    "take two values",
                    hint="a reducer takes what the field holds and what a branch adds, and returns what it holds next",
                )
    if any(_is_default_of(schema, name, entry) for entry in metadata):
        raise SchemaError(
            f"{schema.__name__}.{name} has its own default where its reducer belongs: within the class, {name!r} is "
            "that default",
            hint=f"import the reducer by another name, or write it as `reducers.{name}`",
        )
    return None


def _is_default_of(schema: Any, name: str, entry: object) -> bool:
    """Whether the metadata is what the class body held under the field's name when the annotation was read."""
    if isinstance(entry, str) and entry:  # a word about the field may well be its default too
        return False
    declared: list[object] = [getattr(schema, name, NOTHING)]
    if is_model(schema):
        declared.append(schema.model_fields[name].default)
    elif dataclasses.is_dataclass(schema):
        declared += [schema.__dataclass_fields__[name], schema.__dataclass_fields__[name].default]
    # `typing` keeps annotations, and may give back an equal one: `Annotated[float, 0]` for `Annotated[float, 0.0]`.
    numbers = [value for value in declared if isinstance(value, int | float)]
    return any(entry is value for value in declared) or (isinstance(entry, int | float) and entry in numbers)


def _takes_two(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # max and min, for instance, don't tell their signature
        return True
    return True


def _start(reducer: Reducer[Any], kind: object) -> Callable[[], Any] | None:
    if reducer.start == "empty":
        return _EMPTY.get(get_origin(kind) or kind)
    return reducer.start


def _is_typed_dict(schema: type) -> bool:
    return issubclass(schema, dict) and hasattr(schema, "__required_keys__")


def is_model(schema: object) -> bool:
    """Whether this is the type of a pydantic model."""
    return isinstance(schema, type) and hasattr(schema, "__pydantic_fields__") and hasattr(schema, "model_validate")
