"""Names filled into PromQL, so that they stay names: nothing that a user or a message says becomes part of a query."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fanfold.errors import FanfoldError

PLACEHOLDERS = ("job", "workstation", "instance")
_PLACEHOLDER = re.compile(rf"\{{({'|'.join(PLACEHOLDERS)})\}}")
_PIECE = re.compile(
    r"""(?P<double>"(?:\\.|[^"\\])*+")|(?P<single>'(?:\\.|[^'\\])*+')|(?P<raw>`[^`]*+`)|(?P<comment>\#[^\n]*+)"""
    r"""|(?P<open>["'`])""",
    re.DOTALL,
)
_REGEX = re.compile(r"[=!]~\s*\Z")
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_CONTROL = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class TemplateError(FanfoldError, ValueError):
    """A query has a placeholder where a value could become part of it."""


@dataclass(frozen=True, slots=True)
class _Hole:
    """A placeholder: where it stands, whose value it takes, in which quotes, and whether in a regular expression."""

    start: int
    end: int
    name: str
    quote: str
    in_regex: bool


def placeholders_of(template: str) -> tuple[str, ...]:
    """The names of the placeholders in a query, each once.

    Raises:
        TemplateError: one stands outside quotes or in backquotes, where nothing can be escaped.
    """
    return tuple(dict.fromkeys(hole.name for hole in _holes(template)))


def filled(template: str, values: Mapping[str, str]) -> str:
    """The query with values in the place of `{job}`, `{workstation}` and `{instance}`.

    A value stays text inside the quotes around its placeholder, and letters in it mean themselves after `=~` too.

    Raises:
        TemplateError: as `placeholders_of`.
        KeyError: a value is missing.
    """
    pieces: list[str] = []
    done = 0
    for hole in _holes(template):
        pieces += (template[done : hole.start], _escaped(values[hole.name], hole))
        done = hole.end
    return "".join([*pieces, template[done:]])


def _holes(template: str) -> Iterator[_Hole]:
    done = 0
    for piece in _PIECE.finditer(template):
        _refuse_in(template[done : piece.start()])
        done = piece.end()
        if piece["open"]:
            raise TemplateError("a quote is not closed", hint="close it")
        if piece["raw"]:
            _refuse_in(piece[0])
        if not (piece["double"] or piece["single"]):
            continue
        in_regex = _REGEX.search(template, 0, piece.start()) is not None
        for match in _PLACEHOLDER.finditer(piece[0]):
            yield _Hole(piece.start() + match.start(), piece.start() + match.end(), match[1], piece[0][0], in_regex)
    _refuse_in(template[done:])


def _refuse_in(text: str) -> None:
    if match := _PLACEHOLDER.search(text):
        raise TemplateError(
            f"{match[0]} must stand within double or single quotes", hint=f'write job_name="{match[0]}" for instance'
        )


def _escaped(value: str, hole: _Hole) -> str:
    if hole.in_regex:
        value = _SPECIAL.sub(r"\\\g<0>", value)
    escapes = {**_CONTROL, hole.quote: f"\\{hole.quote}"}  # the other quote may not be escaped
    return "".join(escapes.get(letter, letter) for letter in value if letter.isprintable() or letter in escapes)
