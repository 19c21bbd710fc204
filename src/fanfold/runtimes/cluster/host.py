"""A worker process that a cluster runtime starts: it ends when the one that started it does, and leaves nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from typing import Any

import dask
from distributed import Security, Worker
from distributed.core import Status

from fanfold.runtimes.cluster.plugin import FanfoldPlugin
from fanfold.runtimes.cluster.quiet import QUIET

LEAVE_S = 10.0
"""How long branches may take to end when the process is told to; one that blocks is cut off then."""


def main(config: dict[str, Any]) -> None:
    """Serve a scheduler until standard input ends."""
    # Ctrl-C is for the coordinator, which cancels what runs here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    dask.config.set(QUIET)
    logging.getLogger("distributed").setLevel(logging.ERROR)  # what it warns of, the coordinator notices itself
    asyncio.run(_serve(config))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads of branches that block, and what they hold, don't count any more


async def _serve(config: dict[str, Any]) -> None:
    worker = Worker(
        config["scheduler"],
        host="127.0.0.1",
        nthreads=config["threads"],
        name=config["name"],
        security=Security(**config["security"]),  # type: ignore[no-untyped-call]
        dashboard=False,
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        plugins=(FanfoldPlugin(),),
        death_timeout=LEAVE_S,
    )
    async with worker:
        over = asyncio.create_task(_input_ended())
        closed = asyncio.create_task(worker.finished())  # type: ignore[no-untyped-call]
        await asyncio.wait([over, closed], return_when=asyncio.FIRST_COMPLETED)
        _cut_off_after(LEAVE_S)
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # heartbeats that are cut off now are no news
        over.cancel()
        if worker.status == Status.running:
            await worker.close(executor_wait=False, reason="its coordinator is done")
        await closed


async def _input_ended() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass


def _cut_off_after(seconds: float) -> None:
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()
