"""What sources that speak HTTP share: one way to make a client, and one to read no more than can be held.

A client verifies certificates, follows no redirect, and takes neither proxy nor password from the environment: what is
sent is meant for one server alone.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fanfold.config.secret import Secret
from fanfold.redact import MASK, redact
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.settings import revealed

if TYPE_CHECKING:
    import httpx

MAX_ERROR_BYTES = 64 * 1024
SAID_CHARS = 300
_FRAMING_BYTES = 64 * 1024
_GZIP = zlib.MAX_WBITS | 16


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read as far as it was wanted.

    Attributes:
        response: its status and headers; it is closed.
        body: unpacked.
        cut: it was longer.
    """

    response: httpx.Response
    body: bytes
    cut: bool


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a server is shown of who asks.

    Attributes:
        headers: sent with each request, and to nobody else.
        secrets: what must not be repeated, whoever says it.
    """

    headers: Mapping[str, str]
    secrets: tuple[str, ...] = ()

    def said(self, text: str) -> str:
        """What a server said, on one line: without control characters and secrets, not even if it sends back ours."""
        for value in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(value, MASK)
        return redact(" ".join("".join(sign if sign.isprintable() else " " for sign in text).split()))[:SAID_CHARS]

    def __repr__(self) -> str:
        return f"Credentials({', '.join(self.headers)})"


def credentials(
    user: str | None = None,
    password: Secret | None = None,
    token: Secret | None = None,
    headers: Mapping[str, Secret] | None = None,
) -> Credentials:
    """Headers for a token, else for a user with a password, and those that a secret each is the value of.

    Raises:
        SourceError: a secret isn't where the settings say, or can't stand in a header.
    """
    sent = {name: _in_header(secret) for name, secret in (headers or {}).items()}
    secrets = [*sent.values()]
    if token is not None:
        secrets.append(_in_header(token))
        sent["Authorization"] = f"Bearer {secrets[-1]}"
    elif password is not None:
        shown = revealed(password)
        packed = base64.b64encode(f"{user or ''}:{shown}".encode()).decode()
        secrets += [shown, packed]
        sent["Authorization"] = f"Basic {packed}"
    return Credentials(sent, tuple(secrets))


def _in_header(secret: Secret) -> str:
    """HTTP libraries repeat a header that they can't send, in their complaint about it."""
    value = revealed(secret)
    if not (value.isascii() and value.isprintable()):
        raise SourceError(
            f"{secret} holds letters that a header can't have, a line break perhaps",
            hint="put nothing but the token there",
        )
    return value


def client_of(
    library: Any,
    shown: Credentials,
    *,
    trust: ssl.SSLContext,
    timeout_s: float,
    limit: int,
    proxy: str | None = None,
    packed: bool = True,
    **more: Any,
) -> Any:
    """An `AsyncClient` that tells nobody but its server anything.

    Args:
        library: httpx, or httpx2, which the MCP library wants.
        limit: connections at the same time.
        proxy: what leads there; None = nothing does, whatever the environment says.
        packed: whether answers may be compressed; `exchanged` unpacks them within bounds, and nothing else does.
    """
    asked = {"Accept": "application/json", "Accept-Encoding": "gzip" if packed else "identity"}
    return library.AsyncClient(
        headers={**asked, **shown.headers},
        verify=trust,
        timeout=timeout_s,
        limits=library.Limits(max_connections=limit, max_keepalive_connections=limit),
        follow_redirects=False,  # a redirect would carry the password elsewhere
        trust_env=False,  # neither a proxy nor a .netrc of the environment gets to see it
        proxy=proxy,
        **more,
    )


async def exchanged(client: httpx.AsyncClient, request: httpx.Request, *, max_bytes: int, timeout_s: float) -> Reply:
    """What is answered to a request.

    Args:
        max_bytes: of an answer that is no refusal, once unpacked; the rest is never asked for.
        timeout_s: for the body as a whole: what comes byte by byte would keep each single read in time.
    Raises:
        httpx.TransportError: there is no answer, or none that can be read.
    """
    import httpx  # noqa: PLC0415 whoever asks nobody needs no HTTP client

    response = await client.send(request, stream=True)
    try:
        async with asyncio.timeout(timeout_s):
            body, cut = await _at_most(response, max_bytes if response.is_success else MAX_ERROR_BYTES)
    except TimeoutError:
        raise httpx.ReadTimeout("the answer took too long", request=request) from None
    except zlib.error:
        raise httpx.RemoteProtocolError("the answer can't be unpacked", request=request) from None
    finally:
        await response.aclose()
    return Reply(response, body, cut)


async def _at_most(response: httpx.Response, max_bytes: int) -> tuple[bytes, bool]:
    """The first bytes of a body, and whether there were more."""
    read, received, unpack = bytearray(), 0, _unpacking(response)
    async for piece in response.aiter_raw():
        received += len(piece)
        read += unpack(piece, max_bytes + 1 - len(read))
        if len(read) > max_bytes or received > max_bytes + _FRAMING_BYTES:
            return bytes(read[:max_bytes]), True
    return bytes(read), False


def _unpacking(response: httpx.Response) -> Any:
    """What makes of a piece of a body what it holds, so many bytes at most: a small one may hold a thousandfold."""
    import httpx  # noqa: PLC0415

    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return lambda piece, _: piece
    if encoding in ("gzip", "x-gzip"):
        return zlib.decompressobj(_GZIP).decompress
    raise httpx.RemoteProtocolError("the answer is packed in a way that was not asked for")
