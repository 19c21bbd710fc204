"""Servers that send too much, too slowly, elsewhere, or back what they were sent: over real HTTP."""

from __future__ import annotations

import asyncio
import base64
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from fanfold.config.secret import Secret
from fanfold.testing.loopback import Loopback
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources import SourceError
from fanfold.troubleshoot.sources.mcp import Mcp
from fanfold.troubleshoot.sources.metrics import Metrics
from fanfold.troubleshoot.sources.settings import Tls
from fanfold.troubleshoot.sources.web import Credentials, client_of, credentials, exchanged
from fanfold.troubleshoot.sources.workload import Workload

NOW = datetime(2024, 12, 11, 9, 0, tzinfo=UTC)
INCIDENT = Incident(message="?", now=NOW, jobs=("BATCH001",))
TOKEN = "n0t-for-y0u-to-see"
MANY = 32 * 1024 * 1024

Send = Callable[[Any], Awaitable[None]]


class Answers:
    """Answers each request alike, and remembers what it was shown.

    Args:
        pieces: of the body; an endless one is broken off by who reads it.
    """

    def __init__(
        self, *pieces: bytes, status: int = 200, headers: dict[str, str] | None = None, pause_s: float = 0.0
    ) -> None:
        self._pieces, self._status, self._headers, self._pause_s = pieces, status, headers or {}, pause_s
        self.shown: list[dict[str, str]] = []

    async def __call__(self, scope: Any, _receive: Any, send: Send) -> None:
        self.shown.append({name.decode(): value.decode() for name, value in scope["headers"]})
        headers = [(name.encode(), value.encode()) for name, value in self._headers.items()]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(self._pause_s)
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def client(shown: Credentials | None = None, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    made = client_of(httpx, shown or Credentials({}), trust=Tls().trust(), timeout_s=20.0, limit=4, **more)
    async with made as opened:
        yield opened


async def body_of(answers: Answers, *, max_bytes: int = 1_000, timeout_s: float = 20.0) -> tuple[bytes, bool]:
    async with Loopback(answers) as server, client() as asking:
        request = asking.build_request("GET", server.url)
        reply = await exchanged(asking, request, max_bytes=max_bytes, timeout_s=timeout_s)
    return reply.body, reply.cut


@contextmanager
def within(max_bytes: int) -> Iterator[None]:
    """So much memory at most."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < max_bytes
    finally:
        tracemalloc.stop()


async def test_what_is_packed_is_unpacked() -> None:
    packed = Answers(gzip.compress(b'{"a": 1}'), headers={"content-encoding": "gzip"})
    assert await body_of(packed) == (b'{"a": 1}', False)
    assert packed.shown[0]["accept-encoding"] == "gzip"


async def test_of_a_bomb_no_more_is_unpacked_than_was_asked_for() -> None:
    bomb = gzip.compress(bytes(MANY))
    assert len(bomb) < 70_000
    with within(MANY // 8):
        body, cut = await body_of(Answers(bomb, headers={"content-encoding": "gzip"}), max_bytes=5_000)
    assert (body, cut) == (bytes(5_000), True)


async def test_an_error_that_is_a_bomb_is_none_either() -> None:
    bomb = Answers(gzip.compress(bytes(MANY)), status=500, headers={"content-encoding": "gzip"})
    with within(MANY // 8):
        body, cut = await body_of(bomb)
    assert cut
    assert len(body) == 64 * 1024


async def test_what_unpacks_to_nothing_for_ever_is_not_read_for_ever() -> None:
    nothing = zlib.compressobj(wbits=31)
    empty = nothing.compress(b"") + nothing.flush(zlib.Z_SYNC_FLUSH)
    endless = Answers(empty, *[b"\x00\x00\x00\xff\xff" * 10_000] * 100, headers={"content-encoding": "gzip"})
    body, cut = await body_of(endless)
    assert (body, cut) == (b"", True)


@pytest.mark.parametrize(
    "answers",
    [
        Answers(b"x" * 100, headers={"content-encoding": "gzip"}),
        Answers(zlib.compress(b"x"), headers={"content-encoding": "deflate"}),
        Answers(b"x", headers={"content-encoding": "zstd"}),
    ],
)
async def test_what_cannot_be_unpacked_is_no_answer(answers: Answers) -> None:
    with pytest.raises(httpx.TransportError, match="packed"):
        await body_of(answers)


async def test_a_body_that_comes_byte_by_byte_is_given_up_on() -> None:
    drops = Answers(*[b"x"] * 1_000, pause_s=0.02)
    with pytest.raises(httpx.ReadTimeout, match="took too long"):
        await body_of(drops, timeout_s=0.2)


async def test_neither_proxies_nor_passwords_of_the_environment_count_and_a_given_proxy_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy, server = Answers(b"from the proxy"), Answers(b"from the server")
    async with Loopback(proxy) as between, Loopback(server) as target:
        monkeypatch.setenv("HTTP_PROXY", between.url)
        monkeypatch.setenv("ALL_PROXY", between.url)
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password lovelace\n")
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        for given, said in ((None, b"from the server"), (between.url, b"from the proxy")):
            async with client(proxy=given) as asking:
                request = asking.build_request("GET", target.url)
                assert (await exchanged(asking, request, max_bytes=100, timeout_s=20)).body == said
    assert "authorization" not in server.shown[0]


async def test_a_redirect_is_not_followed_and_the_token_stays_here() -> None:
    elsewhere = Answers(b"thanks")
    async with Loopback(elsewhere) as other:
        here = Answers(b"", status=302, headers={"location": other.url})
        async with Loopback(here) as server, client(Credentials({"Authorization": f"Bearer {TOKEN}"})) as asking:
            request = asking.build_request("GET", server.url)
            assert (await exchanged(asking, request, max_bytes=100, timeout_s=20)).response.status_code == 302
    assert here.shown[0]["authorization"] == f"Bearer {TOKEN}"
    assert elsewhere.shown == []


@pytest.mark.parametrize("value", ["two\nlines", "umläut", "tab\there"])
def test_a_token_that_no_header_can_hold_is_refused_before_a_library_repeats_it(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_TOKEN", value)
    with pytest.raises(SourceError, match="the variable THE_TOKEN") as caught:
        credentials(token=Secret.from_env("THE_TOKEN"))
    assert value not in str(caught.value)


def test_a_password_may_hold_any_letters_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("sénha:ção\n")
    shown = credentials("ada", Secret.from_file(tmp_path / "password"))
    packed = shown.headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(packed).decode() == "ada:sénha:ção"
    assert "sénha" not in repr(shown)
    assert packed not in repr(shown)


@pytest.mark.parametrize("source", [Metrics, Workload])
@pytest.mark.parametrize("status", [400, 500])
async def test_a_server_that_sends_back_what_it_was_shown_does_not_give_it_away(
    source: Any, status: int, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(TOKEN)
    said = f'{{"error": "who is \\u001b[31m{TOKEN}?"}}'.encode()
    async with Loopback(Answers(said, status=status)) as server:
        asked = source.make({"url": server.url, "token": {"file": "secret"}}, tmp_path)
        async with asked.open():
            with pytest.raises(SourceError) as caught:
                await asked.ask(INCIDENT)
    assert "who is" in caught.value.message
    assert TOKEN not in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_an_mcp_server_that_packs_its_answers_is_not_unpacked(kind: str, tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(MANY))
    import mcp  # noqa: F401 what its import takes isn't what is looked at

    async with Loopback(Answers(bomb, headers={"content-encoding": "gzip", "content-type": kind})) as server:
        source = Mcp.make({"url": f"{server.url}/mcp", "tool": "t"}, tmp_path)
        with within(MANY // 2):
            async with source.open():
                with pytest.raises(SourceError):
                    await source.ask(INCIDENT)


@pytest.mark.parametrize("deep", [b"[" * 200_000, b'{"a":' * 200_000])
async def test_an_answer_nested_too_deeply_is_no_answer(deep: bytes, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(TOKEN)
    async with Loopback(Answers(deep)) as server:
        table = {"url": server.url, "token": {"file": "secret"}}
        for source in (Metrics.make(table, tmp_path), Workload.make(table, tmp_path)):
            async with source.open():
                with pytest.raises(SourceError):
                    await source.ask(INCIDENT)


@pytest.mark.parametrize("source", [Metrics, Workload, Mcp])
async def test_a_proxy_that_is_named_is_what_is_asked(source: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(TOKEN)
    proxy = Answers(b"not here", status=404)
    table = {"url": "http://localhost:1", "token": {"file": "secret"}}
    async with Loopback(proxy) as between:
        asked = source.make({**table, "proxy": between.url, **({"tool": "t"} if source is Mcp else {})}, tmp_path)
        async with asked.open():
            with pytest.raises(SourceError):
                await asked.ask(INCIDENT)
    assert {shown["host"] for shown in proxy.shown} == {"localhost:1"}
