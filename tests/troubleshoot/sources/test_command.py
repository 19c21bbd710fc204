"""Any program as a source: what it is given, what is made of what it prints, and that nothing of it stays."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fanfold.troubleshoot.ask import ask
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources import SourceError
from fanfold.troubleshoot.sources.command import Command

NOW = datetime(2024, 12, 11, 9, 0, tzinfo=UTC)
SOON_S = 1.0
ARGUMENTS = "import json, sys; print(json.dumps([{'text': json.dumps(sys.argv[1:])}]))"


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def incident(*jobs: str, **more: Any) -> Incident:
    given = {"message": "por que falhou?", "codes": ("S0C7", "RC=12"), **more}
    return Incident(now=NOW, jobs=jobs, **given)


async def asked(command: list[str], *jobs: str, about: Incident | None = None, **settings: Any) -> list[Evidence]:
    source = Command.make({"command": command, "timeout_s": 30.0, **settings}, Path.cwd())
    async with source.open():
        return list(await source.ask(about or incident(*jobs)))


async def test_objects_are_evidence_whatever_source_and_id_they_claim() -> None:
    said = {
        "source": "tws_status",
        "id": "E1",
        "kind": "change",
        "subject": "BATCH001",
        "text": "Deploy of 08:55 changed the layout, then S0C7",
        "facts": {"what": "deploy", "count": 2, "files": ["a", "b"], "deep": {"x": 1}, "nothing": None},
        "at": "2024-12-11T08:55:00+00:00",
        "reference": "https://deploys/17",
        "score": 7,
        "more": "ignored",
    }
    [piece] = await asked(python(f"print({json.dumps([said])!r})"), name="deploys")
    assert piece == Evidence(
        source="deploys",
        kind="change",
        subject="BATCH001",
        text="Deploy of 08:55 changed the layout, then S0C7",
        facts={"what": "deploy", "count": 2, "files": ["a", "b"], "deep": '{"x": 1}', "nothing": None},
        codes=("S0C7",),
        at=datetime(2024, 12, 11, 8, 55, tzinfo=UTC),
        reference="https://deploys/17",
        score=1.0,
    )


@pytest.mark.parametrize(
    ("printed", "texts"),
    [
        ('[{"text": "one"}, {"text": "two"}]', ["one", "two"]),
        ('{"evidence": [{"text": "one"}]}', ["one"]),
        ('{"text": "one"}', ["one"]),
        ('{"text": "one"}\n{"text": "two"}\n', ["one", "two"]),
        ('["one", 2, {"no": "text"}, null]', ["one", "2", '{"no": "text"}']),
        ("first\nsecond\n\nthird\n", ["first\nsecond", "third"]),
        ("[INFO] no JSON at all", ["[INFO] no JSON at all"]),
        ("", []),
        ("[]", []),
        ('[{"text": "odd", "kind": "poem", "at": "yesterday", "score": "high", "facts": 3, "codes": 4}]', ["odd"]),
        ("[" * 100_000, ["[" * 4_000 + " …"]),
    ],
)
async def test_what_is_printed_becomes_evidence_or_notes(printed: str, texts: list[str], tmp_path: Path) -> None:
    (tmp_path / "printed").write_text(printed)
    evidence = await asked(["cat", str(tmp_path / "printed")])
    assert [piece.text for piece in evidence] == texts
    assert {piece.kind for piece in evidence} <= {"note"}


async def test_numbers_that_no_float_can_hold_cost_nothing() -> None:
    huge = "1" + "0" * 400
    code = (
        f'print(\'[{{"text": "one", "score": {huge}, "facts": {{"n": 1e999}}}}, {{"text": "two", "score": -1e999}}]\')'
    )
    one, two = await asked(python(code))
    assert (one.text, one.score, one.facts["n"]) == ("one", 1.0, None)
    assert (two.text, two.score) == ("two", None)


async def test_codes_are_found_in_lines() -> None:
    [note] = await asked(["echo", "ABEND S0C7 after IGZ0035S"], "BATCH001")
    assert (note.subject, note.codes) == ("BATCH001", ("S0C7", "IGZ0035S"))


async def test_names_are_arguments_of_their_own_whatever_they_hold() -> None:
    job = "J1; touch /x $(id) `id` {message}"
    [piece] = await asked(
        python(ARGUMENTS, "{job}", "--on={instance}", "{message}", "{codes}", "{since}|{until}"),
        about=incident(job, instance="TWS PROD", message="it's\nbroken\x00\x1b[31m"),
    )
    assert json.loads(piece.text) == [
        job,
        "--on=TWS PROD",
        "it's\nbroken[31m",
        "S0C7,RC=12",
        "2024-12-11T08:00:00+00:00|2024-12-11T09:00:00+00:00",
    ]


async def test_with_a_job_it_runs_once_for_each_and_not_at_all_without() -> None:
    evidence = await asked(["echo", "{job}"], "A", "B", "C")
    assert [(piece.subject, piece.text) for piece in evidence] == [("A", "A"), ("B", "B"), ("C", "C")]
    [note] = await asked(["echo", "{job}"])
    assert "no job is known" in note.text


async def test_one_run_that_fails_is_a_note_beside_the_others() -> None:
    evidence = await asked(python("import sys; print(sys.argv[1]); sys.exit(sys.argv[1] == 'B')", "{job}"), "A", "B")
    assert [piece.text for piece in evidence] == ["A", f"{Path(sys.executable).name} ended with exit code 1: B"]


async def test_a_name_is_never_an_option() -> None:
    with pytest.raises(SourceError, match="for an option"):
        await asked(["cat", "{job}"], "--help")
    assert (await asked(["echo", "--job={job}"], "--help"))[0].text == "--job=--help"


async def test_a_name_leads_to_no_other_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.log").write_text("not for you")
    (tmp_path / "logs").mkdir()
    with pytest.raises(SourceError, match="another folder"):
        await asked(["cat", f"{tmp_path}/logs/{{job}}.log"], "../secret")
    assert (await asked(["echo", "{job}/{message}"], "A..B", about=incident("A..B", message="and then ..")))[0].text


async def test_a_name_that_is_refused_costs_the_others_nothing() -> None:
    evidence = await asked(["echo", "{job}"], "A100", "-rf")
    assert evidence[0].text == "A100"
    assert "for an option" in evidence[1].text


async def test_the_incident_goes_to_standard_input_as_json() -> None:
    about = incident("J1", at=NOW, message="não é")
    [piece] = await asked(["cat"], about=about)
    told = json.loads(piece.text)
    assert told["jobs"] == ["J1"]
    assert told["message"] == "não é"
    assert told["until"] == told["at"] == "2024-12-11T09:00:00+00:00"
    assert told["codes"] == ["S0C7", "RC=12"]
    assert await asked(["cat"], about=about, stdin=False) == []


async def test_a_failure_is_told_with_its_last_words_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETS_TOKEN", "plain-words-only")
    code = "import os, sys; print('x' * 9999 + '\\nlast of ' + os.environ['TOKEN'], file=sys.stderr); sys.exit(3)"
    with pytest.raises(SourceError, match="exit code 3") as caught:
        await asked(python(code), secrets={"TOKEN": {"env": "TICKETS_TOKEN"}})
    assert caught.value.message.endswith("last of ***")
    assert len(caught.value.message) < 700


async def test_a_secret_that_is_printed_is_masked(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("orange bicycle\n")
    code = "import os; print('token', os.environ['T'])"
    [piece] = await asked(python(code), secrets={"T": {"file": str(tmp_path / "token")}})
    assert piece.text == "token ***"


async def test_only_allowed_variables_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIDDEN_ONE", "1")
    monkeypatch.setenv("SHOWN_ONE", "1")
    [piece] = await asked(python("import os; print(sorted(os.environ))"), env=["SHOWN_ONE"])
    assert "SHOWN_ONE" in piece.text
    assert "HIDDEN_ONE" not in piece.text


async def test_output_is_bounded() -> None:
    evidence = await asked(
        python("print('x' * 70 + '\\n', end='') or print(('y' * 70 + '\\n') * 1000)"), max_bytes=2048
    )
    assert evidence[-1].text == "its output was cut after 2048 bytes"
    assert sum(len(piece.text) for piece in evidence) < 3000
    many = await asked(python("print('line\\n\\n' * 100)"))
    assert len(many) == 31
    assert many[-1].text == "70 more lines were left out"
    with pytest.raises(SourceError, match="more than 2048 bytes"):
        await asked(python("print('[' + '7,' * 5000 + '7]')"), max_bytes=2048)


async def test_json_can_be_insisted_on_and_lines_too() -> None:
    with pytest.raises(SourceError, match="should have printed JSON"):
        await asked(["echo", "no"], output="json")
    [piece] = await asked(["echo", '{"text": "one"}'], output="text")
    assert piece.text == '{"text": "one"}'


async def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"setsid sleep 600 & echo still at it >&2; echo $$ $! > {pids}; wait"
    with pytest.raises(SourceError, match=r"did not end within .*: still at it"):
        await asked(["sh", "-c", code], timeout_s=2.5)
    await _end(pids)


@pytest.mark.parametrize("printed", ["job A100 lost\\nand ha", '{"text": "job A100 lost"}\\n{"text": "and ha'])
async def test_what_it_had_printed_when_its_time_was_up_is_kept_and_said_to_be_partial(printed: str) -> None:
    kept, note = await asked(["sh", "-c", 'printf "%b" "$0"; sleep 600', printed], timeout_s=SOON_S)
    assert kept.text == "job A100 lost"
    assert "did not end in time: this is what it had printed by then" in note.text


async def test_half_a_document_says_nothing() -> None:
    half = '[\n{"text": "one"},\n'
    with pytest.raises(SourceError, match="did not end within"):
        await asked(["sh", "-c", 'printf %s "$0"; sleep 600', half], timeout_s=SOON_S)


async def test_runs_that_finish_count_though_others_have_no_time_left() -> None:
    code = 'echo "$0"; test "$0" = A || sleep 600'
    evidence = await asked(["sh", "-c", code, "{job}"], "B", "A", "C", timeout_s=SOON_S, limit=2)
    told = [piece.text for piece in evidence]
    assert [text for text in told if len(text) == 1] == ["B", "A", "C"]
    assert sum("by then" in text for text in told) == 2


async def test_whoever_gives_up_leaves_nothing_running(tmp_path: Path) -> None:
    pids = tmp_path / "pid"
    code = f"import os, time; open({str(pids)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    task = asyncio.create_task(asked(python(code)))
    while not (pids.exists() and pids.read_text()):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _end(pids)


async def test_control_characters_do_not_reach_whoever_reads() -> None:
    source = Command.make({"command": python("print('\\x1b[31mred\\x07')"), "timeout_s": 30.0}, Path.cwd())
    async with source.open():
        answered = await ask(source, incident(), timeout_s=30)
    assert answered.evidence[0].text == "red"


async def test_a_program_of_the_project_is_found_from_its_root(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "why"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\npwd\n")
    program.chmod(0o755)
    source = Command.make({"command": ["bin/why"], "timeout_s": 30.0}, tmp_path)
    async with source.open():
        [piece] = await source.ask(incident())
    assert piece.text == str(tmp_path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "needs command"),
        ({"command": []}, "command"),
        ({"command": "echo hi"}, "command"),
        ({"command": ["{job}"]}, "must begin with a program"),
        ({"command": ["echo", "{workstation}"]}, r"unknown placeholder \{workstation\}"),
        ({"command": ["echo"], "shell": True}, "no setting shell"),
        ({"command": ["echo"], "secrets": {"T": "hunter2"}}, r"secrets\.T: a secret is not written"),
        ({"command": ["echo"], "output": "xml"}, "output"),
    ],
)
def test_what_is_wrong_with_settings_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        Command.make(settings, Path.cwd())
    assert caught.value.hint
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


async def test_a_program_or_a_secret_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceError, match="no-such-program is not installed"):
        await asked(["no-such-program"])
    with pytest.raises(SourceError, match="NO_SUCH_SECRET is not set"):
        await asked(["echo"], secrets={"T": {"env": "NO_SUCH_SECRET"}})


async def _end(pids: Path) -> None:
    """They were killed already; until the system has put them away takes a moment."""
    async with asyncio.timeout(10):
        while any(map(_runs, map(int, pids.read_text().split()))):
            await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
