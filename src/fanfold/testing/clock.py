"""Virtual time: waiting takes no time, and the event loop's clock says that it did.

A program of nothing but coroutines runs on it as on the real clock, only at once and the same every time. Where
all of them wait for each other, or for a day and more, that is an error instead of a test that hangs.
Subprocesses and real sockets are refused.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def new_event_loop() -> asyncio.AbstractEventLoop:
    """An event loop whose clock starts at 0 and jumps to the next thing that is due.

    Raises:
        ModuleNotFoundError: the extra `fanfold[testing]` is not installed.
    Source:
        async-solipsism.
    """
    try:
        import async_solipsism  # noqa: PLC0415 what it needs is an extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("virtual time needs the extra: pip install 'fanfold[testing]'") from error
    loop: asyncio.AbstractEventLoop = async_solipsism.EventLoop()
    return loop


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` as `asyncio.run` does, on virtual time."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


def virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Make an ordinary function of an async one, test or not: each call has a virtual clock of its own.

    The function keeps its parameters, so pytest's fixtures reach it, and no asyncio plugin is needed.
    """

    @functools.wraps(test)
    def on_virtual_time(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(test(*args, **kwargs))

    return on_virtual_time
