from __future__ import annotations

import asyncio
import inspect
import sys
import time

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


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "async_solipsism", None)
    with pytest.raises(ModuleNotFoundError, match=r"fanfold\[testing\]"):
        clock.new_event_loop()
