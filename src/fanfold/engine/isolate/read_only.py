"""Fields that branches only read: they are handed the frozen base itself, which costs nothing."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, final

from typing_extensions import Format, get_annotations


@final
class ReadOnly:
    """The type of `read_only`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "read_only"


read_only: Final = ReadOnly()
"""Marks a field of a dataclass, model or TypedDict: `rules: Annotated[list[Rule], read_only]`."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a type says of its fields.

    Attributes:
        read_only: names of the fields that branches only read.
        typed: TypedDicts among the fields, which may have such fields in turn.
    """

    read_only: frozenset[str]
    typed: dict[str, type]


def declared(cls: type) -> Declared:
    """What is said of the fields of a dataclass, a pydantic model or a TypedDict."""
    cls = typing.get_origin(cls) or cls
    read, typed = set[str](getattr(cls, "__readonly_keys__", ())), dict[str, type]()
    for name, hint in _hints(cls):
        marked, bare = _unwrapped(hint)
        if marked:
            read.add(name)
        elif isinstance(bare, type) and is_typed_dict(bare):
            typed[name] = bare
    return Declared(frozenset(read), typed)


def is_typed_dict(cls: type) -> bool:
    """Whether this is a TypedDict, from `typing` or `typing_extensions`."""
    plain = typing.get_origin(cls) or cls
    return issubclass(plain, dict) and hasattr(plain, "__required_keys__")


def _hints(cls: type) -> Iterator[tuple[str, Any]]:
    try:
        yield from typing.get_type_hints(cls, include_extras=True).items()
    except Exception:  # noqa: BLE001 annotations are code, and often name what was imported for type checkers only
        for base in reversed(cls.__mro__):
            for name, hint in get_annotations(base, format=Format.FORWARDREF).items():
                yield name, _hint(hint, vars(sys.modules.get(base.__module__, types)))


def _hint(hint: Any, names: dict[str, Any]) -> Any:
    try:
        return typing.get_type_hints(
            types.SimpleNamespace(__annotations__={"field": hint}), names, include_extras=True
        )["field"]
    except Exception:  # noqa: BLE001 as above
        text = getattr(hint, "__forward_arg__", hint)
        if not isinstance(text, str):
            return hint  # from Python 3.14 on, only what is missing in it is a name
        return typing.Annotated[Any, read_only] if "read_only" in text else Any


def _unwrapped(hint: Any) -> tuple[bool, Any]:
    """Whether a hint says read-only, and the type that it is about."""
    marked = False
    while True:
        if hasattr(hint, "__metadata__"):
            marked = marked or any(each is read_only for each in hint.__metadata__)
            hint = hint.__origin__
        elif (name := getattr(typing.get_origin(hint), "_name", None)) in ("NotRequired", "ReadOnly", "Required"):
            marked = marked or name == "ReadOnly"
            hint = hint.__args__[0]
        else:
            return marked, hint
