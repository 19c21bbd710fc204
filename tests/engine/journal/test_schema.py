from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fanfold.engine import Done, Failed, fan_out
from fanfold.engine.journal import Journal, JournalUnusable, NotDurable, schema
from fanfold.engine.journal.errors import explained


async def double(item: int) -> int:
    return item * 2


async def use(path: Path, items: range = range(3), **options: Any) -> int:
    """Run a few branches; how many were restored."""
    async with Journal.open(path, run="a", version="1", **options) as journal:
        outcomes = await fan_out(journal.wrap(double), items, limit=None)
    assert [outcome.value for outcome in outcomes if isinstance(outcome, Done)] == [item * 2 for item in items]
    return journal.restored


async def refused(path: Path) -> JournalUnusable:
    """The error of opening the file, which is left as it was."""
    before = path.read_bytes()
    with pytest.raises(JournalUnusable) as caught:
        await use(path)
    with pytest.raises(JournalUnusable):
        await Journal.runs(path)
    assert path.read_bytes() == before
    return caught.value


async def test_files_are_their_owners_alone(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        await journal.wrap(double)(1)
        files = sorted(path.parent.iterdir())
        assert [file.name for file in files] == ["journal.db", "journal.db-shm", "journal.db-wal"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert [file.name for file in path.parent.iterdir()] == ["journal.db"]


@pytest.mark.parametrize("content", [b"hello", b"x" * 5000, b"SQLite format 3\0 and then nothing of it" * 100])
async def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    error = await refused(path)
    assert "is no journal" in error.message or "is damaged" in error.message
    assert "left as it is" in str(error.hint)


@pytest.mark.parametrize("statement", ["CREATE TABLE mine (a)", "PRAGMA user_version = 7", "PRAGMA application_id = 7"])
async def test_a_database_of_another_program_is_refused(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE gone (a)")
        connection.execute("DROP TABLE gone")
        connection.execute(statement)
    error = await refused(path)
    assert "another program" in error.message


async def test_a_journal_of_a_newer_fanfold_is_refused(path: Path) -> None:
    await use(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    error = await refused(path)
    assert f"has schema {schema.SCHEMA_VERSION + 1}" in error.message
    assert "newer" in str(error.hint)


async def test_a_damaged_journal_is_refused_and_kept(path: Path) -> None:
    await use(path, range(300))
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(content)
    with pytest.raises(JournalUnusable, match="is damaged"):
        await use(path)
    assert path.read_bytes()[:8192] == content[:8192]


async def test_what_a_crash_leaves_of_a_file_that_was_being_made_is_taken_up(path: Path) -> None:
    path.touch()
    assert await use(path) == 0
    other = path.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert other.stat().st_size
    assert await use(other) == 0
    assert await use(other) == 3


async def test_many_that_make_the_file_at_once_make_one(path: Path) -> None:
    async def one(run: str) -> None:
        async with Journal.open(path, run=run, version="1") as journal:
            await journal.wrap(double)(1)

    names = [f"run {number}" for number in range(12)]
    await asyncio.gather(*map(one, names))
    summaries = await Journal.runs(path)
    assert sorted(summary.name for summary in summaries) == sorted(names)
    assert {summary.done for summary in summaries} == {1}


async def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable, match="can't be made") as caught:
        await use(tmp_path / "missing" / "journal.db")
    assert "folder" in str(caught.value.hint)
    with pytest.raises(JournalUnusable, match="there is no journal"):
        await Journal.runs(tmp_path / "missing.db")
    assert not list(tmp_path.iterdir())


async def test_a_folder_in_place_of_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable, match="can't be opened"):
        await use(tmp_path)


def test_what_may_not_be_written_is_said(path: Path) -> None:
    path.touch()
    with (
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection,
        pytest.raises(sqlite3.OperationalError) as caught,
    ):
        connection.execute("CREATE TABLE a (b)")
    error = explained(caught.value, path, NotDurable)
    assert "may not be written to" in error.message
    assert "who may write" in str(error.hint)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program in the middle of a transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_a_locked_file_holds_up_outcomes_and_not_the_event_loop(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        with locked(path):
            waiting = asyncio.create_task(journal.wrap(double)(4))
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert not waiting.done()
        assert await waiting == 8


async def test_an_outcome_that_cannot_be_written_is_not_claimed(path: Path) -> None:
    async with Journal.open(path, run="a", version="1", lock_timeout_s=0.01) as journal:
        with locked(path):
            outcomes = await fan_out(journal.wrap(double), range(3), limit=None)
        for outcome in outcomes:
            assert isinstance(outcome, Failed)
            assert isinstance(outcome.error, NotDurable)
            assert "locked by another program" in outcome.error.message
        assert journal.recorded == 0
        outcomes = await fan_out(journal.wrap(double), range(3), limit=None)
        assert [outcome.value for outcome in outcomes if isinstance(outcome, Done)] == [0, 2, 4]
    assert await use(path) == 3


async def test_a_retry_does_not_find_what_could_not_be_written(path: Path) -> None:
    async with Journal.open(path, run="a", version="1", lock_timeout_s=0.01) as journal:
        with locked(path):
            waiting = asyncio.create_task(journal.wrap(double)(4))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            with pytest.raises(NotDurable):
                await journal.wrap(double)(5)
        assert await journal.wrap(double)(4) == 8
        assert (journal.restored, journal.recorded) == (0, 1)


async def test_a_run_that_could_not_be_given_back_can_be_opened_again(path: Path) -> None:
    with contextlib.ExitStack() as stack:
        async with Journal.open(path, run="a", version="1", lock_timeout_s=0.01):
            stack.enter_context(locked(path))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT owner_pid FROM run").fetchone() == (os.getpid(),)
    assert await use(path) == 0


async def test_an_outcome_that_cannot_be_stored_takes_no_other_with_it(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        call = journal.wrap(double, name="double")
        await call(0)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                "INSERT INTO outcome SELECT run_id, 1000, function, '[\"1\"]', attempt, version, item_hash, state_hash,"
                " value, error_type, error, traceback, started_s, elapsed_s, token FROM outcome"
            )
            connection.commit()
        outcomes = await fan_out(call, range(3), limit=None)
    assert [outcome.value for outcome in outcomes if isinstance(outcome, Done)] == [0, 4]
    (failed,) = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert failed.key == "1"
    assert isinstance(failed.error, NotDurable)


@contextmanager
def full_disk(most_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_disk_without_room_fails_the_branch_and_keeps_the_journal(path: Path) -> None:
    async def long(item: int) -> str:
        return f"{item}" * 50_000

    async with Journal.open(path, run="a", version="1") as journal:
        await journal.wrap(double)(1)
        so_far = path.with_name("journal.db-wal").stat().st_size
        with full_disk(so_far + 20_000), pytest.raises(NotDurable, match=r"can't be read or written|no room"):
            await journal.wrap(long)(1)
        assert await journal.wrap(double)(2) == 4
        assert await journal.wrap(long)(2) == "2" * 50_000
    async with Journal.open(path, run="a", version="1") as journal:
        assert await journal.wrap(double)(1) == 2
        assert await journal.wrap(long)(2) == "2" * 50_000
        assert journal.restored == 2
        await journal.wrap(long)(1)
        assert journal.restored == 2


async def test_a_journal_that_cannot_be_opened_for_long_is_an_error(path: Path) -> None:
    await use(path)
    with locked(path), pytest.raises(JournalUnusable, match="locked by another program"):
        await use(path, lock_timeout_s=0.01)
    assert await use(path) == 3


@pytest.mark.parametrize("synchronous", ["NORMAL", "FULL"])
async def test_views_tell_people_what_happened(path: Path, synchronous: Any) -> None:
    async def outer(item: str) -> list[int]:
        outcomes = await fan_out(journal.wrap(double), [1, 2], limit=None)
        if item == "b":
            raise ValueError("no b, please")
        return [outcome.value for outcome in outcomes if isinstance(outcome, Done)]

    async with Journal.open(path, run="nightly", version="7", synchronous=synchronous) as journal:
        for item in "ab":
            await fan_out(journal.wrap(outer, name="outer"), [item], limit=1)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT run, branch, attempt, status, value, error FROM outcomes").fetchall()
        runs = connection.execute("SELECT name, version, done, failed, owner_pid FROM runs").fetchall()
    assert rows == [
        ("nightly", "a / 0", 1, "done", "2", None),
        ("nightly", "a / 1", 1, "done", "4", None),
        ("nightly", "a", 1, "done", "[2,4]", None),
        ("nightly", "b / 0", 1, "done", "2", None),
        ("nightly", "b / 1", 1, "done", "4", None),
        ("nightly", "b", 1, "failed", None, "no b, please"),
    ]
    assert runs == [("nightly", "7", 5, 1, None)]
