"""An MCP server over streamable HTTP: TLS verified, no redirects elsewhere, no more read than can be held."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
from mcp.client.streamable_http import streamable_http_client

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams


@asynccontextmanager
async def connected_to(
    url: str, *, headers: Mapping[str, str], trust: ssl.SSLContext, timeout_s: float, max_bytes: int
) -> AsyncIterator[TransportStreams]:
    """Streams of messages from and to a server.

    Args:
        headers: sent with each request, and never elsewhere.
        max_bytes: of one answer; the rest of a longer one isn't read, and it fails.
    """
    transport = _Bounded(httpx2.AsyncHTTPTransport(verify=trust), max_bytes)
    client = httpx2.AsyncClient(
        headers=dict(headers),
        transport=transport,
        timeout=timeout_s,
        follow_redirects=False,
        trust_env=False,  # neither a proxy nor a .netrc of the environment gets to see the token
    )
    async with client, streamable_http_client(url, http_client=client, max_sse_event_size=max_bytes) as streams:
        yield streams


class _Bounded(httpx2.AsyncBaseTransport):
    """Requests whose answers have a size."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, max_bytes: int) -> None:
        self._inner, self._max_bytes = inner, max_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Counted(response.stream, self._max_bytes)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


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
