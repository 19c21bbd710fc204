"""The source: what runbooks and past incidents say about an incident."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fanfold.redact import redact
from fanfold.troubleshoot.evidence import Evidence, Fact
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.knowledge.embedders import embedder_of
from fanfold.troubleshoot.sources.knowledge.entry import Hit
from fanfold.troubleshoot.sources.knowledge.index import Index, default_index_path
from fanfold.troubleshoot.sources.knowledge.searcher import Searcher, searcher_of
from fanfold.troubleshoot.sources.knowledge.settings import KnowledgeSettings, settings_of
from fanfold.troubleshoot.sources.protocol import SourceError

MAX_CHARS = 700
MAX_LINES = 5
MOST_SKIPPED = 3
STARTER_NOT_ALL = "Not all of the starter set is in the index yet: ask once more."
NOT_ALL = "Not all runbooks are in the index yet: run `fanfold knowledge index`."


class Knowledge:
    """Looks an incident up in runbooks and past incidents.

    Args:
        settings: where they are, and how many entries are told.
        root: the project's folder, for a searcher of its own.
    """

    def __init__(self, settings: KnowledgeSettings, root: Path | None = None) -> None:
        self._settings = settings
        self._root = root or Path()
        self._searcher: Searcher | None = None
        self._notes: list[str] = []
        self._preparing = asyncio.Lock()

    @classmethod
    def make(cls, settings: Mapping[str, object], root: Path) -> Knowledge:
        """The source with the settings of its table; see `KnowledgeSettings`.

        Raises:
            SourceError: a setting is unknown or wrong.
        """
        return cls(settings_of(settings, root), root)

    @property
    def name(self) -> str:
        """What reports call it."""
        return self._settings.name

    @property
    def timeout_s(self) -> float:
        """Seconds until its answer is no longer waited for."""
        return self._settings.timeout_s

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The index, as long as the block; it's opened when it is first asked."""
        try:
            yield
        finally:
            searcher, self._searcher, self._notes = self._searcher, None, []
            if searcher is not None:
                await asyncio.to_thread(searcher.close)

    async def ask(self, incident: Incident) -> Sequence[Evidence]:
        """The entries that fit best; those that explain one of the incident's codes come first.

        Raises:
            SourceError: the index can't be used.
        """
        searcher = await self._ready()
        told = self._settings
        query = " ".join([incident.message, *incident.jobs])
        hits = await asyncio.to_thread(self._found, searcher, query, incident.codes)
        notes = [*self._notes, *_without_vectors(searcher, told)]
        return [*(self._evidence(hit) for hit in hits[: told.limit]), *map(self._note, notes)]

    def _found(self, searcher: Searcher, query: str, codes: Sequence[str]) -> Sequence[Hit]:
        limit = self._settings.limit
        if isinstance(searcher, Index):
            return searcher.search(query, codes, limit, starter=self._settings.starter)
        try:
            return searcher.search(query, codes, limit)
        except Exception as error:  # a searcher is anybody's code
            raise SourceError(
                f"{self._settings.searcher} failed: {type(error).__name__}: {error}", hint="look at what it asks"
            ) from error

    async def _ready(self) -> Searcher:
        async with self._preparing:
            if self._searcher is not None:
                return self._searcher
            searcher, self._notes = await asyncio.to_thread(self._prepared)
            self._searcher = searcher
            return searcher

    def _prepared(self) -> tuple[Searcher, list[str]]:
        """The index, up to date as far as there is time, or what takes its place; and what is worth knowing of it."""
        told = self._settings
        notes: list[str] = []
        if told.searcher is not None:
            return searcher_of(told.searcher, self._root), notes
        embedder = embedder_of(told.embedder)
        # A part of it in time is better than all of it too late; other embedders take far longer than this one.
        budget_s = told.timeout_s * (0.7 if embedder is None else 0.5)
        try:
            index = Index.open(told.index or default_index_path(), with_vectors=told.vectors, embedder=embedder)
            if told.starter and not index.update_starter(budget_s=budget_s).is_complete:
                notes.append(STARTER_NOT_ALL)
        except SourceError as error:
            if told.paths or told.index is not None or not told.starter:
                raise
            notes.append(f"{error.message}; only the starter set was searched")
            index = Index.open(None, with_vectors=told.vectors)
            index.update_starter()
        if told.paths:
            notes += self._updated(index)
        return index, notes

    def _updated(self, index: Index) -> list[str]:
        updated = index.update(self._settings.paths, budget_s=self.timeout_s / 2)
        notes = [f"{skipped.path} was left out: {skipped.why}" for skipped in updated.skipped[:MOST_SKIPPED]]
        if len(updated.skipped) > MOST_SKIPPED:
            notes.append(f"{len(updated.skipped) - MOST_SKIPPED} more files were left out.")
        if not updated.is_complete:
            notes.append(NOT_ALL)
        return notes

    def _evidence(self, hit: Hit) -> Evidence:
        entry = hit.entry
        facts: dict[str, Fact] = {
            "entry": _clean(entry.name),
            "title": _clean(entry.title),
            "section": _clean(" > ".join(entry.trail)),
            "rank": hit.rank,
            "exact": bool(hit.exact),
            "cause": entry.cause or None,
            "steps": [_clean(step) for step in entry.steps],
        }
        return Evidence(
            source=self.name,
            kind="runbook",
            subject=_clean(entry.title),
            text=_text(entry.title, entry.text),
            facts=facts,
            codes=tuple(dict.fromkeys([*hit.exact, *entry.codes])),
            reference=_clean(hit.reference),
            score=hit.score,
        )

    def _note(self, text: str) -> Evidence:
        return Evidence(source=self.name, kind="note", subject="knowledge", text=_clean(text))


def _without_vectors(searcher: Searcher, told: KnowledgeSettings) -> list[str]:
    if not told.vectors or not isinstance(searcher, Index) or not (why := searcher.without_vectors):
        return []
    return [f"Runbooks were searched by words and codes alone: {why}."]


def _text(title: str, text: str) -> str:
    """The title and the first paragraph; the rest stands where the reference points, and steps are facts."""
    first = next((part for part in text.split("\n\n") if part.strip()), "")
    lines = [line.strip() for line in first.splitlines() if line.strip()][: MAX_LINES - 1]
    return _clean("\n".join([title, *lines]))


def _clean(text: str) -> str:
    """Without control characters and secrets, and not too long; cut last, for half a secret isn't recognised."""
    kept = redact("".join(letter for letter in text if letter.isprintable() or letter == "\n"))
    return kept if len(kept) <= MAX_CHARS else f"{kept[:MAX_CHARS]} …"
