"""What an executor's options mean for the engine: its slots, and what is wrapped around each attempt of a node."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from fanfold.engine.adaptive import AdaptiveLimit, adaptive
from fanfold.engine.limit import Limit
from fanfold.engine.rate_limit import rate_limit
from fanfold.engine.rate_limiter import RateLimiter
from fanfold.engine.retry import retry as engine_retry
from fanfold.engine.wrapper import Wrapper
from fanfold.nodes.concurrency import ConcurrencyModel


def slots(max_concurrent: int, limit: Limit | None, concurrency: ConcurrencyModel | None, is_adaptive: bool) -> Limit:
    """The slots that nodes hold while they run.

    Raises:
        LimitError: for less than one.
        TypeError: the limit is none.
        ValueError: a limit is given that isn't adaptive, and is to be.
    """
    if limit is not None:
        if not isinstance(limit, Limit):
            raise TypeError(f"limit is a Limit, not {limit!r}: a number belongs in max_concurrent")
        if is_adaptive and not isinstance(limit, AdaptiveLimit):
            raise ValueError("adaptive=True makes a limit of its own; give an AdaptiveLimit as `limit` instead")
        return limit
    most = max_concurrent if concurrency is None else concurrency.max_concurrent
    return AdaptiveLimit(most, highest=most) if is_adaptive and most > 0 else Limit(most)


def around_attempts(
    retry: int | Wrapper | None, wrappers: Sequence[Wrapper], concurrency: ConcurrencyModel | None, limit: Limit
) -> list[Wrapper]:
    """Wrappers around each node, the outermost first: retries, rates, what the limit learns from, the user's own.

    Raises:
        TypeError: one is none.
    """
    around: list[Wrapper] = []
    if isinstance(retry, int) and not isinstance(retry, bool):
        around.append(_retrying(retry))
    elif retry is not None:
        around.append(_wrapper(retry, "retry is a whole number or a wrapper"))
    if concurrency is not None and (rates := _rates(concurrency)) is not None:
        around.append(rates)
    if isinstance(limit, AdaptiveLimit):
        around.append(adaptive(limit))
    return [*around, *(_wrapper(one, "each of wrappers is a wrapper") for one in wrappers)]


def _wrapper(given: object, expected: str) -> Wrapper:
    if not callable(given):
        raise TypeError(f"{expected}, not {given!r}")
    return cast("Wrapper", given)


def _retrying(attempts: int) -> Wrapper:
    return engine_retry(attempts, isolate=False)  # each attempt takes a view of its own


def _rates(concurrency: ConcurrencyModel) -> Wrapper | None:
    """One request and its tokens for each attempt; None where the provider limits no rate."""
    given = concurrency.provider_limits
    share = concurrency.safety_margin / concurrency.expected_concurrent_graphs
    requests, tokens = (
        None if most is None else max(1, math.floor(most * share))
        for most in (given.requests_per_minute, given.tokens_per_minute)
    )
    if requests is None and tokens is None:
        return None
    needed = given.avg_tokens_per_request
    return rate_limit(RateLimiter(requests=requests, tokens=tokens), tokens=min(needed, tokens or needed))
