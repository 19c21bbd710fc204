"""The source: what runbooks say about an incident, as evidence."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources import Source, SourceError
from fanfold.troubleshoot.sources.knowledge import Index, Knowledge
from fanfold.troubleshoot.sources.knowledge.settings import settings_of
from fanfold.troubleshoot.sources.knowledge.vectors import VectorsUnavailable

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def incident(message: str, *codes: str, jobs: tuple[str, ...] = ()) -> Incident:
    return Incident(message=message, now=NOW, codes=codes, jobs=jobs)


@pytest.fixture(scope="module")
def index_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the starter set: it takes half a second to make."""
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    with Index.open(path) as index:
        index.update_starter()
    return path


@pytest.fixture
def indexed(index_made: Path, tmp_path: Path) -> Path:
    """A folder of the test's own where the starter set is in the index already."""
    shutil.copy(index_made, tmp_path)
    return tmp_path


async def ask(root: Path, about: Incident, **settings: Any) -> list[Evidence]:
    source: Source = Knowledge.make({"index": "index.sqlite", "timeout_s": 60.0} | settings, root)
    async with source.open():
        return list(await source.ask(about))


async def test_the_starter_set_answers_without_any_configuration(tmp_path: Path) -> None:
    evidence = await ask(tmp_path, incident("Job BATCH001 falhou com ABEND S0C7", "S0C7", jobs=("BATCH001",)))
    first = evidence[0]
    assert (first.source, first.kind, first.score) == ("rag_search", "runbook", 1.0)
    assert first.subject == "S0C7: data exception"
    assert first.reference.startswith("starter:zos-abends.md:")
    assert first.codes == ("S0C7",)
    assert first.facts["entry"] == "zos-abends#s0c7-data-exception"
    assert first.facts["section"] == "z/OS abend codes"
    assert (first.facts["rank"], first.facts["exact"], first.facts["cause"]) == (1, True, "bad_data")
    assert isinstance(first.facts["steps"], list)
    assert len(first.facts["steps"]) == 3
    assert 1 < len(first.text.splitlines()) <= 5
    assert [piece.facts["rank"] for piece in evidence] == [1, 2, 3, 4, 5]


async def test_what_of_the_starter_set_there_is_no_time_for_is_there_the_next_time(tmp_path: Path) -> None:
    about = incident("Job BATCH001 falhou com ABEND S0C7", "S0C7")
    *_, note = await ask(tmp_path, about, timeout_s=0.0001)
    assert (note.kind, note.text) == ("note", "Not all of the starter set is in the index yet: ask once more.")
    assert (await ask(tmp_path, about, timeout_s=60.0))[0].subject == "S0C7: data exception"


async def test_own_runbooks_are_indexed_at_the_first_question_and_cited_by_line(indexed: Path) -> None:
    books = indexed / "books"
    books.mkdir()
    (books / "glx.md").write_text("# GLX\n\n## GLX300 stops at customer 0\n1. Rerun CUSTCOPY.\n")
    evidence = await ask(indexed, incident("why does it stop", jobs=("GLX300",)), paths="books", limit=1)
    assert [piece.reference for piece in evidence] == [f"{books / 'glx.md'}:3"]
    assert evidence[0].facts["steps"] == ["Rerun CUSTCOPY."]
    assert evidence[0].facts["exact"] is False


async def test_the_limit_counts_and_the_starter_set_can_be_left_out(indexed: Path) -> None:
    about = incident("disk full", "ENOSPC")
    assert len(await ask(indexed, about, rag_result_limit=2)) == 2
    assert await ask(indexed, about, starter=False) == []


async def test_what_was_left_out_is_told(indexed: Path) -> None:
    (indexed / "books").mkdir()
    (indexed / "books" / "broken.pdf").write_bytes(b"%PDF-nothing")
    evidence = await ask(indexed, incident("disk full"), paths=["books"])
    notes = [piece for piece in evidence if piece.kind == "note"]
    assert len(notes) == 1
    assert "broken.pdf was left out" in notes[0].text
    assert evidence[-1] is notes[0]


async def test_missing_vectors_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> None:
        raise VectorsUnavailable("wordllama is not installed")

    monkeypatch.setattr("fanfold.troubleshoot.sources.knowledge.index.load_vectors", unavailable)
    evidence = await ask(tmp_path, incident("S0C7", "S0C7"))
    assert evidence[0].facts["entry"] == "zos-abends#s0c7-data-exception"
    assert "words and codes alone: wordllama is not installed" in evidence[-1].text


async def test_secrets_and_control_characters_in_runbooks_do_not_come_out(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("## Zebra gate\nlogin with password=Tr0ub4dor3 \x1b[31m\n- curl -u a:Tr0ub4dor3 x\n")
    (piece,) = await ask(tmp_path, incident("zebra gate"), paths="b.md", starter=False)
    assert "Tr0ub4dor3" not in f"{piece}"
    assert "\x1b" not in piece.text


async def test_several_incidents_at_once_share_one_index(indexed: Path) -> None:
    source = Knowledge.make({"index": "index.sqlite"}, indexed)
    async with source.open():
        answers = await asyncio.gather(*(source.ask(incident("x", code)) for code in ["S0C7", "SB37", "RC=127"] * 5))
    assert [answer[0].codes[0] for answer in answers] == ["S0C7", "SB37", "RC=127"] * 5


async def test_it_can_be_opened_again(indexed: Path) -> None:
    source = Knowledge.make({"index": "index.sqlite"}, indexed)
    for _ in range(2):
        async with source.open():
            assert await source.ask(incident("S0C7", "S0C7"))


async def test_an_index_that_can_not_be_written_leaves_the_starter_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(
        "fanfold.troubleshoot.sources.knowledge.source.default_index_path", lambda: tmp_path / "file" / "x.sqlite"
    )
    source = Knowledge.make({}, tmp_path)
    async with source.open():
        evidence = await source.ask(incident("S0C7", "S0C7"))
    assert evidence[0].facts["cause"] == "bad_data"
    assert "only the starter set" in evidence[-1].text


async def test_a_configured_index_that_can_not_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_text("no database" * 100)
    with pytest.raises(SourceError, match="can't be used"):
        await ask(tmp_path, incident("S0C7"))


async def test_an_index_made_beforehand_is_searched(tmp_path: Path) -> None:
    (tmp_path / "z.md").write_text("## Zebra gate\nOpen it.\n")
    with Index.open(tmp_path / "index.sqlite") as index:
        index.update([tmp_path / "z.md"])
    assert (await ask(tmp_path, incident("zebra gate"), limit=1))[0].subject == "Zebra gate"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"pats": "x"}, "no setting pats"),
        ({"limit": 0}, "limit"),
        ({"timeout_s": -1}, "timeout_s"),
        ({"paths": 3}, "paths"),
        ({"starter": "maybe"}, "starter"),
    ],
)
def test_a_wrong_setting_is_named(table: dict[str, object], words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        Knowledge.make(table, Path())
    assert caught.value.hint


def test_settings_start_from_the_root(tmp_path: Path) -> None:
    settings = settings_of({"paths": ["books"], "index": "i.sqlite", "rag-result-limit": 7}, tmp_path)
    assert (settings.paths, settings.index, settings.limit) == ((tmp_path / "books",), tmp_path / "i.sqlite", 7)
    source = Knowledge(settings)
    assert (source.name, source.timeout_s) == ("rag_search", 5.0)
