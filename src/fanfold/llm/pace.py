"""How fast a model is asked: what its server allows in a minute, and how many at once it bears."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fanfold.engine import AdaptiveLimit, Failed, RateLimiter, Reservation, fan_out, is_throttled, retry_after_s
from fanfold.llm.settings import ModelSettings

START = 4
MARGIN = 1.1
T = TypeVar("T")


class Pace:
    """Shared by all who ask one model in one process; requests are admitted first come, first served.

    Attributes:
        limiter: requests and tokens in a minute.
        slots: how many requests are under way; fewer after the server had too many, more while all goes well.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self.limiter = RateLimiter(requests=settings.requests_per_minute, tokens=settings.tokens_per_minute)
        self.slots = AdaptiveLimit(min(START, settings.max_concurrency), highest=settings.max_concurrency)
        self._largest_part = 0.0

    async def admit(self, request: Callable[[Reservation], Awaitable[T]], *, asked: int, answered: int) -> T:
        """Make a request once there is room for it.

        Args:
            request: gets the reservation of its tokens, which it may settle.
            asked: the most tokens that it sends.
            answered: the most tokens that the answer has.
        Raises:
            RequestTooLarge: it is larger than what is allowed in a minute.
            What the request raises.
        """
        made: list[T] = []

        async def in_its_slot(_: str) -> None:
            async with self.limiter.reserve(tokens=self._likely(asked) + answered) as reservation:
                try:
                    made.append(await request(reservation))
                except Exception as error:
                    pause_s = retry_after_s(error) if is_throttled(error) else None
                    if pause_s is not None:
                        self.limiter.pause(pause_s)
                    raise

        [outcome] = await fan_out(in_its_slot, ["request"], limit=self.slots)
        if isinstance(outcome, Failed):
            raise outcome.error
        return made[0]

    def seen(self, asked: int, really: int) -> None:
        """Learn how far the estimates of what is sent are off, so that reservations don't keep room from others."""
        if asked > 0 and really > 0:
            self._largest_part = max(self._largest_part, really / asked)

    def _likely(self, asked: int) -> int:
        return round(asked * min(self._largest_part * MARGIN, 1.0)) if self._largest_part else asked
