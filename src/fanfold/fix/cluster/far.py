"""A worker's side of the run's budget and record, which are the coordinator's: each word of them is said to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import count
from typing import Any

from fanfold.agents.protocol import Agent, AgentError, BudgetExhausted
from fanfold.fix.attempts.effort import FREE
from fanfold.fix.attempts.stages import Stage
from fanfold.fix.attempts.trail import Trail, new_id
from fanfold.fix.runs.saved import plain
from fanfold.llm.usage import Usage
from fanfold.runtimes import Coordinator, NoCoordinator, coordinator

MAX_CHARS = 50_000
"""Of each text of a trail, and of each of its lists."""


class FarTill:
    """Gives out what attempts on this worker may take of the run's budget: a `Payer`.

    Args:
        stages: who works, as the coordinator has them, too.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages

    def check_time(self, key: str) -> None:
        """The coordinator has looked when it placed the task here."""

    @contextlib.asynccontextmanager
    async def attempt(self, key: str, agent: Agent, *, known_as: str = "") -> AsyncIterator[FarPurse]:  # noqa: ARG002
        """What one attempt may take; the key is the branch's.

        Raises:
            BudgetExhausted: as with `Till.attempt`.
        """
        here, number = coordinator(), known_as or new_id()
        purse, stopped = FarPurse(here, number), False
        try:
            begun = await _asked(here, {"op": "begin", "attempt": number, "agent": self._place(agent)})
            purse.limited, purse.left_cost_usd = begun["limited"], begun["left_usd"]
            async with asyncio.timeout(begun["left_s"]) as in_time:
                yield purse
        except AgentError as error:
            if error.usage is not None:
                purse.tell(error.usage)
            raise
        except asyncio.CancelledError:
            stopped = True
            raise
        except TimeoutError:
            if in_time.expired():
                await _asked(here, {"op": "over", "attempt": number, "whose": begun["whose"]})
            raise
        finally:
            here.tell({"op": "end", "attempt": number, "usage": _told(purse.told), "stopped": stopped})

    def _place(self, agent: Agent) -> tuple[int, int]:
        places = ((at, lane) for at, stage in enumerate(self._stages) for lane in range(len(stage.agents)))
        return next(place for place in places if self._stages[place[0]].agents[place[1]] is agent)


class FarPurse:
    """What one attempt on this worker may still take: an `OpenPurse`.

    Attributes:
        limited: whether there is a limit of money or tokens.
        left_cost_usd: what a program might take when the attempt began.
        told: what the agent says that it took.
    """

    def __init__(self, here: Coordinator, number: str) -> None:
        self._here = here
        self._number = number
        self._holds: Iterator[int] = count(1)
        self.limited = True
        self.left_cost_usd: float | None = None
        self.told: Usage | None = None

    def tell(self, usage: Usage | None) -> None:
        """As `OpenPurse.tell`."""
        self.told = usage

    def reserve(self, *, tokens: int, cost_usd: float | None = None) -> FarReservation:
        """As `Purse.reserve`, where there is no limit.

        Raises:
            BudgetExhausted: there is one: nobody here knows what is left, and this can't wait for who does.
        """
        if self.limited:
            raise BudgetExhausted("on a cluster, what is limited is set aside with reserve_in_turn, not with reserve")
        hold = next(self._holds)
        self._here.tell(self._request(hold, tokens, cost_usd))
        return FarReservation(self, hold)

    async def reserve_in_turn(self, *, tokens: int, cost_usd: float | None = None) -> FarReservation:
        """As `Purse.reserve_in_turn`."""
        hold = next(self._holds)
        try:
            await _asked(self._here, self._request(hold, tokens, cost_usd))
        except asyncio.CancelledError:
            self.settle(hold, FREE)  # it may have been set aside meanwhile
            raise
        return FarReservation(self, hold)

    def settle(self, hold: int, usage: Usage) -> None:
        """What was set aside came to this; only the first time counts."""
        self._here.tell({"op": "settle", "attempt": self._number, "hold": hold, "usage": asdict(usage)})

    def _request(self, hold: int, tokens: int, cost_usd: float | None) -> dict[str, Any]:
        return {"op": "reserve", "attempt": self._number, "hold": hold, "tokens": tokens, "cost_usd": cost_usd}


class FarReservation:
    """What the coordinator set aside for one request: a `Reservation`."""

    def __init__(self, purse: FarPurse, hold: int) -> None:
        self._purse = purse
        self._hold = hold

    def settle(self, usage: Usage) -> None:
        """As `Reservation.settle`."""
        self._purse.settle(self._hold, usage)


class FarTrails:
    """Has the coordinator keep what is said and done here, attempt by attempt, whatever becomes of the branch."""

    async def begin(self, key: str, trail: Trail) -> None:  # noqa: ARG002  (it is the branch's)
        """Say that an attempt begins."""
        coordinator().tell({"op": "begun", "trail": plain(Trail, fit(trail))})

    async def keep(self, key: str, trail: Trail) -> None:  # noqa: ARG002
        """Have it kept; it is when this returns, unless nobody is there any more."""
        with contextlib.suppress(NoCoordinator):
            await coordinator().ask({"op": "keep", "trail": plain(Trail, fit(trail))})


def fit(trail: Trail) -> Trail:
    """A trail without secrets, and without the middle or the end of what is too long to travel."""
    trail = trail.bounded(MAX_CHARS)
    return replace(trail, refused=_first(trail.refused), reasons=_first(trail.reasons))


def _first(texts: Sequence[str]) -> tuple[str, ...]:
    left, kept = MAX_CHARS, list[str]()
    for text in texts:
        left -= len(text) + 1
        if left < 0 and kept:
            return (*kept, f"(… {len(texts) - len(kept)} more left out …)")
        kept.append(text)
    return tuple(kept)


def _told(usage: Usage | None) -> dict[str, Any] | None:
    return None if usage is None else asdict(usage)


async def _asked(here: Coordinator, question: dict[str, Any]) -> Any:
    """The coordinator's answer.

    Raises:
        BudgetExhausted: that is what it says.
    """
    answer = await here.ask(question)
    if "refused" in answer:
        raise BudgetExhausted(answer["refused"], hint=answer["hint"])
    return answer
