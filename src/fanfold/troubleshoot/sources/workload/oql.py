"""Queries in the scheduler's query language, with whatever a name holds made harmless."""

from __future__ import annotations

from collections.abc import Iterable


def text(value: str) -> str:
    """A string literal: quotes are doubled, and what is no character of a name is left out."""
    kept = "".join(letter for letter in value if letter.isprintable())
    return "'" + kept.replace("'", "''") + "'"


def equals(field: str, value: str) -> str:
    """The field has this value."""
    return f"{field} = {text(value)}"


def any_of(field: str, values: Iterable[str]) -> str:
    """The field has one of these values."""
    return f"{field} IN ({', '.join(map(text, values))})"


def begins(field: str, prefix: str) -> str:
    """The field begins with this; signs that match anything count as themselves, so they end the prefix."""
    plain = prefix
    for sign in "@?":
        plain = plain.partition(sign)[0]
    return f"{field} LIKE {text(plain + '@')}"


def all_of(*conditions: str) -> str:
    """All conditions hold; empty ones are left out."""
    return " AND ".join(condition for condition in conditions if condition)
