"""The source `knowledge`: what runbooks and past incidents say, found by code, by words and by meaning."""

from fanfold.troubleshoot.sources.knowledge.entry import Entry, Hit, Skipped, Updated
from fanfold.troubleshoot.sources.knowledge.index import Index, default_index_path, index_command
from fanfold.troubleshoot.sources.knowledge.searcher import Searcher
from fanfold.troubleshoot.sources.knowledge.settings import KnowledgeSettings
from fanfold.troubleshoot.sources.knowledge.source import Knowledge
from fanfold.troubleshoot.sources.knowledge.vectors import Embedder, VectorsUnavailable

__all__ = [
    "Embedder",
    "Entry",
    "Hit",
    "Index",
    "Knowledge",
    "KnowledgeSettings",
    "Searcher",
    "Skipped",
    "Updated",
    "VectorsUnavailable",
    "default_index_path",
    "index_command",
]
