"""What the wrappers share: their type, what they wrap, which errors they are for, and the time that they go by."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Errors: TypeAlias = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
"""Which errors: of a type, of one of several types, or those that a function says yes to."""


class Wrapper(Protocol):
    """Makes an async function of another one, with the same parameters and the same result."""

    def __call__(self, function: Callable[P, Awaitable[T]], /) -> Callable[P, Coroutine[Any, Any, T]]:
        """The function, wrapped."""


def refuse_function(given: object, usage: str) -> None:
    """Refuse to be a decorator where one is to be made, and say how that is written.

    Raises:
        TypeError: it is a function that was given.
    """
    if inspect.isroutine(given):
        raise TypeError(f"{name_of(given)} was given where settings belong: write {usage}")


def time_s() -> float:
    """The running event loop's time.

    Raises:
        RuntimeError: no event loop runs here.
    """
    return asyncio.get_running_loop().time()


def matcher(errors: Errors) -> Callable[[Exception], bool]:
    """A function that says whether an error is one of these."""
    if isinstance(errors, type | tuple):
        types = errors
        return lambda error: isinstance(error, types)
    return errors


def name_of(function: Callable[..., object]) -> str:
    """What messages call a function: its qualified name, or its type's where it has none."""
    inner = getattr(function, "func", function)  # what a functools.partial calls
    named = getattr(inner, "__qualname__", None)
    return named if isinstance(named, str) else type(inner).__qualname__


def text_of(error: BaseException) -> str:
    """An error's type and message, in any case: what reports an error mustn't fail by it."""
    return f"{type(error).__name__}: {message_of(error)}"


def message_of(error: BaseException) -> str:
    """What an error says, in any case."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 a message is rendered by its error's own code, which may raise anything
        return "(its message can't be rendered)"
