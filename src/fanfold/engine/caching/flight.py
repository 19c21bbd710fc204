"""Equal calls at the same time: one makes the flight, the others come along."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from fanfold.engine.branch import yield_slot
from fanfold.engine.isolate import Freezer, Frozen

T = TypeVar("T")

Place: TypeAlias = tuple[int, str]
"""What tells flights of one event loop apart: the store's id and the key's digest."""


async def fly(
    place: Place, generation: int, lead: Callable[[], Awaitable[T]], *, joined: Callable[[], None] = lambda: None
) -> T:
    """What `lead` returns, where it is awaited once for all who ask for the same place meanwhile.

    Args:
        generation: a flight of another one is not joined.
        joined: called before a wait for another's flight.
    """
    flights = _flights_here()
    flight = flights.get(place)
    if flight in _leading.get():
        return await lead()
    if flight is None or flight.generation != generation:
        flight = flights[place] = _Flight(generation, lambda: _forget(flights, place, flight))
    else:
        joined()
        landed: _Landed[T] | None = await flight.join()
        if landed is not None:
            return landed.value()
    return await flight.lead(lead)


@dataclass(frozen=True, slots=True)
class _Landed(Generic[T]):
    """How a flight ended: with a value, or with an error and where that came from."""

    frozen: Frozen[T] | None = None
    error: Exception | None = None
    traceback: TracebackType | None = None

    def value(self) -> T:
        if self.error is not None:
            # All raise the same one, and each raise would add its frames to those of the others.
            raise self.error.with_traceback(self.traceback)
        if self.frozen is None:
            raise AssertionError
        return self.frozen.view()


class _Flight:
    """One call that runs, and those who wait for what comes of it."""

    def __init__(self, generation: int, over: Callable[[], None]) -> None:
        self.generation = generation
        self._over = over
        self._waiting: deque[asyncio.Future[_Landed[Any] | None]] = deque()

    async def join(self) -> _Landed[Any] | None:
        """Wait for the end; None where the call that ran was cancelled, and this one is to run instead."""
        turn: asyncio.Future[_Landed[Any] | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with yield_slot():
                return await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.result() is None:
                self._hand_over()
            raise

    async def lead(self, run: Callable[[], Awaitable[T]]) -> T:
        """Run, and tell those who wait how it ended."""
        outer = _leading.get()
        _leading.set(outer | {self})
        try:
            value = await run()
            frozen = Freezer().freeze(value, name="the result") if self._waiting else None
        except Exception as error:
            self._land(_Landed(error=error, traceback=error.__traceback__))
            raise
        except BaseException:
            self._hand_over()
            raise
        finally:
            _leading.set(outer)
        self._land(_Landed(frozen))
        return value

    def _land(self, landed: _Landed[Any]) -> None:
        self._over()
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(landed)

    def _hand_over(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._over()


# A flight's own calls for the same place would wait for themselves.
_leading: ContextVar[frozenset[_Flight | None]] = ContextVar("fanfold_flights", default=frozenset())
_flights: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Place, _Flight]] = WeakKeyDictionary()


def _flights_here() -> dict[Place, _Flight]:
    return _flights.setdefault(asyncio.get_running_loop(), {})


def _forget(flights: dict[Place, _Flight], place: Place, flight: _Flight | None) -> None:
    if flights.get(place) is flight:
        del flights[place]
