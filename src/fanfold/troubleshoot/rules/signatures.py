"""The table of signatures: what systems print when something is wrong, and what that means."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib import resources

FOLDER = resources.files("fanfold.troubleshoot.rules")
SHOWN_CHARS = 160
MOST_PLACES = 20
QUIET = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a cause looks like.

    Attributes:
        patterns: any of them; a group `object…` is what the cause is about, `detail…` something more of it.
        codes: any of them says the same.
        needs: one of these codes must be there too.
        unless: none of these may be there.
        object, detail: kinds of objects (`objects.toml`), in the order in which they are looked for.
        machine: it counts as well where a machine or a service says it, and not the job itself.
        quiet: it is told as information, not as an error.
    """

    cause: str
    weight: float
    patterns: tuple[re.Pattern[str], ...] = ()
    codes: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()
    object: tuple[str, ...] = ()
    detail: tuple[str, ...] = ()
    machine: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A signature that was found.

    Attributes:
        object, detail: what its groups say; "" = nothing.
        start: of its line in the text; None = it was found by a code alone.
        loudness: of the line, from 0 to 1: what is told as information is seldom what is wrong.
    """

    signature: Signature
    object: str = ""
    detail: str = ""
    start: int | None = None
    loudness: float = 1.0


@functools.cache
def signatures() -> tuple[Signature, ...]:
    """All of them, in the order of their files."""
    found: list[Signature] = []
    for file in sorted((FOLDER / "signatures").iterdir(), key=lambda one: one.name):
        if file.name.endswith(".toml"):
            found += map(_signature, tomllib.loads(file.read_text("utf-8"))["signature"])
    return tuple(found)


def matches(
    text: str, codes: Collection[str], loudness: Callable[[int], float], *, own: bool = True
) -> Iterator[Match]:
    """The signatures that a text has, each at the place where it says most.

    Args:
        text: of lines that are not too long.
        codes: of the text, in upper case.
        loudness: of the line at a place of the text, from 0 to 1.
        own: whether a job itself says it: what its data say at level INFO is no message of a system.
    """
    places: dict[int, list[Match]] = {}
    start = 0
    for line in text.split("\n"):
        for index, said, detail in _in_line(line):
            quiet = signatures()[index].quiet and not own
            loud = max(QUIET if quiet else 0.0, loudness(start))
            match = Match(signature=signatures()[index], object=said, detail=detail, start=start, loudness=loud)
            places.setdefault(index, []).append(match)
        start += len(line) + 1
    for index, signature in enumerate(signatures()):
        if signature.unless & set(codes) or (signature.needs and not signature.needs & set(codes)):
            continue
        if index in places:
            yield max(places[index], key=_says)
        elif signature.codes & set(codes):
            yield Match(signature=signature)


@functools.lru_cache(maxsize=4_096)
def _in_line(line: str) -> tuple[tuple[int, str, str], ...]:
    """The signatures in one line, with the object and the detail that it names."""
    found: list[tuple[int, str, str]] = []
    for index, signature in enumerate(signatures()):
        matched = [match for pattern in signature.patterns if (match := pattern.search(line))]
        said = [(_group(match, "object"), _group(match, "detail")) for match in matched]
        if said:
            found.append((index, *max(said, key=lambda one: (bool(one[0]), bool(one[1])))))
    return tuple(found)


def _says(match: Match) -> tuple[float, bool, bool]:
    """Of equally loud places, one that says what it is about is worth more than an earlier one."""
    return match.loudness, bool(match.object), bool(match.detail)


def _group(found: re.Match[str], prefix: str) -> str:
    values = (value for name, value in found.groupdict().items() if name.startswith(prefix) and value)
    return trimmed(" ".join(next(values, "").replace('"', "").split())[:SHOWN_CHARS].lstrip("'`.,;: "))


def trimmed(name: str) -> str:
    """A name without the punctuation that follows it in a text; brackets of its own stay: BIL.EXTR(0)."""
    while name and (name[-1] in ".,;:'\"` " or (name[-1] == ")" and name.count(")") > name.count("("))):
        name = name[:-1]
    return name


def _signature(entry: dict[str, object]) -> Signature:
    def many(name: str) -> tuple[str, ...]:
        value = entry.get(name, [])
        assert isinstance(value, list)  # noqa: S101 of our own table
        return tuple(map(str, value))

    return Signature(
        cause=str(entry["cause"]),
        weight=float(str(entry["weight"])),
        patterns=tuple(re.compile(pattern, re.IGNORECASE) for pattern in many("patterns")),
        codes=frozenset(many("codes")),
        needs=frozenset(many("needs")),
        unless=frozenset(many("unless")),
        object=many("object"),
        detail=many("detail"),
        machine=bool(entry.get("machine", False)),
        quiet=bool(entry.get("quiet", False)),
    )
