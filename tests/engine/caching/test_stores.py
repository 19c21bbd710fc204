"""What holds for every store."""

from __future__ import annotations

import asyncio
import math
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.engine.caching import CacheKey, CacheStatistics, MemoryStore, SqliteStore, Store
from fanfold.engine.content import ContentError
from fanfold.engine.isolate import IsolationError


@dataclass
class Answer:
    words: list[str]


def key(inputs: object, label: str = "ask", version: str = "1") -> CacheKey:
    return CacheKey.of(label, version, inputs)


async def test_what_was_put_in_is_found_again(store: Store) -> None:
    await store.put(key(1), {"a": [1, 2.5, None]})
    hit = await store.get(key(1))
    assert hit is not None
    assert hit.value == {"a": [1, 2.5, None]}
    assert await store.get(key(2)) is None


async def test_none_is_a_result_like_another(store: Store) -> None:
    await store.put(key(1), None)
    hit = await store.get(key(1))
    assert hit is not None
    assert hit.value is None


async def test_values_keep_their_types(store: Store) -> None:
    await store.put(key(1), Answer(["a"]), of=Answer)
    hit = await store.get(key(1), of=Answer)
    assert hit is not None
    assert hit.value == Answer(["a"])
    assert type(hit.value) is Answer


async def test_a_later_result_takes_the_place_of_an_earlier_one(store: Store) -> None:
    await store.put(key(1), "old")
    await store.put(key(1), "new")
    hit = await store.get(key(1))
    assert hit is not None
    assert hit.value == "new"
    assert store.statistics.entries == 1


async def test_changing_a_hit_or_what_was_put_in_changes_nothing_else(store: Store) -> None:
    given = Answer(["a"])
    await store.put(key(1), given, of=Answer)
    given.words.append("put")
    for _ in range(2):
        hit = await store.get(key(1), of=Answer)
        assert hit is not None
        assert hit.value == Answer(["a"])
        hit.value.words.append("hit")


async def test_keys_differ_where_label_version_or_inputs_do(store: Store) -> None:
    await store.put(key(1), "found")
    for other in (key(1.0), key(True), key("1"), key(1, label="tell"), key(1, version="2")):
        assert await store.get(other) is None


@pytest.mark.parametrize(
    ("labels", "version", "gone"),
    [
        ("*", "*", {"ask 1", "ask 2", "app.tell 1", "app.tell:x 1"}),
        ("app.*", "*", {"app.tell 1", "app.tell:x 1"}),
        ("app.tell:*", "*", {"app.tell:x 1"}),
        ("*", "1", {"ask 1", "app.tell 1", "app.tell:x 1"}),
        ("as[k]", "2", {"ask 2"}),
        ("ASK", "*", set()),
        ("[!a]*", "*", set()),
    ],
)
async def test_invalidation_is_by_pattern_and_by_version(
    store: Store, labels: str, version: str, gone: set[str]
) -> None:
    keys = {f"{label} {of}": key(0, label, of) for label, of in (("ask", "1"), ("ask", "2"))}
    keys |= {f"{label} 1": key(0, label) for label in ("app.tell", "app.tell:x")}
    for each in keys.values():
        await store.put(each, "x")
    before = store.generation
    assert await store.invalidate(labels, version=version) == len(gone)
    assert {name for name, each in keys.items() if await store.get(each) is None} == gone
    assert store.generation == before + 1
    assert store.statistics.invalidated == len(gone)
    assert store.statistics.entries == len(keys) - len(gone)


async def test_statistics_count_what_happened(store: Store) -> None:
    await store.get(key(1))
    await store.put(key(1), "x")
    await store.get(key(1))
    await store.get(key(1))
    store.joined()
    assert store.statistics == CacheStatistics(hits=2, misses=1, joined=1, stored=1, entries=1)
    assert store.statistics.hit_rate == 0.75
    assert CacheStatistics().hit_rate == 0


@pytest.mark.parametrize("bad", [0, -1, math.nan])
def test_bounds_that_let_nothing_be_kept_are_refused(tmp_path: Path, bad: float) -> None:
    with pytest.raises(ValueError, match="ttl_s must be more than 0"):
        MemoryStore(ttl_s=bad)
    with pytest.raises(ValueError, match="ttl_s must be more than 0"):
        SqliteStore(tmp_path / "cache.db", ttl_s=bad)
    with pytest.raises(ValueError, match="max_entries must be more than 0"):
        MemoryStore(max_entries=0)
    with pytest.raises(ValueError, match="max_bytes must be more than 0"):
        SqliteStore(tmp_path / "cache.db", max_bytes=0)


async def test_many_threads_with_loops_of_their_own_share_a_store(store: Store) -> None:
    threads, rounds = 8, 40
    wrong: list[object] = []
    ready = threading.Barrier(threads)

    async def work(me: int) -> None:
        for turn in range(rounds):
            await store.put(key([me, turn]), [me, turn])
            hit, shared = await store.get(key([me, turn])), await store.get(key("shared"))
            if (
                hit is None
                or hit.value != [me, turn]
                or (shared is not None and shared.value["n"] not in range(threads))
            ):
                wrong.append((me, turn, hit, shared))
            await store.put(key("shared"), {"n": me})
            if turn % 10 == 9:
                await store.invalidate("nothing*")

    def run(me: int) -> None:
        ready.wait()
        asyncio.run(work(me))

    running = [threading.Thread(target=run, args=[me]) for me in range(threads)]
    for thread in running:
        thread.start()
    while any(thread.is_alive() for thread in running):
        await asyncio.sleep(0.01)
    assert not wrong
    counted = store.statistics
    assert counted.stored == 2 * threads * rounds
    assert counted.hits + counted.misses == 2 * threads * rounds
    assert counted.entries == threads * rounds + 1
    assert store.generation == threads * rounds // 10


@given(st.lists(st.tuples(st.sampled_from(["get", "put"]), st.integers(0, 5)), max_size=30))
def test_the_least_recently_used_make_room(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    async def present(store: Store) -> list[bool]:
        for step, number in steps:
            if step == "get":
                await store.get(key(number))
            else:
                await store.put(key(number), number)
        return [await store.get(key(number)) is not None for number in range(6)]

    async def both() -> None:
        assert await present(MemoryStore(max_entries=3)) == expected
        # One digit is one byte of JSON.
        async with SqliteStore(tmp_path_factory.mktemp("cache") / "cache.db", max_bytes=3) as store:
            assert await present(store) == expected
            assert await store._on_disk(type(store._file).size) == sum(expected)

    kept: dict[int, None] = {}
    for step, number in steps:
        if step == "put" or number in kept:
            kept.pop(number, None)
            kept[number] = None
            kept = dict(list(kept.items())[-3:])
    expected = [number in kept for number in range(6)]
    asyncio.run(both())


async def test_a_result_that_the_store_cannot_keep_is_refused_by_name(store: Store) -> None:
    with pytest.raises((IsolationError, ContentError)):
        await store.put(key(1), {"lock": threading.Lock()})
    assert await store.get(key(1)) is None
    assert store.statistics.stored == 0
