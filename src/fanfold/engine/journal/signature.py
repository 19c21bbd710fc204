"""What a branch function is called, and what it returns."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, get_args, get_origin, get_type_hints

from fanfold.engine.journal.errors import JournalError


def name_of(function: Callable[..., object]) -> str:
    """The name to record a function's outcomes under, the same in the next process.

    Raises:
        JournalError: it has none that tells it from others.
    """
    plain = _unwrapped(function)
    name = getattr(plain, "__qualname__", None) or type(plain).__qualname__
    if "<lambda>" in name:
        raise JournalError(
            "a lambda has no name to be found again by", hint="pass name=, or define it with `async def`"
        )
    return str(name)


def code_of(function: Callable[..., object]) -> object:
    """What two functions of one name have in common if they are one function."""
    plain = _unwrapped(function)
    return getattr(plain, "__code__", None) or type(plain)


def return_type(function: Callable[..., object]) -> Any:
    """The type that the function's values are declared to have.

    Raises:
        JournalError: it declares none, or one that can't be found.
    """
    name = getattr(function, "__qualname__", None) or repr(function)
    hint = "declare what it returns, or pass returns="
    plain = _unwrapped(function)
    annotated = plain if inspect.isroutine(plain) else type(plain).__call__
    try:
        hints = get_type_hints(annotated, include_extras=True)
    except NameError as error:
        raise JournalError(f"the annotations of {name} name what can't be found: {error}", hint=hint) from error
    if "return" not in hints:
        raise JournalError(f"{name} doesn't say what it returns, so its values can't be read back", hint=hint)
    declared = hints["return"]
    if not inspect.iscoroutinefunction(annotated) and get_origin(declared) in (Awaitable, Coroutine):
        return get_args(declared)[-1]
    return declared


def _unwrapped(function: Callable[..., object]) -> Any:
    """The function that partials and decorators stand before."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        else:
            return function
