"""What is added to a Dask worker: connections of ours, and an event loop of its own for the branches.

Dask pickles the plugin when it sends it to a worker, as the bare name of its class. A worker started with
`--preload fanfold.runtimes.cluster.plugin` has it before.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from distributed.core import Status
from distributed.diagnostics.plugin import WorkerPlugin

from fanfold.runtimes.cluster.bench import Bench
from fanfold.runtimes.cluster.wire import OP, Comm, Message, Outbox

if TYPE_CHECKING:
    from distributed import Worker


class FanfoldPlugin(WorkerPlugin):
    """Lets coordinators place branches on a Dask worker."""

    name = "fanfold"

    def setup(self, worker: Worker) -> None:
        """Accept connections; a worker that does so already is left as it is."""
        if OP not in worker.handlers:
            bench = Bench()
            worker.extensions[OP] = bench
            worker.handlers[OP] = Connections(bench).serve

    async def teardown(self, worker: Worker) -> None:
        """End all runs here; nothing happens while the worker goes on, and only the plugin is sent once more."""
        if worker.status in {Status.closing, Status.closing_gracefully, Status.closed, Status.failed}:
            await worker.extensions[OP].close()


def dask_setup(worker: Worker) -> Any:
    """Dask calls this on a worker that preloads this module."""
    FanfoldPlugin().setup(worker)


class Connections:
    """Serves coordinators on Dask's event loop, and passes on what they say to the branches' own."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def serve(self, comm: Comm, flow: str) -> Status:
        """One connection to its end, which ends the run here."""
        outbox = Outbox(comm)
        loop = asyncio.get_running_loop()

        def send(message: Message) -> None:
            with contextlib.suppress(RuntimeError):  # the worker has closed meanwhile
                loop.call_soon_threadsafe(outbox.put, message)

        desk = await self._bench.open(flow, send)
        writer = asyncio.create_task(outbox.run())
        writer.add_done_callback(lambda written: comm.abort() if written.exception() else None)
        try:
            with contextlib.suppress(OSError):  # the coordinator is gone, with or without a word
                await self._read(comm, desk)
        finally:
            await self._bench.leave(desk)
            outbox.finish()
            await asyncio.wait([writer])
            await comm.close()
        return Status.dont_reply

    async def _read(self, comm: Comm, desk: Any) -> None:
        while True:
            for message in await comm.read():
                if message["op"] == "bye":
                    return
                self._bench.tell(desk, message)
