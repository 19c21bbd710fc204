"""The proxy by itself, asked over its socket."""

from __future__ import annotations

import asyncio

import pytest

from fanfold.process import Proxy, ProxyError
from fanfold.process.proxy import address_of

READ = {
    "api.example.com": ("api.example.com", 443),
    "API.Example.com:8443": ("api.example.com", 8443),
    "127.0.0.1:11434": ("127.0.0.1", 11434),
    "[::1]:8080": ("::1", 8080),
    "*.example.com": ("*.example.com", 443),
}


@pytest.mark.parametrize(("written", "read"), READ.items())
def test_hosts_are_read(written: str, read: tuple[str, int]) -> None:
    assert address_of(written) == read


@pytest.mark.parametrize(
    "written", ["", "*", "a b", "https://example.com", "example.com:0", "example.com:99999", "a/b"]
)
def test_what_is_no_host_is_refused(written: str) -> None:
    with pytest.raises(ProxyError):
        Proxy([written])


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("api.example.com", 443, True),
        ("api.example.com", 80, False),
        ("example.com", 443, False),
        ("evil-example.com", 443, False),
        ("a.b.example.com", 443, True),
        ("listed.org", 8080, True),
        ("sub.listed.org", 8080, False),
    ],
)
def test_listed_hosts_are_allowed_and_no_others(host: str, port: int, allowed: bool) -> None:
    assert Proxy(["*.example.com", "listed.org:8080"]).allows(host, port) is allowed


async def ask(proxy: Proxy, *pieces: bytes) -> bytes:
    """All that is answered to some bytes; nothing where the connection is cut."""
    reader, writer = await asyncio.open_unix_connection(proxy.socket)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


@pytest.mark.parametrize(
    "head",
    [
        b"CONNECT example.com:443 HTTP/1.1\r\n\r\n",
        b"GET http://example.com/ HTTP/1.1\r\nHost: listed.org:8080\r\n\r\n",
        b"GET http://listed.org:8080@example.com/ HTTP/1.1\r\n\r\n",
        b"GET http://listed.org:81/ HTTP/1.1\r\n\r\n",
    ],
)
async def test_other_hosts_are_forbidden_whatever_the_request_pretends(head: bytes) -> None:
    async with Proxy(["listed.org:8080"]) as proxy:
        assert (await ask(proxy, head)).startswith(b"HTTP/1.1 403 ")
        assert sum(proxy.refused.values()) == 1


@pytest.mark.parametrize(
    "head",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET ftp://a/ HTTP/1.1\r\n\r\n", b"CONNECT a b HTTP/1.1\r\n\r\n"],
)
async def test_what_is_no_request_for_a_proxy_is_told_so(head: bytes) -> None:
    async with Proxy(["listed.org:8080"]) as proxy:
        assert (await ask(proxy, head)).startswith(b"HTTP/1.1 400 ")


async def test_a_head_without_end_is_dropped() -> None:
    async with Proxy(["listed.org:8080"]) as proxy:
        assert await ask(proxy, b"GET " + b"x" * 1_000_000) == b""


async def test_a_listed_host_that_does_not_answer_is_a_bad_gateway(unused_tcp_port: int) -> None:
    async with Proxy([f"127.0.0.1:{unused_tcp_port}"]) as proxy:
        assert (await ask(proxy, b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % unused_tcp_port)).startswith(
            b"HTTP/1.1 502 "
        )


async def test_a_tunnel_passes_bytes_both_ways_and_plain_requests_lose_the_proxy_s_own_headers() -> None:
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\n\n" if heard == [] else b"\r\n\r\n"))
        writer.write(b"answer")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Proxy([f"127.0.0.1:{port}"]) as proxy:
        tunnel = await ask(proxy, b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % port, b"\x00bytes\n\n")
        assert tunnel == b"HTTP/1.1 200 Connection established\r\n\r\nanswer"
        ours = b"Proxy-Authorization: secret\r\nConnection: keep-alive\r\n"
        head = b"GET http://127.0.0.1:%d/p?q HTTP/1.1\r\nHost: x\r\n" % port
        assert await ask(proxy, head + ours + b"\r\n") == b"answer"
    assert heard == [b"\x00bytes\n\n", b"GET /p?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"]


async def test_connections_end_with_the_proxy() -> None:
    proxy = Proxy(["listed.org:8080"])
    async with proxy:
        reader, writer = await asyncio.open_unix_connection(proxy.socket)
        while not proxy._at_work:
            await asyncio.sleep(0)
        folder = proxy.socket.parent
        assert folder.stat().st_mode & 0o077 == 0
    assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.transport.abort()
    assert not folder.exists()
