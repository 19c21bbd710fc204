"""The source `knowledge`: what runbooks and past incidents say, found by code, by words and by meaning."""

from fanfold.troubleshoot.sources.knowledge.entry import Entry, Hit, Skipped, Updated
from fanfold.troubleshoot.sources.knowledge.index import Index, default_index_path, index_command
from fanfold.troubleshoot.sources.knowledge.settings import KnowledgeSettings
from fanfold.troubleshoot.sources.knowledge.source import Knowledge

__all__ = [
    "Entry",
    "Hit",
    "Index",
    "Knowledge",
    "KnowledgeSettings",
    "Skipped",
    "Updated",
    "default_index_path",
    "index_command",
]
