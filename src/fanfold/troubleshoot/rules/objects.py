"""What a cause is about, as texts name it: a file, a host, a database, a user."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable

from fanfold.troubleshoot.rules.signatures import FOLDER, SHOWN_CHARS


@functools.cache
def _patterns() -> dict[str, tuple[re.Pattern[str], ...]]:
    read = tomllib.loads((FOLDER / "objects.toml").read_text("utf-8"))
    return {kind: tuple(map(re.compile, patterns)) for kind, patterns in read.items()}


def find(kinds: Iterable[str], texts: Iterable[str]) -> str:
    """The first object of the first kind that is named; "" = none is.

    Args:
        texts: where to look, the nearest first.
    """
    texts = tuple(texts)
    for kind in kinds:
        for text in texts:
            if found := _in(kind, text):
                return found
    return ""


def _in(kind: str, text: str) -> str:
    for pattern in _patterns().get(kind, ()):
        if found := pattern.search(text):
            return found["object"][:SHOWN_CHARS].rstrip(".,;:)'\"")
    return ""


def near(text: str, start: int) -> tuple[str, ...]:
    """The line at a place of a text, its neighbours, and the whole text: the nearest first."""
    lines = text.split("\n")
    index = text.count("\n", 0, start)
    around = [lines[each] for each in (index + 1, index - 1) if 0 <= each < len(lines)]
    return lines[index], *around, text
