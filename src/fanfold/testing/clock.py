"""Virtual time: waiting takes no time, and the event loop's clock says that it did.

A program of nothing but coroutines runs on it as on the real clock, only at once and the same every time. Where
all of them wait for each other, or for a day and more, that is an error instead of a test that hangs.
Subprocesses, sockets, pipes and threads are refused: what they wait for doesn't come any sooner.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, Never, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# asyncio never asks a selector to wait longer: a wait of a year looks the same as one of a day.
TOO_LONG_WAIT_S = 24 * 60 * 60
# Floats of 2**24 s and more don't show the nanosecond that asyncio allows a timer: what is due would never start.
LAST_S = 2**23


class _Clock(selectors.DefaultSelector):
    """A selector that moves a clock on where another would wait.

    The loop says how long it would wait: 0 with something to do, None with nothing ever due.
    """

    now_s = 0.0

    def register(self, *args: Any, **kwargs: Any) -> selectors.SelectorKey:
        """Watch the first file, by which signals and threads wake the loop, and refuse all others."""
        if self.get_map():
            _refuse()
        return super().register(*args, **kwargs)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready by now; where nothing is, it is `timeout` seconds later at once.

        Raises:
            RuntimeError: nothing would happen for a day or ever, or the clock is at its end.
        """
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("deadlock: every task waits, and nothing is due on the virtual clock")
        if timeout >= TOO_LONG_WAIT_S:
            raise RuntimeError("every task waits, and nothing is due within a day on the virtual clock")
        self.now_s += timeout
        if self.now_s > LAST_S:
            raise RuntimeError(f"the virtual clock ends at {LAST_S} s: does something wait in an endless loop?")
        return ready


def _refuse(*_args: Any, **_kwargs: Any) -> Never:
    raise RuntimeError("virtual time is for coroutines alone: no subprocesses, sockets, pipes or threads")


class _EventLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop on a virtual clock."""

    def __init__(self) -> None:
        self._virtual = _Clock()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._virtual.now_s

    # Most of these would fail at the selector too, but with a process started or a socket open by then.
    connect_accepted_socket = connect_read_pipe = connect_write_pipe = _refuse
    create_connection = create_datagram_endpoint = create_server = _refuse
    create_unix_connection = create_unix_server = _refuse
    subprocess_exec = subprocess_shell = _refuse
    run_in_executor: Any = _refuse  # Any, for mypy takes no signature but the generic one


def new_event_loop() -> asyncio.AbstractEventLoop:
    """An event loop whose clock starts at 0 and jumps to the next thing that is due.

    Raises:
        RuntimeError: from whatever runs the loop, where nothing is due within a day, or after 2**23 s (97 days);
            in the task that asks for a subprocess, socket, pipe or thread.
    """
    return _EventLoop()


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
