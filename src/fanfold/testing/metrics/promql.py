"""A small part of PromQL, evaluated over series that are data: what a troubleshooter asks, and no more.

Selectors with matchers, `rate`, `increase`, `time`, `sum avg min max count` with `by` and `without`, and `+ - * /`
between vectors of the same labels and with numbers, from left to right within one precedence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TypeAlias

from fanfold.errors import FanfoldError
from fanfold.testing.scenarios import Series

Labels: TypeAlias = tuple[tuple[str, str], ...]
Vector: TypeAlias = dict[Labels, float]
Value: TypeAlias = float | Vector
At: TypeAlias = Callable[[float], Value]
"""What an expression comes to at a time, in seconds since 1970."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_:][\w:]*)|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?P<unit>ms|[smhdw])?)"""
    r"""|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|(?P<sign>=~|!~|!=|[{}()\[\],=+*/-]))"""
)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": sum,
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
SCRAPE_S = 15.0


class PromqlError(FanfoldError, ValueError):
    """A query that isn't PromQL, or none of the part of it that is understood here."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label."""

    label: str
    sign: str
    value: str
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "pattern", re.compile(self.value if "~" in self.sign else ""))
        except re.error as error:
            raise PromqlError(f"invalid regular expression {self.value!r}: {error}") from None

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether a series is meant; a label that it doesn't have is empty."""
        value = labels.get(self.label, "")
        same = self.pattern.fullmatch(value) is not None if "~" in self.sign else value == self.value
        return same != self.sign.startswith("!")


def parse(promql: str, series: Sequence[Series]) -> At:
    """What a query comes to over these series.

    Raises:
        PromqlError: it isn't understood.
    """
    parser = _Parser(promql, series)
    found = parser.expression()
    if parser.token is not None:
        raise PromqlError(f"unexpected {parser.token[1]!r} in {promql!r}")
    return found


def value_at(series: Series, at_s: float) -> float | None:
    """The value of a series at a time; None = it has none."""
    at = datetime.fromtimestamp(at_s, UTC)
    is_other = at >= series.since and (series.until is None or at < series.until)
    return series.value if is_other else series.usual


@dataclass
class _Parser:
    text: str
    series: Sequence[Series]
    token: tuple[str, str] | None = None
    _tokens: Iterator[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = _tokens(self.text)
        self._next()

    def expression(self) -> At:
        left = self._product()
        while self.token in (("sign", "+"), ("sign", "-")):
            sign = self._next()
            left = _joined(sign, left, self._product())
        return left

    def _product(self) -> At:
        left = self._one()
        while self.token in (("sign", "*"), ("sign", "/")):
            sign = self._next()
            left = _joined(sign, left, self._one())
        return left

    def _one(self) -> At:
        kind, text = self.token or ("end", "the end")
        if kind == "number":
            self._next()
            number = float(text)
            return lambda _: number
        if text == "(":
            return self._bracketed()
        if text == "{":
            return self._selected("")
        if kind != "name":
            raise PromqlError(f"unexpected {text} in {self.text!r}")
        self._next()
        if text in _AGGREGATES:
            return self._aggregated(text)
        if text == "time":
            self._expect("(")
            self._expect(")")
            return lambda at_s: at_s
        if text in ("rate", "increase"):
            return self._rate(per_second=text == "rate")
        if self.token == ("sign", "("):
            raise PromqlError(f"unknown function {text!r}")
        return self._selected(text)

    def _bracketed(self) -> At:
        self._expect("(")
        found = self.expression()
        self._expect(")")
        return found

    def _aggregated(self, name: str) -> At:
        grouping = self._grouping()
        inner = self._bracketed()
        mode, labels = grouping or self._grouping() or ("by", frozenset())

        def at(at_s: float) -> Value:
            groups: dict[Labels, list[float]] = {}
            for key, value in _vector(inner(at_s)).items():
                kept = tuple(pair for pair in _unnamed(key) if (pair[0] in labels) == (mode == "by"))
                groups.setdefault(kept, []).append(value)
            return {key: _AGGREGATES[name](values) for key, values in groups.items()}

        return at

    def _grouping(self) -> tuple[str, frozenset[str]] | None:
        if self.token not in (("name", "by"), ("name", "without")):
            return None
        mode = self._next()
        self._expect("(")
        labels: set[str] = set()
        while self.token != ("sign", ")"):
            labels.add(self._next())
            if self.token == ("sign", ","):
                self._next()
        self._expect(")")
        return mode, frozenset(labels)

    def _rate(self, *, per_second: bool) -> At:
        self._expect("(")
        name = self._next() if self.token and self.token[0] == "name" else ""
        chosen = self._chosen(name)
        self._expect("[")
        range_s = _duration(self._next())
        self._expect("]")
        self._expect(")")
        return lambda at_s: _rates(chosen, at_s, range_s, per_second=per_second)

    def _selected(self, name: str) -> At:
        chosen = self._chosen(name)
        return lambda at_s: {_key(one): value for one in chosen if (value := value_at(one, at_s)) is not None}

    def _chosen(self, name: str) -> list[Series]:
        matchers = [Matcher("__name__", "=", name)] if name else []
        if self.token == ("sign", "{"):
            matchers += self._matchers()
        if not matchers:
            raise PromqlError("a selector must name something")
        return [one for one in self.series if all(matcher.fits(dict(_key(one))) for matcher in matchers)]

    def _matchers(self) -> Iterator[Matcher]:
        self._expect("{")
        while self.token != ("sign", "}"):
            label, sign = self._next(), self._next()
            if sign not in ("=", "!=", "=~", "!~") or self.token is None or self.token[0] != "text":
                raise PromqlError(f"{label!r} needs a sign and a text in quotes")
            yield Matcher(label, sign, _unquoted(self._next()))
            if self.token == ("sign", ","):
                self._next()
        self._expect("}")

    def _expect(self, sign: str) -> None:
        if self.token != ("sign", sign):
            raise PromqlError(f"{sign} is missing in {self.text!r}")
        self._next()

    def _next(self) -> str:
        last = self.token[1] if self.token else ""
        self.token = next(self._tokens, None)
        return last


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    done = 0
    while done < len(text.rstrip()):
        match = _TOKEN.match(text, done)
        if match is None:
            raise PromqlError(f"unexpected {text[done:].strip()[:20]!r}")
        done = match.end()
        kind = next(kind for kind in ("name", "number", "text", "sign") if match[kind] is not None)
        yield kind, match[kind]


def _duration(text: str) -> float:
    match = re.fullmatch(r"(\d+)(ms|[smhdw])", text)
    if match is None:
        raise PromqlError(f"{text!r} is no duration")
    return int(match[1]) * _SECONDS[match[2]]


def _unquoted(text: str) -> str:
    quote, inner = text[0], text[1:-1]
    escapes = {**_ESCAPES, quote: quote}

    def escaped(match: re.Match[str]) -> str:
        if match[1] not in escapes:
            raise PromqlError(f"unknown escape sequence {match[0]} in {text}")
        return escapes[match[1]]

    return inner if quote == "`" else re.sub(r"\\(.)", escaped, inner, flags=re.DOTALL)


def _key(series: Series) -> Labels:
    return tuple(sorted({**series.labels, "__name__": series.name}.items()))


def _unnamed(key: Labels) -> Labels:
    return tuple(pair for pair in key if pair[0] != "__name__")


def _vector(value: Value) -> Vector:
    if isinstance(value, float):
        raise PromqlError("a number stands where series are needed")
    return value


def _rates(chosen: Iterable[Series], at_s: float, range_s: float, *, per_second: bool) -> Vector:
    """By scrapes, and counting on from zero where a counter was reset."""
    found: Vector = {}
    for one in chosen:
        times = [at_s - range_s + step * SCRAPE_S for step in range(int(range_s / SCRAPE_S) + 1)]
        values = [value for at in times if (value := value_at(one, at)) is not None]
        if len(values) >= 2:
            grown = sum(after - before if after >= before else after for before, after in pairwise(values))
            found[_unnamed(_key(one))] = grown / range_s if per_second else grown
    return found


def _joined(sign: str, left: At, right: At) -> At:
    def at(at_s: float) -> Value:
        one, other = left(at_s), right(at_s)
        if isinstance(one, float) and isinstance(other, float):
            return _computed(sign, one, other)
        if isinstance(one, float):
            return {_unnamed(key): _computed(sign, one, value) for key, value in _vector(other).items()}
        if isinstance(other, float):
            return {_unnamed(key): _computed(sign, value, other) for key, value in one.items()}
        others = {_unnamed(key): value for key, value in other.items()}
        return {
            _unnamed(key): _computed(sign, value, others[_unnamed(key)])
            for key, value in one.items()
            if _unnamed(key) in others
        }

    return at


def _computed(sign: str, one: float, other: float) -> float:
    if sign == "+":
        return one + other
    if sign == "-":
        return one - other
    if sign == "*":
        return one * other
    return one / other if other else float("nan") if one == 0 else float("inf") * (1 if one > 0 else -1)
