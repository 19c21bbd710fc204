from __future__ import annotations

import asyncio
import subprocess
import sys

from fanfold.engine.caching import CacheKey, MemoryStore
from fanfold.testing.clock import virtual_time

A, B, C = (CacheKey.of("ask", "1", name) for name in "abc")


@virtual_time
async def test_a_result_lasts_as_long_as_the_store_says() -> None:
    store = MemoryStore(ttl_s=10)
    await store.put(A, "a")
    await asyncio.sleep(9.9)
    assert await store.get(A) is not None
    await asyncio.sleep(0.2)
    assert await store.get(A) is None
    assert store.statistics.misses == 1


@virtual_time
async def test_a_result_may_last_longer_or_shorter_than_others() -> None:
    store = MemoryStore(ttl_s=10)
    await store.put(A, "a", ttl_s=1)
    await store.put(B, "b", ttl_s=100)
    await asyncio.sleep(11)
    assert [await store.get(key) is not None for key in (A, B)] == [False, True]


@virtual_time
async def test_expired_results_make_room_before_others_are_evicted() -> None:
    store = MemoryStore(max_entries=2)
    await store.put(A, "a", ttl_s=1)
    await store.put(B, "b")
    await store.get(A)
    await asyncio.sleep(2)
    await store.put(C, "c")
    assert [await store.get(key) is not None for key in (A, B, C)] == [False, True, True]
    counted = store.statistics
    assert (counted.expired, counted.evicted, counted.entries) == (1, 0, 2)


@virtual_time
async def test_evictions_are_counted() -> None:
    store = MemoryStore(max_entries=1)
    for key in (A, A, B, C):
        await store.put(key, "x")
    assert store.statistics.evicted == 2


def test_importing_it_loads_neither_sqlite_nor_pydantic() -> None:
    program = (
        "import sys, fanfold.engine.caching as c; c.MemoryStore(); print({'sqlite3', 'pydantic'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
