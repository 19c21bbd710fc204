"""Run a flow's branches on the workers of a Dask cluster."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from fanfold.runtimes.cluster.address import TLS, checked, security_of
from fanfold.runtimes.cluster.background import Background
from fanfold.runtimes.cluster.board import Board, Terms
from fanfold.runtimes.cluster.errors import ClusterError, ClusterUnavailable
from fanfold.runtimes.cluster.local import Local
from fanfold.runtimes.flow import Flow
from fanfold.runtimes.native import carry_out
from fanfold.runtimes.run import Options, Result

S = TypeVar("S")


class Cluster:
    """Runs flows with their branches placed on workers of a Dask cluster.

    Steps, limit, deadlines, journal and fold stay here, on the coordinator; each hop of a branch runs on some worker.
    A worker that is lost costs only what ran on it: that is placed again. Cancelling a branch cancels it where it runs,
    and so does the end of the coordinator.

        async with Cluster(workers=2) as cluster:
            result = await flow.run(state, runtime=cluster)

    Without `async with`, workers started here come and go with each run. `with` does the same for code that isn't
    asynchronous; one cluster serves runs side by side, on whatever event loops.

    A flow is an object that a module has by name, and workers import it: code isn't sent. Items, states and what hops
    return are sent as JSON, by the types in the annotations; errors come back as data. Of Dask's pickling, only the
    name of a plugin class is used, on its way to a worker. But Dask itself is built to run what its peers send: whoever
    can connect to its scheduler or workers can run code there. Off loopback, both sides prove who they are by
    certificates; on loopback without them, the users of this machine are trusted.

    Args:
        address: of a running scheduler, as tcp://127.0.0.1:8786 or tls://host:8786.
        workers: start so many worker processes on this machine instead.
        tls: certificates; an address that is not on this machine needs them.
        capacity: branches at once on one worker, >= 1; default: as many as it has threads, and for workers started
            here no bound: `limit` says it for all together.
        patience_s: seconds without any worker until a run ends.
        max_losses: workers that may be lost under one branch until it fails.
        import_from: folders that workers started here import modules from, beside those of this process.
    Raises:
        ClusterUnavailable: distributed isn't installed.
        InsecureAddress: the address is not on this machine, and there is no TLS. Nothing has been sent.
        ClusterError: the arguments make no sense.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        workers: int | None = None,
        tls: TLS | None = None,
        capacity: int | None = None,
        patience_s: float = 30.0,
        max_losses: int = 3,
        import_from: Sequence[Path] = (),
    ) -> None:
        if (address is None) == (workers is None):
            raise ClusterError(
                "a cluster is either one that runs, or workers to start here",
                hint='write Cluster("tcp://127.0.0.1:8786") or Cluster(workers=2)',
            )
        for name, number in (("workers", workers), ("capacity", capacity), ("max_losses", max_losses)):
            if number is not None and (type(number) is not int or number < 1):
                raise ClusterError(f"{name} is a whole number of at least 1, not {number!r}")
        if importlib.util.find_spec("distributed") is None:
            raise ClusterUnavailable(
                "Dask's distributed, which the cluster runtime stands on, isn't installed",
                hint="pip install 'fanfold[cluster]'",
            )
        self._address = None if address is None else checked(address, tls=tls is not None)
        self._workers = workers
        self._tls = tls
        self._capacity = capacity
        self._patience_s = patience_s
        self._max_losses = max_losses
        self._import_from = tuple(import_from)
        self._background: Background | None = None
        self._users = 0
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """What reports call it."""
        return "cluster"

    @property
    def address(self) -> str | None:
        """The scheduler's; None while no cluster is up."""
        return self._background.local.address if self._background is not None else self._address

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that were started here."""
        return [] if self._background is None else self._background.local.pids

    async def __aenter__(self) -> Cluster:
        """Have the workers up, until it is left.

        Raises:
            ClusterError: they don't start.
        """
        background = await asyncio.to_thread(self._used)
        if background is not None:
            try:
                await asyncio.shield(asyncio.wrap_future(background.up))
            except BaseException:
                await self.__aexit__()
                raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the workers that were started here, when nobody uses them any more; returns when they have ended."""
        background = self._left()
        if background is not None:
            await asyncio.shield(asyncio.wrap_future(background.down))

    def __enter__(self) -> Cluster:
        """The same for code that isn't asynchronous: runs on any event loop may use it."""
        background = self._used()
        try:
            if background is not None:
                background.up.result()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        background = self._left()
        if background is not None:
            background.down.result()

    def _used(self) -> Background | None:
        with self._lock:
            self._users += 1
            if self._workers is not None and self._background is None:
                threads = self._capacity or 1
                local = Local(self._workers, threads=threads, tls=self._tls, import_from=self._import_from)
                self._background = Background(local)
            return self._background

    def _left(self) -> Background | None:
        """The workers that nobody uses any more, on their way down."""
        with self._lock:
            self._users -= 1
            if self._users or self._background is None:
                return None
            background, self._background = self._background, None
        background.end()
        return background

    async def run(self, flow: Flow[S], state: S, options: Options) -> Result[S]:
        """Run the flow to its end.

        Raises:
            FlowNotImportable, VersionsDiffer, NoWorkers, JournalError: before any branch is placed; NoWorkers also
                when all workers are gone.
            Else as `Flow.run`; what a branch raised is a RemoteError in its outcome.
        """
        async with self._board(flow, options) as board:
            return await carry_out(self, board.flow, state, board.options, board.hops)

    @asynccontextmanager
    async def _board(self, flow: Flow[Any], options: Options) -> AsyncIterator[Board]:
        await asyncio.to_thread(importlib.import_module, "fanfold.runtimes.cluster.plugin")  # Dask takes half a second
        async with AsyncExitStack() as stack:
            # The flow is looked at first: one that can't be sent starts no processes.
            board = Board(flow, options, self._terms())
            await stack.enter_async_context(self)
            yield await stack.enter_async_context(board.at(str(self.address)))

    def _terms(self) -> Terms:
        return Terms(
            security=security_of(self._tls),
            is_encrypted=self._tls is not None,
            capacity=self._capacity,
            is_bounded=self._address is not None,
            patience_s=self._patience_s,
            max_losses=self._max_losses,
        )
