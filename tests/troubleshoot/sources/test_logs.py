"""What the log source finds in files."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources import SourceError
from fanfold.troubleshoot.sources.logs import Logs, files
from fanfold.troubleshoot.sources.logs import harvest as harvesting
from fanfold.troubleshoot.sources.logs.files import LogFile, Part
from fanfold.troubleshoot.sources.logs.reader import Reader

NOW = datetime(2024, 12, 11, 9, 0, tzinfo=UTC)


def log(folder: Path, *lines: str | bytes, name: str = "app.log", at: datetime = NOW) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def line(hours_ago: float, text: str) -> str:
    return f"{NOW - timedelta(hours=hours_ago):%Y-%m-%d %H:%M:%S} {text}"


def incident(*jobs: str, at: datetime | None = NOW, **more: Any) -> Incident:
    return Incident(message="?", now=NOW, at=at, jobs=jobs, **more)


async def ask(folder: Path, about: Incident, **settings: Any) -> Sequence[Evidence]:
    given: dict[str, Any] = {"paths": [str(folder)], "timezone": "UTC", "timeout_s": 60.0}
    source = Logs.make({**given, **settings}, folder)
    async with source.open():
        return await source.ask(about)


def logs(found: Sequence[Evidence]) -> list[Evidence]:
    return [piece for piece in found if piece.kind == "log"]


async def test_10_000_equal_lines_are_one_piece_with_their_count(tmp_path: Path) -> None:
    log(tmp_path, *(line(0.5, f"ERROR BATCH001 registro {n} inválido: ABEND S0C7") for n in range(10_000)))
    [piece] = logs(await ask(tmp_path, incident("BATCH001")))
    assert piece.facts["count"] == 10_000
    assert piece.facts["first"] == piece.facts["last"] == "2024-12-11T08:30:00+00:00"
    assert piece.facts["level"] == "error"
    assert piece.codes == ("S0C7",)
    assert "registro 0 inválido" in piece.text


async def test_what_is_new_comes_before_what_is_there_every_day(tmp_path: Path) -> None:
    daily = [line(24 * day + 0.6, "ERROR job BATCH001: connection to 10.0.0.1 lost, retrying") for day in range(5)]
    log(tmp_path, *reversed(daily), line(0.5, "ERROR job BATCH001: /in/VENDAS.csv: No such file or directory"))
    first, second = logs(await ask(tmp_path, incident("BATCH001")))
    assert "No such file" in first.text
    assert (first.facts["usual"], first.facts["before"]) == (False, 0)
    assert (second.facts["usual"], second.facts["before"]) == (True, 4)
    assert "new: not once" in first.text
    assert "usual: 4 times" in second.text


async def test_without_lines_from_before_nobody_says_that_it_is_new(tmp_path: Path) -> None:
    log(tmp_path, line(0.5, "ERROR job BATCH001 lost"))
    [piece] = logs(await ask(tmp_path, incident("BATCH001")))
    assert piece.facts["usual"] is None
    assert "don't say whether that is usual" in piece.text


async def test_what_was_there_once_a_day_and_comes_100_times_is_not_usual(tmp_path: Path) -> None:
    before = [line(24 * day + 2, "WARN job BATCH001 waits for a lock") for day in range(3)]
    log(tmp_path, *reversed(before), *[line(0.5, "WARN job BATCH001 waits for a lock")] * 100)
    [piece] = logs(await ask(tmp_path, incident("BATCH001")))
    assert piece.facts["usual"] is False


async def test_of_a_flood_the_newest_lines_count(tmp_path: Path) -> None:
    flood = [line(2 - n / 1_000, f"ERROR job A100: record {n} lost") for n in range(2_000)]
    log(tmp_path, line(30, "ERROR job A100: first"), *flood)
    found = await ask(tmp_path, incident("A100"), max_lines=100)
    [piece] = logs(found)
    assert piece.facts["count"] == 100
    assert "only the newest 200 of 2001 lines were compared" in found[-1].text
    assert piece.facts["last"] == "2024-12-11T08:59:56+00:00"
    assert "in the 0.1 hours before" in piece.text


@pytest.mark.parametrize("other", ["BATCH0011", "XBATCH001", "BATCH001_OLD", "BATCH001-X", "PRE-BATCH001"])
async def test_a_job_is_a_whole_word(tmp_path: Path, other: str) -> None:
    log(tmp_path, line(0.5, f"ERROR job {other} failed"), line(0.4, "ERROR WS1#JS.BATCH001: falhou"))
    [piece] = logs(await ask(tmp_path, incident("BATCH001"), max_others=0))
    assert "falhou" in piece.text


async def test_each_job_gets_its_own_answer_and_errors_of_no_job_are_told_apart(tmp_path: Path) -> None:
    log(
        tmp_path,
        line(3, "INFO all well"),
        line(0.5, "ERROR job A100 failed with RC=8"),
        line(0.5, "ERROR job B200 failed with RC=12"),
        line(0.5, "ERROR job C300 failed with RC=16"),
        line(0.4, "ERROR ORA-12541: TNS:no listener"),
    )
    found = logs(await ask(tmp_path, incident("A100", "B200")))
    assert {piece.subject: piece.codes for piece in found} == {
        "A100": ("RC=8",),
        "B200": ("RC=12",),
        "app.log": ("ORA-12541",),
    }
    assert found[-1].facts["job"] is None


async def test_without_a_job_all_errors_of_the_window_are_told(tmp_path: Path) -> None:
    log(tmp_path, line(9, "ERROR job OLD1 failed"), line(0.5, "ERROR job A100 failed"), line(0.5, "INFO job B200 fine"))
    assert [piece.subject for piece in logs(await ask(tmp_path, incident()))] == ["A100"]


async def test_when_it_happened_isnt_known_the_newest_errors_count(tmp_path: Path) -> None:
    log(tmp_path, line(30, "ERROR job A100 failed: first"), line(9, "ERROR job A100 failed: second"))
    [piece] = logs(await ask(tmp_path, incident("A100", at=None)))
    assert "second" in piece.text


async def test_a_job_that_logs_nothing_wrong_is_said_to(tmp_path: Path) -> None:
    log(tmp_path, line(0.5, "INFO job A100 all fine"))
    [note] = await ask(tmp_path, incident("A100"))
    assert note.kind == "note"
    assert "No error or warning of A100" in note.text


async def test_the_schedulers_own_header_names_the_job_of_the_lines_below_it(tmp_path: Path) -> None:
    def run(day: int, status: int, *printed: str) -> list[str]:
        bar = "=" * 63
        return [
            bar,
            f"= JOB       : MASTER#FECHAMENTO[(0600 12/{day:02d}/24),(JS1)].BATCH001",
            "= USER      : operator",
            "= JCLFILE   : /opt/batch.sh",
            f"= Wed 12/{day:02d}/2024 08:00:00 UTC",
            bar,
            *printed,
            bar,
            f"= Exit Status           : {status}",
            "= Elapsed Time (hh:mm:ss) : 00:02:00",
            f"= Wed 12/{day:02d}/2024 08:02:00 UTC",
            bar,
        ]

    lines = [*run(9, 0), *run(10, 0), *run(11, 127, "/opt/batch.sh: line 3: carregar: command not found")]
    log(tmp_path, *lines, name="stdlist/O123.0600")
    found = await ask(tmp_path, incident("BATCH001"))
    told = logs(found)
    assert any("command not found" in piece.text for piece in told)
    assert any("RC=127" in piece.codes for piece in told)
    [history] = [piece for piece in found if piece.kind == "history"]
    assert dict(history.facts) == {
        "job": "BATCH001",
        "failures": 1,
        "successes": 2,
        "last_failure": "2024-12-11T08:02:00+00:00",
        "last_success": "2024-12-10T08:02:00+00:00",
        "usual_elapsed_s": 120.0,
    }


async def test_ends_in_ordinary_lines_are_history(tmp_path: Path) -> None:
    log(
        tmp_path,
        line(49, "job A100 started"),
        line(48.9, "job A100 terminou com sucesso"),
        line(25, "$HASP373 A100 STARTED"),
        line(24.9, "$HASP395 A100 ENDED - RC=0000"),
        line(0.9, "job A100 started"),
        line(0.5, "job A100 terminou com RC=8"),
    )
    [history] = [piece for piece in await ask(tmp_path, incident("A100")) if piece.kind == "history"]
    assert (history.facts["failures"], history.facts["successes"]) == (1, 2)
    assert history.facts["usual_elapsed_s"] == 360.0


@pytest.mark.parametrize(
    ("said", "level", "codes"),
    [
        ("ERROR lost", "error", ()),
        ("[warning] slow", "warning", ()),
        ("level=fatal x", "error", ()),
        ("INFO done, 0 errors", None, ()),
        ("DEBUG error handler was installed", None, ()),
        ("INFO job A100 ended with RC=12", "warning", ("RC=12",)),
        ("AWSBIS307I Starting /opt/error/x.sh", None, ()),
        ("AWSBHT024E the job was not started", "error", ("AWSBHT024E",)),
        ("sem espaço em disco", "error", ()),
        ("arquivo /in/a.csv não encontrado", "error", ()),
        ("O job A100 falhou com ABEND S0C7", "error", ("S0C7",)),
        ("java.lang.OutOfMemoryError: Java heap space", "error", ()),
        ("IEF450I A100 STEP1 - ABEND=S0C7 U0000", "error", ("IEF450I", "S0C7")),
        ("all well", None, ()),
    ],
)
async def test_what_a_line_says_of_itself_decides_and_else_its_words_and_codes(
    tmp_path: Path, said: str, level: str | None, codes: tuple[str, ...]
) -> None:
    log(tmp_path, line(0.5, said))
    found = logs(await ask(tmp_path, incident()))
    assert [(piece.facts["level"], piece.codes) for piece in found] == ([(level, codes)] if level else [])


@pytest.mark.parametrize(
    ("said", "failures", "successes"),
    [
        ("job A100 finished with 0 errors", 0, 1),
        ("job A100 finished with 3 errors", 1, 0),
        ("job A100 ended, status SUCC", 0, 1),
        ("MASTER#JS.A100 terminou com código 16", 1, 0),
        ("IEF450I A100 STEP1 - ABEND=S0C7 U0000", 1, 0),
        ("$HASP395 A100 ENDED", 0, 1),
        ("A100 is about to be started", None, None),
        ("step of job A100 wrote: error", None, None),
    ],
)
async def test_how_a_job_ended_is_told_by_its_line(
    tmp_path: Path, said: str, failures: int | None, successes: int | None
) -> None:
    log(tmp_path, line(0.5, said))
    found = [piece.facts for piece in await ask(tmp_path, incident("A100")) if piece.kind == "history"]
    told = [(facts["failures"], facts["successes"]) for facts in found]
    assert told == ([] if failures is None else [(failures, successes)])


async def test_json_lines_and_syslog_are_understood(tmp_path: Path) -> None:
    record = {
        "timestamp": "2024-12-11T05:30:00-03:00",
        "level": "ERROR",
        "host": "srv7",
        "job_name": "A100",
        "msg": "x",
    }
    log(
        tmp_path,
        json.dumps(record),
        "<11>Dec 11 08:31:00 srv8 loader[77]: job A100: disk full on /data",
        json.dumps({"ts": 1733905920000, "severity": "info", "job": "A100", "message": "all well"}),
    )
    found = {str(piece.facts["host"]): piece for piece in logs(await ask(tmp_path, incident("A100")))}
    assert found["srv7"].facts["first"] == "2024-12-11T08:30:00+00:00"
    assert found["srv8"].facts["level"] == "error"
    assert len(found) == 2


async def test_a_trace_belongs_to_the_error_above_it(tmp_path: Path) -> None:
    log(
        tmp_path,
        line(0.5, "ERROR job A100 stopped"),
        "Traceback (most recent call last):",
        "ValueError: campo VALOR inválido",
        line(9 / 60, "INFO fine"),
        name="A100.log",
    )
    texts = " ".join(piece.text for piece in logs(await ask(tmp_path, incident("A100"))))
    assert "campo VALOR inválido" in texts


@pytest.mark.parametrize("name", ["A100.log", "A100_20241211.out", "A100-0600.txt", "a100.log.1"])
async def test_a_file_named_after_the_job_is_the_jobs(tmp_path: Path, name: str) -> None:
    log(tmp_path, line(0.5, "ERROR no space left on device"), name=name)
    [piece] = logs(await ask(tmp_path, incident("A100")))
    assert piece.subject == "A100"


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
async def test_rotated_and_compressed_files_count(tmp_path: Path, ending: str, pack: Any) -> None:
    log(tmp_path, line(0.2, "ERROR job A100: three"), name="app.log")
    log(tmp_path, line(0.4, "ERROR job A100: two"), name="app.log.1")
    packed = tmp_path / f"app.log.2.{ending}"
    packed.write_bytes(pack(line(0.6, "ERROR job A100: one").encode() + b"\n"))
    os.utime(packed, (NOW.timestamp(), NOW.timestamp()))
    texts = " ".join(piece.text for piece in logs(await ask(tmp_path, incident("A100"))))
    assert all(word in texts for word in ("one", "two", "three"))


async def test_a_damaged_archive_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    log(tmp_path, line(0.2, "ERROR job A100: here"), name="app.log")
    log(tmp_path, gzip.compress(os.urandom(100_000))[:5_000], name="app.log.1.gz")
    found = await ask(tmp_path, incident("A100"))
    assert len(logs(found)) == 1
    assert any("can't be unpacked" in piece.text for piece in found if piece.kind == "note")


async def test_an_archive_that_grows_without_end_is_given_up(tmp_path: Path) -> None:
    log(tmp_path, gzip.compress(b"x" * 8_000_000), name="bomb.gz")
    found = await ask(tmp_path, incident("A100"), max_bytes=65_536)
    assert any("bytes were unpacked" in piece.text for piece in found)


async def test_of_a_large_file_the_part_up_to_the_incident_is_read(tmp_path: Path) -> None:
    fill = "x" * 80
    lines = [line(48 - n / 1_000, f"INFO {n} {fill}") for n in range(48_000)]
    lines[30_000] = line(18, "ERROR job A100: in the middle")
    log(tmp_path, *lines)
    about = incident("A100", at=NOW - timedelta(hours=18))
    found = await ask(tmp_path, about, max_bytes=400_000)
    assert "in the middle" in logs(found)[0].text


async def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    log(tmp_path / "elsewhere", line(0.5, "ERROR job A100: private"), name="x.log")
    inside = tmp_path / "logs"
    log(inside, line(0.5, "ERROR job A100: public"), name="real.log")
    (inside / "out.log").symlink_to(tmp_path / "elsewhere" / "x.log")
    (inside / "folder").symlink_to(tmp_path / "elsewhere")
    (inside / "loop").symlink_to(inside)
    os.mkfifo(inside / "pipe.log")
    for paths in ([str(inside)], ["*.log"], ["**/*.log"]):
        [piece] = logs(await ask(inside, incident("A100"), paths=paths))
        assert "public" in piece.text


async def test_secrets_are_masked_in_all_that_is_told(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2" * 10
    log(tmp_path, line(0.5, f"ERROR job A100: login with token={secret} failed"))
    [piece] = logs(await ask(tmp_path, incident("A100")))
    assert "***" in piece.text
    assert secret not in repr(piece)
    assert secret[:12] not in repr(piece)


async def test_junk_and_huge_lines_and_old_encodings_do_no_harm(tmp_path: Path) -> None:
    log(tmp_path, os.urandom(50_000), name="junk.bin")
    log(
        tmp_path,
        b"\x00\x00bad\x1b[31m\xff\xfe",
        line(0.6, "ERROR job A100 " + "x" * 3_000_000),
        line(0.5, "ERROR job A100: memória esgotada").encode("cp1252"),
        b"{" * 5_000,
    )
    found = logs(await ask(tmp_path, incident("A100")))
    assert any("memória esgotada" in piece.text for piece in found)
    assert all(len(piece.text) < 2_000 and "\x1b" not in piece.text for piece in found)


async def test_text_in_two_bytes_a_letter_is_read(tmp_path: Path) -> None:
    log(tmp_path, ("\ufeff" + line(0.5, "ERROR job A100: não encontrado") + "\n").encode("utf-16-le"))
    [piece] = logs(await ask(tmp_path, incident("A100")))
    assert "não encontrado" in piece.text


async def test_a_time_far_in_the_future_is_not_believed(tmp_path: Path) -> None:
    log(tmp_path, line(0.5, "ERROR job A100: real"), "2099-01-01 00:00:00 ERROR job A100: wrong clock")
    found = logs(await ask(tmp_path, incident("A100")))
    assert {str(piece.facts["last"])[:4] for piece in found} == {"2024"}


async def test_a_file_that_hangs_loses_nothing_of_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a server of files does that is gone: the thread that reads can't be stopped."""
    log(tmp_path, line(0.5, "ERROR job A100 lost"), name="b.log")
    log(tmp_path, line(0.5, "ERROR job A100 late"), name="a.log", at=NOW - timedelta(minutes=5))
    hangs, read_back = Event(), files.read_back

    def reading(file: LogFile, **more: Any) -> Part:
        if file.path.name == "a.log":
            hangs.wait(30)
        return read_back(file, **more)

    monkeypatch.setattr(harvesting, "read_back", reading)
    try:
        found = await ask(tmp_path, incident("A100"), timeout_s=0.5)
    finally:
        hangs.set()
    assert ["lost" in piece.text for piece in logs(found)] == [True]
    assert any("in time: this is what was found by then" in piece.text for piece in found)


async def test_a_folder_without_end_is_searched_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_ENTRIES", 5)
    for number in range(9):
        log(tmp_path, line(0.5, "ERROR job A100 lost"), name=f"{number}.log")
    found = await ask(tmp_path, incident("A100"))
    assert logs(found)[0].facts["count"] == 5
    assert any("was not searched to its end" in piece.text for piece in found)


async def test_paths_that_arent_there_are_an_error_only_where_nothing_else_is(tmp_path: Path) -> None:
    log(tmp_path, line(0.5, "ERROR job A100 failed"))
    found = await ask(tmp_path, incident("A100"), paths=[str(tmp_path), "nowhere"])
    assert any("there is no" in piece.text for piece in found)
    with pytest.raises(SourceError, match="no log could be read: there is no"):
        await ask(tmp_path, incident("A100"), paths=["nowhere"])


async def test_patterns_are_paths(tmp_path: Path) -> None:
    log(tmp_path, line(0.5, "ERROR job A100 failed"), name="a/x.log")
    log(tmp_path, line(0.5, "ERROR job A100 lost"), name="b/x.txt")
    [piece] = logs(await ask(tmp_path, incident("A100"), paths=["*/*.log"]))
    assert "failed" in piece.text


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "needs redis or paths"),
        ({"paths": ["x"], "colour": 1}, "no setting colour"),
        ({"paths": ["x"], "timezone": "Mars/Base"}, "timezone: must be a zone"),
        ({"paths": ["x"], "max_bytes": 1}, "max_bytes"),
        ({"redis": "redis://:hunter2@localhost"}, "must not hold a user or a password"),
        ({"redis": "http://localhost"}, "must be an address"),
        ({"redis": {"url": "redis://localhost", "password": "hunter2"}}, "a secret is not written into settings"),
        ({"redis": {"url": "redis://localhost", "colour": 1}}, "no setting redis.colour"),
    ],
)
def test_wrong_settings_are_named_and_no_secret_is_repeated(table: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=said) as raised:
        Logs.make(table, tmp_path)
    assert "hunter2" not in f"{raised.value} {raised.value.hint}"


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
    )
)
def test_no_line_makes_the_reader_raise(lines: list[bytes]) -> None:
    reader = Reader("x", near=NOW.timestamp(), every=True, all_ends=True)
    for number, raw in enumerate(lines):
        reader.read(raw, number)
        reader.read(b"= JOB : A#B." + raw, number)
        reader.read(b'{"message": "' + raw + b'"}', number)
