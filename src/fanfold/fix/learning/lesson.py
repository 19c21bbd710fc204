"""What one try at one rule came to, as it is remembered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One try of one agent at the findings that one file has of one rule.

    What the try took is shared among the findings that it was asked for, so that sums over rules are right.

    Args:
        trail: id of the try.
        run: name of the run.
        checker, rule: what the findings are of.
        agent: who worked.
        stage: the place of its stage, 0 for the first.
        number: 1 for a stage's first try at the task.
        asked: how many findings it was to fix.
        fixed: how many of them it fixed for good: verified and landed.
        cost_usd: None = nobody knows.
        tokens: of questions and answers, None = nobody knows.
        agent_s: seconds that the agent took.
        at_s: when it began, in seconds since 1970.
    """

    trail: str
    run: str
    checker: str
    rule: str
    agent: str
    stage: int
    number: int
    asked: int
    fixed: int
    cost_usd: float | None
    tokens: float | None
    agent_s: float
    at_s: float


@dataclass(frozen=True, kw_only=True)
class Example:
    """A part of a diff that fixed a finding: verified and landed, secrets masked."""

    trail: str
    checker: str
    rule: str
    diff: str
    at_s: float
