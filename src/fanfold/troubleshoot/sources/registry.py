"""Find sources by name, Fanfold's own and other packages'."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol, cast

from fanfold.troubleshoot.sources.protocol import Source, SourceError

GROUP = "fanfold.sources"


class SourceFactory(Protocol):
    """What an entry point of the group `fanfold.sources` names: usually the source's class.

    In another package's pyproject:

        [project.entry-points."fanfold.sources"]
        tickets = "mine.tickets:Tickets"
    """

    def make(self, settings: Mapping[str, object], root: Path) -> Source:
        """The source, ready to be opened.

        Args:
            settings: its own table of the configuration.
            root: where relative paths in it start.
        Raises:
            SourceError: it can't work with these settings.
        """


def sources_for(configured: Mapping[str, Mapping[str, object]], root: Path) -> dict[str, Source]:
    """The sources that are configured, by their names, in the order of the configuration.

    Args:
        configured: the settings of each. A table whose `type` names an entry point makes another source of that kind
            under the table's own name; without `type` the name is the entry point.
    Raises:
        SourceError: there is no such source, or it can't work with its settings.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    return {name: _made(name, dict(settings), found, root) for name, settings in configured.items()}


def source_names() -> tuple[str, ...]:
    """The sources that are installed."""
    return tuple(sorted(point.name for point in entry_points(group=GROUP)))


def _made(name: str, settings: dict[str, object], found: Mapping[str, EntryPoint], root: Path) -> Source:
    kind = str(settings.pop("type", name))
    if kind not in found:
        raise SourceError(f"there is no source {kind!r}", hint=f"sources here: {', '.join(sorted(found))}")
    try:
        factory = cast("SourceFactory", found[kind].load())
    except (ImportError, AttributeError) as error:
        raise SourceError(f"source {kind!r} can't be loaded: {error}", hint=f"look at {found[kind].value}") from error
    if kind != name:
        settings["name"] = name
    return factory.make(settings, root)
