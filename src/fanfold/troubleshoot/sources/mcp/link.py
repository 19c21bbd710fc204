"""A connection to an MCP server that is made when it is first needed and outlives those who wait for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.config.settings import expanded
from fanfold.errors import FanfoldError
from fanfold.process import allowed_environment, find_program
from fanfold.redact import MASK, redact
from fanfold.troubleshoot.sources.mcp.settings import McpSettings
from fanfold.troubleshoot.sources.mcp.stdio import Words, started
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.settings import revealed
from fanfold.troubleshoot.sources.web import credentials

if TYPE_CHECKING:
    from mcp import Client

SAID_CHARS = 500
SAID_LINES = 5


class Link:
    """One connection, held by a task of its own: whoever gives up waiting for it neither breaks nor delays it.

    Args:
        settings: which server.
        root: the folder that its program runs in.
    """

    def __init__(self, settings: McpSettings, root: Path) -> None:
        self._settings, self._root = settings, root
        self._words = Words()
        self._secrets: tuple[str, ...] = ()
        self._leave = asyncio.Event()
        self._ready: asyncio.Future[Client | SourceError] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._hold(), name=f"mcp {settings.name}")

    @property
    def is_usable(self) -> bool:
        """Whether it is open, or may yet become so."""
        return not self._task.done() and not self._leave.is_set()

    async def client(self) -> Client:
        """What tools can be called with.

        Raises:
            SourceError: there is no connection.
        """
        found = await asyncio.shield(self._ready)
        if isinstance(found, SourceError):
            raise SourceError(found.message, hint=found.hint)
        return found

    def leave(self) -> None:
        """End it, without waiting for that."""
        self._leave.set()

    async def close(self) -> None:
        """End it; a server that was started has ended after this, though the caller be cancelled meanwhile."""
        self._leave.set()
        if not self._ready.done():
            self._task.cancel()  # it is still waiting for the server
        cancelled: asyncio.CancelledError | None = None
        while not self._task.done():
            try:
                await asyncio.wait([self._task])
            except asyncio.CancelledError as error:
                cancelled = error
                self._task.cancel()
        if cancelled is not None:
            raise cancelled

    def explained(self, error: BaseException) -> SourceError:
        """An error of the connection, with the last words of a program."""
        lines = [line.strip() for line in self.masked(self._words.said).splitlines() if line.strip()]
        said = "\n".join(lines[-SAID_LINES:])[-SAID_CHARS:]
        reason = _reason(error)
        why = self.masked(f"{reason}: {said}" if said else reason)
        hint = error.hint if isinstance(error, FanfoldError) else None
        return SourceError(f"the MCP server {self._settings.name} failed: {why}", hint=hint or "check command or url")

    def masked(self, text: str) -> str:
        """The text without secrets, those of this connection first."""
        for value in self._secrets:
            text = text.replace(value, MASK)
        return redact(text)

    async def _hold(self) -> None:
        try:
            async with self._connected() as client:
                self._ready.set_result(client)
                await self._leave.wait()
        except Exception as error:  # noqa: BLE001 whatever a server makes the library raise is why there is no connection
            self._settle(self.explained(error))
        finally:
            self._settle(SourceError(f"the connection to {self._settings.name} was ended", hint="ask again"))

    def _settle(self, error: SourceError) -> None:
        if not self._ready.done():
            self._ready.set_result(error)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Client]:
        from mcp import Client  # noqa: PLC0415 whoever asks no MCP server needs none of it

        told = self._settings
        if told.url is None:
            given = await asyncio.to_thread(lambda: {name: revealed(one) for name, one in told.secrets.items()})
            self._secrets = tuple(sorted(given.values(), key=len, reverse=True))
            transport = started(
                [await asyncio.to_thread(self._program), *told.command[1:]],
                cwd=self._root,
                env=allowed_environment(told.env, given),
                max_bytes=told.max_bytes,
                words=self._words,
            )
        else:
            from fanfold.troubleshoot.sources.mcp.http import connected_to  # noqa: PLC0415

            shown = await asyncio.to_thread(credentials, token=told.token, headers=told.headers)
            self._secrets = tuple(sorted(shown.secrets, key=len, reverse=True))
            transport = connected_to(told, shown, await asyncio.to_thread(told.trust))
        async with Client(transport, read_timeout_seconds=told.timeout_s, cache=None) as client:
            yield client

    def _program(self) -> str:
        program = self._settings.command[0]
        if os.sep in program:
            return str(self._root / expanded(program))
        return str(find_program(program) or program)


def _reason(error: BaseException) -> str:
    """What went wrong first; task groups put errors into groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, FanfoldError):
        return error.message
    return (str(getattr(error, "message", "")) or str(error) or type(error).__name__)[:SAID_CHARS]
