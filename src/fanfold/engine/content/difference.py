"""Where two values first differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from fanfold.engine.content.hashing import HINT, canonical
from fanfold.engine.content.shapes import Atom, ContentError, Keyed, Sequence, Shape, Unordered, shape_of


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING: Final = _Missing()
"""Stands for the part that one of two values doesn't have."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where two values differ.

    `path` says how to get there, as `.items[3]['name']`; it is empty where they differ as a whole. `left` and
    `right` are what is there, MISSING where nothing is.
    """

    path: str
    left: object
    right: object

    def __str__(self) -> str:
        return f"{self.path or 'the value'}: {self.left!r} became {self.right!r}"


def first_difference(left: object, right: object) -> Difference | None:
    """Where two values first differ in type or content; None where `content_hash` would be equal.

    First means in the order of fields, sequences and the left dict. What has no stable content is compared by `==`.

    Raises:
        ContentError: a value holds itself or is nested too deeply.
    """
    if _is_same(left, right):
        return None
    try:
        return _first("", left, right)
    except RecursionError:
        raise ContentError("two values hold themselves or are nested too deeply to be compared", hint=HINT) from None


def _is_same(left: object, right: object) -> bool:
    """The fast answer, where there is one."""
    try:
        return canonical(left) == canonical(right)
    except ContentError:
        return False


def _first(path: str, left: Any, right: Any) -> Difference | None:
    if left is right:
        return None
    shape, other = shape_of(type(left)), shape_of(type(right))
    if shape is None or other is None:
        return None if type(left) is type(right) and bool(left == right) else Difference(path, left, right)
    if type(shape) is not type(other) or shape.name != other.name or left is MISSING or right is MISSING:
        return Difference(path, left, right)
    if isinstance(shape, Atom) or isinstance(other, Atom):
        return None if _told_apart(left) == _told_apart(right) else Difference(path, left, right)
    pairs = _pairs(shape, shape.parts(left), other.parts(right))
    return next((found for label, one, two in pairs if (found := _first(f"{path}{label}", one, two))), None)


def _pairs(shape: Shape, left: Any, right: Any) -> Iterator[tuple[str, object, object]]:
    """What stands in the same place, as path, left part and right part."""
    if isinstance(shape, Sequence):
        for index, (one, two) in enumerate(zip_longest(left, right, fillvalue=MISSING)):
            yield f"[{index}]", one, two
    elif isinstance(shape, Unordered):
        lefts, rights = _by_content(left), _by_content(right)
        for only in sorted(lefts.keys() ^ rights.keys(), key=str):
            yield "{...}", lefts.get(only, MISSING), rights.get(only, MISSING)
    else:
        lefts, rights = _by_content(left), _by_content(right)
        for name, key in {**lefts, **rights}.items():
            label = f"[{key!r}]" if isinstance(shape, Keyed) else f".{key}" if key else ""
            yield label, left[key] if name in lefts else MISSING, right[key] if name in rights else MISSING


def _by_content(keys: Iterable[Any]) -> dict[object, Any]:
    """Keys by what tells them apart, for 1, 1.0 and True are equal; those without content stand for themselves."""
    return {_told_apart(key): key for key in keys}


def _told_apart(key: object) -> object:
    try:
        return canonical(key)
    except ContentError:
        return key
