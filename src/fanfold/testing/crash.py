"""Processes that die at a chosen moment, as killed ones do: nothing is flushed, closed or tidied up.

For tests that start a process, let it die, and look at what the next one makes of what it left.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Never, ParamSpec, TypeVar

from fanfold.engine.journal import STEPS

P = ParamSpec("P")
T = TypeVar("T")


def die() -> Never:
    """End this process at once, as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a killed process goes on")


def at_step(step: str, *, time: int = 1) -> Callable[[str], None]:
    """For `Journal.open(on_step=...)`: die when the journal reaches `step` for the `time`th time.

    Args:
        step: one of `fanfold.engine.journal.STEPS`.
        time: 1 is the first.
    """
    if step not in STEPS:
        raise ValueError(f"{step!r} is no step of a journal: {', '.join(STEPS)}")
    left = time

    def on_step(reached: str) -> None:
        nonlocal left
        left -= reached == step
        if left <= 0:
            die()

    return on_step


def after(branches: int) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """A wrapper for branch functions: die when that many calls have returned, before anybody gets the last value."""
    left = branches

    def wrapper(branch: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @functools.wraps(branch)
        async def mortal(*args: P.args, **kwargs: P.kwargs) -> T:
            nonlocal left
            value = await branch(*args, **kwargs)
            left -= 1
            if left <= 0:
                die()
            return value

        return mortal

    return wrapper
