"""What asking a model took, in tokens and money."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was asked, and what it took.

    Attributes:
        requests: those that were answered.
        cost_usd: an estimate from public prices; None = there is none for this model, or not for all that was asked.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None

    def __add__(self, other: Usage) -> Usage:
        costs = [usage.cost_usd for usage in (self, other) if usage != Usage()]
        return Usage(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=sum(cost for cost in costs if cost is not None) if costs and None not in costs else None,
        )


@dataclass
class Spent:
    """What all models took that were asked within a block.

    Attributes:
        asked: how often one was asked, whether or not it answered.
    """

    usage: Usage = field(default_factory=Usage)
    asked: int = 0


_COUNTING: ContextVar[tuple[Spent, ...]] = ContextVar("counting", default=())


@contextmanager
def counted() -> Iterator[Spent]:
    """Count what models take that are asked within the block, by it and by the tasks that it starts.

    Blocks stand within others: each counts all that is asked within it.
    """
    spent = Spent()
    token = _COUNTING.set((*_COUNTING.get(), spent))
    try:
        yield spent
    finally:
        _COUNTING.reset(token)


def count(usage: Usage) -> None:
    """Add what one question took to what the blocks around it count."""
    for spent in _COUNTING.get():
        spent.usage += usage
        spent.asked += 1
