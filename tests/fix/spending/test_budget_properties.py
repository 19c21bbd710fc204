"""Whatever is set aside, settled, given up, stopped or killed, in any order: no limit is exceeded, and nothing is lost.

Agents of all kinds work at once, against a ledger that is really written and read again after a kill. Beside them a
plain account is kept of what they took; the budget must agree with it to the last token.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.agents.protocol import BudgetExhausted
from fanfold.fix.spending.allowance import Allowance, Reserved, Till
from fanfold.fix.spending.budget import Budget, Limits
from fanfold.fix.spending.ledger import NAME, Amount, Ledger
from fanfold.llm.usage import Usage
from fanfold.testing.agents import ScriptedAgent

RUN, TASK = 100, 60
KEYS = ("a.py", "b.py")
NEARLY = 1e-6


@dataclass(frozen=True)
class Step:
    """What happens next: `which` of those that it may happen to, and how much of what is allowed they take."""

    kind: str
    which: int
    most: int
    part: float
    name: str


KINDS = ["begin"] * 5 + ["ask"] * 5 + ["settle", "settle twice"] * 3 + ["answer"] * 4 + ["stop", "kill"]
STEPS = st.builds(
    Step,
    kind=st.sampled_from(KINDS),
    which=st.integers(0, 5),
    most=st.integers(1, 40),
    part=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    name=st.sampled_from(["both", "model", "program"]),
)
"""A model sets aside each request, a program says at its end what it took, and one agent now does this, now that."""


@dataclass(eq=False)
class Work:
    """An attempt, with its requests under way and the most that each may take; as many dollars as tokens."""

    key: str
    name: str
    allowance: Allowance
    beginning: asyncio.Task[None]
    sent: list[tuple[Reserved, int]] = field(default_factory=list)
    took: int = 0
    noted: int | None = None
    """What the ledger says that a program takes which is never heard of again."""


class Office:
    """Attempts at work, the budget that they spend of, and what it should come to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.expected = dict.fromkeys(KEYS, 0)
        self.works: list[Work] = []
        self.open()

    def open(self) -> None:
        self.ledger = Ledger(self.folder / NAME)
        run, task = (Limits(tokens=most, cost_usd=float(most)) for most in (RUN, TASK))
        self.till = Till(Budget(run, task, jobs=3, ledger=self.ledger))

    async def take(self, step: Step) -> None:
        """Have it happen, if it can."""
        if step.kind == "begin":
            key = KEYS[step.which % 2]
            allowance = Allowance(self.till.budget, self.till.customs, key, ScriptedAgent(name=step.name))
            self.works.append(Work(key, step.name, allowance, asyncio.create_task(allowance.begin())))
        elif step.kind == "kill":
            await self.kill()
        elif works := [work for work in self.works if self.may(work, step.kind)]:
            work = works[step.which % len(works)]
            if step.kind == "ask":
                self.ask(work, step.most)
            elif step.kind.startswith("settle"):
                self.settle(work, step.part, times=1 + (step.kind == "settle twice"))
            else:
                self.end(work, step.part, stopped=step.kind == "stop")
        await self.pump()

    def may(self, work: Work, kind: str) -> bool:
        if kind.startswith("settle"):
            return bool(work.sent)
        return work.beginning.done() and (kind != "ask" or work.name != "program")

    async def pump(self) -> None:
        """Let those begin who may, and those go who may not."""
        for _ in range(4):
            await asyncio.sleep(0)
        for work in [work for work in self.works if work.beginning.done()]:
            if work.noted is None:
                work.noted = self.till.customs.dearest.get(work.name, Amount()).tokens
            if work.beginning.exception() is not None:
                assert isinstance(work.beginning.exception(), BudgetExhausted)
                self.end(work, 0.0, stopped=True)

    def ask(self, work: Work, most: int) -> None:
        try:
            work.sent.append((work.allowance.reserve(tokens=most, cost_usd=float(most)), most))
        except BudgetExhausted:
            return

    def settle(self, work: Work, part: float, *, times: int) -> None:
        reserved, most = work.sent.pop(0)
        took = int(most * part)
        self.expected[work.key] += took
        work.took += took
        for _ in range(times):
            reserved.settle(usage(took))

    def end(self, work: Work, part: float, *, stopped: bool) -> None:
        """It is over; who spends in one sum says what it took, if nobody stopped it."""
        advance = work.allowance._advance
        if stopped:
            self.expected[work.key] += self.lost(work)
            work.allowance.stop()
        elif advance is None:
            self.expected[work.key] += self.lost(work)
            work.allowance.tell(usage(work.took))
        else:
            took = int(advance.amount.tokens * part)
            self.expected[work.key] += took
            work.allowance.tell(usage(took))
        self.works.remove(work)
        work.allowance.close()

    def lost(self, work: Work) -> int:
        """What counts as spent of an attempt of which nothing more is heard."""
        customs, under_way = self.till.customs, sum(most for _, most in work.sent)
        known = Amount() if work.name in customs.ask else customs.dearest.get(work.name, Amount())
        return under_way + (0 if work.allowance._advance is None else known.tokens)

    async def kill(self) -> None:
        """The process dies, and another one reads what it has written."""
        for work in self.works:
            self.expected[work.key] += sum(most for _, most in work.sent)
            if work.allowance._advance is not None:
                self.expected[work.key] += work.noted or 0
            work.beginning.cancel()
        await asyncio.gather(*(work.beginning for work in self.works), return_exceptions=True)
        self.works.clear()
        self.ledger.close()
        self.open()

    def check(self) -> None:
        """No limit is exceeded, nothing is forgotten, nothing counted twice, and nothing stays set aside."""
        budget = self.till.budget
        for key in KEYS:
            assert budget.spent_on(key).tokens == self.expected[key] <= TASK
            assert abs(budget.spent_on(key).cost_usd - self.expected[key]) < NEARLY
        assert budget.spent.tokens == sum(self.expected.values()) <= RUN
        if not self.works:
            assert budget.held.tokens == 0
            assert abs(budget.held.cost_usd) < NEARLY


def usage(count: int) -> Usage:
    return Usage(requests=1, input_tokens=count, cost_usd=float(count))


@settings(max_examples=200)
@given(st.lists(STEPS, min_size=15, max_size=60))
def test_in_any_order_no_limit_is_exceeded_and_nothing_is_forgotten_or_counted_twice(steps: list[Step]) -> None:
    async def happen(folder: Path) -> None:
        office = Office(folder)
        for step in steps:
            await office.take(step)
            office.check()
        await office.kill()
        office.check()
        office.ledger.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(happen(Path(folder)))
