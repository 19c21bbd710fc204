"""What a cause is about, as texts name it: a file, a host, a database, a user."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable
from itertools import islice

from fanfold.troubleshoot.rules.signatures import FOLDER, MOST_PLACES, SHOWN_CHARS, trimmed

_QUOTES = re.compile(r"""["`\]]\.["`\[]?(?=\w)|(?<=\w)\.["`\[](?=\w)""")


@functools.cache
def _patterns() -> dict[str, tuple[re.Pattern[str], ...]]:
    read = tomllib.loads((FOLDER / "objects.toml").read_text("utf-8"))
    return {kind: tuple(map(re.compile, patterns)) for kind, patterns in read.items()}


def find(kinds: Iterable[str], texts: Iterable[str], *, but: str = "") -> str:
    """The first object of the first kind that is named; "" = none is.

    Args:
        texts: where to look, the nearest first.
        but: what it isn't: the machine that the texts are from is not what they are about.
    """
    texts = tuple(texts)
    for kind in kinds:
        for text in texts:
            if found := _in(kind, text, but.casefold()):
                return found
    return ""


@functools.lru_cache(maxsize=4_096)
def _in(kind: str, text: str, but: str) -> str:
    for pattern in _patterns().get(kind, ()):
        for match in islice(pattern.finditer(text), MOST_PLACES):
            found = trimmed(_QUOTES.sub(".", match["object"][:SHOWN_CHARS]))
            if not but or found.casefold().partition(".")[0] != but:
                return found
    return ""


def near(text: str, start: int) -> tuple[str, ...]:
    """The line at a place of a text, its neighbours, and the whole text: the nearest first."""
    lines = text.split("\n")
    index = text.count("\n", 0, start)
    around = [lines[each] for each in (index + 1, index - 1) if 0 <= each < len(lines)]
    return lines[index], *around, text
