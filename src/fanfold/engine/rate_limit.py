"""Keep the calls of a function within what a service allows."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, ParamSpec, TypeVar

from fanfold.engine.pushback import is_throttled, retry_after_s
from fanfold.engine.rate_limiter import RateLimiter
from fanfold.engine.wrapper import Wrapper, refuse_function

P = ParamSpec("P")
T = TypeVar("T")


def rate_limit(
    limiter: RateLimiter,
    *,
    tokens: int | Callable[..., int] = 0,
    used: Callable[[Any], int | None] | None = None,
    resources: Mapping[str, int] | None = None,
) -> Wrapper:
    """Admit each call of an async function through a limiter, which others may share.

    A call that fails counts like one that succeeds: the service may have counted it too. Where it fails because
    the service has had too many (429 and the like) and says for how long, all who share the limiter pause.

    Args:
        limiter: what is allowed.
        tokens: what a call reserves; a function gets the call's arguments and estimates.
        used: gets what the call returned and says how many tokens it used; None = the reservation stays.
        resources: what a call holds while it runs, such as {"gpu": 1}.
    Raises:
        TypeError: here, without a limiter.
        RequestTooLarge: from a call, at once, for more than the limiter ever has.
    """
    refuse_function(limiter, "@rate_limit(limiter)")
    if not isinstance(limiter, RateLimiter):
        raise TypeError(f"limiter is a RateLimiter, not {limiter!r}")
    if not callable(tokens) and (isinstance(tokens, bool) or not isinstance(tokens, int)):
        raise TypeError(f"tokens is a whole number or a function, not {tokens!r}")

    def wrap(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(function)
        async def limited(*args: P.args, **kwargs: P.kwargs) -> T:
            estimate = tokens(*args, **kwargs) if callable(tokens) else tokens
            async with limiter.reserve(tokens=estimate, resources=resources) as reservation:
                try:
                    value = await function(*args, **kwargs)
                except Exception as error:
                    pause_s = retry_after_s(error) if is_throttled(error) else None
                    if pause_s is not None:
                        limiter.pause(pause_s)
                    raise
                spent = used(value) if used else None
                if spent is not None:
                    reservation.settle(spent)
                return value

        return limited

    return wrap
