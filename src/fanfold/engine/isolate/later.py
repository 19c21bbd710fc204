"""Frozen dataclasses whose objects change all the same: their own code fills in attributes later."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    WrapperDescriptorType,
)
from typing import Any

_SETTING_UP = {
    *("__delattr__", "__init__", "__post_init__", "__setattr__", "__setstate__"),
    *("__class_getitem__", "__init_subclass__", "__signature__", "__subclasshook__"),
}
"""What works on objects that aren't finished, or on the class."""

_CachedFunction = type(lru_cache(len))
_SETTERS = {"__delattr__", "__dict__", "__setattr__", "__setstate__", "setattr", "vars"}
_BUILT_IN = (
    *(BuiltinFunctionType, ClassMethodDescriptorType, GetSetDescriptorType),
    *(MemberDescriptorType, MethodDescriptorType),
)


def is_immutable_class(cls: type) -> bool:
    """Whether this is a frozen dataclass whose code doesn't look as if it filled in anything later.

    Where in doubt it isn't: then each view has objects of its own, which costs time and is right all the same.
    """
    parameters = getattr(cls, "__dataclass_params__", None)
    return bool(parameters and parameters.frozen) and not any(
        name not in _SETTING_UP and _may_set(each, set())
        for base in cls.__mro__
        if base is not object
        for name, each in vars(base).items()
    )


def _may_set(found: Any, met: set[int]) -> bool:
    """Whether what a class or a function refers to may set attributes of the object that it is called for."""
    if id(found) in met:
        return False
    met.add(id(found))
    if isinstance(found, _CachedFunction):
        return _may_set(found.__wrapped__, met)
    if isinstance(found, FunctionType):
        return not _SETTERS.isdisjoint(_names(found.__code__)) or any(_may_set(each, met) for each in _used_by(found))
    if isinstance(found, property):
        return any(_may_set(each, met) for each in (found.fget, found.fset, found.fdel))
    if isinstance(found, classmethod | staticmethod):
        return _may_set(found.__func__, met)
    if isinstance(found, WrapperDescriptorType):
        return found.__name__ in _SETTERS
    # Any other descriptor may do anything, a descriptor that could do anything: `functools.cached_property` for one.
    return hasattr(type(found), "__get__") and not isinstance(found, _BUILT_IN)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
        elif isinstance(constant, str):
            yield constant


def _used_by(function: FunctionType) -> Iterator[Any]:
    """What a function was made from, and what it refers to by name in its own module."""
    yield getattr(function, "__wrapped__", None)
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for name in _names(function.__code__):
        used = function.__globals__.get(name)
        if isinstance(used, WrapperDescriptorType) or getattr(used, "__module__", None) == function.__module__:
            yield used
