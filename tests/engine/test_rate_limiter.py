from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.engine import Limit, fan_out, yield_slot
from fanfold.engine.deadline import deadline
from fanfold.engine.rate_limit import rate_limit
from fanfold.engine.rate_limiter import RateLimiter, RequestTooLarge
from fanfold.engine.sliding_window import EDGE_S
from fanfold.testing.clock import run, virtual_time

PERIOD_S = 60.0


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Service:
    """Records when requests start, and with how many tokens in the end."""

    limiter: RateLimiter
    starts: list[list[float]] = field(default_factory=list)

    async def ask(self, tokens: int = 0, *, seconds: float = 0, settled: int | None = None, gpus: int = 0) -> None:
        async with self.limiter.reserve(tokens=tokens, resources={"gpu": gpus}) as reservation:
            start = [now(), tokens]
            self.starts.append(start)
            await asyncio.sleep(seconds)
            if settled is not None:
                reservation.settle(settled)
                start[1] = settled

    def at(self) -> list[float]:
        return [round(at_s, 3) for at_s, _ in self.starts]

    def worst(self) -> tuple[int, float]:
        """The most requests and tokens in any window of the period, both ends included."""
        windows = [[one for one in self.starts if start <= one[0] <= start + PERIOD_S] for start, _ in self.starts]
        return max(map(len, windows), default=0), max((sum(t for _, t in one) for one in windows), default=0)


@virtual_time
async def test_a_burst_is_admitted_at_once_up_to_the_limit_and_no_further() -> None:
    service = Service(RateLimiter(requests=100, period_s=1))
    tasks = [asyncio.create_task(service.ask()) for _ in range(250)]
    await asyncio.sleep(1)
    assert len(service.starts) == 100
    await asyncio.wait(tasks)
    assert service.at() == [0.0] * 100 + [1.0] * 100 + [2.0] * 50


@virtual_time
async def test_tokens_are_limited_beside_requests() -> None:
    service = Service(RateLimiter(requests=3, tokens=100))
    await asyncio.gather(*(service.ask(tokens) for tokens in (60, 30, 20, 10, 1, 1, 1)))
    assert service.at() == [0, 0, 60, 60, 60, 120, 120]


@virtual_time
async def test_a_large_request_is_not_overtaken_by_small_ones() -> None:
    service = Service(RateLimiter(tokens=100))
    await asyncio.gather(*(service.ask(tokens) for tokens in (50, 100, 1, 1)))
    assert [tokens for _, tokens in service.starts] == [50, 100, 1, 1]
    assert service.at() == [0, 60, 120, 120]


@virtual_time
async def test_what_was_not_used_makes_room_at_once() -> None:
    service = Service(RateLimiter(tokens=100))
    await asyncio.gather(service.ask(100, seconds=5, settled=40), service.ask(60), service.ask(1))
    assert service.at() == [0, 5, 60]


@virtual_time
async def test_what_was_used_beyond_the_reservation_counts_from_when_it_is_known() -> None:
    limiter = RateLimiter(tokens=100)
    service = Service(limiter)
    await service.ask(10, seconds=5, settled=95)
    assert limiter.statistics.tokens == 95
    await asyncio.gather(service.ask(5), service.ask(10), service.ask(90))
    # The 85 beyond the reservation leave at 65, the 10 that were reserved at 60.
    assert service.at() == [0, 5, 60, 65]


@virtual_time
async def test_tokens_used_beyond_the_limit_are_waited_for() -> None:
    service = Service(RateLimiter(tokens=100))
    await service.ask(100, seconds=30, settled=180)
    await asyncio.gather(service.ask(20), service.ask(1))
    assert service.at() == [0, 60, 90]


@virtual_time
async def test_a_request_larger_than_the_limit_is_refused_at_once() -> None:
    limiter = RateLimiter(requests=5, tokens=100, resources={"gpu": 2})
    service = Service(limiter)
    with pytest.raises(RequestTooLarge, match="101 tokens can never be admitted: the limit is 100") as raised:
        await service.ask(101)
    assert raised.value.hint
    with pytest.raises(RequestTooLarge, match="3 gpu can never be admitted: the limit is 2"):
        await service.ask(1, gpus=3)
    with pytest.raises(RequestTooLarge, match="1 tpu can never be admitted: the limit is 0"):
        async with limiter.reserve(resources={"tpu": 1}):
            pass
    with pytest.raises(ValueError, match="less than 0"):
        await service.ask(-1)
    assert limiter.statistics.refused == 3
    assert limiter.statistics.requests == 0
    assert now() == 0


@virtual_time
async def test_a_reservation_is_settled_once_and_not_with_less_than_nothing() -> None:
    async with RateLimiter(tokens=100).reserve(tokens=10) as reservation:
        with pytest.raises(ValueError, match="can't use -1 tokens"):
            reservation.settle(-1)
        reservation.settle(0)
        with pytest.raises(ValueError, match="settled already, with 0 tokens"):
            reservation.settle(5)
        assert (reservation.tokens, reservation.settled) == (10, 0)


@virtual_time
async def test_a_request_that_fails_still_counts_and_returns_its_resources() -> None:
    limiter = RateLimiter(requests=1, tokens=10, resources={"gpu": 1})
    with pytest.raises(ConnectionError):
        async with limiter.reserve(tokens=10, resources={"gpu": 1}):
            raise ConnectionError
    statistics = limiter.statistics
    assert (statistics.requests, statistics.tokens, statistics.lent) == (1, 10, {"gpu": 0})


@virtual_time
async def test_who_is_cancelled_while_waiting_returns_its_reservation_and_its_place() -> None:
    limiter = RateLimiter(tokens=100)
    service = Service(limiter)
    tasks = [asyncio.create_task(service.ask(tokens)) for tokens in (50, 100, 50)]
    await asyncio.sleep(10)
    tasks[1].cancel()
    await asyncio.wait(tasks)
    assert tasks[1].cancelled()
    assert service.at() == [0, 10]
    assert limiter.statistics.waiting == 0


@virtual_time
async def test_who_is_cancelled_between_admission_and_start_returns_its_reservation() -> None:
    limiter = RateLimiter(tokens=100, period_s=60)
    service = Service(limiter)
    await service.ask(100)
    waiting = asyncio.create_task(service.ask(100))

    def cancel_when_admitted() -> None:
        if limiter._tokens.used and not limiter._queue:
            waiting.cancel()
        else:
            asyncio.get_running_loop().call_soon(cancel_when_admitted)

    await asyncio.sleep(59.9)
    asyncio.get_running_loop().call_at(60 + EDGE_S, cancel_when_admitted)
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert limiter.statistics.tokens == 0
    await service.ask(100)
    assert service.at() == [0, 60]


@virtual_time
async def test_who_is_cancelled_while_waiting_for_its_slot_returns_its_reservation() -> None:
    limiter = RateLimiter(requests=1)
    service = Service(limiter)

    async def branch(item: str) -> None:
        if item == "work":
            await asyncio.sleep(100)
        elif item == "hurry":
            await deadline(70)(service.ask)()
        else:
            await service.ask()

    outcomes = await fan_out(branch, ["ask", "hurry", "work"], limit=1)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Done", "Failed", "Done"]
    assert service.at() == [0]
    assert limiter.statistics.requests == 0
    await service.ask()
    assert service.at() == [0, 100]


@pytest.mark.parametrize("at_look", range(8))
def test_room_that_comes_between_two_looks_at_the_clock_is_not_missed(
    monkeypatch: pytest.MonkeyPatch, at_look: int
) -> None:
    async def main() -> None:
        service = Service(RateLimiter(requests=1))
        await service.ask()
        await asyncio.sleep(59.9)
        looks = count()
        monkeypatch.setattr("fanfold.engine.rate_limiter.time_s", lambda: now() + (next(looks) >= at_look) * 0.2)
        await service.ask()
        assert len(service.starts) == 2

    run(main())


@virtual_time
async def test_a_pause_holds_for_all_and_a_shorter_one_does_not_cut_it_short() -> None:
    limiter = RateLimiter(requests=10, period_s=1)
    service = Service(limiter)
    limiter.pause(30)
    limiter.pause(5)
    early = [asyncio.create_task(service.ask()) for _ in range(3)]
    await asyncio.sleep(10)
    limiter.pause(25)
    await asyncio.wait(early)
    assert service.at() == [35, 35, 35]
    assert limiter.statistics.pauses == 3


@virtual_time
async def test_a_pause_reaches_those_who_wait_for_the_window_already() -> None:
    limiter = RateLimiter(requests=1)
    service = Service(limiter)
    tasks = [asyncio.create_task(service.ask()) for _ in range(3)]
    await asyncio.sleep(50)
    limiter.pause(30)
    await asyncio.wait(tasks)
    assert service.at() == [0, 80, 140]


@virtual_time
async def test_no_pause_is_longer_than_the_longest() -> None:
    limiter = RateLimiter(pause_max_s=100)
    service = Service(limiter)
    limiter.pause(10_000)
    await service.ask()
    assert service.at() == [100]


@virtual_time
async def test_resources_are_held_while_the_request_runs() -> None:
    service = Service(RateLimiter(resources={"gpu": 2}))
    await asyncio.gather(*(service.ask(seconds=10, gpus=1) for _ in range(5)))
    assert service.at() == [0, 0, 10, 10, 20]


@virtual_time
async def test_a_request_inside_another_is_not_held_up_by_one_that_waits_for_the_resource_of_the_outer() -> None:
    limiter = RateLimiter(requests=100, resources={"gpu": 1})
    service = Service(limiter)

    async def outer() -> None:
        async with limiter.reserve(resources={"gpu": 1}):
            await asyncio.sleep(5)
            await service.ask()

    await asyncio.gather(outer(), service.ask(gpus=1))
    assert service.at() == [5, 5]


@virtual_time
async def test_statistics_tell_what_was_admitted_and_how_long_it_waited() -> None:
    limiter = RateLimiter(requests=2, tokens=100, resources={"gpu": 3})
    service = Service(limiter)
    tasks = [asyncio.create_task(service.ask(20, seconds=5, settled=15, gpus=1)) for _ in range(3)]
    await asyncio.sleep(1)
    early = limiter.statistics
    assert (early.admitted, early.waiting, early.requests, early.tokens) == (2, 1, 2, 40)
    # Who waits for the window has its GPU by then: nobody behind could start before.
    assert early.lent == {"gpu": 3}
    await asyncio.wait(tasks)
    late = limiter.statistics
    assert (late.admitted, late.waiting, late.reserved_tokens, late.settled_tokens) == (3, 0, 60, 45)
    assert (round(late.waited_s, 3), round(late.longest_s, 3)) == (60, 60)


@virtual_time
async def test_a_branch_that_waits_gives_its_slot_to_others() -> None:
    limiter = RateLimiter(requests=1)
    service = Service(limiter)
    worked: list[float] = []

    async def branch(item: str) -> None:
        if item == "work":
            await asyncio.sleep(10)
            worked.append(now())
        else:
            await service.ask()

    await fan_out(branch, ["ask", "ask again", "work"], limit=1, key=str)
    assert worked == [10]
    assert service.at() == [0, 60]


@virtual_time
async def test_a_request_counts_from_when_its_branch_has_its_slot_again() -> None:
    limiter = RateLimiter(requests=1)
    service = Service(limiter)
    limit = Limit(1)

    async def branch(item: str) -> None:
        if item == "work":
            await asyncio.sleep(100)
        else:
            await service.ask()

    await fan_out(branch, ["ask", "ask again", "work", "ask once more"], limit=limit)
    # The second request may go at 60, but gets its slot at 100: the third has to wait until 160, not 120.
    assert service.at() == [0, 100, 160]


@virtual_time
async def test_a_pause_that_comes_while_an_admitted_branch_waits_for_its_slot_holds_for_it() -> None:
    limiter = RateLimiter(requests=1)
    service = Service(limiter)

    async def branch(item: str) -> None:
        if item == "work":
            await asyncio.sleep(100)
            limiter.pause(30)
        else:
            await service.ask()

    await fan_out(branch, ["ask", "ask again", "work"], limit=1)
    assert service.at() == [0, 130]


@virtual_time
async def test_nothing_is_left_waiting_when_the_fan_out_is_cancelled() -> None:
    limiter = RateLimiter(requests=1, resources={"gpu": 1})
    service = Service(limiter)

    async def branch(item: int) -> None:
        await service.ask(gpus=item % 2)

    task = asyncio.create_task(fan_out(branch, range(20), limit=4))
    await asyncio.sleep(70)
    task.cancel()
    await asyncio.wait([task])
    statistics = limiter.statistics
    assert (statistics.admitted, statistics.waiting, statistics.requests, statistics.lent) == (2, 0, 1, {"gpu": 0})
    await asyncio.sleep(60)
    await service.ask()
    assert service.at() == [0, 60, 130]


def test_a_limiter_may_be_used_on_one_event_loop_after_another() -> None:
    service = Service(RateLimiter(requests=2, period_s=0.01, resources={"gpu": 1}))

    async def main() -> None:
        late = asyncio.create_task(service.ask(gpus=1, seconds=100))
        await asyncio.gather(*(service.ask() for _ in range(5)))
        late.cancel()

    for _ in range(2):
        asyncio.run(main())
    starts = [at_s for at_s, _ in service.starts]
    assert len(starts) == 12
    assert all(later - earlier > 0.01 for earlier, later in zip(starts, starts[2:], strict=False))


@pytest.mark.parametrize("options", [{"requests": 0}, {"tokens": 0}, {"resources": {"gpu": 0}}])
def test_a_limit_that_admits_nothing_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least 1, not 0"):
        RateLimiter(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("period_s", [0, -1, float("inf"), float("nan")])
def test_a_period_that_never_ends_or_is_none_is_refused(period_s: float) -> None:
    with pytest.raises(ValueError, match="period"):
        RateLimiter(requests=1, period_s=period_s)


LIMIT, TOKENS = 5, 50
ARRIVALS = st.lists(st.tuples(st.floats(0, 30), st.integers(0, TOKENS)), max_size=40)


@given(ARRIVALS)
def test_requests_start_in_order_each_as_soon_as_no_window_is_above_the_limit(
    arrivals: list[tuple[float, int]],
) -> None:
    service = Service(RateLimiter(requests=LIMIT, tokens=TOKENS, period_s=PERIOD_S))
    arrived: list[float] = []

    async def main() -> None:
        tasks = []
        for after_s, tokens in arrivals:
            await asyncio.sleep(after_s)
            arrived.append(now())
            tasks.append(asyncio.create_task(service.ask(tokens)))
        await asyncio.gather(*tasks)

    run(main())
    assert [tokens for _, tokens in service.starts] == [tokens for _, tokens in arrivals]
    requests, tokens = service.worst()
    assert requests <= LIMIT
    assert tokens <= TOKENS
    for number, (at_s, _) in enumerate(service.starts):
        assert at_s - soonest(arrived[number], service.starts[: number + 1]) <= 10 * EDGE_S


def soonest(arrived_s: float, starts: list[list[float]]) -> float:
    """When the last of these could start at the earliest, given the starts before it: tried at every candidate."""
    *before, (_, tokens) = starts
    floor_s = max(arrived_s, before[-1][0] if before else 0.0)
    for at_s in sorted({floor_s, *(start + PERIOD_S for start, _ in before if start + PERIOD_S > floor_s)}):
        window = [amount for start, amount in before if start > at_s - PERIOD_S + EDGE_S / 2]
        if len(window) < LIMIT and sum(window) + tokens <= TOKENS:
            return at_s
    raise AssertionError("there is room in an empty window")


REQUESTS = st.lists(
    st.tuples(
        st.floats(0, 30),
        st.integers(0, TOKENS),
        st.floats(0, 90),
        st.floats(0, 1),
        st.integers(0, 2),
        st.none() | st.floats(0, 100),
    ),
    max_size=30,
)


@given(REQUESTS, st.lists(st.tuples(st.floats(0, 200), st.floats(0, 50)), max_size=3), st.none() | st.integers(1, 4))
def test_no_window_is_above_the_limit_whatever_runs_long_settles_is_cancelled_or_pauses(
    plan: list[tuple[float, int, float, float, int, float | None]],
    pauses: list[tuple[float, float]],
    slots: int | None,
) -> None:
    limiter = RateLimiter(requests=LIMIT, tokens=TOKENS, period_s=PERIOD_S, resources={"gpu": 2})
    service = Service(limiter)
    paused: list[tuple[float, float]] = []

    async def branch(number: int) -> None:
        _, tokens, seconds, part, gpus, cancelled_after_s = plan[number]
        async with yield_slot():
            await asyncio.sleep(sum(after_s for after_s, *_ in plan[: number + 1]))
        asked = asyncio.create_task(service.ask(tokens, seconds=seconds, settled=int(tokens * part), gpus=gpus))
        done, _ = await asyncio.wait([asked], timeout=cancelled_after_s)
        if not done:
            asked.cancel()
            await asyncio.wait([asked])

    async def pause(after_s: float, seconds: float) -> None:
        await asyncio.sleep(after_s)
        limiter.pause(seconds)
        paused.append((now(), now() + seconds))

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for after_s, seconds in pauses:
                group.create_task(pause(after_s, seconds))
            await fan_out(branch, range(len(plan)), limit=slots)
        statistics = limiter.statistics
        assert (statistics.waiting, statistics.lent, statistics.admitted) == (0, {"gpu": 0}, len(service.starts))
        await asyncio.sleep(2 * PERIOD_S)
        assert (limiter.statistics.requests, limiter.statistics.tokens) == (0, 0)

    run(main())
    requests, tokens = service.worst()
    assert requests <= LIMIT
    assert tokens <= TOKENS
    assert not [at_s for at_s, _ in service.starts for since_s, until_s in paused if since_s < at_s < until_s]
    uncancelled = [one for one in plan if one[-1] is None]
    assert len(service.starts) >= len(uncancelled)


def test_its_statistics_can_be_read_after_the_run_as_of_the_last_change() -> None:
    limiter = RateLimiter(requests=5, period_s=10)

    async def work() -> int:
        for _ in range(2):
            async with limiter.reserve(tokens=3):
                await asyncio.sleep(11)
        return limiter.statistics.requests

    assert limiter.statistics.admitted == 0
    assert run(work()) == 0
    assert (limiter.statistics.admitted, limiter.statistics.requests) == (2, 0)
    run(limiter.reserve(tokens=3).__aenter__())
    assert (limiter.statistics.requests, limiter.statistics.tokens) == (1, 3)


def test_it_is_printed_with_its_limits() -> None:
    assert repr(RateLimiter()) == "RateLimiter(period_s=60, waiting=0)"
    limiter = RateLimiter(requests=5, tokens=100, period_s=0.5, resources={"gpu": 2})
    assert repr(limiter) == "RateLimiter(requests=5, tokens=100, period_s=0.5, resources={'gpu': 2}, waiting=0)"


def test_what_is_no_limiter_and_what_are_no_tokens_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="limiter is a RateLimiter, not 10"):
        rate_limit(10)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="tokens is a whole number or a function, not '5'"):
        rate_limit(RateLimiter(), tokens="5")  # type: ignore[arg-type]
