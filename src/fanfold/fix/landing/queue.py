"""The merge queue: changes are verified together on the tip of the result branch, and what is green lands.

The branch only ever points to a commit whose whole tree was verified. Changes come while others are still attempted;
nothing waits for the slowest.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from fanfold.engine import Outcome
from fanfold.fix.attempts.attempt import Attempted
from fanfold.fix.landing.batches import Batches, Crowd, Trial, starts_in_s
from fanfold.fix.landing.candidate import Candidate, Green, Red
from fanfold.fix.landing.landed import KIND, Landing, Offer, Refusal
from fanfold.fix.landing.turns import Order, Turns
from fanfold.fix.runlog import RunLog
from fanfold.git import LandConflict, Landed, LandRefused
from fanfold.process import uninterrupted


class Verifier(Protocol):
    """Tells green trees from red ones; `combined.Verification` is the real one."""

    async def ready(self) -> float:
        """Wait until it can; about how many seconds one verification takes."""
        ...

    async def verify(self, candidate: Candidate) -> Green | Red:
        """By everything that the tip is verified by."""
        ...

    async def shows(self, red: Red, candidate: Candidate) -> Red | None:
        """Whether a tree is red by the same as another one, by less than everything."""
        ...

    async def confirms(self, candidate: Candidate, *, tip: bool) -> bool:
        """Whether one change that is red by something that isn't narrow is so by itself, and not by chance.

        Args:
            tip: see, too, that the tip is still green.
        """
        ...

    def accept(self, green: Green) -> None:
        """It is the tip now."""
        ...


@dataclass(frozen=True)
class Pace:
    """How changes are put together.

    Args:
        at_most: in one batch, None = as the rate of bad changes tells.
        patience_s: how long the first one waits for others, None = as long as one verification takes.
    """

    at_most: int | None = None
    patience_s: float | None = None


PACES = {
    "batch": Pace(),
    "each": Pace(at_most=1),
    "final": Pace(at_most=sys.maxsize, patience_s=math.inf),
    "none": Pace(patience_s=0.0),
}
"""By the setting `tests`."""


class MergeQueue:
    """Takes changes as they come; one task verifies and lands them.

    Args:
        landing: knows what became of each change, and has the branch.
        log: is told of each step before it counts.
        order: in which to take the changes, None = as they come.
        tell: called with what begins now, for whoever watches.
    Attributes:
        batches: how many trees were verified from which nothing was known, searches not counted.
        largest: of how many changes the largest was that landed in one step.
    """

    def __init__(
        self,
        landing: Landing,
        verifier: Verifier,
        log: RunLog,
        pace: Pace = PACES["batch"],
        *,
        order: Order | None = None,
        tell: Callable[[str, str], None] = lambda _name, _detail: None,
    ) -> None:
        self._landing = landing
        self._verifier = verifier
        self._log = log
        self._pace = pace
        self._tell = tell
        self._orders = iter((order.first, order.second) if order else ())
        self._turns = Turns((), ())
        self._batches: Batches[Offer] = Batches(at_most=pace.at_most)
        self._coming: set[str] = set()
        self._since_s = 0.0
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._red: Red | None = None
        self._red_on = ""
        self._task: asyncio.Task[None] | None = None
        self.batches = 0
        self.largest = 0

    def expect(self, keys: Sequence[str]) -> None:
        """Outcomes of these will come; it is said once for the first attempts and once for second ones."""
        self._coming.update(keys)
        if (order := next(self._orders, None)) is not None:
            self._turns = Turns(order, keys)

    def offer(self, outcome: Outcome[Attempted]) -> None:
        """Take the outcome of one branch; returns at once."""
        for one in self._turns.take(outcome):
            self._take(one)

    def _take(self, outcome: Outcome[Attempted]) -> None:
        self._coming.discard(outcome.key)
        if (offer := self._landing.receive(outcome)) is not None:
            if not len(self._batches):
                self._since_s = _now_s()
            self._batches.add(offer)
            self._idle.clear()
        self._news.set()

    @contextlib.asynccontextmanager
    async def running(self, failed: Callable[[BaseException], None]) -> AsyncIterator[None]:
        """Have the queue at work.

        Args:
            failed: called with the error that ends it, if one does.
        """
        self._task = asyncio.create_task(self._work(), name="merge queue")
        self._task.add_done_callback(lambda task: _tell(task, failed))
        try:
            yield
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def drain(self) -> None:
        """Wait until nothing waits; nothing more is expected.

        Raises:
            What ended the queue, if something did.
        """
        if self._task is None:
            raise RuntimeError("drain is for a queue that is running")
        for one in self._turns.rest():
            self._take(one)
        self._coming.clear()
        self._idle.clear()
        self._news.set()
        waiting = asyncio.create_task(self._idle.wait())
        try:
            await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._task.done():
            self._task.result()

    async def recheck(self) -> None:
        """Try what was dropped once more, each alone on the tip, until the tip is the one that all were tried on."""
        while True:
            on = await self._tip_tree()
            stale = [refusal for refusal in self._landing.dropped.values() if refusal.on != on]
            if not stale:
                return
            for refusal in stale:
                await self._alone(refusal)

    async def _work(self) -> None:
        while True:
            await self._something_to_do()
            await self._step()

    async def _something_to_do(self) -> None:
        """Wait until a search goes on or a batch is to start."""
        while (in_s := await self._starts_in_s()) != 0:
            if not len(self._batches):
                self._idle.set()
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(in_s):
                    await self._news.wait()

    async def _starts_in_s(self) -> float | None:
        if self._batches.searching:
            return 0.0
        if not len(self._batches):
            return None
        takes_s = await self._verifier.ready()
        patience_s = takes_s if self._pace.patience_s is None else self._pace.patience_s
        crowd = Crowd(len(self._batches), bool(self._coming), _now_s() - self._since_s, patience_s)
        in_s = starts_in_s(crowd, self._batches.size)
        return None if in_s == math.inf else in_s

    async def _step(self) -> None:
        """Verify one group of changes on the tip; land it, or come closer to what makes it red."""
        trial = self._batches.trial()
        self._since_s = _now_s()  # of those that still wait, the oldest came meanwhile
        trial, candidate = await self._composed(trial)
        if not trial.changes:
            return
        red = self._red if trial.searching else None
        if red is not None and red.narrow:
            found: Green | Red | None = await self._verifier.shows(red, candidate)
        else:
            self.batches += not trial.searching
            found = await self._verifier.verify(candidate)
        if isinstance(found, Red):
            self._red = found
            self._red_on = self._red_on if trial.searching else candidate.tip
            self._batches.red(trial)
        elif found is None:
            self._batches.green(trial, whole=False)
        else:
            await self._land(self._batches.green(trial), candidate, found)
        if (culprit := self._batches.culprit) is not None:
            await self._judge(culprit)

    async def _composed(self, trial: Trial[Offer]) -> tuple[Trial[Offer], Candidate]:
        """The tree that a trial comes to, of those changes that go together.

        One in conflict with the tip is refused; one in conflict only with others of its batch waits for what becomes
        of these.
        """
        tree = await self._tip_tree()
        together: list[Offer] = []
        later: list[Offer] = []
        for offer in trial.changes:
            try:
                tree = await self._landing.branch.compose([offer.change], on=tree)
            except LandRefused as error:
                alone: LandRefused | None = await self._refused_alone(offer) if together else error
                if alone is None:
                    later.append(offer)
                else:
                    await self._refuse(await self._conflict(offer, alone))
            else:
                together.append(offer)
        self._batches.put_back(later)
        paths = {path.path: None for offer in together for path in offer.change.paths}
        candidate = Candidate(self._landing.branch.tip, tree, tuple(paths), len(together))
        return Trial(tuple(together), trial.searching), candidate

    async def _refused_alone(self, offer: Offer) -> LandRefused | None:
        try:
            await self._landing.branch.compose([offer.change])
        except LandRefused as error:
            return error
        return None

    async def _conflict(self, offer: Offer, error: LandRefused) -> Refusal:
        words = str(error) if isinstance(error, LandConflict) else error.message
        return Refusal(offer, "conflict", await self._tip_tree(), (words,))

    async def _judge(self, culprit: Offer) -> None:
        """The search has come to one change: take it out, unless it was red by chance."""
        red = self._red
        if red is None:
            raise RuntimeError("a search that came to its end knows what was red")
        if not red.narrow:
            trial, candidate = await self._composed(Trial((culprit,), searching=True))
            # A tip that was found green during the search needn't be asked again.
            if not await self._verifier.confirms(candidate, tip=candidate.tip == self._red_on):
                found = await self._verifier.verify(candidate)
                if isinstance(found, Green):
                    await self._land(self._batches.green(trial), candidate, found)
                    return
        cleared = [offer.change for offer in self._batches.cleared]
        on = await self._landing.branch.compose(cleared)
        self._batches.convict()
        await self._refuse(Refusal(culprit, "red", on, red.reasons, red.tests, red))

    async def _refuse(self, refusal: Refusal) -> None:
        what = "taking out" if self._landing.final else "sending back"
        self._tell(what, f"{refusal.offer.key}: it {refusal.reasons[0]}")
        await self._landing.refuse(refusal, self._log)

    async def _alone(self, refusal: Refusal) -> None:
        """Try one dropped change on the tip as it is now."""
        offer, on = refusal.offer, await self._tip_tree()
        if refusal.on == on:
            return
        if (error := await self._refused_alone(offer)) is not None:
            again = await self._conflict(offer, error)
        else:
            _, candidate = await self._composed(Trial((offer,), searching=False))
            found: Green | Red | None = None
            if refusal.red is not None and refusal.red.narrow:
                found = await self._verifier.shows(refusal.red, candidate)
            found = found or await self._verifier.verify(candidate)
            if isinstance(found, Green):
                await self._land((offer,), candidate, found)
                return
            again = Refusal(offer, "red", on, found.reasons, found.tests, found)
        await self._landing.drop(again, self._log)

    async def _land(self, offers: Sequence[Offer], candidate: Candidate, green: Green) -> None:
        """Put verified changes on the branch; once begun, to the end, books included."""
        self._tell("landing", "1 change" if len(offers) == 1 else f"{len(offers)} changes")
        await uninterrupted(self._published(offers, candidate, green))

    async def _published(self, offers: Sequence[Offer], candidate: Candidate, green: Green) -> None:
        changes = [(offer.change, offer.message) for offer in offers]
        intend = partial(self._intend, candidate.tip, offers)
        landed = await self._landing.branch.publish(changes, tree=candidate.tree, intend=intend)
        self._landing.took(offers, landed)
        self._verifier.accept(green)
        self.largest = max(self.largest, len(offers))

    async def _intend(self, parent: str, offers: Sequence[Offer], landed: Sequence[Landed]) -> None:
        pairs = [[offer.key, each.commit] for offer, each in zip(offers, landed, strict=True)]
        await self._log.note(KIND, {"step": "intend", "parent": parent, "tip": landed[-1].commit, "landed": pairs})

    async def _tip_tree(self) -> str:
        return await self._landing.branch.compose(())


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _tell(task: asyncio.Task[None], failed: Callable[[BaseException], None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        failed(error)
