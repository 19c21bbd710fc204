from __future__ import annotations

import asyncio
import inspect
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fanfold.testing import clock


def test_waiting_takes_no_time() -> None:
    async def most_of_a_day() -> float:
        await asyncio.sleep(80_000)
        return asyncio.get_running_loop().time()

    started_s = time.monotonic()
    assert clock.run(most_of_a_day()) == 80_000
    assert time.monotonic() - started_s < 8_000


def test_waiting_for_each_other_for_ever_is_an_error() -> None:
    async def deadlock() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError):
        clock.run(deadlock())


def test_decorated_function_keeps_its_parameters() -> None:
    @clock.virtual_time
    async def add(one: int, *, other: int = 1) -> int:
        await asyncio.sleep(1)
        return one + other

    assert add(1, other=2) == 3
    assert list(inspect.signature(add).parameters) == ["one", "other"]
    assert not inspect.iscoroutinefunction(add)


def test_waiting_for_a_day_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="within a day"):
        clock.run(asyncio.sleep(24 * 60 * 60))


def test_wait_of_years_that_something_ends_earlier_is_none() -> None:
    async def timed_out() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.sleep(1e9)
        return asyncio.get_running_loop().time()

    assert clock.run(timed_out()) == 1


def test_endless_polling_comes_to_an_end() -> None:
    async def poll() -> None:
        while True:
            await asyncio.sleep(80_000)

    with pytest.raises(RuntimeError, match="ends at"):
        clock.run(poll())


def test_clock_is_exact_until_its_end() -> None:
    async def almost_all() -> float:
        loop = asyncio.get_running_loop()
        while loop.time() < clock.LAST_S - 80_000:
            before_s = loop.time()
            await asyncio.sleep(79_999.1)
            assert loop.time() == before_s + 79_999.1
        return loop.time()

    assert clock.run(almost_all()) > 8_000_000


def test_timers_run_in_the_order_in_which_they_are_due() -> None:
    async def order() -> list[float]:
        seen: list[float] = []

        async def note(wait_s: float) -> None:
            await asyncio.sleep(wait_s)
            seen.append(asyncio.get_running_loop().time())

        await asyncio.gather(*map(note, (0.3, 0.1, 0, 0.2)))
        return seen

    assert clock.run(order()) == [0, 0.1, 0.2, 0.3]


def test_deadlock_cancels_the_tasks_and_runs_their_cleanup() -> None:
    cleaned_at_s: list[float] = []

    async def deadlock() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(5)
            cleaned_at_s.append(asyncio.get_running_loop().time())

    with pytest.raises(RuntimeError, match="deadlock"):
        clock.run(deadlock())
    assert cleaned_at_s == [5]


def test_signal_reaches_its_handler() -> None:
    async def catch() -> float:
        loop = asyncio.get_running_loop()
        caught = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, caught.set)
        loop.call_later(3, signal.raise_signal, signal.SIGUSR1)
        async with asyncio.timeout(10):
            await caught.wait()
        return loop.time()

    assert clock.run(catch()) == 3


def a_process(tmp_path: Path) -> Awaitable[object]:
    return asyncio.create_subprocess_exec("touch", tmp_path / "started")


def a_shell(tmp_path: Path) -> Awaitable[object]:
    return asyncio.create_subprocess_shell(f"touch '{tmp_path}/started'")


def a_thread(tmp_path: Path) -> Awaitable[object]:
    return asyncio.to_thread((tmp_path / "started").touch)


def a_server(_tmp_path: Path) -> Awaitable[object]:
    return asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)


def a_connection(_tmp_path: Path) -> Awaitable[object]:
    return asyncio.open_connection("127.0.0.1", 9)


@pytest.mark.parametrize("ask_for", [a_process, a_shell, a_thread, a_server, a_connection])
def test_what_takes_real_time_is_refused_before_it_starts(
    ask_for: Callable[[Path], Awaitable[object]], tmp_path: Path
) -> None:
    async def refused() -> None:
        with pytest.raises(RuntimeError, match="for coroutines alone"):
            await ask_for(tmp_path)

    clock.run(refused())
    assert list(tmp_path.iterdir()) == []


def test_socket_of_the_caller_is_refused() -> None:
    async def refused() -> None:
        ours.setblocking(False)
        with pytest.raises(RuntimeError, match="for coroutines alone"):
            await asyncio.get_running_loop().sock_recv(ours, 1)

    ours, theirs = socket.socketpair()
    with ours, theirs:
        clock.run(refused())
