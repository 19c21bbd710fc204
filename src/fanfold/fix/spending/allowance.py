"""What one attempt of one agent may take: the purse that it is given, and what is kept ready for it meanwhile.

A request of a model sets aside the most that it may take; where that isn't left it isn't sent. A program that says
only afterwards what it took has as much set aside as the dearest attempt of its kind came to; of the first one nobody
knows that, so all that is left is set aside, and no other attempt begins to spend meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from fanfold.agents.protocol import Agent, AgentError, BudgetExhausted
from fanfold.fix.attempts.stages import name_of
from fanfold.fix.spending.budget import Budget, Hold
from fanfold.fix.spending.ledger import Amount
from fanfold.llm.usage import Usage

PRICE = "set price_per_million = [input, output] in USD in the agent's table, or limit tokens in place of money"
UNTOLD = "set max_cost_usd in its table, what an attempt may cost, or limit the minutes"


@dataclass
class Customs:
    """What is known of the ways of agents, by their names.

    Attributes:
        ask: those that set aside what they may take by themselves.
        dearest: the most that an attempt of the others came to.
        most_tokens: the most that a request of those who ask came to.
        untold: those of whose attempts nobody knows what they took.
        at_work: attempts that have set something aside.
    """

    ask: set[str] = field(default_factory=set)
    dearest: dict[str, Amount] = field(default_factory=dict)
    most_tokens: dict[str, int] = field(default_factory=dict)
    untold: set[str] = field(default_factory=set)
    at_work: set[Allowance] = field(default_factory=set)


class Till:
    """Gives out what attempts may take of a budget."""

    def __init__(self, budget: Budget | None = None) -> None:
        self.budget = budget or Budget()
        self.customs = Customs()

    def check_time(self, key: str) -> None:
        """See that there is time left to begin something at a task.

        Raises:
            BudgetExhausted: there is none.
        """
        self.budget.check_time(key)

    @contextlib.asynccontextmanager
    async def attempt(self, key: str, agent: Agent, *, known_as: str = "") -> AsyncIterator[Allowance]:
        """What one attempt at a task may take; at its end whatever wasn't settled is taken for spent.

        Args:
            known_as: its id, by which the next process of the run knows it if this one dies; "" = none has to.
        Raises:
            BudgetExhausted: the time is up, before it or in its midst; or what the agent may take isn't left.
        """
        budget = self.budget
        budget.check_time(key)
        allowance = Allowance(budget, self.customs, key, agent, known_as)
        began_s: float | None = None
        left = budget.time_left()
        try:
            async with asyncio.timeout(left and left[0]) as in_time:
                await allowance.begin()
                allowance.begun()
                began_s, left = budget.now_s(), budget.time_left(key)
                in_time.reschedule(left and asyncio.get_running_loop().time() + left[0])
                yield allowance
        except AgentError as error:
            if error.usage is not None:
                allowance.tell(error.usage)
            raise
        except asyncio.CancelledError:
            allowance.stop()
            raise
        except TimeoutError as error:
            if left is not None and in_time.expired():
                raise budget.no_time(left[1]) from error
            raise
        finally:
            allowance.close()
            if began_s is not None:
                budget.worked(key, budget.now_s() - began_s, known_as, allowance.told)


class Reserved:
    """What was set aside for one request: a `Reservation`."""

    def __init__(self, allowance: Allowance, hold: Hold) -> None:
        self._allowance = allowance
        self._hold = hold

    def settle(self, usage: Usage) -> None:
        """Give back what wasn't used; only the first time counts."""
        self._allowance.settle(self._hold, usage)


class Allowance:
    """What one attempt may take: its `Purse`."""

    def __init__(self, budget: Budget, customs: Customs, key: str, agent: Agent, known_as: str = "") -> None:
        self._budget = budget
        self._customs = customs
        self._key = key
        self._agent = agent.name
        self._shown, self._id = name_of(agent), known_as
        self._spends = not agent.deterministic
        self._priced_usd: float | None = getattr(agent, "attempt_cost_usd", None)
        self._holds: dict[Hold, Amount] = {}
        self._advance: Hold | None = None
        self._settled = Amount()
        self.told: Usage | None = None
        self._stopped = False
        if getattr(agent, "reserves", False) is True:
            customs.ask.add(agent.name)

    @property
    def left_cost_usd(self) -> float | None:
        """What a program may take that keeps a limit itself, so that others at work have as much; None = no limit."""
        with self._budget.lock:
            own = [*self._holds, *([self._advance] if self._advance else [])]
            others = len(self._customs.at_work - {self})
            left_usd = self._budget.left_usd(self._key, sum(hold.amount.cost_usd for hold in own), others)
            if left_usd == 0:
                with contextlib.suppress(BudgetExhausted):  # who asks refuses by itself; that it came to this is noted
                    self._budget.all_that_is_left(self._key)
            return left_usd

    async def begin(self) -> None:
        """Set aside what an agent may take that doesn't ask before; in its turn.

        Raises:
            BudgetExhausted: that isn't left, or the agent doesn't say what it takes.
        """
        if self._spends and self._budget.counts_spending:
            self._advance = await self._budget.hold_in_turn(
                self._key, self._in_advance, likely=self._likely, attempt=self._id
            )
            if self._advance is not None:
                self._customs.at_work.add(self)

    def begun(self) -> None:
        """Note that it begins, where another process may have to know."""
        if self._id:
            free = Usage(cost_usd=0.0) if self._agent in self._customs.ask or not self._spends else None
            self._budget.begin(self._id, self._key, self._shown, free)

    def reserve(self, *, tokens: int, cost_usd: float | None = None) -> Reserved:
        """Set aside the most that a request may take.

        Raises:
            BudgetExhausted: so much isn't left, or others have set it aside; or nobody knows what it costs.
        """
        with self._budget.lock:
            self._asks()
            likely = self._likely_of(tokens, cost_usd)
            return self._reserved(self._budget.hold(self._key, self._asked(tokens, cost_usd), likely, self._id), likely)

    async def reserve_in_turn(self, *, tokens: int, cost_usd: float | None = None) -> Reserved:
        """As `reserve`, once others have given back what they set aside and didn't use.

        Raises:
            BudgetExhausted: so much isn't left, whatever others give back; or nobody knows what it costs.
        """
        with self._budget.lock:
            self._asks()
        likely = self._likely_of(tokens, cost_usd)
        hold = await self._budget.hold_in_turn(
            self._key, lambda: self._asked(tokens, cost_usd), likely=lambda: likely, attempt=self._id
        )
        if hold is None:
            raise RuntimeError("what is asked for without a condition is set aside or refused")
        return self._reserved(hold, likely)

    def tell(self, usage: Usage | None) -> None:
        """What the agent says that the attempt took, all in all; None = it doesn't say."""
        self.told = usage

    def stop(self) -> None:
        """Somebody else stopped the agent, so that it couldn't say what it took."""
        self._stopped = True

    def settle(self, hold: Hold, usage: Usage) -> None:
        """What was set aside came to this; a second time is passed over."""
        with self._budget.lock:
            if hold in self._holds:
                del self._holds[hold]
                most = self._customs.most_tokens
                most[self._agent] = max(most.get(self._agent, 0), _tokens(usage))
                cost_usd = usage.cost_usd if usage.cost_usd is not None else _bound(hold.amount, usage)
                took = Amount(tokens=_tokens(usage), cost_usd=cost_usd, known=usage.cost_usd is not None)
                self._settle(hold, took, usage)

    def close(self) -> None:
        """Settle all that is open."""
        with self._budget.lock:
            for hold, likely in self._holds.items():
                self._settle(hold, likely)
            self._holds.clear()
            asks = self._agent in self._customs.ask
            if self._advance is not None:
                self._settle(self._advance, Amount() if asks else self._came_to())
                self._advance = None
            if asks or not self._budget.counts_spending:
                self._settle_rest()
            self._customs.at_work.discard(self)
            self._budget.wake()

    def _in_advance(self) -> Amount | None:
        """What is to be set aside for an agent before it begins; None where it does so itself."""
        if self._agent in self._customs.ask:
            return None
        if self._agent in self._customs.untold:
            why = f"agent {self._agent} didn't say what an attempt took, so it can't be kept within a budget"
            raise self._unusable(f"{why}: {UNTOLD}")
        dearest = self._customs.dearest.get(self._agent)
        if dearest is None:
            return self._budget.all_that_is_left(self._key)
        return dearest if dearest.tokens else replace(dearest, tokens=self._tokens_at_most())

    def _tokens_at_most(self) -> int:
        """What is set aside for who doesn't know how many tokens it takes: as many as the dearest before, else all."""
        if not self._budget.counts_tokens:
            return 0
        return self._customs.most_tokens.get(self._agent) or self._budget.all_that_is_left(self._key).tokens

    def _likely(self) -> Amount:
        """What an attempt came to that ended without a word: as much as the dearest before it, or as the user says."""
        unsaid = Amount(known=False) if self._priced_usd is None else Amount(cost_usd=self._priced_usd)
        return self._customs.dearest.get(self._agent, unsaid)

    def _unusable(self, why: str) -> BudgetExhausted:
        """The error of an agent that no budget can be kept with; reports have no hints, so it is all in the words."""
        self._budget.exhausted = self._budget.exhausted or why
        return BudgetExhausted(why)

    def _asks(self) -> None:
        """The agent sets aside by itself what it may take, so nothing has to be for it as a whole."""
        self._customs.ask.add(self._agent)
        self._customs.at_work.add(self)
        if self._advance is not None:
            advance, self._advance = self._advance, None
            self._budget.settle(advance, Amount())

    def _asked(self, tokens: int, cost_usd: float | None) -> Amount:
        if cost_usd is None and self._budget.counts_money:
            why = f"nobody knows what a request of agent {self._agent} costs, so none is sent within a budget of money"
            raise self._unusable(f"{why}: {PRICE}")
        return Amount(tokens=tokens or self._tokens_at_most(), cost_usd=cost_usd or 0.0, known=cost_usd is not None)

    def _likely_of(self, tokens: int, cost_usd: float | None) -> Amount:
        """What a request comes to of which nothing more is heard."""
        tokens = tokens or self._customs.most_tokens.get(self._agent, 0)
        return Amount(tokens=tokens, cost_usd=cost_usd or 0.0, known=cost_usd is not None)

    def _reserved(self, hold: Hold, likely: Amount) -> Reserved:
        self._holds[hold] = likely
        return Reserved(self, hold)

    def _settle(self, hold: Hold, came_to: Amount, usage: Usage | None = None) -> None:
        self._settled += came_to
        self._budget.settle(hold, came_to, usage)

    def _settle_rest(self) -> None:
        """What the agent says that it took beyond what it settled."""
        told = self.told or Usage()
        said_nothing = told == Usage() and self._agent not in self._customs.ask
        unknown = self._spends and told.cost_usd is None and (told != Usage() or said_nothing)
        more = Amount(
            tokens=max(_tokens(told) - self._settled.tokens, 0),
            cost_usd=max((told.cost_usd or 0.0) - self._settled.cost_usd, 0.0),
            known=not unknown,
        )
        if more != Amount():
            self._settled += more
            self._budget.add(self._key, more)

    def _came_to(self) -> Amount:
        """What an attempt took of an agent that didn't ask."""
        told, dearest = self.told, self._customs.dearest.get(self._agent)
        if told is None and self._priced_usd is not None:
            return self._likely()
        if told is None or (told.cost_usd is None and self._budget.counts_money):
            if dearest is None and not self._stopped:
                self._customs.untold.add(self._agent)
            return dearest or Amount(tokens=_tokens(told or Usage()), known=False)
        took = Amount(tokens=_tokens(told), cost_usd=told.cost_usd or 0.0, known=told.cost_usd is not None)
        if not (took.tokens or took.cost_usd) and self._priced_usd is None:
            return took  # it had nothing to do, which says nothing of the next one
        most = dearest or Amount()
        self._customs.dearest[self._agent] = Amount(
            tokens=max(most.tokens, took.tokens), cost_usd=max(most.cost_usd, took.cost_usd)
        )
        return took


def _tokens(usage: Usage) -> int:
    return usage.input_tokens + usage.output_tokens


def _bound(amount: Amount, usage: Usage) -> float:
    """What a request costs at most whose price isn't told afterwards; nothing if it took nothing."""
    return amount.cost_usd if _tokens(usage) or usage.requests else 0.0
