"""A cluster of worker processes on this machine, on loopback alone, which ends with the one that started it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from fanfold.process.start import exit_of
from fanfold.process.tree import kill_marked, marked
from fanfold.runtimes.cluster.address import security_of, settings_of
from fanfold.runtimes.cluster.errors import ClusterError
from fanfold.runtimes.cluster.quiet import QUIET

if TYPE_CHECKING:
    from distributed import Scheduler

    from fanfold.runtimes.cluster.address import TLS

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
START_S = 60.0
"""How long all workers may take to start."""
LEAVE_S = 15.0
"""How long a worker may take to end before it is killed; it needs less by itself."""
_SHORT_S = 5.0
_PAUSE_S = 0.2
_MOST_SHORT = 3

_BEGIN = """
import json, sys
config = json.loads(sys.stdin.readline())
sys.path[:] = config["path"]
from fanfold.runtimes.cluster.host import main
main(config)
"""


@dataclass(frozen=True, slots=True)
class Child:
    """A worker process, and the mark that all it starts has in its environment."""

    process: subprocess.Popen[bytes]
    marker: str


class Local:
    """A scheduler on this event loop and `workers` processes, while it is entered.

    A worker that is killed is replaced, and what its branches had started is killed.

    Args:
        import_from: folders that the workers import modules from, beside those of this process.
    Raises:
        ClusterError: on entering it, the workers don't start.
    """

    def __init__(self, workers: int, *, threads: int, tls: TLS | None, import_from: Sequence[Path]) -> None:
        self._workers = workers
        self._threads = threads
        self._tls = tls
        self._import_from = tuple(import_from)
        self._scheduler: Scheduler | None = None
        self._children: set[Child] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._leaving = asyncio.Event()
        self._short = 0

    @property
    def address(self) -> str:
        """The scheduler's."""
        if self._scheduler is None:
            raise ClusterError("the cluster isn't up", hint="use it within `async with`")
        return str(self._scheduler.address)

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [child.process.pid for child in self._children]

    async def __aenter__(self) -> Local:
        """Start all, and wait until each worker is known to the scheduler."""
        try:
            self._scheduler = await self._scheduled()
            self._keepers = [
                asyncio.create_task(self._kept(number), name=f"keep worker {number}") for number in range(self._workers)
            ]
            await self._all_known(self._scheduler)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let the workers end by themselves, or else kill them."""
        await self._stop()

    async def _scheduled(self) -> Scheduler:
        import dask  # noqa: PLC0415 an extra
        from distributed import Scheduler  # noqa: PLC0415 an extra

        logging.getLogger("distributed").setLevel(logging.WARNING)
        with dask.config.set(QUIET):
            scheduler = Scheduler(
                host=HOST,
                port=0,
                protocol="tls" if self._tls else "tcp",
                security=security_of(self._tls),
                dashboard=False,
                dashboard_address=f"{HOST}:0",
            )
            await scheduler
        return scheduler

    async def _all_known(self, scheduler: Scheduler) -> None:
        until_s = time.monotonic() + START_S
        while len(scheduler.workers) < self._workers:
            if time.monotonic() > until_s or self._short == _MOST_SHORT:
                raise ClusterError(
                    f"{len(scheduler.workers)} of {self._workers} workers have started",
                    hint="see what they wrote on standard error",
                )
            await asyncio.sleep(0.02)

    async def _kept(self, number: int) -> None:
        """Have one worker running, and another one after it when it ends before its time."""
        short = 0
        while not await self._paused(min(short * _PAUSE_S, _SHORT_S)):
            began_s = time.monotonic()
            child = self._started(number)
            self._children.add(child)
            try:
                await exit_of(child.process, asyncio.get_running_loop())
            finally:
                if child.process.poll() is None:
                    child.process.kill()
                code = child.process.wait()
                if child.process.stdin is not None:
                    child.process.stdin.close()
                self._children.discard(child)
            await asyncio.to_thread(kill_marked, child.marker)
            if not self._leaving.is_set():
                _log.warning("worker %d has ended with %d", number, code)
            short = short + 1 if time.monotonic() - began_s < _SHORT_S else 0
            self._short = max(self._short, short)

    async def _paused(self, seconds: float) -> bool:
        """Whether the cluster is to end, by then."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), seconds)
        return self._leaving.is_set()

    def _started(self, number: int) -> Child:
        marker = secrets.token_hex(12)
        process = subprocess.Popen(  # noqa: S603 this very Python, and code of our own
            [sys.executable, "-c", _BEGIN],
            stdin=subprocess.PIPE,
            stdout=2,  # what branches print is no data of this program's
            env=marked(None, marker),
            start_new_session=True,
        )
        config = {
            "scheduler": self.address,
            "path": [*map(str, self._import_from), *sys.path],
            "security": settings_of(self._tls),
            "threads": self._threads,
            "name": f"fanfold-{number}-{process.pid}",
        }
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(config).encode() + b"\n")
                process.stdin.flush()
        return Child(process, marker)

    async def _stop(self) -> None:
        self._leaving.set()
        for child in self._children:
            if child.process.stdin is not None:
                child.process.stdin.close()
        cancelled: asyncio.CancelledError | None = None
        running = {keeper for keeper in self._keepers if not keeper.done()}
        while running:
            try:
                _, running = await asyncio.wait(running, timeout=LEAVE_S)
            except asyncio.CancelledError as error:
                cancelled = error
            for child in self._children:
                child.process.kill()
        if self._scheduler is not None:
            await self._scheduler.close(reason="done")
        if cancelled is not None:
            raise cancelled
