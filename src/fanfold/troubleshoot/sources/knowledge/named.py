"""What settings name: an entry point of another package, or `module:attribute`."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from typing import Any

from fanfold.troubleshoot.sources.protocol import SourceError


def made(group: str, name: str, *given: object) -> object:
    """What comes of calling what a name stands for.

    Args:
        group: the entry points that are looked through.
        name: an entry point's, or "module:attribute".
    Raises:
        SourceError: it isn't there, or fails.
    """
    try:
        factory: Any = _at(name) if ":" in name else _entry(group, name)
        return factory(*given)
    except SourceError:
        raise
    except Exception as error:  # anybody's code runs when it is imported and called
        raise SourceError(
            f"{name} can't be used: {type(error).__name__}: {error}",
            hint='name something to call as "module:attribute"',
        ) from error


def _at(reference: str) -> object:
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _entry(group: str, name: str) -> object:
    found = {point.name: point for point in entry_points(group=group)}
    if name not in found:
        known = f"; known are {', '.join(sorted(found))}" if found else ""
        raise SourceError(f"there is no {name} among {group}{known}", hint='name it as "module:attribute"')
    return found[name].load()
