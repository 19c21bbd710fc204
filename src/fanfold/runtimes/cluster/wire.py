"""What goes over the connection between a coordinator and a worker: batches of dicts of plain values.

Values of flows are JSON text in them, a state goes once, and bytes are what `pack` returned. Dask writes such batches
as msgpack; nothing in them is pickled.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, TypeAlias

Message: TypeAlias = dict[str, Any]
"""`op` says what it is; the rest is str, int, float, bool, bytes, None, and lists and dicts of these."""

OP = "fanfold"
"""The operation of a Dask worker that begins a connection of ours."""


class Comm(Protocol):
    """A connection of Dask's, as much of it as is used here; an OSError says that it has ended."""

    async def read(self) -> Any:
        """The next message or batch."""

    async def write(self, message: Message | list[Message]) -> Any:
        """Send a message or a batch."""

    async def close(self) -> None:
        """Send what is there, and end."""

    def abort(self) -> None:
        """End at once."""

    def closed(self) -> bool:
        """Whether it has ended."""


class Outbox:
    """Messages on their way out, in order: what gathers while one batch is written is the next one.

    It belongs to the event loop of its connection.
    """

    def __init__(self, comm: Comm) -> None:
        self._comm = comm
        self._waiting: list[Message] = []
        self._more = asyncio.Event()
        self._finished = False

    def put(self, message: Message) -> None:
        """Send it soon."""
        self._waiting.append(message)
        self._more.set()

    def finish(self) -> None:
        """Let `run` end when it has written what is there."""
        self._finished = True
        self._more.set()

    async def run(self) -> None:
        """Write until `finish` is called.

        Raises:
            OSError: the connection has ended.
        """
        while self._waiting or not self._finished:
            await self._more.wait()
            self._more.clear()
            batch, self._waiting = self._waiting, []
            if batch:
                await self._comm.write(batch)
