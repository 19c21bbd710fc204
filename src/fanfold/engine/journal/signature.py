"""What a branch function is called, and what it returns."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, get_args, get_origin, get_type_hints

from fanfold.engine.identity import named
from fanfold.engine.journal.errors import JournalError


def function_name(function: Callable[..., object]) -> str:
    """The name to record a function's outcomes under, the same in the next process.

    Raises:
        JournalError: another function, that does something else, may have the same.
    """
    hint = "pass name=, and say in it, or in the items or the state, what its values depend on"
    return named(function, JournalError, hint=hint).__qualname__


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
