from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fanfold.engine.caching import CacheError, CacheKey, SqliteStore
from fanfold.engine.content import ContentError


def key(inputs: object) -> CacheKey:
    return CacheKey.of("ask", "1", inputs)


class Clock:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


async def test_results_outlive_the_process_that_made_them(tmp_path: Path) -> None:
    program = f"""
import asyncio, pathlib
from fanfold.engine.caching import CacheKey, SqliteStore
async def main():
    async with SqliteStore(pathlib.Path({str(tmp_path / "cache.db")!r})) as store:
        await store.put(CacheKey.of("ask", "1", {{"b": 1, "a": 2}}), [1, "x"])
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    async with SqliteStore(tmp_path / "cache.db") as store:
        hit = await store.get(key({"a": 2, "b": 1}))
        assert hit is not None
        assert hit.value == [1, "x"]
        assert store.statistics.entries == 1


async def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "cache.db") as store:
        await store.put(key(1), "secret")
        files = list(tmp_path.iterdir())
        assert len(files) == 3
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_a_result_lasts_as_long_as_it_was_said(tmp_path: Path) -> None:
    clock = Clock()
    async with SqliteStore(tmp_path / "cache.db", ttl_s=10, clock=clock) as store:
        await store.put(key(1), 1)
        await store.put(key(2), 2, ttl_s=1)
        await store.put(key(3), 3, ttl_s=100)
        clock.now_s += 9.9
        assert [await store.get(key(number)) is not None for number in (1, 2, 3)] == [True, False, True]
        clock.now_s += 0.2
        assert await store.get(key(1)) is None
        assert store.statistics.expired == 2


async def test_expired_results_leave_the_file_with_the_next_one_put_in(tmp_path: Path) -> None:
    clock = Clock()
    async with SqliteStore(tmp_path / "cache.db", ttl_s=1, clock=clock) as store:
        for number in range(5):
            await store.put(key(number), number)
        clock.now_s += 2
        await store.put(key("new"), "new")
        assert store.statistics.expired == 5
        assert store.statistics.entries == 1


async def test_size_stays_bounded_over_a_close(tmp_path: Path) -> None:
    for start in (0, 50):
        async with SqliteStore(tmp_path / "cache.db", max_bytes=1_000) as store:
            for number in range(start, start + 50):
                await store.put(key(number), "x" * 98)  # 100 bytes of JSON
            assert store.statistics.entries == 10
            assert [await store.get(key(number)) is not None for number in (start + 39, start + 40)] == [False, True]


async def test_a_result_larger_than_the_bound_is_not_kept(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "cache.db", max_bytes=100) as store:
        await store.put(key(1), "x" * 200)
        assert await store.get(key(1)) is None
        assert store.statistics.evicted == 1


async def test_uses_count_over_a_close(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "cache.db", max_bytes=2) as store:
        await store.put(key(1), 1)
        await store.put(key(2), 2)
        await store.get(key(1))
    async with SqliteStore(tmp_path / "cache.db", max_bytes=2) as store:
        await store.put(key(3), 3)
        assert [await store.get(key(number)) is not None for number in (1, 2, 3)] == [True, False, True]


async def test_what_would_not_come_back_equal_is_refused(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "cache.db") as store:
        with pytest.raises(ContentError, match=r"\['a'\], a tuple"):
            await store.put(key(1), {"a": (1, 2)})
        await store.put(key(1), {"a": (1, 2)}, of=dict[str, tuple[int, int]])
        hit = await store.get(key(1), of=dict[str, tuple[int, int]])
        assert hit is not None
        assert hit.value == {"a": (1, 2)}


async def test_what_cannot_be_read_as_its_type_any_more_is_not_there(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "cache.db") as store:
        await store.put(key(1), "text")
        assert await store.get(key(1), of=int) is None
        assert await store.get(key(1)) is None


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (x)")
    database.close()


def newer(path: Path) -> None:
    async def main() -> None:
        async with SqliteStore(path):
            pass

    asyncio.run(main())
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (foreign, "another program's database"),
        (newer, "another version of Fanfold"),
        (lambda path: path.write_bytes(b"no database at all, but text" * 100), "is damaged, or no cache"),
        (lambda path: path.mkdir(), "can't be used"),
    ],
)
def test_a_file_that_is_no_cache_is_refused_and_left_alone(tmp_path: Path, make: Any, says: str) -> None:
    path = tmp_path / "cache.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None

    async def main() -> None:
        store = SqliteStore(path)
        with pytest.raises(CacheError, match=says) as caught:
            await store.get(key(1))
        assert str(path) in caught.value.message
        await store.close()

    asyncio.run(main())
    assert (path.read_bytes() if path.is_file() else None) == before


async def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    async with SqliteStore(path) as store:
        for number in range(200):
            await store.put(key(number), "x" * 500)
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + os.urandom(len(whole) - 8192))

    async def read_all() -> None:
        async with SqliteStore(path) as store:
            for number in range(200):
                await store.get(key(number))

    with pytest.raises(CacheError, match="is damaged") as caught:
        await read_all()
    assert caught.value.hint


async def test_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="can't be used"):
        async with SqliteStore(tmp_path / "no" / "cache.db"):
            pass


async def test_a_closed_store_is_told(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "cache.db")
    await store.close()
    with pytest.raises(CacheError, match="was closed"):
        await store.get(key(1))


async def test_the_event_loop_goes_on_while_the_disk_is_slow(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    async with SqliteStore(path) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # nobody else may write now
        writing = asyncio.create_task(store.put(key(1), 1))
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert not writing.done()
        other.execute("COMMIT")
        other.close()
        await writing
        assert await store.get(key(1)) is not None


async def test_no_thread_and_no_file_is_left_open(tmp_path: Path) -> None:
    def left() -> tuple[int, int]:
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("fanfold-cache")]
        files = [fd.name for fd in Path("/proc/self/fd").iterdir() if str(tmp_path) in os.path.realpath(fd)]
        return len(threads), len(files)

    async with SqliteStore(tmp_path / "cache.db") as store:
        await store.put(key(1), 1)
        assert left() >= (1, 1)
    deadline_s = time.monotonic() + 30
    while left() != (0, 0) and time.monotonic() < deadline_s:
        await asyncio.sleep(0.01)
    assert left() == (0, 0)


WRITER = """
import asyncio, pathlib, sys
from fanfold.engine.caching import CacheKey, SqliteStore
async def main():
    async with SqliteStore(pathlib.Path(sys.argv[1])) as store:
        for number in range(100):
            await store.put(CacheKey.of(sys.argv[2], "1", number), number)
asyncio.run(main())
"""


async def test_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    writers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, str(path), name) for name in ("a", "b", "c")
    ]
    assert [await writer.wait() for writer in writers] == [0, 0, 0]
    async with SqliteStore(path) as store:
        assert store.statistics.entries == 300
        assert await store.invalidate("b") == 100
        assert store.statistics.entries == 200
