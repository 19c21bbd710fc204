from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from fanfold.engine import fan_out
from fanfold.engine.journal import Journal, JournalError, idempotency_key
from fanfold.engine.retry import retry


async def keys(path: Path, items: list[str], *, run: str = "a", version: str = "1", **names: Any) -> list[str]:
    """The keys that branches over these items see; all fail, so all run again next time."""
    seen = {}

    async def pay(item: str) -> None:
        seen[item] = idempotency_key()
        raise RuntimeError

    async with Journal.open(path, run=run, version=version) as journal:
        await fan_out(journal.wrap(pay, **{"name": "pay", **names}), items, limit=None, key=lambda item: item[0])
    return [seen[item] for item in items]


async def test_a_key_stays_the_same_when_a_run_goes_on(path: Path) -> None:
    first = await keys(path, ["x", "y"])
    assert await keys(path, ["x", "y"]) == first
    assert await keys(path, ["x", "y"], version="2") == first
    assert len(set(first)) == 2
    assert [str(uuid.UUID(key)) for key in first] == first


async def test_a_key_is_of_one_run_item_and_function(path: Path, tmp_path: Path) -> None:
    seen = await keys(path, ["x1"])
    seen += await keys(path, ["x2"])
    seen += await keys(path, ["x1"], run="b")
    seen += await keys(path, ["x1"], name="other")
    seen += await keys(tmp_path / "other.db", ["x1"])
    await Journal.forget(path, "a")
    seen += await keys(path, ["x1"])
    assert len(set(seen)) == 6


async def test_retries_share_a_key_and_rounds_and_purposes_do_not(path: Path) -> None:
    seen = []

    async def pay(_item: str) -> int:
        seen.append((idempotency_key(), idempotency_key("refund")))
        if len(seen) % 2:
            raise RuntimeError
        return len(seen)

    async def rounds(number: int) -> None:
        async with Journal.open(path, run="a", version="1") as journal:
            for _ in range(number):
                await fan_out(retry(attempts=2, wait_initial_s=0.001)(journal.wrap(pay, name="pay")), ["x"], limit=1)

    await rounds(2)
    assert seen[0] == seen[1] != seen[2] == seen[3]
    assert len({*seen[0], *seen[2]}) == 4
    await rounds(3)
    assert len(seen) == 6
    assert seen[4] == seen[5] not in seen[:4]


async def test_nested_branches_have_keys_of_their_own(path: Path) -> None:
    seen = []

    async def inner(item: int) -> int:
        seen.append(idempotency_key())
        return item

    async def outer(item: str) -> str:
        seen.append(idempotency_key())
        await fan_out(journal.wrap(inner, name="inner"), range(2), limit=None)
        seen.append(idempotency_key())
        return item

    async with Journal.open(path, run="a", version="1") as journal:
        for item in "ab":
            await fan_out(journal.wrap(outer, name="outer"), [item], limit=1)
    assert len(seen) == 8
    assert len(set(seen)) == 6
    assert (seen[0], seen[4]) == (seen[3], seen[7])


async def test_there_is_no_key_where_nothing_is_journaled(path: Path) -> None:
    errors = []

    async def plain(_item: int) -> None:
        try:
            idempotency_key()
        except JournalError as error:
            errors.append(error)

    async def outer(item: str) -> str:
        await fan_out(plain, range(2), limit=None)
        return item

    await fan_out(plain, [1], limit=1)
    async with Journal.open(path, run="a", version="1") as journal:
        await fan_out(journal.wrap(outer, name="outer"), "a", limit=1)
        with pytest.raises(JournalError) as caught:
            idempotency_key()
    assert len(errors) == 3
    assert "journal.wrap" in str(caught.value.hint)
