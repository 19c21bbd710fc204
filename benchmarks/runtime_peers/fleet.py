"""Simulated workers that take time on the event loop's clock, are slow at times and die: no processes, no network."""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

SLOWEST, TAIL = 50.0, 1.1


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated.

    Args:
        branches: how many there are.
        workers: how many work at once, one branch each.
        typical_s: the median of how long a branch takes.
        spread: sigma of the lognormal distribution of that; 0 = all take as long.
        slow_share: of 1, how often a branch meets a slow worker, which takes 2 to 50 times as long (Pareto).
        lives_s: the mean time until a worker dies, and what runs on it is lost; 0 = never.
        back_s: how long until another has taken its place.
        hedge_after: a second copy is started when a branch takes so many times as long as expected; 0 = never.
        is_longest_first: start what is expected to take longest first, else in item order.
        coordinator: "engine" = `carry_out` and `fan_out` as they are, each branch waits for its worker;
            "cluster" = with the cluster runtime's own placement on top; "none" = a bare loop for each worker.
        is_busy: the coordinator's own CPU time passes on the clock too.
        placement_s: what each placement takes of the coordinator's time beyond that, as measured elsewhere.
        seed: makes the durations and the failures.
    """

    branches: int = 100_000
    workers: int = 1_000
    typical_s: float = 10.0
    spread: float = 0.8
    slow_share: float = 0.01
    lives_s: float = 3_600.0
    back_s: float = 30.0
    hedge_after: float = 0.0
    is_longest_first: bool = False
    coordinator: str = "engine"
    is_busy: bool = False
    placement_s: float = 0.0
    seed: int = 1


class Fleet:
    """The workers of one simulation, and who waits for one.

    Attributes:
        work_s: how long each branch takes on a worker that isn't slow.
        lost: placements that ended with their worker.
        hedged: branches of which a second copy was started.
    """

    def __init__(self, scenario: Scenario, *, spend: Callable[[float], None]) -> None:
        chance = random.Random(scenario.seed)
        mean = math.log(scenario.typical_s)
        self.work_s = [chance.lognormvariate(mean, scenario.spread) for _ in range(scenario.branches)]
        self.lost = self.hedged = 0
        self._scenario = scenario
        self._chance = chance
        self._spend = spend
        self._loop = asyncio.get_running_loop()
        self._dies_s = [self.next_death() for _ in range(scenario.workers)]
        self._idle = deque(range(scenario.workers))
        self._waiting: deque[asyncio.Future[int]] = deque()

    @property
    def ideal_s(self) -> float:
        """No order of things ends sooner: each branch once, no worker slow, none idle."""
        return max(sum(self.work_s) / self._scenario.workers, *self.work_s)

    async def place(self, number: int) -> None:
        """Have a branch done, on one worker after another until one lives long enough."""
        if not self._scenario.hedge_after:
            return await self._done(number)
        first = asyncio.create_task(self._done(number))
        copies = {first}
        try:
            await asyncio.wait(copies, timeout=self.work_s[number] * self._scenario.hedge_after)
            if not first.done():
                self.hedged += 1
                copies.add(asyncio.create_task(self._done(number)))
                await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for copy in copies:
                copy.cancel()

    async def _done(self, number: int) -> None:
        while not await self._attempted(number):
            self.lost += 1

    async def _attempted(self, number: int) -> bool:
        """Whether the worker lived until the branch was done."""
        worker = await self._take()
        self._spend(self._scenario.placement_s)
        takes_s = self.takes_s(number)
        left_s = self._dies_s[worker] - self._loop.time()
        lives = takes_s <= left_s
        try:
            await asyncio.sleep(takes_s if lives else left_s)
        finally:
            self._give(worker)
        return lives

    async def _take(self) -> int:
        while self._idle:
            worker = self._idle.popleft()
            if self._dies_s[worker] > self._loop.time():
                return worker
            self._replace(worker)
        found: asyncio.Future[int] = self._loop.create_future()
        self._waiting.append(found)
        try:
            return await found
        except asyncio.CancelledError:
            if found.done() and not found.cancelled():
                self._give(found.result())
            raise

    def _give(self, worker: int) -> None:
        if self._dies_s[worker] <= self._loop.time():
            self._replace(worker)
            return
        while self._waiting:
            found = self._waiting.popleft()
            if not found.done():
                found.set_result(worker)
                return
        self._idle.append(worker)

    def _replace(self, worker: int) -> None:
        self._dies_s[worker] = self._loop.time() + self._scenario.back_s + self.next_death()
        self._loop.call_later(self._scenario.back_s, self._give, worker)

    def next_death(self) -> float:
        """In how many seconds a new worker dies."""
        return self._chance.expovariate(1 / self._scenario.lives_s) if self._scenario.lives_s else math.inf

    def takes_s(self, number: int) -> float:
        """How long a branch takes on the worker that it meets."""
        return self.work_s[number] * self._slowness()

    def _slowness(self) -> float:
        if self._chance.random() >= self._scenario.slow_share:
            return 1.0
        return min(SLOWEST, 2 * self._chance.paretovariate(TAIL))
