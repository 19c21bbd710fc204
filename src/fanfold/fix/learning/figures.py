"""Sums over what was learned, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fanfold.fix.learning.posterior import NOTHING, Tally


@dataclass(frozen=True)
class Cost:
    """What tries of one agent took, all rules together.

    Args:
        tries: how many there were; of `priced` the cost is known, of `counted` the tokens.
    """

    tries: int = 0
    cost_usd: float = 0.0
    priced: int = 0
    tokens: float = 0.0
    counted: int = 0
    agent_s: float = 0.0


@dataclass(frozen=True)
class Figures:
    """What a policy decides from.

    Args:
        first: successes of first tries, weighed by age and project; by agent, then by checker and rule ("ruff F401").
        again: those of further tries.
        costs: by agent.
    """

    first: Mapping[str, Mapping[str, Tally]] = field(default_factory=dict)
    again: Mapping[str, Mapping[str, Tally]] = field(default_factory=dict)
    costs: Mapping[str, Cost] = field(default_factory=dict)

    def tally(self, agent: str, rule: str, *, first: bool) -> Tally:
        """What one agent did with one rule."""
        return (self.first if first else self.again).get(agent, {}).get(rule, NOTHING)


@dataclass(frozen=True, kw_only=True)
class Total:
    """What one agent did with one rule, or (both names empty) with all of them; all tries together.

    Args:
        findings: that it was asked for, each once however often it was tried.
        fixed: of these, verified and landed.
        tries: how often it was tried.
        cost_usd, tokens: None = they aren't known of every try.
    """

    agent: str
    checker: str
    rule: str
    findings: int
    fixed: int
    tries: int
    cost_usd: float | None
    tokens: float | None
    agent_s: float

    @property
    def rate(self) -> float | None:
        """The share of findings that were fixed; None where none was asked for."""
        return self.fixed / self.findings if self.findings else None

    @property
    def usd_per_fix(self) -> float | None:
        """What a fix cost, failures included; None where it isn't known or nothing was fixed."""
        return None if self.cost_usd is None or not self.fixed else self.cost_usd / self.fixed


@dataclass(frozen=True)
class Progress:
    """What one agent did on one day, written as YYYY-MM-DD in UTC."""

    agent: str
    day: str
    findings: int
    fixed: int
