"""Find out how many calls a service bears at once, and follow when that changes."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from fanfold.engine.limit import Limit
from fanfold.engine.pushback import is_throttled, is_timeout
from fanfold.engine.wrapper import Errors, Wrapper, matcher, refuse_function

P = ParamSpec("P")
T = TypeVar("T")


def is_congestion(error: Exception) -> bool:
    """Whether an error says that a service has too much to do: it refused a call (429 and the like) or was too slow."""
    return is_throttled(error) or is_timeout(error)


class AdaptiveLimit(Limit):
    """A limit that grows by one while all goes well, and halves when the service has too much.

    Pass it to `fan_out(..., limit=limit)` and to `adaptive(limit)`, which tells it how calls end. It grows after as
    many successes as there are slots, and only if all slots were in use: unused room says nothing. However many
    calls fail of those under way together, it shrinks once.

    Args:
        start: slots at first; None = `lowest`.
        lowest: never fewer, >= 1.
        highest: never more.
        increase: slots more after each round of successes.
        decrease: the part of the slots that stays after congestion, more than 0 and less than 1.
    Raises:
        ValueError: for numbers out of range.
    Source:
        Additive increase, multiplicative decrease: Chiu and Jain 1989. Once per round, as TCP: RFC 6582.
    """

    __slots__ = (
        "_decrease", "_full", "_increase", "_round", "_slots", "_successes",
        "decreases", "highest", "increases", "lowest",
    )  # fmt: skip

    def __init__(
        self,
        start: int | None = None,
        *,
        lowest: int = 1,
        highest: int,
        increase: float = 1.0,
        decrease: float = 0.5,
    ) -> None:
        start = lowest if start is None else start
        if not 1 <= lowest <= start <= highest:
            raise ValueError(f"1 <= lowest <= start <= highest doesn't hold for {lowest}, {start}, {highest}")
        if not (increase > 0 and 0 < decrease < 1):
            raise ValueError("`increase` must be more than 0, `decrease` more than 0 and less than 1")
        super().__init__(start)
        self.lowest = lowest
        self.highest = highest
        self.increases = 0
        self.decreases = 0
        self._increase = increase
        self._decrease = decrease
        self._slots = float(start)
        self._round = 0
        self._successes = 0
        self._full = False

    @property
    def round(self) -> int:
        """Calls that start now belong to this round; it ends when the limit shrinks."""
        return self._round

    def __repr__(self) -> str:
        return f"AdaptiveLimit({self.most}, running={self.running}, lowest={self.lowest}, highest={self.highest})"

    def succeeded(self, in_round: int) -> None:
        """Tell that a call returned which began in that round."""
        if in_round != self._round:
            return
        self._successes += 1
        self._full = self._full or self.running >= int(self._slots)
        if self._successes >= int(self._slots):
            if self._full and self._slots < self.highest:
                self.increases += 1
                self._become(self._slots + self._increase)
            self._successes, self._full = 0, False

    def congested(self, in_round: int) -> None:
        """Tell that a call which began in that round met congestion; the first of its round shrinks the limit."""
        if in_round != self._round:
            return
        self._round += 1
        self._successes, self._full = 0, False
        if self._slots > self.lowest:
            self.decreases += 1
            self._become(self._slots * self._decrease)

    def _become(self, slots: float) -> None:
        self._slots = min(max(slots, self.lowest), self.highest)
        self.resize(int(self._slots))


def adaptive(limit: AdaptiveLimit, *, on: Errors = is_congestion) -> Wrapper:
    """Tell a limit how the calls of an async function end, so that it grows and shrinks with what the service bears.

    Put it around single calls, inside `retry`: `retry()(adaptive(limit)(f))`. A deadline belongs inside it, where
    its errors are seen. It holds up no call itself: the fan-out that has the limit does.

    Args:
        limit: the same as the fan-out's.
        on: the errors that mean congestion; the others mean nothing to the limit.
    Raises:
        TypeError: here, without a limit.
    """
    refuse_function(limit, "@adaptive(limit)")
    if not isinstance(limit, AdaptiveLimit):
        raise TypeError(f"limit is an AdaptiveLimit, not {limit!r}")
    is_for = matcher(on)

    def wrap(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(function)
        async def told(*args: P.args, **kwargs: P.kwargs) -> T:
            in_round = limit.round
            try:
                value = await function(*args, **kwargs)
            except Exception as error:
                if is_for(error):
                    limit.congested(in_round)
                raise
            limit.succeeded(in_round)
            return value

        return told

    return wrap
