"""Long-lived git processes end with whoever talks to them."""

from __future__ import annotations

import asyncio
import gc
import warnings
from pathlib import Path

import pytest

from fanfold.git.coprocess import Coprocess, lines
from fanfold.testing.repositories import make_repository


@pytest.mark.parametrize("turns", range(0, 40, 3))
def test_cancelled_again_and_again_it_leaves_no_process_and_no_pipe(tmp_path: Path, turns: int) -> None:
    root = make_repository(tmp_path / "project", {"a.py": "x = 1\n"}).root

    async def exchange() -> None:
        process = Coprocess("cat-file", "--batch-check", cwd=root, places={})
        try:
            await process.ask(b"HEAD\n", lambda answer: lines(answer, 1))
        finally:
            await process.close()

    async def cancelled() -> None:
        task = asyncio.create_task(exchange())
        for _ in range(turns):
            await asyncio.sleep(0)
        for _ in range(4):
            task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([task])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(cancelled())
        gc.collect()  # what was left would be told as an exception that nobody raised
