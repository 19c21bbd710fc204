"""Evidence that another program wrote, a command or a server: untrusted, of any form, made into evidence of ours."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast, get_args

from fanfold.troubleshoot.ask import clean_text
from fanfold.troubleshoot.codes import codes_in
from fanfold.troubleshoot.evidence import Evidence, Fact, Kind

MOST_PIECES = 30
MOST_FACTS = 40
MOST_CODES = 20
MOST_ITEMS = 50
LINES_AT_ONCE = 5
LONGEST_SUBJECT = 200
LONGEST_FACT = 1_000
KINDS = frozenset(get_args(Kind))
LISTS = ("evidence", "result", "results", "items")


@dataclass(frozen=True, slots=True)
class Giver:
    """Who gives evidence, and about what.

    Attributes:
        source: the source's name; whatever the other side says its name is.
        subject: what evidence is about that doesn't say so.
    """

    source: str
    subject: str

    def from_text(self, text: str) -> list[Evidence]:
        """JSON in the form of evidence, else the lines as notes; nothing where there are none."""
        data = parsed(text)
        return self.from_lines(text) if data is None else self.from_data(data)

    def from_data(self, data: object) -> list[Evidence]:
        """A list of objects, or an object that holds one; whatever isn't evidence becomes a note."""
        items = _listed(data)
        pieces = [self._piece(item) for item in items[:MOST_PIECES] if item not in (None, "", [], {})]
        return [*pieces, *self._more(len(items) - MOST_PIECES, "pieces")]

    def from_lines(self, text: str) -> list[Evidence]:
        """A note for each paragraph, of some lines at most."""
        groups = list(_groups(text))
        notes = [self._note("\n".join(lines)) for lines in groups[:MOST_PIECES]]
        return [*notes, *self._more(sum(map(len, groups[MOST_PIECES:])), "lines")]

    def _piece(self, item: object) -> Evidence:
        if not isinstance(item, Mapping) or not isinstance(item.get("text"), str):
            return self._note(item if isinstance(item, str) else json.dumps(item, ensure_ascii=False))
        text, kind, said = clean_text(item["text"]), item.get("kind"), item.get("subject")
        codes = item.get("codes")
        given = [str(code).upper() for code in codes[:MOST_CODES]] if isinstance(codes, list) else codes_in(text)
        return Evidence(
            source=self.source,
            kind=cast("Kind", kind) if isinstance(kind, str) and kind in KINDS else "note",
            subject=clean_text(said)[:LONGEST_SUBJECT] if isinstance(said, str) and said else self.subject,
            text=text,
            facts=_facts(item.get("facts")),
            codes=tuple(clean_text(code)[:LONGEST_SUBJECT] for code in given),
            at=_time(item.get("at")),
            reference=clean_text(reference) if isinstance(reference := item.get("reference"), str) else "",
            score=_score(item.get("score")),
        )

    def _note(self, text: str) -> Evidence:
        text = clean_text(text)
        return Evidence(source=self.source, kind="note", subject=self.subject, text=text, codes=codes_in(text))

    def _more(self, count: int, what: str) -> list[Evidence]:
        if count <= 0:
            return []
        text = f"{count} more {what} were left out"
        return [Evidence(source=self.source, kind="note", subject=self.source, text=text, facts={"more": count})]


def parsed(text: str) -> Any:
    """The JSON that a text is, an object or a list, or one object on each line; None where it is none."""
    text = text.strip()
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        return None


def _listed(data: object) -> Sequence[object]:
    if isinstance(data, list):
        return data
    if isinstance(data, Mapping) and "text" not in data:
        for name in LISTS:
            if isinstance(data.get(name), list):
                return cast("list[object]", data[name])
    return [data]


def _groups(text: str) -> Iterator[list[str]]:
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.strip():
            lines.append(line.rstrip())
        if lines and (not line.strip() or len(lines) == LINES_AT_ONCE):
            yield lines
            lines = []


def _facts(given: object) -> dict[str, Fact]:
    if not isinstance(given, Mapping):
        return {}
    return {str(name)[:LONGEST_SUBJECT]: _fact(value) for name, value in list(given.items())[:MOST_FACTS]}


def _fact(value: object) -> Fact:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return clean_text(value[:LONGEST_FACT])
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return [clean_text(one[:LONGEST_FACT]) for one in value[:MOST_ITEMS]]
    return clean_text(json.dumps(value, ensure_ascii=False)[:LONGEST_FACT])


def _time(given: object) -> datetime | None:
    """A time without a zone could be any: it isn't one."""
    if not isinstance(given, str):
        return None
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        return None
    return at if at.tzinfo else None


def _score(given: object) -> float | None:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    if isinstance(given, float) and not math.isfinite(given):
        return None
    return float(min(1, max(0, given)))
