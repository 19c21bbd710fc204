"""Words as the index knows them: without accents, cut to a stem, with their translation."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path

VERSION = 1
"""Goes up when the same text gives other terms: what is indexed is then read anew."""

MOST_TERMS = 96
GLOSSARY = Path(__file__).with_name("glossary.toml")

_WORD = re.compile(r"[^\W_]+")
# The first that fits is cut off, as long as what stays has a vowel and three letters. Portuguese and English together,
# for a text says not which it is; a stem needs to be the same on both sides, not to be a word.
_SUFFIXES = tuple(
    sorted(
        """
        ing ings ed er ers ly ies es s al als ation ations ition itions tion ment ments able ness
        mente acao acoes cao coes icao icoes ado ada ados adas ido ida idos idas ando endo indo ar er ir ou iu eu
        am aram eram iram ava avam vel veis oes aes ais eis is as os a o e
        """.split(),  # noqa: SIM905 a table of words
        key=len,
        reverse=True,
    )
)


def folded(text: str) -> str:
    """Without accents, in lower case."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


def words(text: str) -> list[str]:
    """The words of a text, folded."""
    return _WORD.findall(folded(text))


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """What a word's forms have in common, roughly; what holds a digit stays as it is."""
    if len(word) < 4 or not word.isalpha() or not word.isascii():
        return word
    for suffix in _SUFFIXES:
        rest = word[: -len(suffix)]
        if word.endswith(suffix) and len(rest) >= 3 and any(letter in "aeiouy" for letter in rest):
            word = rest
            break
    return word[:-1] if len(word) > 4 and word[-1] == word[-2] else word


def indexed(text: str) -> str:
    """A text as it goes into the index: its stems, and those of what it is in English."""
    said = words(text)
    meant = [stem(word) for phrase in translations(said) for word in words(phrase)]
    return " ".join([*map(stem, said), *meant])


def asked(question: str) -> list[str]:
    """The terms of a question, each once: its stems without words that say nothing, then what it means in English."""
    said = words(question)
    meant = [word for phrase in translations(said) for word in words(phrase)]
    empty = _glossary()[1]
    terms = dict.fromkeys(stem(word) for word in [*said, *meant] if word not in empty)
    return list(terms)[:MOST_TERMS]


def translated(text: str) -> str:
    """A text with what the glossary knows put into English, and the rest as it was; for vectors made of English."""
    said = words(text)
    table, longest = _glossary()[0], _longest()
    out: list[str] = []
    at = 0
    while at < len(said):
        for length in range(min(longest, len(said) - at), 0, -1):
            meant = table.get(_key(said[at : at + length]))
            if meant:
                out.append(" ".join(meant))
                at += length
                break
        else:
            out.append(said[at])
            at += 1
    return " ".join(out)


def translations(said: Sequence[str]) -> list[str]:
    """What phrases in a text are in English."""
    table, longest = _glossary()[0], _longest()
    found: dict[str, None] = {}
    for at in range(len(said)):
        for length in range(1, min(longest, len(said) - at) + 1):
            found |= dict.fromkeys(table.get(_key(said[at : at + length]), ()))
    return list(found)


def _key(phrase: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(stem, phrase))


@cache
def _glossary() -> tuple[dict[tuple[str, ...], tuple[str, ...]], frozenset[str]]:
    """Phrases by their stems with what they are in English, and words that say nothing."""
    told = tomllib.loads(GLOSSARY.read_text(encoding="utf-8"))
    table: dict[tuple[str, ...], tuple[str, ...]] = {}
    for phrase, meant in told["phrases"].items():
        key = _key(words(phrase))
        table[key] = tuple(dict.fromkeys((*table.get(key, ()), *(part.strip() for part in meant.split(",")))))
    return table, frozenset(words(" ".join(told["empty"].values())))


@cache
def _longest() -> int:
    return max(map(len, _glossary()[0]))
