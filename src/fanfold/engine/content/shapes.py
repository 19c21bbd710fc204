"""How values of each type are read: as an atom, as an ordered or unordered collection, or as named fields."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import re
import sys
import types
import uuid
import zoneinfo
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from fanfold.errors import FanfoldError


class ContentError(FanfoldError):
    """A value has no stable content, or would not come back equal from its JSON."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A value without parts; `text` is the same in every process, and differs where the value does."""

    name: str
    text: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Sequence:
    """Parts whose order counts."""

    name: str
    parts: Callable[[Any], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Unordered:
    """Parts whose order doesn't count."""

    name: str
    parts: Callable[[Any], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Keyed:
    """Parts by key; their order doesn't count."""

    name: str
    parts: Callable[[Any], Mapping[Any, Any]]


@dataclass(frozen=True, slots=True)
class Fields:
    """Parts by name, as a class declares them; "" stands for the value's own plain content."""

    name: str
    parts: Callable[[Any], Mapping[str, Any]]


Composite: TypeAlias = Sequence | Unordered | Keyed | Fields
Shape: TypeAlias = Atom | Composite


def _same(value: Any) -> Any:
    return value


_PLAIN: dict[type, Shape] = {
    dict: Keyed("dict", _same),
    list: Sequence("list", _same),
    tuple: Sequence("tuple", _same),
    set: Unordered("set", _same),
    frozenset: Unordered("frozenset", _same),
    str: Atom("str", str.__str__),
    bool: Atom("bool", bool.__repr__),
    # Hexadecimal, for Python refuses to write decimal numbers of more than 4,300 digits.
    int: Atom("int", hex),
    float: Atom("float", float.hex),
    complex: Atom("complex", lambda value: f"{value.real.hex()} {value.imag.hex()}"),
    bytes: Atom("bytes", lambda value: value.decode("latin-1")),
    bytearray: Atom("bytearray", lambda value: value.decode("latin-1")),
    types.NoneType: Atom("NoneType", lambda _: ""),
    types.EllipsisType: Atom("EllipsisType", lambda _: ""),
    types.NotImplementedType: Atom("NotImplementedType", lambda _: ""),
    types.MappingProxyType: Keyed("mappingproxy", _same),
    types.SimpleNamespace: Fields("SimpleNamespace", vars),
    types.MethodType: Fields("method", lambda value: {"__func__": value.__func__, "__self__": value.__self__}),
    range: Atom("range", repr),
    slice: Sequence("slice", lambda value: (value.start, value.stop, value.step)),
    OrderedDict: Sequence("collections.OrderedDict", lambda value: value.items()),
    deque: Fields("collections.deque", lambda value: {"": list(value), "maxlen": value.maxlen}),
    functools.partial: Fields(
        "functools.partial", lambda value: {"func": value.func, "args": value.args, "keywords": value.keywords}
    ),
    dt.date: Atom("datetime.date", dt.date.isoformat),
    dt.datetime: Atom("datetime.datetime", lambda value: f"{value.isoformat()} {value.fold} {_zone(value.tzinfo)}"),
    dt.time: Atom("datetime.time", lambda value: f"{value.isoformat()} {value.fold} {_zone(value.tzinfo)}"),
    dt.timedelta: Atom("datetime.timedelta", repr),
    dt.timezone: Atom("datetime.timezone", repr),
    zoneinfo.ZoneInfo: Atom("zoneinfo.ZoneInfo", repr),
    Decimal: Atom("decimal.Decimal", str),
    Fraction: Atom("fractions.Fraction", lambda value: f"{value.numerator:x}/{value.denominator:x}"),
    uuid.UUID: Atom("uuid.UUID", lambda value: value.hex),
    re.Pattern: Fields("re.Pattern", lambda value: {"pattern": value.pattern, "flags": int(value.flags)}),
}

_BASES = (
    *(dict, list, tuple, set, frozenset, str, int, float, complex, bytes, bytearray, OrderedDict, deque),
    *(dt.date, dt.datetime, dt.time, dt.timedelta, zoneinfo.ZoneInfo, Decimal, Fraction, uuid.UUID),
)


# Weak, for classes may be made and forgotten.
_known: WeakKeyDictionary[type, Shape | None] = WeakKeyDictionary()


def shape_of(cls: type) -> Shape | None:
    """How values of `cls` are read; None where nothing says what their content is."""
    if cls in _PLAIN:
        return _PLAIN[cls]
    if cls not in _known:
        _known[cls] = _found(cls)
    return _known[cls]


def _found(cls: type) -> Shape | None:
    if cls.__module__.startswith("fanfold.engine.isolate"):
        return _as_its_base(cls)
    name = f"{cls.__module__}.{cls.__qualname__}"
    if issubclass(cls, enum.Flag):
        return Atom(name, lambda value: hex(value.value))
    if issubclass(cls, enum.Enum):
        return Atom(name, lambda value: value.name)
    if issubclass(cls, PurePath):
        return Atom(name, str)
    if issubclass(cls, type | types.FunctionType | types.BuiltinFunctionType | types.ModuleType):
        return Atom(str(cls.__name__), _importable_name)
    return _with_parts(cls, name)


def _as_its_base(cls: type) -> Shape | None:
    """A view is what it stands for."""
    return next((_PLAIN[base] for base in cls.__mro__ if base in _PLAIN), None)


def _with_parts(cls: type, name: str) -> Shape | None:
    """Dataclasses, models, named tuples, and subclasses of plain types, which may be several of these."""
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return Fields(name, lambda value: value._asdict())
    if issubclass(cls, types.SimpleNamespace):
        return Fields(name, vars)
    declared, plain = _declared(cls), _plain_part(cls)
    if declared is None and plain is None:
        return None
    read = declared or _attributes
    return Fields(name, read if plain is None else lambda value: {"": plain(value), **read(value)})


def _declared(cls: type) -> Callable[[Any], Mapping[str, Any]] | None:
    """The fields that count for `==`, of what declares its fields."""
    if hasattr(cls, "__dataclass_fields__"):
        names = tuple(field.name for field in fields(cls) if field.compare)
    elif hasattr(cls, "__pydantic_fields__"):
        return _of_model
    elif hasattr(cls, "__attrs_attrs__"):
        names = tuple(field.name for field in cls.__attrs_attrs__ if field.eq)
    else:
        return None
    return lambda value: {name: getattr(value, name) for name in names if hasattr(value, name)}


def _of_model(model: Any) -> Mapping[str, Any]:
    """What `==` of pydantic compares: fields, extra ones, and private attributes."""
    own = model.__dict__
    parts = {name: own[name] for name in type(model).__pydantic_fields__ if name in own}
    return parts | (model.__pydantic_extra__ or {}) | (model.__pydantic_private__ or {})


def _plain_part(cls: type) -> Callable[[Any], Any] | None:
    base: Any = next((base for base in cls.__mro__ if base in _BASES), None)
    if base is None:
        return None
    plain = _PLAIN[base]
    if isinstance(plain, Atom):
        return plain.text
    return lambda value: base(value.items() if isinstance(value, dict) else value)


def _attributes(value: Any) -> Mapping[str, Any]:
    return getattr(value, "__dict__", {})


def _zone(zone: dt.tzinfo | None) -> str:
    """A fixed offset is in the ISO form already, and pydantic has a class of its own for these."""
    return zone.key or "" if isinstance(zone, zoneinfo.ZoneInfo) else ""


def _importable_name(value: Any) -> str:
    """How to import a class, function or module."""
    if isinstance(value, types.ModuleType):
        return value.__name__
    path = getattr(value, "__qualname__", "")
    found: Any = sys.modules.get(value.__module__)
    for name in path.split("."):
        found = getattr(found, name, None)
    if found is not value:
        raise ContentError(f"{path or value!r} can't be imported by its name")
    return f"{value.__module__}.{path}"


def labelled(value: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a value, each with how to get there from it; nothing for what has no parts."""
    shape = shape_of(type(value))
    if isinstance(shape, Keyed):
        yield from ((f"[{key!r}]", part) for key, part in shape.parts(value).items())
    elif isinstance(shape, Fields):
        yield from ((f".{name}" if name else "", part) for name, part in shape.parts(value).items())
    elif isinstance(shape, Sequence):
        yield from ((f"[{index}]", part) for index, part in enumerate(shape.parts(value)))
    elif isinstance(shape, Unordered):
        yield from (("{...}", part) for part in shape.parts(value))
