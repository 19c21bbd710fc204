"""Folders of logs as they are found: pipes, devices, huge and foreign files, clocks that are wrong."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources import SourceError
from fanfold.troubleshoot.sources.logs import Logs, ingest
from fanfold.troubleshoot.sources.logs.files import LogFile, read_back, unreadable

NOW = datetime(2024, 12, 11, 9, 0, tzinfo=UTC)
LATER_S = 60.0


def line(at: datetime, text: str = "ERROR job A100 lost") -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} {text}\n"


RECENT = NOW - timedelta(minutes=30)
LOST = line(RECENT)


def write(path: Path, data: str | bytes, at: datetime = NOW) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


async def ask(*paths: Path, at: datetime | None = NOW, now: datetime = NOW, **settings: Any) -> Sequence[Evidence]:
    table = {"paths": [str(path) for path in paths], "timezone": "UTC", "timeout_s": 60.0, **settings}
    source = Logs.make(table, Path.cwd())
    async with source.open():
        return await source.ask(Incident(message="?", now=now, at=at, jobs=("A100",)))


def told(found: Sequence[Evidence]) -> list[str]:
    return [piece.text for piece in found if piece.kind == "log"]


def notes(found: Sequence[Evidence]) -> str:
    return "\n".join(piece.text for piece in found if piece.kind == "note")


async def test_pipes_sockets_and_devices_in_a_folder_hang_nobody(tmp_path: Path) -> None:
    write(tmp_path / "a.log", LOST)
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "zero.log").symlink_to("/dev/zero")
    (tmp_path / "loop.log").symlink_to(tmp_path / "loop.log")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.log"))
        assert len(told(await ask(tmp_path))) == 1


@pytest.mark.parametrize("kind", ["pipe", "device"])
async def test_a_pipe_or_a_device_that_is_named_is_said_to_be_none(kind: str, tmp_path: Path) -> None:
    named = Path("/dev/zero")
    if kind == "pipe":
        named = tmp_path / "pipe"
        os.mkfifo(named)
    with pytest.raises(SourceError, match="is no regular file"):
        await ask(named)
    with pytest.raises(SourceError, match="is no regular file"):
        await ingest([named], "redis://localhost:1/0")


async def test_of_ten_gigabytes_the_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.log"
    with path.open("wb") as file:
        file.write(line(NOW - timedelta(days=400), "INFO started").encode())
        file.seek(10 * 1024**3)
        file.write(b"\n" + LOST.encode())
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert len(told(await ask(tmp_path))) == 1
    path.unlink()


@pytest.mark.parametrize("size", [50_000, 3_000_000])
async def test_what_is_no_text_says_nothing_however_large(size: int, tmp_path: Path) -> None:
    write(tmp_path / "core", os.urandom(size) + b"\nERROR job A100 in a dump of memory\n" * 10)
    assert told(await ask(tmp_path, max_bytes=100_000)) == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
async def test_the_end_of_a_large_file_in_two_bytes_a_letter_is_read(encoding: str, tmp_path: Path) -> None:
    before = "".join(line(NOW - timedelta(hours=2), f"INFO registro {number}") for number in range(10_000))
    write(tmp_path / "w.log", ("\ufeff" + before + LOST.replace("lost", "não encontrado")).encode(encoding))
    [text] = told(await ask(tmp_path, max_bytes=65_537))
    assert "não encontrado" in text


@pytest.mark.parametrize("codepage", ["cp037", "cp500", "cp1140"])
async def test_ebcdic_is_called_by_its_name(codepage: str, tmp_path: Path) -> None:
    said = "".join(f"IEF450I BATCH001 STEP{n:03d} - ABEND=S0C7 U0000 (REASON='{n}')".ljust(120) for n in range(40))
    write(tmp_path / "SYSOUT", said.encode(codepage))
    write(tmp_path / "a.log", LOST)
    found = await ask(tmp_path)
    assert len(told(found)) == 1
    assert "SYSOUT: it is in EBCDIC, and would have to be converted" in notes(found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        LOST,
        "ação não concluída: memória esgotada\n" * 9,
        "日本語のログ\n" * 20,
        "\x1b[31mERROR\x1b[0m\n" * 9,
        "@@@@\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_text_of_any_language_is_text(text: str, encoding: str) -> None:
    assert unreadable(text.encode(encoding)) == ""


def test_what_was_rotated_between_finding_and_reading_does_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log", LOST * 100)
    file = LogFile(path, path.stat().st_size, NOW.timestamp())
    how: dict[str, Any] = {"max_bytes": 1_000, "until": NOW.timestamp(), "time_of": lambda _: None}
    how["stop_at"] = time.monotonic() + LATER_S
    write(path, LOST)
    assert list(read_back(file, **how).lines) == [LOST.encode().rstrip()]
    path.rename(tmp_path / "a.log.1")
    with pytest.raises(FileNotFoundError):
        read_back(file, **how)
    path.symlink_to(tmp_path / "a.log.1")
    with pytest.raises(OSError, match="symbolic link"):
        read_back(file, **how)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="no regular file"):
        read_back(file, **how)


async def test_a_clock_that_is_a_little_ahead_loses_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.log", line(NOW + timedelta(minutes=2)))
    assert len(told(await ask(tmp_path, at=None))) == 1


async def test_times_of_another_zone_are_told_as_what_they_are(tmp_path: Path) -> None:
    write(tmp_path / "a.log", line(NOW + timedelta(hours=3)))
    found = await ask(tmp_path, at=None)
    assert told(found) == []
    assert "times 3.0 hours after it was last written: set timezone" in notes(found)


async def test_lines_without_a_year_are_of_the_right_one_at_new_year(tmp_path: Path) -> None:
    new_year = datetime(2025, 1, 1, 0, 20, tzinfo=UTC)
    said = "Dec 31 23:55:00 srv7 batch[1]: job A100 lost\nJan  1 00:05:00 srv7 batch[1]: job A100 failed\n"
    write(tmp_path / "syslog", said, at=new_year)
    found = await ask(tmp_path, at=new_year, now=new_year + timedelta(days=200))
    times = {str(piece.facts["first"])[:16] for piece in found if piece.kind == "log"}
    assert times == {"2025-01-01T00:05"}
    found = await ask(tmp_path, at=new_year - timedelta(minutes=20), now=new_year)
    assert [piece.at for piece in found if piece.kind == "history"] == []


@pytest.mark.parametrize(
    ("zone", "local", "at"),
    [
        ("America/New_York", "2024-03-10 03:30:00", "2024-03-10T07:30:00+00:00"),
        ("Europe/Berlin", "2024-10-27 03:30:00", "2024-10-27T02:30:00+00:00"),
        ("America/Sao_Paulo", "2018-11-04 01:30:00", "2018-11-04T03:30:00+00:00"),
    ],
)
async def test_local_times_around_a_change_of_clocks_are_right(zone: str, local: str, at: str, tmp_path: Path) -> None:
    moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    write(tmp_path / "a.log", f"{local} ERROR job A100 lost\n", at=moment)
    found = await ask(tmp_path, at=moment + timedelta(minutes=5), timezone=zone)
    assert [str(piece.facts["first"]) for piece in found if piece.kind == "log"] == [at]
