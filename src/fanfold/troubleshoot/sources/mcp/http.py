"""An MCP server over streamable HTTP: no more is read than can be held."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
from mcp.client.streamable_http import streamable_http_client

from fanfold.troubleshoot.sources.mcp.settings import McpSettings
from fanfold.troubleshoot.sources.web import Credentials, client_of

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams


@asynccontextmanager
async def connected_to(
    settings: McpSettings, shown: Credentials, trust: ssl.SSLContext
) -> AsyncIterator[TransportStreams]:
    """Streams of messages from and to a server; of an answer that is too long the rest isn't read, and it fails."""
    most = settings.max_bytes

    async def bounded(response: httpx2.Response) -> None:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise httpx2.ReadError("the answer is packed, and was not to be")
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Counted(response.stream, most)

    client = client_of(
        httpx2,
        shown,
        trust=trust,
        timeout_s=settings.timeout_s,
        limit=2 * settings.limit + 2,  # calls, each of which may be answered on a stream of its own
        proxy=settings.proxy,
        packed=False,  # the library unpacks whatever comes, however much that is
        event_hooks={"response": [bounded]},
    )
    async with (
        client,
        streamable_http_client(str(settings.url), http_client=client, max_sse_event_size=most) as streams,
    ):
        yield streams


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, max_bytes: int) -> None:
        self._inner, self._left = inner, max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            self._left -= len(piece)
            if self._left < 0:
                raise httpx2.ReadError("the answer is longer than max_bytes")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
