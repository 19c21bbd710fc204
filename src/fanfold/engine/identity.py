"""Which function it is: in the next process by its name, and in this one by what it does."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from operator import is_
from typing import Any

from fanfold.engine.wrapper import name_of
from fanfold.errors import FanfoldError


def named(function: Callable[..., object], error: type[FanfoldError], *, hint: str) -> types.FunctionType:
    """The function that decorators stand before, where its name says all that it does.

    Args:
        error: raised where another function, that does something else, may have the same name.
    Raises:
        error: it is a lambda, a partial, a bound method or another object, or uses variables of the function
            around it.
    """
    inner = inspect.unwrap(function, stop=_is_bound)
    if (kind := _kind(inner)) is not None:
        raise error(f"{name_of(inner)} is {kind}, which has no name that says what it does", hint=hint)
    around = [variable for variable in inner.__code__.co_freevars if variable != "__class__"]
    if around:
        uses = f"uses {', '.join(around)} of the function around it, which its name doesn't tell"
        raise error(f"{name_of(inner)} {uses}", hint=hint)
    return inner  # type: ignore[no-any-return] # it has no kind of its own


def are_one(one: Callable[..., object], other: Callable[..., object]) -> bool:
    """Whether two callables are sure to return the same for the same; those of other decorators never are."""
    one, other = _without_fanfold(one), _without_fanfold(other)
    if isinstance(one, types.MethodType) and isinstance(other, types.MethodType):
        return one.__self__ is other.__self__ and one.__func__ is other.__func__
    if isinstance(one, types.FunctionType) and isinstance(other, types.FunctionType):
        return one is other or _are_one_definition(one, other)
    return one is other


def _is_bound(function: object) -> bool:
    """Whether it holds what it is called with: decorators that it lets shine through don't say so."""
    return isinstance(function, functools.partial | types.MethodType)


def _kind(function: object) -> str | None:
    """What it is, unless it is a function with a name."""
    if isinstance(function, types.FunctionType):
        return "a lambda" if function.__name__ == "<lambda>" else None
    if isinstance(function, functools.partial):
        return "a partial"
    return "a bound method" if isinstance(function, types.MethodType) else "an object"


def _without_fanfold(function: Callable[..., Any]) -> Callable[..., Any]:
    """What stands in Fanfold's own wrappers: they return what it returns."""
    while (
        isinstance(function, types.FunctionType)
        and hasattr(function, "__wrapped__")
        and function.__globals__["__name__"].startswith("fanfold.")
    ):
        function = function.__wrapped__
    return function


def _are_one_definition(one: types.FunctionType, other: types.FunctionType) -> bool:
    """Whether one `def`, run twice, has made both, with nothing that differs from time to time."""
    return (
        one.__code__ is other.__code__
        and one.__globals__ is other.__globals__
        and not one.__closure__
        and not other.__closure__
        and _are_same(one.__defaults__ or (), other.__defaults__ or ())
        and _are_same((one.__kwdefaults__ or {}).values(), (other.__kwdefaults__ or {}).values())
    )


def _are_same(some: Any, others: Any) -> bool:
    return len(some) == len(others) and all(map(is_, some, others))
