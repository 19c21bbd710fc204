"""Stop calling what keeps failing, and ask now and then whether it works again."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal, ParamSpec, TypeVar

from fanfold.engine.wrapper import Errors, Wrapper, matcher, refuse_function, time_s
from fanfold.errors import FanfoldError

P = ParamSpec("P")
T = TypeVar("T")


class BreakerOpen(FanfoldError):
    """The call was not made, because the calls before it failed.

    Args:
        retry_after_s: seconds until a call may be tried; `retry` waits that long.
    """

    def __init__(self, message: str, *, retry_after_s: float, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class Circuit:
    """Whether calls of one service go through: closed they do, open they don't, half-open one probes.

    It opens after too many failures, lets a single call through after `open_s`, and closes if that one succeeds.
    One circuit may be shared by many functions and fan-outs, on one event loop.

    Args:
        name: what errors call the service.
        failures: so many failures in a row open it; None = it doesn't count them.
        failure_rate: opens it when this part of the last `window` calls failed, 0 < rate <= 1; None = never.
        window: calls that `failure_rate` looks at; with fewer made, it doesn't open.
        open_s: seconds until a call may probe.
        on: the errors that count as failures. Others count as neither failure nor success, and so do
            cancellations: a probe that ends so leaves the question to the next call.
    Raises:
        ValueError: if it could never open, or for a number out of range.
    """

    def __init__(
        self,
        name: str = "the service",
        *,
        failures: int | None = 5,
        failure_rate: float | None = None,
        window: int = 20,
        open_s: float = 30.0,
        on: Errors = Exception,
    ) -> None:
        if failures is None and failure_rate is None:
            raise ValueError("a circuit needs `failures` or `failure_rate`, or it never opens")
        if (failures is not None and failures < 1) or window < 1 or not open_s > 0:
            raise ValueError("`failures`, `window` and `open_s` must be 1 or more, 1 or more, and more than 0")
        if failure_rate is not None and not 0 < failure_rate <= 1:
            raise ValueError(f"`failure_rate` must be more than 0 and at most 1, not {failure_rate}")
        self.name = name
        self.is_failure = matcher(on)
        self.opened = 0
        self.refused = 0
        self._most_failures = failures
        self._failure_rate = failure_rate
        self._open_s = open_s
        self._in_a_row = 0
        self._last: deque[bool] = deque(maxlen=window)
        self._open_until_s: float | None = None
        self._probe: int | None = None
        self._calls = 0
        self._stale_until = 0

    @property
    def state(self) -> Literal["closed", "open", "half_open"]:
        """What a call would meet now; without an event loop, what the last one left."""
        if self._open_until_s is None:
            return "closed"
        try:
            is_over = time_s() >= self._open_until_s
        except RuntimeError:
            is_over = self._probe is not None
        return "half_open" if is_over else "open"

    def __repr__(self) -> str:
        return f"Circuit({self.name!r}, {self.state}, opened={self.opened}, refused={self.refused})"

    def admit(self) -> int:
        """Let a call through, or not; the number that its end is told with.

        Raises:
            BreakerOpen: with the seconds until a call may go through.
        """
        if self._open_until_s is not None:
            left_s = self._open_until_s - time_s()
            if left_s > 0 or self._probe is not None:
                self.refused += 1
                raise self._refusal(left_s)
            self._probe = self._calls
        self._calls += 1
        return self._calls - 1

    def succeeded(self, call: int) -> None:
        """Tell that the call returned."""
        if call == self._probe:
            self._close()
        elif self._is_current(call):
            self._in_a_row = 0
            self._last.append(True)

    def failed(self, call: int) -> None:
        """Tell that the call failed with an error that counts."""
        if call == self._probe:
            self._open()
        elif self._is_current(call):
            self._in_a_row += 1
            self._last.append(False)
            if self._is_too_much():
                self._open()

    def abandoned(self, call: int) -> None:
        """Tell that the call ended without saying anything of the service."""
        if call == self._probe:
            self._probe = None

    def _is_current(self, call: int) -> bool:
        """Whether the call began in the state that still holds: stragglers from before it opened say nothing new."""
        return self._open_until_s is None and call >= self._stale_until

    def _is_too_much(self) -> bool:
        if self._most_failures is not None and self._in_a_row >= self._most_failures:
            return True
        if self._failure_rate is None or len(self._last) < (self._last.maxlen or 0):
            return False
        return self._last.count(False) >= self._failure_rate * len(self._last)

    def _open(self) -> None:
        self.opened += 1
        self._open_until_s = time_s() + self._open_s
        self._probe = None

    def _close(self) -> None:
        self._open_until_s = None
        self._probe = None
        self._in_a_row = 0
        self._last.clear()
        self._stale_until = self._calls

    def _refusal(self, left_s: float) -> BreakerOpen:
        if left_s > 0:
            return BreakerOpen(
                f"{self.name} was not called: it kept failing, and is left alone for {left_s:.3g} s more",
                hint="see the errors before this one; retry after that time",
                retry_after_s=left_s,
            )
        return BreakerOpen(
            f"{self.name} was not called: it kept failing, and another call is finding out whether it works again",
            hint="see the errors before this one; retry later",
            # If the probe fails, this is how long it takes until the next one.
            retry_after_s=self._open_s,
        )


def breaker(circuit: Circuit) -> Wrapper:
    """Let calls of an async function through while the circuit is closed, and tell it what comes of them.

    Raises:
        TypeError: here, without a circuit.
        BreakerOpen: from a call, at once, while the circuit is open or another call probes.
    Source:
        Michael Nygard, Release It!, "Circuit Breaker".
    """
    refuse_function(circuit, "@breaker(circuit)")
    if not isinstance(circuit, Circuit):
        raise TypeError(f"circuit is a Circuit, not {circuit!r}")

    def wrap(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(function)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            call = circuit.admit()
            try:
                value = await function(*args, **kwargs)
            except Exception as error:
                (circuit.failed if circuit.is_failure(error) else circuit.abandoned)(call)
                raise
            except BaseException:
                circuit.abandoned(call)
                raise
            circuit.succeeded(call)
            return value

        return guarded

    return wrap
