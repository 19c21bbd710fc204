"""Which values nobody can change, so that all branches may share them."""

from __future__ import annotations

import enum
import sys
import types
import typing
import weakref
from collections.abc import Mapping
from functools import cache
from typing import Any

_BUILT_IN: tuple[type, ...] = (
    *(int, float, complex, bool, str, bytes, range, type(None), type(...), type(NotImplemented), object),
    *(type, types.GenericAlias, types.UnionType, typing.TypeVar, property),
    *(types.FunctionType, types.BuiltinFunctionType, types.MethodWrapperType, types.WrapperDescriptorType),
    *(types.MethodDescriptorType, types.ClassMethodDescriptorType, types.ModuleType, types.CodeType),
)

_LIBRARY = {
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "ipaddress": ("IPv4Address", "IPv4Interface", "IPv4Network", "IPv6Address", "IPv6Interface", "IPv6Network"),
    "pathlib": ("Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath", "WindowsPath"),
    "re": ("Pattern",),
    "uuid": ("UUID",),
    "zoneinfo": ("ZoneInfo",),
}
"""Looked up in `sys.modules`, so that nothing is imported for types that nobody uses."""

ATOMS: set[type] = set(_BUILT_IN)
"""Exact types whose values are passed on as they are; grows as further ones are met."""

REFERENCES: tuple[type, ...] = (weakref.ref, weakref.ProxyType, weakref.CallableProxyType)
"""Types of weak references; copying one gives the same one."""

WEAK = (*REFERENCES, weakref.finalize, weakref.WeakKeyDictionary, weakref.WeakSet, weakref.WeakValueDictionary)
"""Types of all that refers to objects without holding them."""

_RUNNING = {
    "asyncio": (
        *("AbstractEventLoop", "AbstractServer", "Barrier", "BaseTransport", "Condition", "Event", "Future", "Handle"),
        *("Lock", "Queue", "Runner", "Semaphore", "StreamReader", "StreamWriter", "TaskGroup", "Timeout"),
    ),
    "contextvars": ("Context", "ContextVar", "Token"),
}


@cache
def is_live(kind: type) -> bool:
    """Whether values of this type lead out of the data: to an object that a copy would share, or lose hold of.

    A copy of an `asyncio.Lock` locks nothing that anybody else waits for.
    """
    return issubclass(kind, (*WEAK, *_named(_RUNNING)))


def is_atom(kind: type) -> bool:
    """Whether values of exactly this type never change; remembered in ATOMS where they don't."""
    if kind in ATOMS:
        return True
    found = issubclass(kind, type | enum.Enum) or kind in _named(_LIBRARY) or _adds_nothing(kind)
    if found:
        ATOMS.add(kind)
    return found


def _named(names: Mapping[str, tuple[str, ...]]) -> set[Any]:
    return {
        getattr(sys.modules[module], kind)
        for module, kinds in names.items()
        for kind in kinds
        if hasattr(sys.modules.get(module), kind)
    }


def _adds_nothing(kind: type) -> bool:
    """Whether this is a str, an int or the like under another name, without room for anything that could change."""
    plain = (int, float, complex, str, bytes)
    return (
        issubclass(kind, plain)
        and not kind.__dictoffset__
        and not any("__slots__" in vars(base) and vars(base)["__slots__"] for base in kind.__mro__)
    )
