"""The cheapest way of a task through the stages, for what is expected of them, as plain arithmetic.

Every way goes through all stages, with at least one try each, until nothing is left; so a way differs from another in
what it costs until then, and in how often a stage may try again. What a further try may bring is weighed against
what it costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product

WORTH = 80.0
"""A fix is worth so many tries of the dearest stage: below one chance in so many it isn't tried again."""
CLEARLY = 0.03
"""A way must save this share of what the user's own order costs, or that is kept."""
MOST_TRIED_OUT = 3
"""With so many stages every order is looked at; with more, they go by chance for their cost."""

Way = tuple[tuple[int, int], ...]
"""Stages in the order in which they are tried, each with its tries."""


@dataclass(frozen=True)
class Expected:
    """What is expected of one stage.

    Args:
        first: the chance of its first try at a finding, by rule.
        again: that of a further try, by rule.
        cost: of one try, in any unit that all stages share.
        comes_first: it costs next to nothing, so it comes before all others whatever the figures say, and once.
    """

    first: Mapping[str, float]
    again: Mapping[str, float]
    cost: float
    comes_first: bool = False


@dataclass(frozen=True, slots=True)
class Toll:
    """What a way is expected to come to: the `cost` of its tries, and the worth of what it leaves (`lost`)."""

    cost: float
    lost: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.cost + self.lost


def best_way(stages: Sequence[Expected], findings: Mapping[str, int], *, tries: int) -> Way:
    """The way whose toll is smallest; the user's own order where no other is clearly better.

    Args:
        stages: in the user's order.
        findings: how many the task has, by rule.
        tries: how many each stage may have at most.
    """
    worth = WORTH * max((stage.cost for stage in stages), default=0.0)
    own = tuple((number, 1 if stage.comes_first else tries) for number, stage in enumerate(stages))
    expected = toll(own, stages, findings, worth)
    best, least = own, expected.total - CLEARLY * expected.cost
    for way in _ways(stages, findings, tries):
        total = toll(way, stages, findings, worth).total
        if total < least:
            best, least = way, total
    return best


def toll(way: Way, stages: Sequence[Expected], findings: Mapping[str, int], worth: float) -> Toll:
    """What a way is expected to come to.

    Args:
        worth: of a fix, in the unit of the stages' costs.
    """
    left = dict.fromkeys(findings, 1.0)
    cost = 0.0
    for number, tries in way:
        stage = stages[number]
        for turn in range(tries):
            cost += stage.cost * _any_left(left)
            chances = stage.again if turn else stage.first
            left = {rule: share * (1.0 - chances[rule]) for rule, share in left.items()}
    return Toll(cost, worth * sum(left[rule] * count for rule, count in findings.items()))


def _any_left(left: Mapping[str, float]) -> float:
    """The chance that a stage has anything to do; rules are taken to be independent."""
    none = 1.0
    for share in left.values():
        none *= 1.0 - share
    return 1.0 - none


def _ways(stages: Sequence[Expected], findings: Mapping[str, int], tries: int) -> Iterator[Way]:
    for order in _orders(stages, findings):
        # Further tries are alike, so that a stage has all of them or none.
        for counts in product(*((1,) if stages[number].comes_first else sorted({1, tries}) for number in order)):
            yield tuple(zip(order, counts, strict=True))


def _orders(stages: Sequence[Expected], findings: Mapping[str, int]) -> Iterator[tuple[int, ...]]:
    fixed = tuple(number for number, stage in enumerate(stages) if stage.comes_first)
    free = [number for number in range(len(stages)) if number not in fixed]
    if len(free) <= MOST_TRIED_OUT:
        yield from ((*fixed, *order) for order in permutations(free))
    else:
        by_value = sorted(free, key=lambda number: (-_value(stages[number], findings), number))
        yield (*fixed, *by_value)


def _value(stage: Expected, findings: Mapping[str, int]) -> float:
    chances = sum(stage.first[rule] * count for rule, count in findings.items()) / max(sum(findings.values()), 1)
    return chances / stage.cost if stage.cost > 0 else float("inf")
