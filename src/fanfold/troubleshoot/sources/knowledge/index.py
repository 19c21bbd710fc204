"""The index of runbooks and past incidents: bring it up to date, search it."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from platformdirs import user_data_path

from fanfold.config.settings import expanded
from fanfold.troubleshoot.sources.knowledge.documents import Unreadable, blocks_of, content_of, files_under
from fanfold.troubleshoot.sources.knowledge.embedders import embedder_of
from fanfold.troubleshoot.sources.knowledge.entry import Entry, Hit, Skipped, Updated
from fanfold.troubleshoot.sources.knowledge.search import Search
from fanfold.troubleshoot.sources.knowledge.settings import KnowledgeSettings
from fanfold.troubleshoot.sources.knowledge.split import entries_of
from fanfold.troubleshoot.sources.knowledge.store import STARTER, Store
from fanfold.troubleshoot.sources.knowledge.terms import GLOSSARY, VERSION
from fanfold.troubleshoot.sources.knowledge.vectors import Embedder, VectorsUnavailable, load_vectors, vectors_of

STARTER_SET = Path(__file__).with_name("starter")
VECTOR_CHARS = 1_500
MOST_ASKED = 50
BATCH = 256


def default_index_path() -> Path:
    """Where the index is unless the configuration says otherwise: in the user's data folder."""
    return user_data_path("fanfold", appauthor=False) / "knowledge.sqlite"


def index_command(
    paths: Iterable[Path], index_path: Path | None = None, settings: KnowledgeSettings | None = None
) -> Updated:
    """Index the runbooks under `paths` (what `fanfold knowledge index` does).

    Args:
        settings: those of the source that will search, so that both make the same vectors.
    Raises:
        SourceError: the index can't be used, or there is no such embedder.
    """
    embedder = embedder_of(settings.embedder) if settings else None
    with_vectors = settings.vectors if settings else True
    with Index.open(index_path or default_index_path(), with_vectors=with_vectors, embedder=embedder) as index:
        index.update_starter()
        return index.update(paths)


class Index:
    """Runbooks and past incidents, to be searched by codes, words and meaning.

    Blocks while it works, so an event loop uses it in a thread. Any number of threads and processes may share a file.

    Args:
        store: where entries are kept.
        with_vectors: False = words and codes alone.
        embedder: what makes vectors; None = the word vectors of wordllama's package.
    """

    def __init__(self, store: Store, *, with_vectors: bool = True, embedder: Embedder | None = None) -> None:
        self._store = store
        self._with_vectors = with_vectors
        self._embedder = embedder
        self._failed = ""
        self._search = Search(store)

    @classmethod
    def open(cls, path: Path | None, *, with_vectors: bool = True, embedder: Embedder | None = None) -> Index:
        """The index in a file, which is made if it isn't there.

        Args:
            path: None = in memory.
            with_vectors, embedder: as `Index` takes them.
        Raises:
            SourceError: the file can't be used.
        """
        return cls(Store(path), with_vectors=with_vectors, embedder=embedder)

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    @property
    def without_vectors(self) -> str:
        """Why entries are searched by words and codes alone; "" = they aren't."""
        if not self._with_vectors:
            return "it was told to use none"
        if self._embedder is None:
            try:
                self._embedder = load_vectors()
            except VectorsUnavailable as error:
                return str(error)
        return self._failed

    def update(self, paths: Iterable[Path], *, budget_s: float | None = None) -> Updated:
        """Make the index hold what is in folders and files now: new and changed ones are read, gone ones taken out.

        Documents elsewhere stay. A file that can't be read is reported; what was known of it goes, unless the system
        itself refused.

        Args:
            budget_s: seconds until no further file is begun; None = all.
        Raises:
            SourceError: the index can't be used.
        """
        roots = [Path(os.path.abspath(expanded(path))) for path in paths]  # noqa: PTH100 links stay what they are
        skipped: list[Skipped] = []
        files = [(str(path), path) for path in files_under(roots, skipped)]
        return self._update(files, [str(root) for root in roots], skipped, budget_s)

    def update_starter(self, *, budget_s: float | None = None) -> Updated:
        """Make the index hold the starter set of this version.

        Args:
            budget_s: seconds until no further file is begun; None = all.
        """
        files = [(f"{STARTER}{path.name}", path) for path in sorted(STARTER_SET.glob("*.md"))]
        return self._update(files, [STARTER], [], budget_s)

    def search(
        self, query: str, codes: Sequence[str] = (), limit: int = 5, *, starter: bool = True, by: str = "both"
    ) -> list[Hit]:
        """The entries that fit best, the best first; those that explain a code of the question before all others.

        Args:
            codes: codes to look up besides those in the query.
            starter: whether entries of the starter set count.
            by: "words", "vectors", or "both" together.
        Raises:
            SourceError: the index can't be used.
        """
        embedder = None if by == "words" or self.without_vectors else self._embedder
        with_words = by != "vectors"
        try:
            return self._search.hits(query, codes, limit, starter=starter, embedder=embedder, with_words=with_words)
        except VectorsUnavailable as error:
            self._failed = str(error)
        return self._search.hits(query, codes, limit, starter=starter, embedder=None, with_words=with_words)

    def entries(self) -> list[tuple[Entry, str]]:
        """All entries with the paths of their documents."""
        return [found for number in self._store.numbers() if (found := self._store.entry(number))]

    def _update(
        self, files: Sequence[tuple[str, Path]], roots: Sequence[str], skipped: list[Skipped], budget_s: float | None
    ) -> Updated:
        end = None if budget_s is None else time.monotonic() + budget_s
        known = self._store.hashes()
        added: list[str] = []
        changed: list[str] = []
        kept: set[str] = set()
        is_complete = True
        for name, path in files:
            if end is not None and time.monotonic() > end:
                is_complete = False
                break
            try:
                is_new = self._read(name, path, known.get(name))
            except Unreadable as error:
                skipped.append(Skipped(name, str(error)))
                continue
            except OSError as error:
                skipped.append(Skipped(name, error.strerror or "it can't be read"))
                if path.exists():
                    kept.add(name)
                continue
            kept.add(name)
            if is_new:
                (changed if name in known else added).append(name)
        gone = [name for name in known if _is_under(name, roots) and name not in kept] if is_complete else []
        if gone:
            self._store.remove(gone)
        return Updated(
            added=tuple(added),
            changed=tuple(changed),
            removed=tuple(gone),
            skipped=tuple(skipped),
            unchanged=len(kept) - len(added) - len(changed),
            entries=self._store.count(),
            is_complete=is_complete,
        )

    def _read(self, name: str, path: Path, known: str | None) -> bool:
        content = content_of(path)
        found = self._fingerprint(content)
        if found == known:
            return False
        entries = entries_of(blocks_of(content, path.suffix), path.stem)
        vectors = self._vectors(entries)
        # Without vectors its fingerprint is another: once there are some, it is read anew.
        self._store.replace(name, self._fingerprint(content), entries, vectors, self._model)
        return True

    @property
    def _model(self) -> str:
        """What makes vectors now; "" = nothing."""
        return "" if self.without_vectors or self._embedder is None else self._embedder.model

    def _fingerprint(self, content: bytes) -> str:
        how = f"{VERSION} {_glossary_hash()} {self._model}"
        return hashlib.sha256(how.encode() + b"\0" + content).hexdigest()

    def _vectors(self, entries: Sequence[Entry]) -> list[bytes | None]:
        """Those of each entry's lines, one after another."""
        if not self._model or self._embedder is None:
            return [None] * len(entries)
        said = [_said(entry) for entry in entries]
        texts = [text for those in said for text in those]
        found: list[bytes] = []
        try:
            for at in range(0, len(texts), BATCH):
                found += [row.astype("<f2").tobytes() for row in vectors_of(self._embedder, texts[at : at + BATCH])]
        except VectorsUnavailable as error:
            self._failed = str(error)
            return [None] * len(entries)
        rows = iter(found)
        return [b"".join(itertools.islice(rows, len(those))) for those in said]


def _said(entry: Entry) -> list[str]:
    """What an entry's vectors are made of: its title, each way to ask for it, and what it says."""
    text = " ".join((entry.title, entry.keywords, *entry.trail, entry.text))[:VECTOR_CHARS]
    return [entry.title, *entry.asked[:MOST_ASKED], text]


def _is_under(name: str, roots: Iterable[str]) -> bool:
    return any(
        name == root or name.startswith(root if root.endswith(("/", ":")) else f"{root}{os.sep}") for root in roots
    )


def _glossary_hash() -> str:
    return hashlib.sha256(GLOSSARY.read_bytes()).hexdigest()[:16]
