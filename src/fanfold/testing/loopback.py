"""An ASGI application on a loopback port, over real HTTP, on the loop of whoever starts it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NEEDED = "servers for tests need Starlette and uvicorn; run: pip install 'fanfold[testing]'"

try:
    import uvicorn
except ImportError as error:
    raise ImportError(NEEDED) from error

Message = MutableMapping[str, Any]
App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class Loopback:
    """Serves an application while its block is open; requests that are under way at the end are broken off.

        async with Loopback(app) as server:
            ... server.url ...

    Args:
        port: 0 = any free one.
        certificate, key: files in PEM; with them it speaks HTTPS.
    """

    def __init__(self, app: App, *, port: int = 0, certificate: Path | None = None, key: Path | None = None) -> None:
        self._app, self._port, self._certificate, self._key = app, port, certificate, key
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it is, without a path: `http://127.0.0.1:8080`."""
        return f"{'https' if self._certificate else 'http'}://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        listening = socket.create_server(("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            http="h11",
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            ssl_certfile=self._certificate,
            ssl_keyfile=self._key,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve([listening]), name="loopback server")
        listens = asyncio.create_task(self._server.listens.wait())
        await asyncio.wait([self._task, listens], return_when=asyncio.FIRST_COMPLETED)
        if not listens.done():
            listens.cancel()
            await self._task
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.leave.set()
        if self._task is not None:
            await self._task


class _Server(uvicorn.Server):
    """Leaves signals to the program that it runs in, and ends at once, with whatever it is busy with."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()
        self.leave = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    async def main_loop(self) -> None:
        await self.leave.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        busy = list(self.server_state.tasks)
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        self.force_exit = True
        await super().shutdown(sockets)
