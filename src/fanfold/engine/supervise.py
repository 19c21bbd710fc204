"""Tasks that end together: none is left behind, and the error that ended them is raised as it was.

`asyncio.TaskGroup` can't be this: it wraps errors, cancels its own caller without taking that back (Python 3.11),
and SystemExit in a child stops the event loop before the siblings have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _PassThrough(BaseException):
    """Carries KeyboardInterrupt or SystemExit out of a task: raised in one, they stop the event loop at once."""

    def __init__(self, carried: KeyboardInterrupt | SystemExit) -> None:
        self.carried = carried


def start(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> asyncio.Task[T]:
    """A task that calls `function`; its errors are for `raise_first` to raise."""
    return asyncio.create_task(_carried(function, *args, **kwargs))


def is_stopping() -> bool:
    """Whether the running task was asked to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def first_end(tasks: Sequence[asyncio.Task[Any]]) -> asyncio.CancelledError | None:
    """Wait until all have ended or one has failed; the cancellation that cut this short, if one did."""
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    except asyncio.CancelledError as error:
        return error
    return None


async def last_end(tasks: Iterable[asyncio.Task[Any]]) -> asyncio.CancelledError | None:
    """Wait until all have ended; a cancellation meanwhile is passed on to them, and returned."""
    cancelled: asyncio.CancelledError | None = None
    while left := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            cancelled = error
            cancel(left)
    return cancelled


def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Ask all tasks to end."""
    for task in tasks:
        task.cancel()


def raise_first(tasks: Iterable[asyncio.Task[Any]], cancelled: asyncio.CancelledError | None) -> None:
    """Raise the caller's cancellation, else the first error of the ended tasks, if there is any of these."""
    errors = [error for task in tasks if not task.cancelled() and (error := task.exception())]
    cause = errors[0] if errors else None
    if isinstance(cause, _PassThrough):
        cause = cause.carried
    if cancelled is not None:
        raise cancelled from cause
    if cause is not None:
        raise cause
    if any(task.cancelled() for task in tasks):
        raise asyncio.CancelledError


async def _carried(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return await function(*args, **kwargs)
    except (KeyboardInterrupt, SystemExit) as error:
        raise _PassThrough(error) from error
