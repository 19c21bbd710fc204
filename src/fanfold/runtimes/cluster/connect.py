"""The coordinator's connections to a Dask scheduler and its workers."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fanfold.runtimes.cluster.address import checked
from fanfold.runtimes.cluster.errors import ClusterError
from fanfold.runtimes.cluster.facts import PACKAGES, refuse_difference, software, software_here

if TYPE_CHECKING:
    from distributed import Security

    from fanfold.runtimes.cluster.wire import Comm

CONNECT_S = 10.0
"""How long a worker may take to answer; one that is gone is still listed for a while."""
AGAIN_S = 2.0


class Scheduler:
    """Who knows the workers."""

    def __init__(self, address: str, security: Security) -> None:
        self.address = address
        self._security = security
        self._comm: Any = None
        self._timeout_s = CONNECT_S

    async def workers(self) -> dict[str, int]:
        """How many threads each worker has, by address.

        Raises:
            OSError: the scheduler can't be reached.
        """
        from distributed.core import send_recv  # noqa: PLC0415 an extra

        if self._comm is None or self._comm.closed():
            # Asked again and again, it may be short: a scheduler that is gone isn't waited for each time.
            timeout_s, self._timeout_s = self._timeout_s, AGAIN_S
            self._comm = await _connect(self.address, self._security, timeout_s)
        told = await send_recv(self._comm, op="identity")
        return {str(worker): int(each["nthreads"]) for worker, each in told["workers"].items()}

    async def close(self) -> None:
        """Close the connection."""
        if self._comm is not None:
            await self._comm.close()
            self._comm = None


@asynccontextmanager
async def connected(worker: str, security: Security, *, encrypted: bool) -> AsyncIterator[Comm]:
    """A connection to a worker that runs the same versions, and knows what serves us.

    Raises:
        InsecureAddress: the scheduler names a worker that mustn't be talked to.
        VersionsDiffer: the worker runs others.
        ClusterError: the worker can't take branches of ours.
        OSError: the worker can't be reached.
    """
    comm = await _connect(checked(worker, tls=encrypted), security, CONNECT_S)
    try:
        await _admit(comm, worker)
        yield comm
    finally:
        comm.abort()


async def _admit(comm: Any, worker: str) -> None:
    from distributed.core import send_recv  # noqa: PLC0415 an extra

    from fanfold.runtimes.cluster.plugin import FanfoldPlugin  # noqa: PLC0415 an extra

    there = software(await send_recv(comm, op="versions", packages=PACKAGES))
    refuse_difference(await asyncio.to_thread(software_here), there, worker)
    plugin = pickle.dumps(FanfoldPlugin(), protocol=4)  # the name of a class, and nothing more
    answer = await send_recv(comm, op="plugin-add", plugin=plugin, name=FanfoldPlugin.name)
    if answer["status"] != "OK":
        text = answer.get("exception_text")
        raise ClusterError(f"the worker {worker} can't load Fanfold: {text}", hint="see the worker's log")


async def _connect(address: str, security: Security, timeout_s: float) -> Any:
    from distributed.comm.core import connect  # noqa: PLC0415 an extra

    options = security.get_connection_args("client")  # type: ignore[no-untyped-call]
    return await connect(address, timeout=timeout_s, deserialize=False, **options)  # type: ignore[no-untyped-call]
