"""What programs may take from the budgets, and what they took."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from fanfold.agents.protocol import BudgetExhausted, Purse
from fanfold.llm.usage import Usage


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is known of a program's costs before it is started.

    Args:
        max_cost_usd: what one attempt may cost, as the user says.
        keeps_budget: whether it stops by itself there.
    """

    max_cost_usd: float | None = None
    keeps_budget: bool = False


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
    """Has a program that can stop by itself at a cost do so; what others take is known only when they took it."""

    terms: Terms = field(default_factory=Terms)
    _tokens: int = 0

    @asynccontextmanager
    async def of(self, purse: Purse | None) -> AsyncIterator[Bill]:
        """Set aside what one attempt may take, and settle what it took, however it ends.

        What ends without a word on its cost counts as if it had taken all that it might.

        Raises:
            BudgetExhausted: nothing is left.
        """
        left_usd = None if purse is None or not self.terms.keeps_budget else purse.left_cost_usd
        if purse is None or left_usd is None:
            yield Bill(self.terms.max_cost_usd if self.terms.keeps_budget else None)
            return
        if left_usd <= 0:
            raise BudgetExhausted("too little is left of the budget")
        limit_usd = min(left_usd, self.terms.max_cost_usd or left_usd)
        bill = Bill(limit_usd)
        reservation = await purse.reserve_in_turn(tokens=self._tokens, cost_usd=limit_usd)
        try:
            yield bill
        finally:
            took = bill.usage or Usage(requests=1, cost_usd=limit_usd)
            self._tokens = max(self._tokens, took.input_tokens + took.output_tokens)
            reservation.settle(took if took.cost_usd is not None else replace(took, cost_usd=limit_usd))

    def counted(self, usage: Usage | None) -> Usage | None:
        """What an attempt took, with the cost that the user says where the program says none."""
        if self.terms.max_cost_usd is None or (usage is not None and usage.cost_usd is not None):
            return usage
        return replace(usage or Usage(), cost_usd=self.terms.max_cost_usd)
