"""A local cluster on an event loop of its own: what blocks the coordinator's doesn't lose it its workers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future

from fanfold.runtimes.cluster.local import Local


class Background:
    """Has a local cluster up in a thread, from when it is made.

    Attributes:
        local: the cluster.
        up: done when all workers are there; its exception says why they aren't.
        down: done when nothing of it is left.
    """

    def __init__(self, local: Local) -> None:
        self.local = local
        self.up: Future[None] = Future()
        self.down: Future[None] = Future()
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._lived())
        threading.Thread(target=self._run, name="fanfold-cluster", daemon=True).start()

    def end(self) -> None:
        """Stop it, soon: `down` says when."""
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._task.cancel)

    async def _lived(self) -> None:
        async with self.local:
            self.up.set_result(None)
            await asyncio.Event().wait()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        error: BaseException | None = None
        try:
            self._loop.run_until_complete(self._task)
        except BaseException as raised:  # noqa: BLE001 it is whoever waits for the cluster that is told
            error = raised
        finally:
            self._close()
        if not self.up.done():
            self.up.set_exception(error or RuntimeError("the cluster has ended"))
        self.down.set_result(None)

    def _close(self) -> None:
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
