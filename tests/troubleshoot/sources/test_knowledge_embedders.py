"""Embedders and searchers that settings name: a server on the loopback interface, and code of one's own."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.knowledge import Entry, Hit, Index, Knowledge, KnowledgeSettings, index_command
from fanfold.troubleshoot.sources.knowledge.embedders import EmbeddingServer, ServedEmbedder, embedder_of
from fanfold.troubleshoot.sources.knowledge.store import Store
from fanfold.troubleshoot.sources.knowledge.vectors import VectorsUnavailable
from fanfold.troubleshoot.sources.protocol import SourceError

TOPICS = (("automobile", "car", "vehicle"), ("printer", "paper"), ("queue", "backlog"))
RUNBOOK = "# Book\n\n## Vehicles\nThe automobile fleet.\n\n## Printing\nThe printer has no paper.\n"


def topics_of(text: str) -> list[float]:
    return [float(any(word in text.lower() for word in topic)) for topic in TOPICS]


@dataclass
class Served:
    """What the server was asked, and how it answers."""

    url: str = ""
    status: int = 200
    body: bytes | None = None
    asked: list[dict[str, object]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@pytest.fixture
def served() -> Iterator[Served]:
    told = Served()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            told.asked.append(asked | {"path": self.path})
            told.keys.append(self.headers["authorization"])
            rows = [{"index": at, "embedding": topics_of(text)} for at, text in enumerate(asked["input"])]
            body = told.body if told.body is not None else json.dumps({"data": rows[::-1]}).encode()
            self.send_response(told.status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Topics:
    """An embedder of one's own."""

    model = "topics-1"

    def of(self, texts: Sequence[str]) -> list[list[float]]:
        return [topics_of(text) for text in texts]


class Wiki:
    """A searcher of one's own: titles and vectors in a database, of which the nearest are found."""

    def __init__(self, root: Path) -> None:
        self._database = sqlite3.connect(root / "wiki.sqlite", check_same_thread=False)

    def search(self, query: str, codes: Sequence[str], limit: int) -> list[Hit]:
        asked_for = topics_of(" ".join([query, *codes]))
        near = [
            (sum(one * other for one, other in zip(asked_for, json.loads(vector), strict=True)), title, text)
            for title, text, vector in self._database.execute("SELECT title, text, vector FROM pages")
        ]
        best = sorted(near, reverse=True)[:limit]
        return [
            Hit(entry=Entry(name=f"wiki#{title}", title=title, text=text), path="wiki", rank=rank, score=score)
            for rank, (score, title, text) in enumerate(best, 1)
        ]

    def close(self) -> None:
        self._database.close()


def not_an_embedder() -> object:
    return object()


def breaks() -> object:
    raise ValueError("no such model")


@pytest.fixture
def runbooks(tmp_path: Path) -> Path:
    folder = tmp_path / "runbooks"
    folder.mkdir()
    (folder / "book.md").write_text(RUNBOOK)
    return folder


def asked(settings: dict[str, object], root: Path, message: str) -> list[Evidence]:
    async def ask() -> list[Evidence]:
        source = Knowledge.make(settings, root)
        async with source.open():
            return list(await source.ask(Incident(message=message, now=datetime(2026, 3, 2, 6, 0, tzinfo=UTC))))

    return asyncio.run(ask())


@pytest.mark.usefixtures("runbooks")
def test_entries_are_found_by_the_vectors_of_a_server(served: Served, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sesame\n")
    settings = {
        "paths": ["runbooks"],
        "index": "index.sqlite",
        "starter": False,
        "embedder": {"url": served.url, "model": "topics", "key": {"file": "key"}},
    }
    first = asked(settings, tmp_path, "cars")[0]
    assert first.facts["title"] == "Vehicles"
    assert {one["path"] for one in served.asked} == {"/v1/embeddings"}
    assert {one["model"] for one in served.asked} == {"topics"}
    assert set(served.keys) == {"Bearer sesame"}
    requests = len(served.asked)
    asked(settings, tmp_path, "cars")
    assert len(served.asked) == requests + 1  # the question alone: nothing else is new


def test_many_texts_are_asked_for_in_batches(served: Served) -> None:
    embedder = ServedEmbedder(EmbeddingServer(url=served.url, model="topics", batch=2))
    assert embedder.of(["car", "paper", "queue"]) == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert [one["input"] for one in served.asked] == [["car", "paper"], ["queue"]]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b'{"error": "not with sesame\\u0007"}', "HTTP 401"),
        (200, b"<html>", "something else than vectors"),
        (200, b'{"data": []}', "0 vectors for 1 texts"),
        (200, b'{"data": [{"index": 0, "embedding": "x"}]}', "something else than vectors"),
        (200, b'{"data": [{"index": 0}]}', "something else than vectors"),
    ],
)
def test_a_server_that_gives_no_vectors_is_told_of(
    served: Served, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, said: str
) -> None:
    monkeypatch.setenv("EMBEDDING_KEY", "sesame")
    served.status, served.body = status, body
    settings = KnowledgeSettings.model_validate(
        {"embedder": {"url": served.url, "model": "topics", "key": {"env": "EMBEDDING_KEY"}}}
    )
    embedder = embedder_of(settings.embedder)
    assert embedder is not None
    with pytest.raises(VectorsUnavailable, match=said) as complaint:
        embedder.of(["car"])
    assert "sesame" not in str(complaint.value)
    assert "sesame" not in repr(settings)


@pytest.mark.usefixtures("runbooks")
def test_without_its_server_words_and_codes_are_searched_and_it_is_said(served: Served, tmp_path: Path) -> None:
    settings: dict[str, object] = {
        "paths": ["runbooks"],
        "index": "index.sqlite",
        "starter": False,
        "embedder": {"url": served.url, "model": "topics"},
    }
    served.status = 503
    found, note = asked(settings, tmp_path, "is there paper")
    assert found.facts["title"] == "Printing"
    assert "by words and codes alone" in note.text
    assert len(served.asked) == 1  # asked once, not for each file and question
    served.status = 200
    assert asked(settings, tmp_path, "cars")[0].facts["title"] == "Vehicles"  # read anew, once there are vectors


@pytest.mark.usefixtures("runbooks")
def test_an_embedder_of_ones_own_is_named_in_the_settings(tmp_path: Path) -> None:
    settings = {
        "paths": ["runbooks"],
        "index": "index.sqlite",
        "starter": False,
        "embedder": f"{__name__}:Topics",
    }
    assert asked(settings, tmp_path, "cars")[0].facts["title"] == "Vehicles"


def test_what_is_indexed_by_command_has_the_vectors_of_the_source(runbooks: Path, tmp_path: Path) -> None:
    index = tmp_path / "index.sqlite"
    index_command([runbooks], index, KnowledgeSettings(embedder=f"{__name__}:Topics", starter=False))
    with Index.open(index, embedder=Topics()) as opened:
        assert opened.update([runbooks]).unchanged == 1
        assert opened.search("cars", by="vectors", limit=1, starter=False)[0].entry.title == "Vehicles"


def test_vectors_of_another_model_are_not_compared(runbooks: Path, tmp_path: Path) -> None:
    index = tmp_path / "index.sqlite"
    with Index.open(index, embedder=Topics()) as one:
        one.update([runbooks])
    with Index.open(index) as other:
        assert not other.search("car", by="vectors")
        assert other.update([runbooks]).changed == (str(runbooks / "book.md"),)
        assert other.search("car", by="vectors", limit=1)[0].entry.title == "Vehicles"


class Wrong:
    """An embedder that gives something else than vectors."""

    model = "wrong"

    def __init__(self, rows: object) -> None:
        self.rows = rows

    def of(self, texts: Sequence[str]) -> list[list[float]]:
        if isinstance(self.rows, Exception) and texts:
            raise self.rows
        return self.rows  # type: ignore[return-value]


@pytest.mark.parametrize("rows", [[], [[]], [["x"]], [[float("nan")]], None, ValueError("out of order")], ids=repr)
def test_an_embedder_that_fails_costs_no_answer(runbooks: Path, rows: object) -> None:
    with Index.open(None, embedder=Wrong(rows)) as index:
        index.update([runbooks])
        assert index.search("is there paper", limit=1)[0].entry.title == "Printing"
        assert "wrong" in index.without_vectors


def test_a_searcher_takes_the_place_of_the_index(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "wiki.sqlite")) as database, database:
        database.execute("CREATE TABLE pages (title, text, vector)")
        pages = [("Vehicles", "The automobile fleet."), ("Queues", "A backlog grows.")]
        database.executemany(
            "INSERT INTO pages VALUES (?, ?, ?)", [(title, text, json.dumps(topics_of(text))) for title, text in pages]
        )
    found = asked({"searcher": f"{__name__}:Wiki", "limit": 1}, tmp_path, "the car broke down")
    assert [one.facts["title"] for one in found] == ["Vehicles"]
    assert found[0].kind == "runbook"


def test_a_searcher_that_fails_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"Wiki failed: OperationalError: no such table"):
        asked({"searcher": f"{__name__}:Wiki"}, tmp_path, "the car broke down")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"embedder": "nobody"}, "there is no nobody among fanfold.embedders"),
        ({"embedder": "no.such.module:Thing"}, "no.such.module:Thing can't be used: ModuleNotFoundError"),
        ({"embedder": f"{__name__}:not_an_embedder"}, "makes no embedder"),
        ({"embedder": f"{__name__}:breaks"}, "ValueError: no such model"),
        ({"embedder": {"url": "ftp://there", "model": "m"}}, "embedder.url: must be an address"),
        ({"embedder": {"url": "http://me:secret@there", "model": "m"}}, "embedder.url: must not hold a user"),
        ({"embedder": {"url": "http://there"}}, "embedder.model"),
        ({"embedder": {"url": "http://there", "model": "m", "key": {"env": "K"}}}, "must be https: the key would go"),
        ({"embedder": {"url": "http://there", "model": "m", "modle": 1}}, "no setting embedder.modle"),
        ({"embedder": {"url": "http://there", "model": "m", "key": "sesame"}}, "embedder.key"),
        ({"embedder": ""}, "embedder: "),
        ({"searcher": "nobody"}, "there is no nobody among fanfold.searchers"),
        ({"searcher": f"{__name__}:Topics"}, "Topics can't be used: TypeError"),
        ({"searcher": f"{__name__}:Wiki", "paths": ["runbooks"]}, "leave out paths"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: dict[str, object], said: str) -> None:
    with pytest.raises(SourceError, match=said) as complaint:
        asked({"index": "index.sqlite", **settings} if "searcher" not in settings else settings, tmp_path, "a question")
    assert "sesame" not in str(complaint.value)
    assert "secret@" not in str(complaint.value)


def test_an_index_of_the_first_format_is_kept_and_read_anew(runbooks: Path, tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with Index.open(path) as index:
        index.update([runbooks])
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "DROP TABLE vocabulary; ALTER TABLE entries DROP COLUMN model; UPDATE documents SET hash = 'of then';"
            "UPDATE entries SET vector = substr(vector, 1, 512); PRAGMA user_version = 1"
        )
    with Index.open(path) as index:
        assert index.search("is there paper", limit=1)[0].entry.title == "Printing"
        assert index.update([runbooks]).changed == (str(runbooks / "book.md"),)
        assert index.search("cars", by="vectors", limit=1)[0].entry.title == "Vehicles"
    with closing(Store(path)) as store:
        assert store.count() == 2
