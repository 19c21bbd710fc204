"""The part of the scheduler's query language that clients use: comparisons, LIKE, IN, AND, OR, NOT, ORDER BY."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
Test = Callable[[Document], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])|(?P<sign><>|!=|<=|>=|=|<|>|\(|\)|,)"
    r"|(?P<word>[A-Za-z_][\w.]*))"
)
# A key is one string in the scheduler, though it looks as if it had parts.
_WITHOUT_PARTS = frozenset({"key", "id", "name", "folder", "workstation", "jobStreamName"})
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class OqlError(ValueError):
    """The query can't be understood."""


@dataclass(frozen=True)
class Query:
    """A query that was understood: what it selects, and in which order."""

    test: Test
    order_by: str = ""
    descending: bool = False

    def select(self, documents: Iterable[Document]) -> list[Document]:
        """Those that it selects."""
        found = [document for document in documents if self.test(document)]
        if self.order_by:
            found.sort(key=lambda document: str(_first(document, self.order_by) or ""), reverse=self.descending)
        return found


def parse(text: str) -> Query:
    """The query in `text`; an empty one selects all.

    Raises:
        OqlError: it can't be understood.
    """
    return _Parser(text).query()


def like(pattern: str) -> re.Pattern[str]:
    """What a pattern with @ (any text) and ? (any character) matches."""
    shapes = {"@": ".*", "?": "."}
    return re.compile("".join(shapes.get(sign, re.escape(sign)) for sign in pattern), re.DOTALL)


class _Parser:
    """Reads tokens from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def query(self) -> Query:
        test: Test = lambda _: True  # noqa: E731
        if self._tokens and not self._is("ORDER"):
            test = self._either()
        order_by, descending = "", False
        if self._takes("ORDER"):
            self._expect("BY")
            order_by = self._take("word")
            descending = self._takes("DESC")
            if not descending:
                self._takes("ASC")
        if self._at < len(self._tokens):
            raise OqlError(f"unexpected {self._tokens[self._at][1]}")
        return Query(test, order_by, descending)

    def _either(self) -> Test:
        tests = [self._both()]
        while self._takes("OR"):
            tests.append(self._both())
        return lambda document: any(test(document) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._takes("AND"):
            tests.append(self._one())
        return lambda document: all(test(document) for test in tests)

    def _one(self) -> Test:
        if self._takes("NOT"):
            inner = self._one()
            return lambda document: not inner(document)
        if self._takes("("):
            test = self._either()
            self._expect(")")
            return test
        return self._comparison(self._field())

    def _field(self) -> str:
        field = self._take("word")
        head, dot, _ = field.partition(".")
        if dot and head in _WITHOUT_PARTS:
            raise OqlError(f"{head} has no parts, so there is no {field}")
        return field

    def _comparison(self, field: str) -> Test:
        if self._takes("LIKE"):
            pattern = like(str(self._value()))
            return lambda document: any(pattern.fullmatch(str(value)) for value in _all(document, field))
        if self._takes("IN"):
            wanted = self._values()
            return lambda document: any(value in wanted for value in _all(document, field))
        sign = self._take("sign")
        if sign not in _COMPARE:
            raise OqlError(f"{sign} compares nothing")
        compare, value = _COMPARE[sign], self._value()
        return lambda document: any(
            compare(one, value) for one in _all(document, field) if isinstance(one, type(value))
        )

    def _values(self) -> list[str | float]:
        self._expect("(")
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> str | float:
        kind, text = self._next()
        if kind == "string":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return float(text) if "." in text else int(text)
        raise OqlError(f"{text} is no value")

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise OqlError("the query ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _is(self, word: str) -> bool:
        here = self._tokens[self._at : self._at + 1]
        return bool(here) and here[0][0] != "string" and here[0][1].upper() == word

    def _takes(self, word: str) -> bool:
        taken = self._is(word)
        self._at += taken
        return taken

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            raise OqlError(f"{word} is missing")

    def _take(self, kind: str) -> str:
        found, text = self._next()
        if found != kind:
            raise OqlError(f"unexpected {text}")
        return text


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at, text = 0, text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise OqlError(f"unexpected {text[at : at + 10]}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


def _all(document: Any, path: str) -> list[Any]:
    """Every value at a path; lists on the way are entered."""
    values = [document]
    for part in path.split("."):
        inner = [value.get(part) for value in values if isinstance(value, Mapping)]
        values = [one for value in inner for one in (value if isinstance(value, list) else [value])]
    return values


def _first(document: Document, path: str) -> Any:
    values = _all(document, path)
    return values[0] if values else None
