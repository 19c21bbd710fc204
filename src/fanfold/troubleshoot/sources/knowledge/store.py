"""Entries in a SQLite file: documents, their entries, the codes that these explain, words, vectors."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fanfold.troubleshoot.sources.knowledge.entry import Entry
from fanfold.troubleshoot.sources.knowledge.terms import indexed
from fanfold.troubleshoot.sources.knowledge.told import Rarity
from fanfold.troubleshoot.sources.protocol import SourceError

FORMAT = 2
BUSY_S = 5.0
STARTER = "starter:"
"""What the paths of the starter set's documents begin with; where they are on a disk changes with the installation."""

_TABLES = """
CREATE TABLE documents (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, hash TEXT NOT NULL);
CREATE TABLE entries (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    name TEXT NOT NULL, title TEXT NOT NULL, trail TEXT NOT NULL, text TEXT NOT NULL, place TEXT NOT NULL,
    codes TEXT NOT NULL, about TEXT NOT NULL, keywords TEXT NOT NULL, asked TEXT NOT NULL, cause TEXT NOT NULL,
    steps TEXT NOT NULL, vector BLOB
);
CREATE INDEX entries_document ON entries (document);
CREATE TABLE codes (
    code TEXT NOT NULL, number TEXT NOT NULL, entry INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE,
    explains INTEGER NOT NULL
);
CREATE INDEX codes_code ON codes (code);
CREATE INDEX codes_number ON codes (number);
CREATE INDEX codes_entry ON codes (entry);
CREATE VIRTUAL TABLE words USING fts5 (title, trail, keywords, asked, text, tokenize = 'unicode61 remove_diacritics 2');
CREATE TABLE generation (number INTEGER NOT NULL);
INSERT INTO generation VALUES (0);
"""
# What format 1 lacks. Its vectors, of a model that isn't named, are not used until their documents are read anew.
_SECOND = """
ALTER TABLE entries ADD COLUMN model TEXT NOT NULL DEFAULT '';
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, 'row')
"""
_STEPS = (_TABLES, _SECOND)
# Titles say most, what stands above them little.
_BM25 = "bm25(words, 3.0, 0.5, 2.0, 2.0, 2.0)"
_SYSTEM = re.compile(r"S[0-9A-F]{3}")
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class CodeMatch:
    """An entry that explains a code, or has it in its title."""

    entry: int
    code: str
    tier: int


class Store:
    """One SQLite file, used by any number of threads and processes.

    Raises:
        SourceError: it can't be used as an index.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock()
        self._where = str(path or ":memory:")
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self._where, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._database.close()
            raise self._unusable(error) from error
        except SourceError:
            self._database.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    def hashes(self) -> dict[str, str]:
        """All documents with the hashes of their contents."""
        return dict(self._rows("SELECT path, hash FROM documents"))

    def replace(
        self,
        path: str,
        content_hash: str,
        entries: Sequence[Entry],
        vectors: Sequence[bytes | None],
        model: str = "",
    ) -> None:
        """Put a document's entries in the place of those that it had.

        Args:
            vectors: those of each entry, one after another.
            model: what made them.
        """
        with self._writing() as database:
            _delete(database, path)
            document = database.execute("INSERT INTO documents (path, hash) VALUES (?, ?)", (path, content_hash))
            for entry, vector in zip(entries, vectors, strict=True):
                _insert(database, document.lastrowid or 0, entry, {"vector": vector, "model": model})

    def remove(self, paths: Iterable[str]) -> None:
        """Take documents out."""
        with self._writing() as database:
            for path in paths:
                _delete(database, path)

    def count(self) -> int:
        """How many entries there are."""
        return int(self._rows("SELECT count(*) FROM entries")[0][0])

    def generation(self) -> int:
        """A number that is another after each change, whoever made it."""
        return int(self._rows("SELECT number FROM generation")[0][0])

    def explaining(self, codes: Sequence[str]) -> list[CodeMatch]:
        """Entries that explain codes (tier 0), have them in their titles (1), or explain all of their kind (2)."""
        found = []
        for code in dict.fromkeys(codes):
            rows = self._rows("SELECT entry, explains FROM codes WHERE code = ?", code)
            found += [CodeMatch(entry, code, 0 if explains else 1) for entry, explains in rows]
            kinds = self._rows(
                "SELECT entry FROM codes WHERE code LIKE '%*' AND substr(?, 1, length(code) - 1) = rtrim(code, '*')",
                code,
            )
            found += [CodeMatch(entry, code, 2) for (entry,) in kinds]
        return found

    def numbered(self, numbers: Sequence[str]) -> dict[int, float]:
        """Entries that explain a code with one of these numbers: 126 may be RC=126, 0C4 is S0C4.

        Returns:
            How likely each is the one that is meant, from 0 to 1: less if others have the same number.
        """
        found: dict[int, float] = {}
        for number in numbers:
            rows = self._rows("SELECT DISTINCT entry FROM codes WHERE explains AND number = ?", number)
            for (entry,) in rows:
                found[entry] = max(1 / len(rows), found.get(entry, 0.0))
        return found

    def worded(self, terms: Sequence[str], limit: int) -> list[tuple[int, float]]:
        """Entries that hold any of the terms, the best first, with how good they are."""
        if not terms:
            return []
        any_of = " OR ".join(f'"{term}"' for term in terms)
        return [
            (entry, -score)
            for entry, score in self._rows(
                f"SELECT rowid, {_BM25} AS score FROM words WHERE words MATCH ? ORDER BY score, rowid LIMIT ?",  # noqa: S608 no input
                any_of,
                limit,
            )
        ]

    def vectors(self, model: str) -> list[tuple[int, bytes]]:
        """All entries that have vectors of a model, with these."""
        return self._rows("SELECT id, vector FROM entries WHERE vector IS NOT NULL AND model = ? ORDER BY id", model)

    def rarity(self) -> Rarity:
        """How rare each word is among the entries."""
        rows = self._rows("SELECT term, doc, cnt FROM vocabulary")
        entries = self.count()
        return Rarity(entries, {term: held for term, held, _ in rows}, sum(row[2] for row in rows) / max(entries, 1))

    def starter_entries(self) -> frozenset[int]:
        """The entries of the starter set."""
        rows = self._rows(
            "SELECT e.id FROM entries e JOIN documents d ON d.id = e.document WHERE substr(d.path, 1, ?) = ?",
            len(STARTER),
            STARTER,
        )
        return frozenset(entry for (entry,) in rows)

    def entry(self, number: int) -> tuple[Entry, str] | None:
        """An entry and the path of its document; None = it was removed meanwhile."""
        rows = self._rows(
            "SELECT e.name, e.title, e.text, e.trail, e.place, e.codes, e.about, e.keywords, e.asked, e.cause, "
            "e.steps, d.path "
            "FROM entries e JOIN documents d ON d.id = e.document WHERE e.id = ?",
            number,
        )
        if not rows:
            return None
        name, title, text, trail, place, codes, about, keywords, asked, cause, steps, path = rows[0]
        entry = Entry(
            name=name,
            title=title,
            text=text,
            trail=tuple(json.loads(trail)),
            place=place,
            codes=tuple(json.loads(codes)),
            about=tuple(json.loads(about)),
            keywords=keywords,
            asked=tuple(json.loads(asked)),
            cause=cause,
            steps=tuple(json.loads(steps)),
        )
        return entry, path

    def numbers(self) -> list[int]:
        """The numbers of all entries."""
        return [number for (number,) in self._rows("SELECT id FROM entries ORDER BY id")]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    yield self._database
                    self._database.execute("UPDATE generation SET number = number + 1")
                    self._database.execute("COMMIT")
                except BaseException:
                    self._database.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise self._unusable(error) from error

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            try:
                return self._database.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise self._unusable(error) from error

    def _prepare(self) -> None:
        database = self._database
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA journal_mode = WAL")
        if self._format() < FORMAT:
            self._bring_up_to_date()
        if self._format() != FORMAT:
            raise SourceError(
                f"the index {self._where} was made by another version", hint="delete it and index the runbooks again"
            )

    def _bring_up_to_date(self) -> None:
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        if self._format() == 0 and database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            database.execute("ROLLBACK")
            raise SourceError(f"{self._where} is no index of knowledge", hint="name another file for the index")
        while (known := self._format()) < FORMAT:
            for statement in filter(str.strip, _STEPS[known].split(";")):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {known + 1}")
        database.execute("COMMIT")

    def _format(self) -> int:
        return int(self._database.execute("PRAGMA user_version").fetchone()[0])

    def _unusable(self, error: Exception) -> SourceError:
        return SourceError(
            f"the index {self._where} can't be used: {error}", hint="look at its rights and its disk, or delete it"
        )


def _delete(database: sqlite3.Connection, path: str) -> None:
    inside = "(SELECT e.id FROM entries e JOIN documents d ON d.id = e.document WHERE d.path = ?)"
    database.execute(f"DELETE FROM words WHERE rowid IN {inside}", (path,))  # noqa: S608 no input
    database.execute("DELETE FROM documents WHERE path = ?", (path,))


def number_of(code: str) -> str:
    """The number in a code, as people write it alone: 3113 for ORA-03113, 0C4 for S0C4, 911 for SQLCODE=-911."""
    if _SYSTEM.fullmatch(code):
        return code[1:]
    found = _DIGITS.search(code)
    return str(int(found[0])) if found else ""


def _insert(database: sqlite3.Connection, document: int, entry: Entry, vectors: Mapping[str, object]) -> None:
    plain = {
        "document": document,
        "name": entry.name,
        "title": entry.title,
        "text": entry.text,
        "place": entry.place,
        "keywords": entry.keywords,
        "cause": entry.cause,
        **vectors,
    }
    lists = {
        name: json.dumps(getattr(entry, name), ensure_ascii=False)
        for name in ("trail", "codes", "about", "asked", "steps")
    }
    row = _put(database, "entries", plain | lists)
    words = {
        "title": entry.title,
        "trail": " ".join(entry.trail),
        "keywords": " ".join((entry.keywords, *entry.codes)),
        "asked": "\n".join(entry.asked),
        "text": entry.text,
    }
    _put(database, "words", {"rowid": row} | {column: indexed(text) for column, text in words.items()})
    for code in (*entry.codes, *entry.about):
        explains = int(code in entry.codes)
        _put(database, "codes", {"code": code, "number": number_of(code), "entry": row, "explains": explains})


def _put(database: sqlite3.Connection, table: str, values: Mapping[str, object]) -> int:
    marks = ", ".join("?" * len(values))
    statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608 names of our own
    return database.execute(statement, tuple(values.values())).lastrowid or 0
