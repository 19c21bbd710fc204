"""Admit requests first come, first served, and never more in any window than a service allows."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from fanfold.engine.branch import yield_slot
from fanfold.engine.resources import Resources
from fanfold.engine.sliding_window import EDGE_S, Entry, SlidingWindow
from fanfold.engine.wrapper import time_s
from fanfold.errors import FanfoldError


class RequestTooLarge(FanfoldError):
    """One request needs more than its limiter ever has."""


@dataclass(frozen=True, slots=True)
class RateStatistics:
    """What a limiter did so far.

    `waited_s` is the sum of all waits, `longest_s` the longest; `refused` requests were too large. `requests` and
    `tokens` count in the window now, those included that are admitted and wait for their slot; `lent` are the
    resources in use now.
    """

    admitted: int
    waiting: int
    refused: int
    pauses: int
    waited_s: float
    longest_s: float
    reserved_tokens: int
    settled_tokens: int
    requests: int
    tokens: int
    lent: Mapping[str, int]


class _Hold(NamedTuple):
    """What one request counts as in both windows."""

    request: Entry
    tokens: Entry


class Reservation:
    """The tokens that a request may use; settle it with those that it did use.

    Attributes:
        tokens: how many were reserved.
        settled: how many were used; None = not known yet, and then the reservation counts.
    """

    __slots__ = ("_hold", "_limiter", "settled", "tokens")

    def __init__(self, limiter: RateLimiter, tokens: int, hold: _Hold) -> None:
        self.tokens = tokens
        self.settled: int | None = None
        self._limiter = limiter
        self._hold = hold

    def settle(self, tokens: int) -> None:
        """Say how many tokens were really used: fewer make room at once, more count for a period from now on.

        Raises:
            ValueError: for less than 0, or a second time.
        """
        if tokens < 0:
            raise ValueError(f"a request can't use {tokens} tokens")
        if self.settled is not None:
            raise ValueError(f"this reservation is settled already, with {self.settled} tokens")
        self.settled = tokens
        self._limiter._settle(self._hold, tokens)


class RateLimiter:
    """Admits requests first come, first served, and never above the limit in any window of the period.

    A request counts from the moment at which it starts, when it has its branch's slot again. Any number of
    functions and fan-outs on one event loop may share a limiter; threads and processes may not. Who waits for a
    resource holds up nobody who doesn't need it.

    The limit is exact where reservations are at least as large as what is used. What is used beyond a reservation
    can't be undone: it counts from when it is settled, and nothing is admitted before that fits.

    Args:
        requests: requests in a period; None = any number.
        tokens: tokens in a period; None = any number.
        period_s: the window's length.
        resources: how many there are of what a request holds while it runs, such as {"gpu": 2}.
        pause_max_s: the longest pause that one call of `pause` may cause.
    Raises:
        ValueError: for a limit less than 1, or a period of 0 or less.
    Source:
        Sliding-window log; leaky and token buckets admit up to twice their limit within one window.
    """

    def __init__(
        self,
        *,
        requests: int | None = None,
        tokens: int | None = None,
        period_s: float = 60.0,
        resources: Mapping[str, int] | None = None,
        pause_max_s: float = 600.0,
    ) -> None:
        for name, most in {"requests": requests, "tokens": tokens, **(resources or {})}.items():
            if most is not None and most < 1:
                raise ValueError(f"the limit of {name} must be at least 1, not {most}")
        if not 0 < period_s < math.inf:
            raise ValueError(f"the period must be more than 0 s, not {period_s}")
        self._requests = SlidingWindow(math.inf if requests is None else requests, period_s)
        self._tokens = SlidingWindow(math.inf if tokens is None else tokens, period_s)
        self._resources = Resources(resources or {})
        self._pause_max_s = pause_max_s
        self._paused_until_s = -math.inf
        self._queue: deque[tuple[asyncio.Future[_Hold], int]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = self._admitted = self._refused = self._pauses = 0
        self._waited_s = self._longest_s = 0.0
        self._reserved_tokens = self._settled_tokens = 0

    @asynccontextmanager
    async def reserve(
        self, *, tokens: int = 0, resources: Mapping[str, int] | None = None
    ) -> AsyncIterator[Reservation]:
        """Wait for room, then count one request with so many tokens; hold the resources until the block ends.

        The branch's slot is free for others meanwhile. What is cancelled while it waits counts nothing.

        Raises:
            RequestTooLarge: at once, for more than the limit of anything.
            ValueError: for a negative number.
        """
        wanted = {kind: amount for kind, amount in (resources or {}).items() if amount}
        self._check(tokens, wanted)
        hold = await self._admit(tokens, wanted)
        try:
            yield Reservation(self, tokens, hold)
        finally:
            self._resources.give_back(wanted)

    def pause(self, seconds: float) -> None:
        """Admit nothing for so long, as the service asked; a longer pause under way stays as it is."""
        self._pauses += 1
        until_s = time_s() + min(seconds, self._pause_max_s)
        self._paused_until_s = max(self._paused_until_s, until_s)

    def __repr__(self) -> str:
        limits = {"requests": self._requests.limit, "tokens": self._tokens.limit}
        told = [f"{name}={most}" for name, most in limits.items() if most < math.inf]
        told.append(f"period_s={self._requests.period_s:g}")
        told += [f"resources={self._resources.amounts}"] if self._resources.amounts else []
        return f"RateLimiter({', '.join(told)}, waiting={self._waiting})"

    @property
    def statistics(self) -> RateStatistics:
        """What it did so far, and what counts now; without an event loop, what counted at the last change."""
        with suppress(RuntimeError):
            for window in (self._requests, self._tokens):
                window.forget(time_s())
        return RateStatistics(
            admitted=self._admitted,
            waiting=self._waiting,
            refused=self._refused,
            pauses=self._pauses,
            waited_s=self._waited_s,
            longest_s=self._longest_s,
            reserved_tokens=self._reserved_tokens,
            settled_tokens=self._settled_tokens,
            requests=self._requests.used,
            tokens=self._tokens.used,
            lent=self._resources.lent,
        )

    def _check(self, tokens: int, wanted: Mapping[str, int]) -> None:
        if tokens < 0 or any(amount < 0 for amount in wanted.values()):
            raise ValueError("a request can't need less than 0 of anything")
        needs = [("tokens", tokens, self._tokens.limit)]
        needs += [(kind, amount, self._resources.amounts.get(kind, 0)) for kind, amount in wanted.items()]
        for name, needed, most in needs:
            if needed > most:
                self._refused += 1
                raise RequestTooLarge(
                    f"a request for {needed} {name} can never be admitted: the limit is {most}",
                    hint=f"make the request smaller, or raise the limiter's {name}",
                )

    async def _admit(self, tokens: int, wanted: Mapping[str, int]) -> _Hold:
        """Everything that the request needs, at the moment at which it starts."""
        asked_s = time_s()
        self._waiting += 1
        lent = self._resources.take(wanted)
        hold = self._hold(tokens) if lent and not self._queue else None
        try:
            if hold is None:
                async with yield_slot():
                    if not lent:
                        await self._resources.wait(wanted)
                        lent = True
                    hold = await self._turn(tokens)
            # The slot may have taken a while to come back, and the service may have asked for a pause meanwhile.
            while (left_s := self._paused_until_s - time_s()) > 0:
                async with yield_slot():
                    await asyncio.sleep(left_s + EDGE_S)
        except BaseException:
            if hold:
                self._release(hold)
            if lent:
                self._resources.give_back(wanted)
            raise
        finally:
            self._waiting -= 1
        self._start(hold, tokens, asked_s)
        return hold

    async def _turn(self, tokens: int) -> _Hold:
        """Wait until all who came earlier are admitted, and there is room."""
        future: asyncio.Future[_Hold] = asyncio.get_running_loop().create_future()
        self._queue.append((future, tokens))
        self._serve()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._release(future.result())
            self._serve()
            raise

    def _hold(self, tokens: int) -> _Hold | None:
        """Room for one request, counted from now on; None where there is none."""
        now_s = time_s()
        if now_s < self._paused_until_s:
            return None
        if not (self._requests.has_room(1, now_s) and self._tokens.has_room(tokens, now_s)):
            return None
        return _Hold(self._requests.hold(1), self._tokens.hold(tokens))

    def _start(self, hold: _Hold, tokens: int, asked_s: float) -> None:
        now_s = time_s()
        self._requests.use(hold.request, now_s)
        self._tokens.use(hold.tokens, now_s)
        self._admitted += 1
        self._reserved_tokens += tokens
        self._waited_s += now_s - asked_s
        self._longest_s = max(self._longest_s, now_s - asked_s)
        self._wake_later()

    def _settle(self, hold: _Hold, tokens: int) -> None:
        self._settled_tokens += tokens
        self._tokens.correct(hold.tokens, tokens, time_s())
        self._serve()

    def _release(self, hold: _Hold) -> None:
        self._requests.release(hold.request)
        self._tokens.release(hold.tokens)
        self._serve()

    def _serve(self) -> None:
        """Admit those who wait, in order, while there is room."""
        while self._queue:
            future, tokens = self._queue[0]
            if not future.done():
                hold = self._hold(tokens)
                if hold is None:
                    break
                future.set_result(hold)
            self._queue.popleft()
        self._wake_later()

    def _wake_later(self) -> None:
        """Serve again when the first who waits may have room, if that is known."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if not self._queue:
            return
        now_s, tokens = time_s(), self._queue[0][1]
        due_s = [self._paused_until_s + EDGE_S] if now_s < self._paused_until_s else []
        for window, amount in ((self._requests, 1), (self._tokens, tokens)):
            if not window.has_room(amount, now_s):
                due_s.append(window.next_s())
        # None is due where the clock has moved on since the queue was served.
        wake_s = max(due_s, default=now_s)
        if wake_s < math.inf:
            self._timer = asyncio.get_running_loop().call_at(wake_s, self._serve)
