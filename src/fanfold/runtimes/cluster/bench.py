"""The event loop that a worker's branches run on: one that blocks it doesn't keep the worker from Dask."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from fanfold.runtimes.cluster.desk import Desk
from fanfold.runtimes.cluster.wire import Message


class Bench:
    """A thread with an event loop, begun when the first run comes; its methods are called from another loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._desks: set[Desk] = set()

    async def open(self, reference: str, send: Callable[[Message], None]) -> Desk:
        """Begin a run; what it has to say goes through `send`, which is called on the branches' loop."""

        async def made() -> Desk:
            return Desk(reference, send)

        desk = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(made(), self._begun()))
        self._desks.add(desk)
        return desk

    def tell(self, desk: Desk, message: Message) -> None:
        """Pass on what a coordinator says."""
        self._begun().call_soon_threadsafe(desk.receive, message)

    async def leave(self, desk: Desk) -> None:
        """End a run: returns when nothing of it runs any more."""
        if desk in self._desks:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(desk.close(), self._begun()))
            self._desks.discard(desk)

    async def close(self) -> None:
        """End all runs."""
        for desk in list(self._desks):
            await self.leave(desk)
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def _begun(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            # A daemon: a branch that blocks for ever doesn't keep the process alive.
            threading.Thread(target=_run, args=(self._loop,), name="fanfold-branches", daemon=True).start()
        return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
