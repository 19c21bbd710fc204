"""Words as the index knows them: without accents, cut to a stem, with their translation."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeAlias

VERSION = 2
"""Goes up when the same text gives other terms: what is indexed is then read anew."""

MOST_TERMS = 96
SYNONYM = 0.6
INSIDE_PHRASE = 0.6
NAME = 2.0
GLOSSARY = Path(__file__).with_name("glossary.toml")

Phrases: TypeAlias = dict[tuple[str, ...], tuple[str, ...]]
"""Phrases by their stems, with what they mean."""

_WORD = re.compile(r"[^\W_]+")
# What a system calls something, amid ordinary words: FLUSH, SUPPR.
_NAME = re.compile(r"\b[A-Z]{3,}\b")
# The longest that fits is cut off, as long as what stays has a vowel and three letters. Portuguese and English
# together, for a text says not which it is; a stem needs to be the same on both sides, not to be a word.
_SUFFIXES = frozenset(
    """
        ing ings ed er ers ly ies es s al als ation ations ition itions tion ment ments able ness
        mente acao acoes cao coes icao icoes ado ada ados adas ido ida idos idas ando endo indo ar er ir ou iu eu
        am aram eram iram ava avam vel veis oes aes ais eis is as os a o e
        """.split()  # noqa: SIM905 a table of words
)
_LONGEST_SUFFIX = max(map(len, _SUFFIXES))
_VOWELS = frozenset("aeiouy")

_VERB = re.compile(
    r"(?P<root>\w{3,}?)(?:ando|endo|indo|aram|eram|iram|arem|erem|irem|avam?|ou|iu|eu|ei|ad[oa]s?|id[oa]s?|ar|er|ir|am|em)"
)
_PLURALS = {"oes": "ao", "aes": "ao", "res": "r", "zes": "z", "ais": "al", "eis": "el", "ns": "m", "s": ""}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing that a question asks for.

    Attributes:
        weight: how much it counts.
        ways: how a text may say it, any of which will do: how good that is, and the stems that it takes.
    """

    weight: float
    ways: tuple[tuple[float, tuple[str, ...]], ...]

    @property
    def stems(self) -> frozenset[str]:
        """All stems of all ways."""
        return frozenset(stem for _, stems in self.ways for stem in stems)


@dataclass(frozen=True, slots=True)
class _Glossary:
    """Portuguese phrases in English, other words for English ones, the verbs of irregular forms,
    how long phrases get by their first word, and words that say nothing.
    """

    phrases: Phrases
    synonyms: Phrases
    forms: Mapping[str, str]
    longest: Mapping[str, int]
    empty: frozenset[str]


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
    word = _glossary().forms.get(word, word)
    if len(word) < 4 or not word.isalpha() or not word.isascii():
        return word
    if len(word) > 4 and word.endswith(("ies", "ied")):
        return f"{word[:-3]}y"
    for length in range(min(_LONGEST_SUFFIX, len(word) - 3), 0, -1):
        rest = word[:-length]
        if word[-length:] in _SUFFIXES and not _VOWELS.isdisjoint(rest):
            word = rest
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def indexed(text: str) -> str:
    """A text as it goes into the index: its stems, and those of what it is in English."""
    said = words(text)
    return " ".join([*map(stem, said), *map(stem, _meant(said))])


def asked(question: str) -> list[str]:
    """The terms of a question, each once: its stems without words that say nothing, then what it means in English."""
    said = words(question)
    empty = _glossary().empty
    terms = dict.fromkeys(stem(word) for word in [*said, *_meant(said)] if word not in empty)
    return list(terms)[:MOST_TERMS]


def wanted(question: str) -> tuple[Wanted, ...]:
    """What a question asks for: each word and each phrase of the glossary once, in any of the ways to say it.

    A word that can be said in five ways counts no more than one that can be said in one: that is what sets this apart
    from the terms of `asked`.
    """
    said = words(question)[:MOST_TERMS]
    empty = _glossary().empty
    other: dict[int, list[tuple[float, tuple[str, ...]]]] = {}
    phrases: list[Wanted] = []
    inside: set[int] = set()
    for at, length, key in _phrases_in(said):
        if length == 1:
            other.setdefault(at, []).extend(_other_ways(key))
            continue
        inside.update(range(at, at + length))
        own = tuple(stem(word) for word in said[at : at + length] if word not in empty)
        phrases.append(Wanted(1.0, (*(((1.0, own),) if own else ()), *_other_ways(key))))
    found: dict[str, Wanted] = {}
    names = frozenset(map(folded, _NAME.findall(question))) if any(map(str.islower, question)) else frozenset()
    for at, word in enumerate(said):
        if word not in empty:
            way = stem(word)
            weight = NAME if word in names else INSIDE_PHRASE if at in inside else 1.0
            found.setdefault(way, Wanted(weight, ((1.0, (way,)), *other.get(at, ()))))
    return (*phrases, *found.values())


def line_terms(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The stems of the words in a line that say something, and those with what it means in English."""
    said = words(text)
    own = frozenset(stem(word) for word in said if word not in _glossary().empty)
    return own, own | frozenset(map(stem, _meant(said)))


def _other_ways(key: tuple[str, ...]) -> Iterator[tuple[float, tuple[str, ...]]]:
    glossary = _glossary()
    for good, told in ((1.0, glossary.phrases.get(key, ())), (SYNONYM, glossary.synonyms.get(key, ()))):
        for meant in told:
            yield good, tuple(stem(word) for word in words(meant) if word not in glossary.empty) or (stem(meant),)


def translated(text: str) -> str:
    """A text with what the glossary knows put into English, without words that say nothing; for vectors of English."""
    said = words(text)
    glossary = _glossary()
    phrases = {at: (length, key) for at, length, key in _phrases_in(said) if key in glossary.phrases}
    out: list[str] = []
    at = 0
    while at < len(said):
        length, key = phrases.get(at, (1, ()))
        out += glossary.phrases.get(key) or ((said[at],) if said[at] not in glossary.empty else ())
        at += length
    return " ".join(out)


def _meant(said: Sequence[str]) -> list[str]:
    """The words of what phrases in a text are in English, and of what else they are called."""
    glossary = _glossary()
    found: dict[str, None] = {}
    for _, _, key in _phrases_in(said):
        for meant in (*glossary.phrases.get(key, ()), *glossary.synonyms.get(key, ())):
            found |= dict.fromkeys(words(meant))
    return list(found)


def _phrases_in(said: Sequence[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Where the glossary's phrases stand, how many words each has, and its forms; from one place the shortest first."""
    glossary = _glossary()
    forms = tuple(map(_form, said))
    for at, first in enumerate(forms):
        for length in range(1, min(glossary.longest.get(first, 0), len(said) - at) + 1):
            key = forms[at : at + length]
            if key in glossary.phrases or key in glossary.synonyms:
                yield at, length, key


@lru_cache(maxsize=65_536)
def _form(word: str) -> str:
    """What the forms of a Portuguese word have in common, and hardly an English one: "file" has the stem of "fila"."""
    if verb := _VERB.fullmatch(word):
        return f"{verb['root']}~"
    for ending, singular in _PLURALS.items():
        if word.endswith(ending) and len(word) > len(ending) + 2:
            word = word.removesuffix(ending) + singular
            break
    return f"{word[:-1]}~" if len(word) > 3 and word[-1] in "ao" else word


@cache
def _glossary() -> _Glossary:
    told = tomllib.loads(GLOSSARY.read_text(encoding="utf-8"))
    empty = frozenset(words(" ".join(told["empty"].values())))
    phrases, synonyms = _phrases(told["phrases"]), _phrases(told["synonyms"])
    for infinitive, present in [(key, _present(key)) for key in told["phrases"]]:
        if present:
            phrases.setdefault((present,), phrases[tuple(map(_form, words(infinitive)))])
    forms = {form: verb for verb, told_forms in told["forms"].items() for form in told_forms.split()}
    longest: dict[str, int] = {}
    for key in (*phrases, *synonyms):
        longest[key[0]] = max(len(key), longest.get(key[0], 0))
    return _Glossary(phrases, synonyms, forms, longest, empty)


def _present(infinitive: str) -> str:
    """The third person of a Portuguese verb in -er or -ir, which has no ending that only verbs have; "" = another."""
    verb = folded(infinitive)
    return f"{verb[:-2]}e" if verb.isalpha() and len(verb) > 5 and verb.endswith(("er", "ir")) else ""


def _phrases(told: Mapping[str, str]) -> Phrases:
    table: Phrases = {}
    for phrase, meant in told.items():
        key = tuple(map(_form, words(phrase)))
        table[key] = tuple(dict.fromkeys((*table.get(key, ()), *(part.strip() for part in meant.split(",")))))
    return table
