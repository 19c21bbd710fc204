"""A hash of what a value says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any

from fanfold.engine.content.shapes import Atom, Composite, ContentError, Fields, Keyed, Unordered, labelled, shape_of

DIGEST_BYTES = 20
SHOWN_LABELS = 8
MOST_DEPTHS = 10_000
HINT = "use plain data, dataclasses or pydantic models"


def content_hash(value: object) -> str:
    """A hash that is equal where type and content are, in every process and for every PYTHONHASHSEED.

    Types are told apart: 1, 1.0, True and "1" are four contents, and so are 0.0 and -0.0; any NaN is as any other.
    The order of dicts and sets doesn't count, nor does where else an object is used. Copy-on-write views are as
    the plain containers that they stand for. Classes count by their full name, their fields as `==` compares them:
    a dataclass's `field(compare=False)` is left out. Classes and functions as values count by the name to import
    them by.

    Returns:
        40 hexadecimal digits.
    Raises:
        ContentError: it holds something without stable content, or itself; the message names where.
    """
    return blake2b(canonical(value).encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()


def canonical(value: object) -> str:
    """A text that is equal where type and content are.

    Raises:
        ContentError: as `content_hash`.
    """
    try:
        return _text(value)
    except _Stuck as stuck:
        path = "".join(reversed(stuck.labels))
        raise ContentError(f"{stuck.why}{f': at {path}' if path else ''}", hint=HINT) from None
    except RecursionError:
        why = "holds itself or is nested too deeply to have a content"
        raise ContentError(f"{type(value).__qualname__} {why}: at {_depths(value)}", hint=HINT) from None


class _Stuck(Exception):
    """Something without content was met; its path grows on the way out."""

    def __init__(self, why: str) -> None:
        self.why = why
        self.labels: list[str] = []


# Each text has a mark of its type and its length, so that no two neighbours can be taken for two others.


def _text(value: object) -> str:
    return (_DIRECT.get(type(value)) or _shaped)(value)


def _shaped(value: Any) -> str:
    shape = shape_of(type(value))
    if shape is None:
        raise _Stuck(f"{type(value).__qualname__} has no stable content")
    mark = _MARKS.get(shape.name) or f"{type(shape).__name__[0]}{len(shape.name)}:{shape.name}"
    if isinstance(shape, Atom):
        text = _atom(shape, value)
        return f"{mark}{len(text)}:{text}"
    return f"{mark}{_parts(shape, value)}"


def _atom(shape: Atom, value: object) -> str:
    try:
        return shape.text(value)
    except ContentError as error:
        raise _Stuck(error.message) from None


def _parts(shape: Composite, value: object) -> str:
    if isinstance(shape, Keyed):
        return _keyed(shape.parts(value))
    if isinstance(shape, Fields):
        return _fields(shape.parts(value))
    if isinstance(shape, Unordered):
        return _unordered(shape.parts(value))
    return _sequence(shape.parts(value))


def _sequence(parts: Iterable[Any]) -> str:
    texts: list[str] = []
    try:
        for part in parts:
            texts.append((_DIRECT.get(type(part)) or _shaped)(part))  # noqa: PERF401 its length says where it stuck
    except _Stuck as stuck:
        stuck.labels.append(f"[{len(texts)}]")
        raise
    return f"{len(texts)}:{''.join(texts)}"


def _keyed(parts: Mapping[Any, Any]) -> str:
    texts: list[str] = []
    key: Any = None
    try:
        for key, part in parts.items():
            texts.append((_DIRECT.get(type(key)) or _shaped)(key) + (_DIRECT.get(type(part)) or _shaped)(part))
    except _Stuck as stuck:
        stuck.labels.append(f"[{key!r}]")
        raise
    texts.sort()
    return f"{len(texts)}:{''.join(texts)}"


def _fields(parts: Mapping[str, Any]) -> str:
    texts: list[str] = []
    name = ""
    try:
        for name in sorted(parts):
            texts.append(_text(name) + _text(parts[name]))
    except _Stuck as stuck:
        stuck.labels.append(f".{name}" if name else "")
        raise
    return f"{len(texts)}:{''.join(texts)}"


def _unordered(parts: Iterable[Any]) -> str:
    try:
        texts = sorted([_text(part) for part in parts])
    except _Stuck as stuck:
        stuck.labels.append("{...}")
        raise
    return f"{len(texts)}:{''.join(texts)}"


def _int(value: int) -> str:
    text = hex(value)
    return f"i{len(text)}:{text}"


def _float(value: float) -> str:
    text = value.hex()
    return f"f{len(text)}:{text}"


# What most values are made of, written as `_shaped` would write it.
_MARKS = {"str": "s", "int": "i", "float": "f", "bool": "b", "NoneType": "n", "dict": "d", "list": "l", "tuple": "t"}
_DIRECT: dict[type, Callable[[Any], str]] = {
    str: lambda value: f"s{len(value)}:{value}",
    int: _int,
    float: _float,
    bool: lambda value: "b4:True" if value else "b5:False",
    type(None): lambda _: "n0:",
    dict: lambda value: f"d{_keyed(value)}",
    list: lambda value: f"l{_sequence(value)}",
    tuple: lambda value: f"t{_sequence(value)}",
}


def _depths(value: object) -> str:
    """Where a value holds what it is in, or the beginning of the path on which it is too deep."""
    above: list[object] = [value]
    left = [labelled(value)]
    labels: list[str] = []
    while left and len(above) < MOST_DEPTHS:
        step = next(left[-1], None)
        if step is None:
            left.pop()
            above.pop()
            del labels[-1:]
        elif any(step[1] is each for each in above):
            return "".join([*labels, step[0]])
        else:
            labels.append(step[0])
            above.append(step[1])
            left.append(labelled(step[1]))
    return f"{''.join(labels[:SHOWN_LABELS])}..."
