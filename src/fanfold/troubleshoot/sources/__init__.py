"""Sources: one Protocol, one module each, found through the entry points `fanfold.sources`."""

from fanfold.troubleshoot.sources.protocol import Source, SourceError

__all__ = ["Source", "SourceError"]
