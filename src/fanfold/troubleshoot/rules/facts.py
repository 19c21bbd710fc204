"""Facts of evidence in the types that rules need; whatever else stands there counts as nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from fanfold.troubleshoot.evidence import Evidence, Fact

Facts = Mapping[str, Fact]


def word(facts: Facts, name: str) -> str:
    """A text; "" = there is none."""
    value = facts.get(name)
    return value.strip() if isinstance(value, str) else ""


def words(facts: Facts, name: str) -> tuple[str, ...]:
    """A list of texts, or one text as such a list."""
    value = facts.get(name)
    if isinstance(value, list):
        return tuple(str(one) for one in value if one)
    return (value,) if isinstance(value, str) and value else ()


def number(facts: Facts, name: str) -> float | None:
    """A finite number; None = there is none."""
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def time(facts: Facts, name: str) -> datetime | None:
    """A time, with a zone; None = there is none."""
    try:
        return zoned(datetime.fromisoformat(word(facts, name)))
    except ValueError:
        return None


def zoned(at: datetime | None) -> datetime | None:
    """The time with a zone: UTC where it has none, so that times can always be compared."""
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.utcoffset() is None else at


def first_time(piece: Evidence) -> datetime | None:
    """When something was seen first."""
    return time(piece.facts, "first") or time(piece.facts, "since") or zoned(piece.at)


def last_time(piece: Evidence) -> datetime | None:
    """When something was seen last."""
    return time(piece.facts, "last") or zoned(piece.at) or time(piece.facts, "since")
