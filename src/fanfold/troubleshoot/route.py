"""Read a message: what is wanted, of which job, and which sources can tell."""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Final, Literal, TypeAlias

from fanfold.troubleshoot.codes import codes_in
from fanfold.troubleshoot.incident import Language

Intent: TypeAlias = Literal["troubleshoot", "status", "how_to", "action", "other"]

MUCH = 4
MOST_WORDS = 10
"""What is longer tells what happened."""
INTENTS: Final[tuple[Intent, ...]] = ("troubleshoot", "status", "how_to", "action")

_JOB_AFTER = re.compile(
    r"\b(?:jobs?|tarefas?|processos?|rotinas?)\b[\s:#]*(?:(?:named|called|chamad[oa]s?)\s+)?"
    r"[\"'`]?(?P<name>[A-Za-z@#$_][\w@#$.\-/]*)",
    re.IGNORECASE,
)
_LISTED = re.compile(r"\s*(?:,|and|e|ou|or|&)\s*[\"'`]?(?P<name>[A-Z@#$_][A-Z0-9@#$_.\-]*\d[A-Z0-9@#$_.\-]*)", re.ASCII)
_KEY = re.compile(r"\b(?P<station>[A-Z][\w-]*)#(?:(?P<stream>[\w-]+)\.)?(?P<name>[A-Z][\w-]*)\b")
_UPPER = re.compile(r"(?<![\w.\-/])(?P<name>[A-Z][A-Z0-9]*(?:[_#$@-][A-Z0-9]+)*)(?![\w\-/])")
_WHY = re.compile(r"\bpor ?qu[eê]\b", re.IGNORECASE)
_AS_USUAL = re.compile(r"\bcomo (?:sempre|de costume|ontem|antes|esperado|normalmente)\b", re.IGNORECASE)
_INSTANCE = re.compile(
    r"\b(?:(?:instance|instancia|instância|environment|ambiente)\s+[\"'`]?(?P<named>[\w.-]+)"
    r"|(?P<shaped>(?:TWS|IWS|HWA|HCL)[-_][\w-]+))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entities:
    """What a message names.

    Attributes:
        jobs: names of jobs, in the order of the message.
        instance: of the scheduler, or None.
        codes: abend, return and message codes, in upper case.
    """

    jobs: tuple[str, ...] = ()
    instance: str | None = None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What is wanted.

    Attributes:
        confidence: from 0 to 1: how much of what was recognised speaks for this intent.
        why: the words that decided it.
        sources: names of the built-in sources that matter for such a question, in no order.
    """

    intent: Intent
    confidence: float
    entities: Entities
    language: Language
    why: tuple[str, ...]
    sources: tuple[str, ...]


_SOURCES: Final[Mapping[Intent, tuple[str, ...]]] = {
    "troubleshoot": ("tws_status", "rag_search", "log_cache", "metrics"),
    "status": ("tws_status", "log_cache"),
    "how_to": ("rag_search",),
    "action": ("tws_status",),
    "other": (),
}


@dataclass(frozen=True, slots=True)
class _Lexicon:
    intents: Mapping[str, Mapping[str, int]]
    languages: Mapping[str, frozenset[str]]
    never_jobs: frozenset[str]


@functools.cache
def _lexicon() -> _Lexicon:
    read = tomllib.loads((resources.files("fanfold.troubleshoot") / "words.toml").read_text("utf-8"))
    intents = {
        intent: {word: int(weight) for weight, words in by_weight.items() for word in words.split()}
        for intent, by_weight in read["intents"].items()
    }
    languages = {name: frozenset(words.split()) for name, words in read["languages"].items()}
    return _Lexicon(intents, languages, frozenset(read["names"]["never_jobs"].split()))


def route(message: str) -> Route:
    """What a message asks for, from its words in English or Portuguese; the same message is always read alike."""
    entities = entities_of(message)
    words = _words(_AS_USUAL.sub(" ", _WHY.sub("porque", message)))
    known = _lexicon().intents
    weights = {intent: sum(known[intent].get(word, 0) for word in words) for intent in INTENTS}
    if entities.codes:
        weights["troubleshoot"] += 2
    intent: Intent = max(weights, key=lambda each: weights[each])  # ties: the first, which is to troubleshoot
    total = sum(weights.values())
    if not total:
        # A job and nothing else said of it: whoever asks a troubleshooter wants to know what is wrong.
        intent, confidence = ("troubleshoot", 0.5) if entities.jobs else ("other", 0.0)
    else:
        confidence = round(weights[intent] / total, 2)
    why = tuple(dict.fromkeys(word for word in words if word in known.get(intent, ()))) + entities.codes
    return Route(
        intent=intent,
        confidence=confidence,
        entities=entities,
        language=language_of(words),
        why=why,
        sources=_SOURCES[intent],
    )


def route_of_trouble(message: str) -> Route:
    """The same for somebody who has said that it is about trouble: only what plainly asks for something else does.

    That is a question for the meaning of a code or for a procedure, and a short one for a job's state. All else is
    trouble, whatever its words are.
    """
    read = route(message)
    if read.intent == "how_to" and not read.entities.jobs and (read.entities.codes or _asks(message, "how_to")):
        return read
    if read.intent == "status" and read.entities.jobs and _asks(message, "status"):
        return read
    confidence = read.confidence if read.intent == "troubleshoot" else 0.5
    return replace(read, intent="troubleshoot", confidence=confidence, sources=_SOURCES["troubleshoot"])


def _asks(message: str, intent: Intent) -> bool:
    """Whether a message is a question for that, and not an account that happens to have the word."""
    words, known = _words(message), _lexicon().intents[intent]
    plainly = any(known.get(word, 0) in (2, 3) for word in words) or known.get(words[0], 0) >= MUCH
    return plainly and len(words) <= MOST_WORDS


def entities_of(message: str) -> Entities:
    """The jobs, the instance and the codes that a message names."""
    codes = codes_in(message)
    instance = _instance(message)
    taken = {*codes, *(code.partition("=")[2] for code in codes), *([instance.upper()] if instance else [])}
    return Entities(jobs=tuple(_jobs(message, taken)), instance=instance, codes=codes)


def _instance(message: str) -> str | None:
    found = _INSTANCE.search(message)
    return (found["named"] or found["shaped"]).rstrip(".,;:!?") if found else None


def _jobs(message: str, taken: set[str]) -> list[str]:
    """Names after "job", keys as the scheduler writes them, else what looks like a name: upper case with a digit."""
    named = [match["name"] for match in _KEY.finditer(message)]
    for match in _JOB_AFTER.finditer(message):
        name = match["name"].rstrip(".-/")
        if _looks_like_a_name(name, taken):
            named.append(name)
            end = match.end()
            while (listed := _LISTED.match(message, end)) is not None:
                named.append(listed["name"].rstrip(".-"))
                end = listed.end()
    if not named:
        shaped = [match["name"] for match in _UPPER.finditer(message)]
        named = [name for name in shaped if _looks_like_a_name(name, taken) and (_has_digit(name) or "_" in name)]
    return list(dict.fromkeys(name for name in named if name.upper() not in taken))


def _looks_like_a_name(name: str, taken: set[str]) -> bool:
    upper = name.upper()
    if upper in taken or upper in _lexicon().never_jobs:
        return False
    return name == upper or _has_digit(name) or "_" in name


def _has_digit(name: str) -> bool:
    return any(letter.isdigit() for letter in name)


def language_of(words: Iterable[str]) -> Language:
    """Which of the two languages has more of these words; English where that is even."""
    words = tuple(words)
    languages = _lexicon().languages
    portuguese, english = (sum(word in languages[each] for word in words) for each in ("pt", "en"))
    return "pt" if portuguese > english else "en"


def _words(message: str) -> tuple[str, ...]:
    """Words in lower case without accents."""
    plain = unicodedata.normalize("NFKD", message.casefold())
    return tuple(re.findall(r"[a-z0-9]+", "".join(letter for letter in plain if not unicodedata.combining(letter))))
