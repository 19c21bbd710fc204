"""Dask distributed alone: two workers on loopback, branches submitted in batches and gathered as they end."""

from __future__ import annotations

import importlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from engine_peers.case import SMALL, Case, Run


def batch(numbers: list[int], offset: int) -> list[int]:
    """What a worker does: nothing much."""
    time.sleep(0)
    return [number * 2 + offset for number in numbers]


@asynccontextmanager
async def probe(_: str, case: Case) -> AsyncIterator[Run]:
    """Set up one run; the variant is how many branches a message has."""
    distributed: Any = importlib.import_module("distributed")
    size = int(case.variant)
    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    async with (
        distributed.LocalCluster(**options, worker_dashboard_address=None, asynchronous=True) as cluster,
        distributed.Client(cluster, asynchronous=True) as client,
    ):

        async def call() -> list[list[int]]:
            parts = [list(range(case.n))[start : start + size] for start in range(0, case.n, size)]
            futures = [client.submit(batch, part, SMALL["offset"], pure=False) for part in parts]
            placed = {future.key: number for number, future in enumerate(futures)}
            found: list[list[int]] = [[] for _ in parts]
            async for future, values in distributed.as_completed(futures, with_results=True):
                found[placed[future.key]] = values
            return found

        yield Run(call, lambda found: [value for values in found for value in values])
