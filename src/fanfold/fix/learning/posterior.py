"""What is believed of an agent and a rule after what was seen of them, as plain arithmetic.

A chance is a Beta distribution. What an agent did with one rule is weighed against what it does with all rules: with
little seen of the rule the agent's own level speaks, with much the rule does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

PRIOR_WEIGHT = 5.0
"""For how many attempts the agent's level over all rules counts beside what was seen of one rule."""
MOST_OF_A_RULE = 10.0
"""For how many attempts one rule counts, at most, in an agent's level over all rules."""
MOST_REMEMBERED = 60.0
"""So many attempts count, at most, for one agent and rule, so that one that got better is seen to."""
HALF_LIFE_DAYS = 90.0
MOST_OF_OTHERS = 12.0
"""So many attempts in other projects count, at most, for one agent and rule; this project's soon outweigh them."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Attempts that succeeded and attempts that didn't; both may be fractions."""

    won: float = 0.0
    lost: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.won + other.won, self.lost + other.lost)

    @property
    def weight(self) -> float:
        """How many attempts it stands for."""
        return self.won + self.lost

    def capped(self, most: float) -> Tally:
        """The same share of successes, standing for at most so many attempts."""
        if self.weight <= most:
            return self
        return Tally(self.won * most / self.weight, self.lost * most / self.weight)


NOTHING = Tally()


@dataclass(frozen=True, slots=True)
class Beta:
    """How likely each chance between 0 and 1 is."""

    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """The chance to expect."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def weight(self) -> float:
        """How many attempts it stands for, those that were made up included."""
        return self.alpha + self.beta

    def about(self, mean: float) -> Beta:
        """As little known, with another chance to expect."""
        return Beta(self.weight * mean, self.weight * (1.0 - mean))

    def after(self, more: Tally) -> Beta:
        """What is believed once this was seen, too."""
        return Beta(self.alpha + more.won, self.beta + more.lost)


UNKNOWN = Beta(2.0, 2.0)
"""What is believed of an agent of which nothing was seen."""


def any_of(chances: Iterable[float]) -> float:
    """The chance that one of several succeeds that work side by side."""
    return 1.0 - math.prod(1.0 - one for one in chances)


def level(rules: Iterable[Tally], unknown: Beta = UNKNOWN) -> Beta:
    """What is believed of an agent over all rules, none of which speaks for the others by its number alone.

    Args:
        unknown: what is believed before anything was seen.
    """
    believed = unknown
    for tally in rules:
        believed = believed.after(tally.capped(MOST_OF_A_RULE))
    return believed


def chance(of_all: Beta, of_rule: Tally) -> Beta:
    """What is believed of an agent and a rule.

    Args:
        of_all: the agent's level over all rules.
        of_rule: what was seen of it with this rule.
    """
    mean = of_all.mean
    return Beta(mean * PRIOR_WEIGHT, (1.0 - mean) * PRIOR_WEIGHT).after(of_rule)


def seen(own: Tally, others: Tally) -> Tally:
    """What was seen of an agent and a rule, in this project and in others."""
    return (own + others.capped(MOST_OF_OTHERS)).capped(MOST_REMEMBERED)


def weight(age_days: float) -> float:
    """What an attempt counts: half as much with each half-life."""
    return math.exp2(-max(age_days, 0.0) / HALF_LIFE_DAYS)
