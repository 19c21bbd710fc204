from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from fanfold.engine.breaker import BreakerOpen, Circuit, breaker
from fanfold.testing.clock import run, virtual_time


def state(circuit: Circuit) -> str:
    return circuit.state


class Service:
    """Fails while it is down, after `wait_s`."""

    def __init__(self, circuit: Circuit) -> None:
        self.down = True
        self.wait_s = 0.0
        self.error: Exception = ConnectionError("down")
        self.calls = 0
        self.ask: Callable[[], Awaitable[str]] = breaker(circuit)(self._ask)

    async def _ask(self) -> str:
        self.calls += 1
        await asyncio.sleep(self.wait_s)
        if self.down:
            raise self.error
        return "up"

    async def fail(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(type(self.error)):
                await self.ask()


@virtual_time
async def test_failures_in_a_row_open_it_and_then_nothing_is_called() -> None:
    circuit = Circuit("search", failures=3, open_s=30)
    service = Service(circuit)
    await service.fail(3)
    assert state(circuit) == "open"
    await asyncio.sleep(10)
    with pytest.raises(
        BreakerOpen, match="search was not called: it kept failing, and is left alone for 20 s"
    ) as raised:
        await service.ask()
    assert raised.value.retry_after_s == 20
    assert raised.value.hint
    assert service.calls == 3
    assert circuit.refused == 1


@virtual_time
async def test_a_success_in_between_starts_the_count_again() -> None:
    circuit = Circuit(failures=3)
    service = Service(circuit)
    for _ in range(3):
        service.down = True
        await service.fail(2)
        service.down = False
        await service.ask()
    assert state(circuit) == "closed"


@virtual_time
async def test_a_probe_that_succeeds_closes_it_with_a_clean_slate() -> None:
    circuit = Circuit(failures=3, open_s=30)
    service = Service(circuit)
    await service.fail(3)
    await asyncio.sleep(30)
    assert state(circuit) == "half_open"
    service.down = False
    assert await service.ask() == "up"
    assert state(circuit) == "closed"
    service.down = True
    await service.fail(2)
    assert state(circuit) == "closed"


@virtual_time
async def test_a_probe_that_fails_opens_it_for_as_long_again() -> None:
    circuit = Circuit(failures=3, open_s=30)
    service = Service(circuit)
    await service.fail(3)
    await asyncio.sleep(31)
    await service.fail(1)
    with pytest.raises(BreakerOpen) as raised:
        await service.ask()
    assert raised.value.retry_after_s == 30
    assert circuit.opened == 2


@virtual_time
async def test_one_call_alone_probes_however_many_come() -> None:
    circuit = Circuit(failures=1, open_s=30)
    service = Service(circuit)
    await service.fail(1)
    await asyncio.sleep(30)
    service.down, service.wait_s = False, 5
    answers = await asyncio.gather(*(service.ask() for _ in range(20)), return_exceptions=True)
    assert answers[0] == "up"
    refusals = [answer for answer in answers if isinstance(answer, BreakerOpen)]
    assert len(refusals) == 19
    assert {refusal.retry_after_s for refusal in refusals} == {30}
    assert service.calls == 2
    assert await asyncio.gather(*(service.ask() for _ in range(20))) == ["up"] * 20


@virtual_time
async def test_a_cancelled_probe_leaves_the_question_to_the_next_call() -> None:
    circuit = Circuit(failures=1, open_s=30)
    service = Service(circuit)
    await service.fail(1)
    await asyncio.sleep(30)
    service.wait_s = 60
    probe = asyncio.ensure_future(service.ask())
    await asyncio.sleep(1)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert state(circuit) == "half_open"
    service.wait_s, service.down = 0, False
    assert await service.ask() == "up"


@virtual_time
async def test_only_the_errors_that_it_is_for_count() -> None:
    circuit = Circuit(failures=2, open_s=30, on=ConnectionError)
    service = Service(circuit)
    service.error = ValueError("the caller's fault")
    await service.fail(10)
    assert state(circuit) == "closed"
    service.error = ConnectionError("down")
    await service.fail(2)
    assert state(circuit) == "open"
    await asyncio.sleep(30)
    service.error = ValueError("the caller's fault")
    await service.fail(3)
    assert state(circuit) == "half_open"


@virtual_time
async def test_a_rate_of_failures_opens_it_once_there_are_enough_calls() -> None:
    circuit = Circuit(failures=None, failure_rate=0.5, window=10)
    service = Service(circuit)
    await service.fail(4)
    service.down = False
    for _ in range(5):
        await service.ask()
    assert state(circuit) == "closed"
    service.down = True
    await service.fail(1)
    assert state(circuit) == "open"


@virtual_time
async def test_failures_from_before_a_recovery_do_not_count_in_the_rate() -> None:
    circuit = Circuit(failures=None, failure_rate=0.5, window=4, open_s=10)
    service = Service(circuit)
    await service.fail(4)
    await asyncio.sleep(10)
    service.down = False
    await service.ask()
    service.down = True
    await service.fail(3)
    assert state(circuit) == "closed"
    await service.fail(1)
    assert state(circuit) == "open"


@virtual_time
async def test_old_successes_leave_the_window() -> None:
    circuit = Circuit(failures=None, failure_rate=0.5, window=4)
    service = Service(circuit)
    service.down = False
    for _ in range(100):
        await service.ask()
    service.down = True
    await service.fail(2)
    assert state(circuit) == "open"


@virtual_time
async def test_calls_from_before_it_opened_change_nothing_when_they_end() -> None:
    circuit = Circuit(failures=2, open_s=10)
    service = Service(circuit)
    service.wait_s = 60
    stragglers = [asyncio.ensure_future(service.ask()) for _ in range(5)]
    await asyncio.sleep(0)
    service.wait_s = 0
    await service.fail(2)
    await asyncio.sleep(20)
    service.down = False
    assert await service.ask() == "up"
    service.down = True
    await asyncio.wait(stragglers)
    assert [type(task.exception()) for task in stragglers] == [ConnectionError] * 5
    assert state(circuit) == "closed"
    assert circuit.opened == 1


@virtual_time
async def test_failures_together_open_it_once() -> None:
    circuit = Circuit(failures=3, open_s=10)
    service = Service(circuit)
    service.wait_s = 1
    await asyncio.gather(*(service.ask() for _ in range(20)), return_exceptions=True)
    assert circuit.opened == 1
    with pytest.raises(BreakerOpen):
        await service.ask()


@virtual_time
async def test_functions_share_a_circuit() -> None:
    circuit = Circuit(failures=2)
    one, other = Service(circuit), Service(circuit)
    await one.fail(1)
    await other.fail(1)
    with pytest.raises(BreakerOpen):
        await one.ask()


def test_a_circuit_that_could_never_open_is_refused() -> None:
    with pytest.raises(ValueError, match="never opens"):
        Circuit(failures=None)
    with pytest.raises(ValueError, match="1 or more"):
        Circuit(failures=0)
    with pytest.raises(ValueError, match="1 or more"):
        Circuit(open_s=0)
    with pytest.raises(ValueError, match="at most 1"):
        Circuit(failure_rate=1.5)


def test_its_state_can_be_read_after_the_run() -> None:
    circuit = Circuit("search", failures=1, open_s=30)
    assert repr(circuit) == "Circuit('search', closed, opened=0, refused=0)"

    async def fail_and_wait() -> str:
        await Service(circuit).fail(1)
        await asyncio.sleep(31)
        return circuit.state

    assert run(fail_and_wait()) == "half_open"
    assert circuit.state == "open"
    assert repr(circuit) == "Circuit('search', open, opened=1, refused=0)"


def test_what_is_no_circuit_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="circuit is a Circuit, not None"):
        breaker(None)  # type: ignore[arg-type]
