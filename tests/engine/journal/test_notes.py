"""What a run notes of its own steps: durable, in order, by their owner alone."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fanfold.engine import ContentError, Done, fan_out
from fanfold.engine.journal import STEPS, Journal, JournalError, JournalFenced, JournalUnusable, NotDurable, schema


async def double(item: int) -> int:
    return item * 2


async def test_notes_come_back_by_kind_and_in_order(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        assert journal.notes("step") == []
        for number in range(3):
            await journal.note("step", {"number": number})
        await journal.note("other", ["é", "\udcff", 1.5, True, None])
        assert journal.notes("step") == [{"number": 0}, {"number": 1}, {"number": 2}]
    async with Journal.open(path, run="a", version="2") as journal:
        assert journal.notes("other") == [["é", "\udcff", 1.5, True, None]]
        await journal.note("step", {"number": 3})
        assert [note["number"] for note in journal.notes("step")] == [0, 1, 2, 3]


async def test_notes_are_the_callers_own(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        value = {"keys": ["a"]}
        await journal.note("step", value)
        value["keys"].append("b")
        journal.notes("step")[0]["keys"].append("c")
        assert journal.notes("step") == [{"keys": ["a"]}]


async def test_each_run_has_notes_of_its_own(path: Path) -> None:
    for run in "ab":
        async with Journal.open(path, run=run, version="1") as journal:
            await journal.note("step", run)
    async with Journal.open(path, run="a", version="1") as journal:
        assert journal.notes("step") == ["a"]
    await Journal.forget(path, "a")
    assert await Journal.read_notes(path, "b") == {"step": ["b"]}
    with pytest.raises(JournalUnusable, match="has no run 'a'"):
        await Journal.read_notes(path, "a")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT run, kind, value FROM notes").fetchall() == [("b", "step", '"b"')]


async def test_notes_made_together_keep_their_order_beside_outcomes(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        branches = asyncio.create_task(fan_out(journal.wrap(double), range(50), limit=None))
        await asyncio.gather(*(journal.note("step", number) for number in range(200)))
        outcomes = await branches
        assert all(isinstance(outcome, Done) for outcome in outcomes)
        assert journal.recorded == 50
    assert await Journal.read_notes(path, "a") == {"step": list(range(200))}


async def test_notes_of_an_open_run_are_read_without_disturbing_it(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        await journal.note("step", 1)
        assert await Journal.read_notes(path, "a") == {"step": [1]}
        await journal.note("step", 2)
        (summary,) = await Journal.runs(path)
        assert (summary.is_open, summary.owner_pid) == (True, os.getpid())
    (summary,) = await Journal.runs(path)
    assert (summary.is_open, summary.owner_pid) == (False, None)


async def test_a_summary_counts_places_once(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        for name in ("first", "again"):
            await fan_out(journal.wrap(double, name=name), range(3), limit=None)
    (summary,) = await Journal.runs(path)
    assert (summary.done, summary.places) == (6, 3)


@pytest.mark.parametrize("value", [(1, 2), {1: 2}, {"a": {3}}, float("nan"), b"x", [object()]])
async def test_what_would_not_come_back_equal_is_no_note(path: Path, value: Any) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        with pytest.raises(ContentError, match="note"):
            await journal.note("step", value)
        assert journal.notes("step") == []


async def test_a_kind_needs_a_name(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        with pytest.raises(JournalError, match="no name"):
            await journal.note("", 1)
    with pytest.raises(JournalError, match="is closed"):
        await journal.note("step", 1)


async def test_whoever_lost_the_run_notes_nothing_more(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as first:
        await first.note("step", 1)
        async with Journal.open(path, run="a", version="1", take_over=True) as second:
            with pytest.raises(JournalFenced):
                await first.note("step", 2)
            with pytest.raises(JournalFenced):
                await first.note("step", 3)
            await second.note("step", 4)
            assert second.notes("step") == [1, 4]
        assert first.notes("step") == [1]


async def test_a_note_that_cannot_be_written_is_not_claimed(path: Path) -> None:
    async with Journal.open(path, run="a", version="1", lock_timeout_s=0.01) as journal:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(NotDurable):
                await journal.note("step", 1)
            other.execute("ROLLBACK")
        await journal.note("step", 2)
        assert journal.notes("step") == [2]
    assert await Journal.read_notes(path, "a") == {"step": [2]}


async def test_a_journal_of_the_first_schema_is_brought_up_to_date_and_keeps_what_it_has(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        await journal.wrap(double)(4)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP VIEW notes; DROP TRIGGER fence_note; DROP TABLE note; PRAGMA user_version = 1")
    first = _tables(path)

    async def upgrade(run: str) -> None:
        async with Journal.open(path, run=run, version="1") as journal:
            await journal.note("step", run)

    await asyncio.gather(*map(upgrade, ("a", "b", "c")))
    async with Journal.open(path, run="a", version="1") as journal:
        assert await journal.wrap(double)(4) == 8
        assert (journal.restored, journal.notes("step")) == (1, ["a"])
    assert _tables(path) == first | {"note", "notes", "fence_note"}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.SCHEMA_VERSION,)


def _tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'")}


PROGRAM = """
import asyncio, sys
from fanfold.engine import Journal
from fanfold.testing import crash

async def main(path, step, time):
    async with Journal.open(path, run="a", version="1", on_step=crash.at_step(step, time=time)) as journal:
        for number in range(len(journal.notes("step")), 6):
            await journal.note("step", number)
            print(number, flush=True)

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""
KILLED = -9


@pytest.mark.parametrize("step", STEPS)
def test_a_process_that_dies_at_any_step_loses_no_note_that_it_was_told_of(path: Path, step: str) -> None:
    time = 1 if step in ("taken", "closing") else 3
    died = subprocess.run(
        [sys.executable, "-c", PROGRAM, path, step, str(time)], capture_output=True, text=True, check=False
    )
    assert died.returncode == KILLED, died.stderr
    told = [int(line) for line in died.stdout.split()]
    kept = asyncio.run(Journal.read_notes(path, "a")).get("step", [])
    assert kept == list(range(len(kept)))
    assert len(kept) in (len(told), len(told) + 1)
    assert (len(kept) > len(told)) == (step in ("committed", "told"))
    again = subprocess.run(
        [sys.executable, "-c", PROGRAM, path, "told", "1000"], capture_output=True, text=True, check=True
    )
    assert [int(line) for line in again.stdout.split()] == list(range(len(kept), 6))
    assert asyncio.run(Journal.read_notes(path, "a")) == {"step": list(range(6))}
