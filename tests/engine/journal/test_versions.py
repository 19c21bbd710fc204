from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fanfold.engine import Done, fan_out
from fanfold.engine.journal import Journal, JournalError, idempotency_key

ran: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()


async def judge(essay: str) -> str:
    ran.append(essay)
    return f"{essay}: {idempotency_key()}"


async def judged(path: Path, version: str, own: str | None) -> list[str]:
    async with Journal.open(path, run="monday", version=version) as journal:
        outcomes = await fan_out(journal.wrap(judge, version=own), ["mine"], limit=1)
    return [outcome.value for outcome in outcomes if isinstance(outcome, Done)]


async def test_outcomes_of_another_version_of_the_function_dont_count(path: Path) -> None:
    for own in (None, "1", "2", "1", "2", None):
        await judged(path, "1", own)
    assert ran == ["mine"] * 3


async def test_outcomes_of_the_same_function_in_another_version_of_the_journal_dont_count(path: Path) -> None:
    for version in ("1", "2", "1"):
        await judged(path, version, "1")
    assert ran == ["mine"] * 2


async def test_an_effect_has_the_same_key_in_all_versions_of_a_function(path: Path) -> None:
    one, other = await judged(path, "1", "1"), await judged(path, "1", "2")
    assert one == other
    assert ran == ["mine"] * 2


async def test_rows_say_both_versions(path: Path) -> None:
    await judged(path, "2026", "3")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version FROM outcomes").fetchall() == [("2026 / 3",)]


async def test_a_version_that_can_not_be_printed_is_refused(path: Path) -> None:
    with pytest.raises(JournalError, match="no name for a version"):
        await judged(path, "1", "")
