"""What must not be left half done is done, whoever is cancelled."""

from __future__ import annotations

import asyncio

import pytest

from fanfold.process import uninterrupted


async def test_uninterrupted_work_ends_before_the_cancellation_goes_on() -> None:
    steps = []

    async def work() -> None:
        for n in range(3):
            await asyncio.sleep(0)
            steps.append(n)

    task = asyncio.create_task(uninterrupted(work()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == [0, 1, 2]


async def test_uninterrupted_work_may_fail_and_be_cancelled() -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise KeyError

    with pytest.raises(KeyError):
        await uninterrupted(fails())
    task = asyncio.create_task(uninterrupted(fails()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
