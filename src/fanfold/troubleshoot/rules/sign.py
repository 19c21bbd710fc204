"""A sign of a cause: one thing that speaks for it, and how much."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Channel: TypeAlias = Literal[
    "joblog", "log", "structure", "workstation", "metric", "change", "event", "alert", "runbook", "asked"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One thing that speaks for a cause.

    Attributes:
        cause: its class.
        object: what it is about, "" = not said.
        weight: from 0 to 1, all that weakens it already counted.
        evidence: ids, the most telling first.
        channel: where it is from; signs of one channel are not independent, so only the strongest of them counts.
        order: the place in its log; of equals the earlier one counts.
        certain: whether the object is really named, not only the nearest thing.
        of: the job that it befell, where that is one before the job that is looked at; "" = that job itself.
        against: it speaks against the cause; `weight` is how much of its score that takes away.
        supports: it makes a cause that others speak for more likely, and never is a reason by itself.
    """

    cause: str
    object: str
    weight: float
    evidence: tuple[str, ...]
    channel: Channel
    order: int = 0
    certain: bool = True
    supports: bool = False
    of: str = ""
    against: bool = False


def likely(signs: Iterable[Sign], *, least: float) -> dict[str, tuple[str, ...]]:
    """The causes that signs of some weight speak for, with the ids of those, the strongest first."""
    found: dict[str, tuple[str, ...]] = {}
    for sign in sorted(signs, key=lambda one: -one.weight):
        if sign.weight >= least and not (sign.supports or sign.against):
            found[sign.cause] = tuple(dict.fromkeys((*found.get(sign.cause, ()), *sign.evidence)))
    return found
