"""Cancel a call that takes too long."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from fanfold.engine.branch import current_branch
from fanfold.engine.outcome import DeadlineExceeded
from fanfold.engine.wrapper import Wrapper, name_of, refuse_function

P = ParamSpec("P")
T = TypeVar("T")


def deadline(seconds: float, *, name: str | None = None) -> Wrapper:
    """Give each call of an async function this long; then it is cancelled, and awaited until it has ended.

    A call that outlives its cancellation is waited for, and neither the value that it returns then nor the error
    that it raises counts. Waits for a rate limit or between retries count where they happen inside the function:
    `retry()(deadline(5)(f))` gives each attempt 5 s, `deadline(5)(retry()(f))` all of them together.

    Args:
        seconds: more than 0, counted from each call.
        name: what errors call the function; its own name by default.
    Raises:
        ValueError, TypeError: here, for a deadline of 0 or less, or none.
        DeadlineExceeded: from a call whose time was up, naming the function and its branch; its cause shows where
            the call was cut off. A caller that is cancelled itself gets that cancellation, never this error.
    """
    refuse_function(seconds, "@deadline(5)")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"a deadline is a number of seconds, not {seconds!r}")
    if not seconds > 0:
        raise ValueError(f"a deadline must be more than 0 s, not {seconds}")

    def wrap(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        named = name or name_of(function)

        @functools.wraps(function)
        async def in_time(*args: P.args, **kwargs: P.kwargs) -> T:
            cancellations = _cancellations()
            scope = asyncio.timeout(seconds)
            cause: Exception | None = None
            try:
                async with scope:
                    value = await function(*args, **kwargs)
                if not scope.expired():
                    return value
            except Exception as error:
                if not scope.expired():
                    raise
                cause = error
            if _cancellations() > cancellations:
                raise asyncio.CancelledError from cause
            raise _exceeded(named, seconds) from cause

        return in_time

    return wrap


def _cancellations() -> int:
    """How often the running task was asked to end, this deadline's own request apart."""
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def _exceeded(named: str, seconds: float) -> DeadlineExceeded:
    branch = current_branch()
    where = f" in the branch {'/'.join(branch.path)}" if branch else ""
    return DeadlineExceeded(
        f"{named}{where} was cancelled after {seconds:g} s, its deadline",
        hint="give it more time, or see in the traceback what it waited for",
    )
