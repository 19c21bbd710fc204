"""A proxy for programs that have no network: it lets them reach listed hosts, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from fanfold.errors import FanfoldError

HTTPS, HTTP = 443, 80
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CHUNK = 64 * 1024
_MAX_HEAD = 64 * 1024
_HEAD_DEADLINE_S = 30.0
_CONNECT_DEADLINE_S = 30.0
_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\]")
_MAX_TOLD = 100


class ProxyError(FanfoldError):
    """What a program asks a proxy for, or a host to allow, can't be understood."""


Address = tuple[str, int]


def address_of(written: str, default_port: int = HTTPS) -> Address:
    """Host, in small letters and without brackets, and port of `host`, `host:port`, `[address]:port`, `*.domain`.

    Raises:
        ProxyError: it is none of these.
    """
    host, port = written.strip(), default_port
    head, _, tail = host.rpartition(":")
    if head and tail.isdecimal() and (":" not in head or head.endswith("]")):
        host, port = head, int(tail)
    if not _HOST.fullmatch(host) or not 0 < port < 1 << 16:
        raise ProxyError(f"{written!r} is no host", hint="name hosts as in api.example.com:443")
    return host.strip("[]").lower(), port


class Proxy:
    """Answers on a socket in a private folder for as long as it is entered.

    It knows CONNECT, which TLS goes through unread, and plain requests for `http://` addresses.

    Args:
        allowed: hosts with their ports, as `address_of` reads them; `*.domain` = every host below it.
    Attributes:
        refused: how often which host was asked for in vain.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = frozenset(address_of(one) for one in allowed)
        self.refused: Counter[str] = Counter()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._server: asyncio.Server | None = None
        self._at_work: set[asyncio.Task[None]] = set()

    @property
    def socket(self) -> Path:
        """Where it answers, once it was entered."""
        if self._folder is None:
            raise ProxyError("the proxy is not open", hint="async with proxy: ...")
        return Path(self._folder.name) / "proxy"

    async def __aenter__(self) -> Proxy:
        self._folder = tempfile.TemporaryDirectory(prefix="fanfold-")
        self._server = await asyncio.start_unix_server(self._taken, self.socket, limit=_MAX_HEAD)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._at_work:
            task.cancel()
        await asyncio.gather(*self._at_work, return_exceptions=True)
        if self._folder is not None:
            self._folder.cleanup()

    def allows(self, host: str, port: int) -> bool:
        """Whether programs may reach a host."""
        parts = host.split(".")
        above = (".".join(("*", *parts[at:])) for at in range(1, len(parts)))
        return any((name, port) in self.allowed for name in (host, *above))

    def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # taken in the moment that it closed
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="proxy")
        self._at_work.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._at_work.discard(task)
            writer.close()  # a task that is cancelled before it begins closes nothing

        task.add_done_callback(ended)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_DEADLINE_S):
                head = await reader.readuntil(b"\r\n\r\n")
            await self._answer(head, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass  # whoever asked is gone, or says nothing that a proxy is told
        finally:
            await _closed(writer)

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (host, port), first = _asked(head)
        except ProxyError as error:
            await _say(writer, "400 Bad Request", error.message)
            return
        if not self.allows(host, port):
            if len(self.refused) < _MAX_TOLD:
                self.refused[f"{host}:{port}"] += 1
            await _say(writer, "403 Forbidden", f"{host}:{port} is not among the hosts of agent_network")
            return
        try:
            async with asyncio.timeout(_CONNECT_DEADLINE_S):
                there, back = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            await _say(
                writer, "502 Bad Gateway", f"{host}:{port} can't be reached: {str(error) or 'it does not answer'}"
            )
            return
        try:
            if first is None:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                back.write(first)
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, back))
                both.create_task(_copy(there, writer))
        finally:
            await _closed(back)


def _asked(head: bytes) -> tuple[Address, bytes | None]:
    """Whom a request is for, and its head as that one expects it; None = bytes are passed on unread."""
    line, _, rest = head.partition(b"\r\n")
    try:
        method, target, version = line.decode("ascii").split(" ")
    except ValueError as error:
        raise ProxyError("this is no request") from error
    if method == "CONNECT":
        return address_of(target), None
    try:
        url = urlsplit(target)
        port = url.port or HTTP
    except ValueError as error:
        raise ProxyError(f"{target!r} is no address") from error
    if url.scheme != "http" or not url.hostname:
        raise ProxyError("a proxy is asked for http://host/path, or to CONNECT")
    path = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
    # The connection carries one request: the next one may be for a host that isn't allowed.
    dropped = (b"connection:", b"proxy-", b"upgrade:")
    kept = [one for one in rest.split(b"\r\n") if one and not one.lower().startswith(dropped)]
    lines = [f"{method} {path} {version}".encode("ascii"), *kept, b"Connection: close"]
    return (url.hostname.lower(), port), b"\r\n".join(lines) + b"\r\n\r\n"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # either side may end as it likes
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def _say(writer: asyncio.StreamWriter, status: str, words: str) -> None:
    body = f"{words}\n".encode(errors="replace")
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
