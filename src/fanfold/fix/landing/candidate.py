"""A tree that may become the tip of the result branch, and what is found out about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fanfold.fix.checkers import Census
from fanfold.fix.findings.compare import Comparison
from fanfold.fix.suite.tested import Part

MAX_REASONS = 10


@dataclass(frozen=True)
class Candidate:
    """A tree that may become the tip.

    Args:
        tip: the commit that it is on.
        tree: the whole tree.
        paths: in which it differs from the tip.
        count: of the changes that it is made of.
    """

    tip: str
    tree: str
    paths: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Green:
    """Nothing speaks against a tree; what the checkers say of it, and whether the suite could judge it."""

    census: Census
    comparison: Comparison
    tested: bool


@dataclass(frozen=True)
class Red:
    """What speaks against a tree.

    Args:
        by: what found it; `narrow` = that is less than the whole verification, and shows it again by itself.
        reasons: in words that follow "it".
        tests: names of the tests that it breaks.
        part: of the suite, which shows it again; None where it was something else.
    """

    by: Literal["checkers", "hook", "tests"]
    reasons: tuple[str, ...]
    tests: tuple[str, ...] = ()
    part: Part | None = None
    narrow: bool = True


def breaks(names: Sequence[str]) -> tuple[str, ...]:
    """Tests that are broken, as reasons."""
    more = len(names) - MAX_REASONS
    told = tuple(f"breaks {name}" for name in names[:MAX_REASONS])
    return (*told, f"breaks {more} more") if more > 0 else told
