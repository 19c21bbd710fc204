"""What a run and each of its tasks may take: set aside before it is spent, settled by what it came to."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from fanfold.agents.protocol import BudgetExhausted
from fanfold.fix.spending.ledger import Amount, Earlier, Ledger
from fanfold.llm.usage import Usage

Whose = Literal["run", "task"]

MINUTE_S = 60.0
TOO_LITTLE = "too little is left of the budget"
TOO_LITTLE_EACH = "too little is left of what each file may take"
_NEARLY_USD = 1e-9
_LEAST = Amount(tokens=1, cost_usd=2 * _NEARLY_USD)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that may be taken; None = there is no limit.

    Args:
        cost_usd: in money.
        tokens: those asked with and those answered with, together.
        minutes: of a run, from its beginning; of a task, while agents are at work on it.
    """

    cost_usd: float | None = None
    tokens: int | None = None
    minutes: float | None = None

    @property
    def spending(self) -> bool:
        """Whether tokens or money are limited."""
        return self.cost_usd is not None or self.tokens is not None


@dataclass
class Account:
    """The limits of the run or of one task, with what was spent and what is set aside."""

    whose: Whose
    limits: Limits
    spent: Amount = field(default_factory=Amount)
    held: Amount = field(default_factory=Amount)

    def short(self, asked: Amount, *, held: bool) -> str | None:
        """Why so much can't be had, None = it can; `held` = while others keep what they have set aside."""
        taken = self.spent + self.held if held else self.spent
        most_usd, most = self.limits.cost_usd, self.limits.tokens
        if most_usd is not None and taken.cost_usd + asked.cost_usd > most_usd + _NEARLY_USD:
            return f"of {_usd(most_usd)} USD for the {self.whose} {_usd(taken.cost_usd)} are taken{_needs_usd(asked)}"
        if most is not None and taken.tokens + asked.tokens > most:
            return f"of {most:,} tokens for the {self.whose} {taken.tokens:,} are taken{_needs_tokens(asked)}"
        return None


def _usd(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _needs_usd(asked: Amount) -> str:
    return f", and the next request may cost {_usd(asked.cost_usd)}" if asked.cost_usd > _LEAST.cost_usd else ""


def _needs_tokens(asked: Amount) -> str:
    return f", and the next request may take {asked.tokens:,}" if asked.tokens > _LEAST.tokens else ""


@dataclass(eq=False)
class Hold:
    """A part of the budgets that is set aside for one task."""

    key: str
    amount: Amount
    number: int


class Budget:
    """The limits of a run and of each of its tasks, with what was taken by now; safe for threads.

    Args:
        run, task: the limits.
        jobs: how many tasks may be at work at once, among whom programs share what is left.
        ledger: has what earlier processes of the run took, and is told of what this one takes.
        now_s: seconds that only ever grow.
    Attributes:
        exhausted: which limit of the run somebody came up against first, in words; None = none.
        task_exhausted: the same of the limits of each task, where most was asked for.
    """

    def __init__(
        self,
        run: Limits | None = None,
        task: Limits | None = None,
        *,
        jobs: int = 1,
        ledger: Ledger | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run = run or Limits()
        self.task = task or Limits()
        self.jobs = jobs
        self.now_s = now_s
        self.exhausted: str | None = None
        self.task_exhausted: str | None = None
        self._most_refused = (0.0, 0)
        self.lock = threading.RLock()
        self._began_s = now_s()
        self._ledger = ledger or Ledger()
        self._whole = Account("run", self.run)
        self._tasks: defaultdict[str, Account] = defaultdict(lambda: Account("task", self.task))
        self._worked_s: defaultdict[str, float] = self._ledger.before.worked_s
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._earlier: defaultdict[str, dict[str, Earlier]] = defaultdict(dict)
        for attempt, one in self._ledger.before.attempts.items():
            self._earlier[one.task][attempt] = one
        for key, amount in self._ledger.before.spent.items():
            self._tasks[key].spent += amount
            self._whole.spent += amount

    @property
    def spent(self) -> Amount:
        """What the run took by now; what was set aside and never settled is taken for spent."""
        return self._whole.spent

    @property
    def held(self) -> Amount:
        """What is set aside by now."""
        return self._whole.held

    def spent_on(self, key: str) -> Amount:
        """The same of one task."""
        return self._tasks[key].spent

    @property
    def elapsed_s(self) -> float:
        """Seconds that the run took by now, in all its processes."""
        return self._ledger.before.elapsed_s + self._now()

    @property
    def counts_money(self) -> bool:
        """Whether money is limited."""
        return self.run.cost_usd is not None or self.task.cost_usd is not None

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens are limited."""
        return self.run.tokens is not None or self.task.tokens is not None

    @property
    def counts_spending(self) -> bool:
        """Whether tokens or money are limited."""
        return self.run.spending or self.task.spending

    def check_time(self, key: str | None = None) -> None:
        """See that there is time left to begin something; with a task, of its own as well.

        Raises:
            BudgetExhausted: there is none.
        """
        left = self.time_left(key)
        if left is not None and left[0] <= 0:
            raise self.no_time(left[1])

    def time_left(self, key: str | None = None) -> tuple[float, Whose] | None:
        """Seconds that are left, and of whose; None = as many as it takes."""
        left: list[tuple[float, Whose]] = []
        if self.run.minutes is not None:
            left.append((self.run.minutes * MINUTE_S - self.elapsed_s, "run"))
        if key is not None and self.task.minutes is not None:
            left.append((self.task.minutes * MINUTE_S - self._worked_s[key], "task"))
        return min(left, default=None)

    def no_time(self, whose: Whose) -> BudgetExhausted:
        """The error of who has no time left."""
        if whose == "task":
            why = f"the {self.task.minutes or 0:g} minutes of the task are over"
            return BudgetExhausted(why, hint="--max-minutes-per-task sets them")
        why = f"the {self.run.minutes or 0:g} minutes of the run are over"
        self.exhausted = self.exhausted or why
        return BudgetExhausted(why, hint="--max-minutes sets them")

    def earlier(self, key: str) -> Mapping[str, Earlier]:
        """The attempts of earlier processes of the run at a task, by their ids."""
        return self._earlier.get(key, {})

    def begin(self, attempt: str, key: str, agent: str, usage: Usage | None) -> None:
        """An attempt begins; `usage` is what it takes if nothing more is heard of it, None = nobody knows."""
        with self.lock:
            self._ledger.begin(attempt, key, agent, usage, self._now())

    def worked(self, key: str, seconds: float, attempt: str = "", usage: Usage | None = None) -> None:
        """An agent was at work on a task for so long, which ended an attempt; `usage` is what that took all in all."""
        with self.lock:
            self._worked_s[key] += seconds
            self._ledger.worked(key, seconds, self._now(), attempt, usage)

    def hold(self, key: str, asked: Amount, likely: Amount | None = None, attempt: str = "") -> Hold:
        """Set so much aside for an attempt; should the process die, it came to what is `likely`, None = all of it.

        Raises:
            BudgetExhausted: it isn't left, or others have set it aside.
        """
        with self.lock:
            self._refuse(key, asked, held=False)
            self._refuse(key, asked, held=True)
            return self.put_aside(key, asked, likely, attempt)

    async def hold_in_turn(
        self,
        key: str,
        asked: Callable[[], Amount | None],
        *,
        likely: Callable[[], Amount] | None = None,
        attempt: str = "",
    ) -> Hold | None:
        """Set so much aside as soon as others have given back enough.

        Args:
            attempt: the id of who asks.
            asked: how much, asked again whenever something was given back; None = nothing any more.
            likely: what it comes to if the process dies meanwhile, None = all of it.
        Raises:
            BudgetExhausted: it isn't left, whatever others give back.
        """
        while True:
            news = asyncio.get_running_loop(), asyncio.Event()
            with self.lock:
                if (wanted := asked()) is None:
                    return None
                self._refuse(key, wanted, held=False)
                if all(one.short(wanted, held=True) is None for one in self._accounts(key)):
                    return self.put_aside(key, wanted, likely() if likely else None, attempt)
                self._waiting.append(news)
            try:
                await news[1].wait()
            finally:
                with self.lock:
                    self._waiting.remove(news)

    def put_aside(self, key: str, amount: Amount, likely: Amount | None = None, attempt: str = "") -> Hold:
        """Set so much aside, whether or not it is there; should the process die, it came to what is `likely`.

        Raises:
            BudgetExhausted: it can't be written down, so nobody would know of it then.
        """
        with self.lock:
            try:
                number = self._ledger.hold(key, likely or amount, self._now(), attempt)
            except OSError as error:
                why = f"what is spent can't be written down: {error.strerror}"
                raise BudgetExhausted(why, hint="make room on the disk of the run's folder") from error
            for account in self._accounts(key):
                account.held += amount
            return Hold(key, amount, number)

    def settle(self, hold: Hold, came_to: Amount, usage: Usage | None = None) -> None:
        """What was set aside came to this much, be it less or more; `usage` are its figures, where they are known."""
        with self.lock:
            for account in self._accounts(hold.key):
                account.held -= hold.amount
                account.spent += came_to
            self._ledger.settle(hold.number, hold.key, came_to, self._now(), usage)
            self.wake()

    def add(self, key: str, amount: Amount) -> None:
        """So much was spent for which nothing had been set aside."""
        with self.lock:
            for account in self._accounts(key):
                account.spent += amount
            self._ledger.add(key, amount, self._now())

    def wake(self) -> None:
        """Have those look again who wait for something."""
        for loop, event in self._waiting:
            with contextlib.suppress(RuntimeError):  # its loop is closed: nobody waits there
                loop.call_soon_threadsafe(event.set)

    def all_that_is_left(self, key: str) -> Amount:
        """What would be left of what is limited if others gave back all that they have set aside.

        Raises:
            BudgetExhausted: nothing.
        """
        self._refuse(key, _LEAST, held=False)
        tokens = [one.limits.tokens - one.spent.tokens for one in self._accounts(key) if one.limits.tokens is not None]
        money = [
            one.limits.cost_usd - one.spent.cost_usd for one in self._accounts(key) if one.limits.cost_usd is not None
        ]
        return Amount(tokens=min(tokens, default=0), cost_usd=min(money, default=0.0))

    def left_usd(self, key: str, own_usd: float, at_work: int) -> float | None:
        """What one attempt may take of the money, so that others have as much; None = there is no limit.

        Args:
            own_usd: what it has set aside itself.
            at_work: how many others have set something aside.
        """
        left: list[float] = []
        whole, task = self._whole, self._tasks[key]
        if task.limits.cost_usd is not None:
            left.append(task.limits.cost_usd - (task.spent + task.held).cost_usd + own_usd)
        if whole.limits.cost_usd is not None:
            free_usd = whole.limits.cost_usd - (whole.spent + whole.held).cost_usd + own_usd
            left.append(free_usd / max(self.jobs - at_work, 1))
        return max(min(left), 0.0) if left else None

    def close(self) -> None:
        """Write nothing down any more."""
        with self.lock:
            self._ledger.close()

    def _now(self) -> float:
        return self.now_s() - self._began_s

    def _accounts(self, key: str) -> tuple[Account, Account]:
        return self._tasks[key], self._whole

    def _refuse(self, key: str, asked: Amount, *, held: bool) -> None:
        for account in self._accounts(key):
            if (why := account.short(asked, held=held)) is None:
                continue
            if account.whose == "run" and not held:
                self.exhausted = self.exhausted or why
            limits_money = account.limits.cost_usd is not None
            most = (asked.cost_usd if limits_money else 0.0, asked.tokens)
            if account.whose == "task" and most > self._most_refused:
                self.task_exhausted, self._most_refused = why, most
            option = "" if account.whose == "run" else "-per-task"
            error = BudgetExhausted(why, hint=f"--max-cost{option} and --max-tokens{option} set how much it may be")
            error.for_many = TOO_LITTLE if account.whose == "run" else TOO_LITTLE_EACH
            raise error
