"""What programs may take from the budgets, and what they took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from fanfold.agents.protocol import BudgetExhausted, Purse, Reservation
from fanfold.llm.usage import Usage

USUAL_LIMIT_USD = 1.0
"""What an attempt may cost where there is a budget and the user set no `max_cost_usd`: more than most take, and not
all that is left, or only one attempt could be made at a time."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is known of a program's costs before it is started.

    Args:
        max_cost_usd: what one attempt may cost, as the user says.
        keeps_budget: whether it stops by itself there.
        tells_cost: whether what it takes will be known in dollars.
    """

    max_cost_usd: float | None = None
    keeps_budget: bool = False
    tells_cost: bool = False


@dataclass
class Bill:
    """What one attempt may take, and took.

    Attributes:
        limit_usd: where the program is to stop by itself, None = nowhere.
        usage: what it said that it took; None = it didn't say.
    """

    limit_usd: float | None
    usage: Usage | None = None


@dataclass
class Spending:
    """What attempts of one program took at most so far: as much may the next one take that can't be told to stop."""

    terms: Terms
    largest: Usage = field(default_factory=Usage)

    @contextmanager
    def of(self, purse: Purse | None) -> Iterator[Bill]:
        """Set aside what one attempt may take, and settle what it took, however it ends.

        What ends without a word on its cost counts as if it had taken all that it might.

        Raises:
            BudgetExhausted: so much isn't left.
        """
        bill = Bill(self._limit_usd(purse))
        most = replace(self.largest, cost_usd=bill.limit_usd if self.terms.keeps_budget else self._expected_usd)
        reservation = _reserved(purse, most)
        try:
            yield bill
        finally:
            if bill.usage is not None:
                self._learn(bill.usage)
            if reservation is not None:
                reservation.settle(_settled(bill.usage, most))

    @property
    def _expected_usd(self) -> float | None:
        if not self.terms.tells_cost and self.terms.max_cost_usd is None:
            return None
        return max(self.largest.cost_usd or 0.0, self.terms.max_cost_usd or 0.0)

    def _limit_usd(self, purse: Purse | None) -> float | None:
        if not self.terms.keeps_budget:
            return None
        left = None if purse is None else purse.left_cost_usd
        if left is None:
            return self.terms.max_cost_usd
        if left <= 0:
            raise BudgetExhausted("nothing is left of the budget")
        return min(left, self.terms.max_cost_usd or USUAL_LIMIT_USD)

    def _learn(self, usage: Usage) -> None:
        costs = [cost for cost in (self.largest.cost_usd, usage.cost_usd) if cost is not None]
        self.largest = Usage(
            input_tokens=max(self.largest.input_tokens, usage.input_tokens),
            output_tokens=max(self.largest.output_tokens, usage.output_tokens),
            cost_usd=max(costs, default=None),
        )


def _reserved(purse: Purse | None, most: Usage) -> Reservation | None:
    if purse is None:
        return None
    return purse.reserve(tokens=most.input_tokens + most.output_tokens, cost_usd=most.cost_usd)


def _settled(usage: Usage | None, most: Usage) -> Usage:
    if usage is None:
        return most
    return usage if usage.cost_usd is not None else replace(usage, cost_usd=most.cost_usd)
