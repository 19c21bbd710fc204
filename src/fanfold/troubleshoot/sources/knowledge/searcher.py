"""What may take the place of the built-in index: a vector database, a search engine, a wiki's own search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from fanfold.troubleshoot.sources.knowledge.entry import Hit
from fanfold.troubleshoot.sources.knowledge.named import made
from fanfold.troubleshoot.sources.protocol import SourceError

GROUP = "fanfold.searchers"


class Searcher(Protocol):
    """Finds entries of runbooks wherever they are. It may block: it is called in threads, one at a time or several.

    In the configuration:

        [tool.fanfold.troubleshoot.sources.rag_search]
        searcher = "mine.wiki:Wiki"
    """

    def search(self, query: str, codes: Sequence[str], limit: int) -> Sequence[Hit]:
        """The entries that answer a question, the best first.

        Args:
            codes: of the incident, for instance S0C7; what explains one of them comes first.
            limit: how many at most.
        """

    def close(self) -> None:
        """Let go of what it holds."""


def searcher_of(name: str, root: Path) -> Searcher:
    """The searcher that settings name.

    Args:
        name: an entry point of the group `fanfold.searchers`, or "module:attribute": something that makes a `Searcher`
            when it is called with the project's folder, usually its class.
    Raises:
        SourceError: there is no such searcher.
    """
    found: Any = made(GROUP, name, root)
    if not callable(getattr(found, "search", None)) or not callable(getattr(found, "close", None)):
        raise SourceError(
            f"{name} makes no searcher", hint="it needs methods `search(query, codes, limit)` and `close()`"
        )
    searcher: Searcher = found
    return searcher
