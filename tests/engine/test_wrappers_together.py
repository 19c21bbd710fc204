from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.engine import BranchRetried, Done, Event, Failed, fan_out
from fanfold.engine.adaptive import AdaptiveLimit, adaptive
from fanfold.engine.breaker import BreakerOpen, Circuit, breaker
from fanfold.engine.deadline import deadline
from fanfold.engine.rate_limit import rate_limit
from fanfold.engine.rate_limiter import RateLimiter, RequestTooLarge
from fanfold.engine.retry import earlier_errors, retry
from fanfold.testing.clock import run, virtual_time
from fanfold.testing.schedules import explore, randomness

PERIOD_S = 60.0


def now() -> float:
    return asyncio.get_running_loop().time()


class TooMany(Exception):
    """A refusal that says when to come again, as an HTTP client raises it."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("429")
        self.status_code = 429
        self.headers = {"Retry-After": str(retry_after_s)}


@dataclass
class Answer:
    item: str
    tokens: int


@dataclass
class Model:
    """A service that counts requests and tokens in a sliding window, and refuses what is too much."""

    requests: int = 10**9
    tokens: int = 10**9
    takes_s: Callable[[str], float] = field(default=lambda _: 1.0)
    calls: list[tuple[float, str]] = field(default_factory=list)
    refused: int = 0
    running: int = 0
    peak: int = 0
    _window: deque[tuple[float, int]] = field(default_factory=deque)

    async def ask(self, item: str) -> Answer:
        self.calls.append((now(), item))
        while self._window and self._window[0][0] <= now() - PERIOD_S:
            self._window.popleft()
        tokens = 10 * len(item)
        if len(self._window) >= self.requests or sum(used for _, used in self._window) + tokens > self.tokens:
            self.refused += 1
            raise TooMany(self._window[0][0] + PERIOD_S - now() if self._window else PERIOD_S)
        self._window.append((now(), tokens))
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await asyncio.sleep(self.takes_s(item))
        finally:
            self.running -= 1
        return Answer(item, tokens)


def estimate(item: str) -> int:
    return 10 * len(item) + 20


def used(answer: Answer) -> int:
    return answer.tokens


@virtual_time
async def test_retry_over_rate_limit_over_deadline_in_a_fan_out() -> None:
    slow_once = {"item-3", "item-7"}

    def takes_s(item: str) -> float:
        if item in slow_once:
            slow_once.discard(item)
            return 100.0
        return 2.0

    model = Model(requests=10, tokens=1000, takes_s=takes_s)
    limiter = RateLimiter(requests=10, tokens=1000)
    ask = retry(3)(rate_limit(limiter, tokens=estimate, used=used)(deadline(5)(model.ask)))
    events: list[Event] = []
    outcomes = await fan_out(ask, [f"item-{number}" for number in range(30)], limit=4, on_event=events.append)
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert [outcome.attempts for outcome in outcomes] == [2 if number in (3, 7) else 1 for number in range(30)]
    assert {type(event.error).__name__ for event in events if isinstance(event, BranchRetried)} == {"DeadlineExceeded"}
    assert model.refused == 0
    assert model.peak == 4
    # 32 calls, 10 a minute: the last ones start in the fourth minute, not later.
    assert model.calls[-1][0] == pytest.approx(180, abs=0.1)
    assert limiter.statistics.settled_tokens == sum(10 * len(outcome.key) for outcome in outcomes if outcome.key)


@given(
    st.lists(st.sampled_from(["a", "bb", "cccccccccc"]), min_size=1, max_size=40),
    st.integers(1, 8),
    st.integers(0, 2**16),
)
def test_a_service_never_refuses_what_a_limiter_like_it_admits(items: list[str], slots: int, seed: int) -> None:
    random = Random(seed)
    model = Model(requests=5, tokens=300, takes_s=lambda _: random.uniform(0, 90))
    limiter = RateLimiter(requests=5, tokens=300)
    ask = rate_limit(limiter, tokens=estimate, used=used)(model.ask)
    outcomes = run(_all(ask, items, slots))
    assert [outcome.value.item for outcome in outcomes if isinstance(outcome, Done)] == items
    assert model.refused == 0
    assert model.peak <= slots


async def _all(ask: Callable[[str], Awaitable[Answer]], items: list[str], slots: int) -> list[Done[Answer] | Failed]:
    numbers = iter(range(len(items)))
    return await fan_out(ask, items, limit=slots, key=lambda _: str(next(numbers)))


@virtual_time
async def test_one_refusal_pauses_everybody_who_shares_the_limiter() -> None:
    model, idle = Model(requests=3), Model()
    limiter = RateLimiter(requests=1000)
    ask = retry(2, wait_initial_s=0)(rate_limit(limiter)(model.ask))
    ask_other = rate_limit(limiter)(idle.ask)
    asked = asyncio.create_task(fan_out(ask, ["a", "b", "c", "d"], limit=4))
    await asyncio.sleep(1)
    # The fourth was refused at 0, and told to come again in 60 s.
    await ask_other("e")
    await asked
    assert [round(at_s) for at_s, _ in model.calls] == [0, 0, 0, 0, 60]
    assert [round(at_s) for at_s, _ in idle.calls] == [60]
    assert limiter.statistics.pauses == 1


@virtual_time
async def test_an_error_that_is_no_refusal_pauses_nobody() -> None:
    limiter = RateLimiter()

    async def fail(item: str) -> str:
        raise ConnectionError(item)

    with pytest.raises(ConnectionError):
        await rate_limit(limiter)(fail)("a")
    assert limiter.statistics.pauses == 0


@virtual_time
async def test_refused_branches_wait_together_and_all_succeed_when_the_limit_was_guessed_too_high() -> None:
    model = Model(requests=5)
    limiter = RateLimiter(requests=20)
    ask = retry(10, wait_initial_s=1, random=Random(3))(rate_limit(limiter)(model.ask))
    outcomes = await fan_out(ask, [str(number) for number in range(40)], limit=8)
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    # 40 requests at 5 a minute: 8 minutes, and refusals only by those that were under way together.
    assert now() < 10 * PERIOD_S
    assert model.refused <= 8 * 8


@virtual_time
async def test_an_oversized_request_fails_at_once_inside_retry_too() -> None:
    limiter = RateLimiter(tokens=100)
    ask = retry(5)(rate_limit(limiter, tokens=estimate)(Model().ask))
    [large, small] = await fan_out(ask, ["x" * 100, "x"], limit=1)
    assert isinstance(large, Failed)
    assert isinstance(large.error, RequestTooLarge)
    assert large.attempts == 1
    assert isinstance(small, Done)
    assert now() == 1


@virtual_time
async def test_a_broken_service_is_left_alone_and_asked_again_by_one_branch() -> None:
    class Broken(Model):
        async def ask(self, item: str) -> Answer:
            if now() < 100:
                self.calls.append((now(), item))
                raise ConnectionError("down")
            return await super().ask(item)

    model = Broken()
    circuit = Circuit("the model", failures=5, open_s=30)
    ask = retry(10, wait_initial_s=1, random=Random(5))(breaker(circuit)(model.ask))
    outcomes = await fan_out(ask, [str(number) for number in range(50)], limit=50)
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert [round(at_s) for at_s, _ in model.calls if at_s < 100] == [0] * 5 + [30, 60, 90]
    assert circuit.state == "closed"


@virtual_time
async def test_an_open_breaker_pauses_no_limiter_and_shrinks_no_limit() -> None:
    limiter = RateLimiter(requests=100)
    limit = AdaptiveLimit(start=4, highest=4)
    circuit = Circuit(failures=1, open_s=1000)

    async def fail(item: str) -> str:
        raise ConnectionError(item)

    ask = adaptive(limit)(rate_limit(limiter)(breaker(circuit)(fail)))
    outcomes = await fan_out(ask, ["a", "b", "c"], limit=limit)
    kinds = [type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)]
    assert kinds == [ConnectionError, BreakerOpen, BreakerOpen]
    assert limiter.statistics.pauses == 0
    assert limit.most == 4


@virtual_time
async def test_a_deadline_around_it_all_ends_waits_for_rate_and_retry() -> None:
    limiter = RateLimiter(requests=1)
    model = Model()
    ask = deadline(30)(retry(3)(rate_limit(limiter)(model.ask)))
    outcomes = await fan_out(ask, ["a", "b", "c"], limit=3)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Done", "Failed", "Failed"]
    assert now() == 30
    assert (limiter.statistics.waiting, limiter.statistics.requests) == (0, 1)


@virtual_time
async def test_all_wrappers_at_once_lose_nothing_and_exceed_nothing() -> None:
    random = Random(11)
    model = Model(requests=60, tokens=10**6, takes_s=lambda _: random.uniform(0.1, 12))
    limiter = RateLimiter(requests=60, resources={"gpu": 6})
    limit = AdaptiveLimit(start=2, highest=32)
    circuit = Circuit(failures=20, open_s=5)
    call = deadline(10)(model.ask)
    ask = retry(20, random=Random(1))(
        rate_limit(limiter, resources={"gpu": 1})(adaptive(limit)(breaker(circuit)(call)))
    )
    outcomes = await fan_out(ask, [str(number) for number in range(300)], limit=limit)
    assert [outcome.value.item for outcome in outcomes if isinstance(outcome, Done)] == [str(n) for n in range(300)]
    assert model.refused == 0
    assert model.peak <= 6
    assert limiter.statistics.lent == {"gpu": 0}
    assert limit.running == 0
    assert len(asyncio.all_tasks()) == 1


async def crowded() -> None:
    """Much at the same instants: admissions, deadlines, settlements, pauses, cancellations, resources, slots."""
    random = randomness()
    model = Model(requests=3, tokens=300, takes_s=lambda _: random.choice([0.0, 20.0, 60.0]))
    limiter = RateLimiter(requests=3, tokens=300, resources={"gpu": 2})
    circuit = Circuit(failures=3, open_s=20)
    limit = AdaptiveLimit(start=2, highest=4)
    call = deadline(random.choice([20, 60]))(breaker(circuit)(model.ask))
    limited = rate_limit(limiter, tokens=estimate, used=used, resources={"gpu": 1})(adaptive(limit)(call))
    branch = deadline(random.choice([60, 120, 500]))(retry(3, wait_initial_s=0)(limited))

    async def disturb() -> None:
        await asyncio.sleep(random.choice([0, 20, 60]))
        limiter.pause(random.choice([0, 20, 60]))

    fan = asyncio.create_task(fan_out(branch, [letter * random.randint(1, 9) for letter in "abcdefgh"], limit=limit))
    disturbing = asyncio.create_task(disturb())
    if random.random() < 0.3:
        await asyncio.sleep(random.choice([20, 60, 120]))
        fan.cancel()
    await asyncio.wait([fan, disturbing])
    assert fan.cancelled() or len(fan.result()) == 8
    assert model.refused == 0
    assert model.peak <= 2
    assert model.running == 0
    statistics = limiter.statistics
    assert (statistics.waiting, statistics.lent, limit.running) == (0, {"gpu": 0}, 0)
    await asyncio.sleep(2 * PERIOD_S + 1)
    assert (limiter.statistics.requests, limiter.statistics.tokens) == (0, 0)
    # Whatever happened, the next ones get through at once.
    began_s = now()
    ask = rate_limit(limiter, tokens=100, resources={"gpu": 1})(Model().ask)
    assert [answer.item for answer in await asyncio.gather(*(ask(letter) for letter in "xyz"))] == ["x", "y", "z"]
    assert now() == began_s + 2  # three of 1 s, two together


def test_wrappers_hold_in_every_order_of_tasks() -> None:
    explore(crowded, schedules=500)


@virtual_time
async def test_the_last_of_many_errors_tells_of_all_kinds_before_it() -> None:
    errors = iter([TooMany(1), ConnectionError("reset"), TimeoutError("slow")])

    async def fail(_: str) -> str:
        raise next(errors)

    [outcome] = await fan_out(retry(3)(rate_limit(RateLimiter())(fail)), ["a"], limit=1)
    assert isinstance(outcome, Failed)
    assert [type(error) for error in earlier_errors(outcome.error)] == [TooMany, ConnectionError]
