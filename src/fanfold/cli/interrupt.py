"""End a run on a signal: the first lets it tidy up, the second ends it at once."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fanfold.process.tree import MARKER, kill_marked

T = TypeVar("T")

EXIT_INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ECHO_S = 0.5
"""A signal this soon after the first is the same one: terminals send it to the whole group, wrappers pass it on."""


def run_until_interrupted(
    work: Callable[[], Coroutine[Any, Any, T]], *, on_stop: Callable[[], None], on_kill: Callable[[], None]
) -> T:
    """Run `work` to its end; SIGINT, SIGTERM or SIGHUP cancels it, another one kills every process that it started.

    Args:
        work: makes the coroutine; it may catch its cancellation and return what it has.
        on_stop: told when the cancellation begins.
        on_kill: told right before the process ends by itself with exit code 130.
    Raises:
        KeyboardInterrupt: it was cancelled and returned nothing.
    """
    marker = secrets.token_hex(8)
    outer = os.environ.get(MARKER)
    os.environ[MARKER] = f"{outer}:{marker}" if outer else marker
    try:
        return asyncio.run(_watched(work, marker, on_stop, on_kill))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        os.environ.pop(MARKER)
        if outer is not None:
            os.environ[MARKER] = outer


async def _watched(
    work: Callable[[], Coroutine[Any, Any, T]],
    marker: str,
    on_stop: Callable[[], None],
    on_kill: Callable[[], None],
) -> T:
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    heard_s: float | None = None

    def stop() -> None:
        nonlocal heard_s
        if heard_s is None:
            heard_s = loop.time()
            on_stop()
            if task is not None:
                task.cancel()
        elif loop.time() - heard_s > ECHO_S:
            on_kill()
            kill_marked(marker)
            os._exit(EXIT_INTERRUPTED)

    for number in SIGNALS:  # they stay until the loop closes: its own shutdown must be stoppable, too
        if signal.getsignal(number) is not signal.SIG_IGN:  # what `nohup` and `&` ignore stays ignored
            loop.add_signal_handler(number, stop)
    return await work()
