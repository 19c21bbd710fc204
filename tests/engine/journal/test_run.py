from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fanfold.engine import Done, Failed, fan_out
from fanfold.engine.journal import Journal, JournalError, JournalFenced, JournalInUse, JournalUnusable
from fanfold.engine.journal.owner import Owner

HOLDER = """
import asyncio, sys
from fanfold.engine.journal import Journal

async def double(item: int) -> int:
    return item * 2

async def main():
    async with Journal.open(sys.argv[1], run="a", version="1") as journal:
        await journal.wrap(double)(1)
        print("open", flush=True)
        sys.stdin.readline()

asyncio.run(main())
"""


async def double(item: int) -> int:
    return item * 2


def rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def test_a_run_that_another_process_has_open_is_refused_until_that_is_dead(path: Path) -> None:
    program = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(JournalInUse, match=f"open in the process {holder.pid}") as caught:
            async with Journal.open(path, run="a", version="1"):
                pass
        assert "take_over=True" in str(caught.value.hint)
        assert [summary.is_open for summary in await Journal.runs(path)] == [True]
        with pytest.raises(JournalInUse):
            await Journal.forget(path, "a")
        async with Journal.open(path, run="b", version="1"):
            pass
        holder.send_signal(signal.SIGKILL)
        # Dead, though nobody has asked for its exit status yet.
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
        assert [summary.is_open for summary in await Journal.runs(path)] == [False, False]
        async with Journal.open(path, run="a", version="1") as journal:
            await journal.wrap(double)(1)
            assert journal.token == 2
    assert rows(path, "SELECT owner_pid, closed_s IS NULL FROM run") == [(None, 0), (None, 0)]


async def test_a_run_that_this_process_has_open_is_refused_until_it_is_closed(path: Path) -> None:
    async with Journal.open(path, run="a", version="1"):
        with pytest.raises(JournalInUse):
            async with Journal.open(path, run="a", version="1"):
                pass
    async with Journal.open(path, run="a", version="1") as journal:
        assert journal.token == 2


async def test_who_was_taken_over_records_nothing_more(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as first:
        stale = first.wrap(double)
        assert await stale(1) == 2
        async with Journal.open(path, run="a", version="1", take_over=True) as second:
            assert await second.wrap(double)(1) == 2
            assert second.restored == 1
            with pytest.raises(JournalFenced) as caught:
                await stale(2)
            assert "open the run again" in str(caught.value.hint)
            ran = 0

            async def count(item: int) -> int:
                nonlocal ran
                ran += 1
                return item

            with pytest.raises(JournalFenced):
                await first.wrap(count, name="count")(3)
            assert ran == 0
            assert await second.wrap(double)(2) == 4
    assert rows(path, "SELECT value, token FROM outcome") == [("2", 1), ("4", 2)]
    assert rows(path, "SELECT token, owner_pid FROM run") == [(2, None)]


async def test_a_group_of_a_stale_writer_is_refused_as_a_whole(path: Path) -> None:
    async def state_too(item: int, state: dict[str, int]) -> int:
        return item + state["n"]

    first_one = Journal.open(path, run="a", version="1")
    async with first_one as first, Journal.open(path, run="a", version="1", take_over=True):
        outcomes = await fan_out(first.wrap(state_too), range(100), limit=None, state={"n": 1})
    assert {type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)} == {JournalFenced}
    assert rows(path, "SELECT count(*) FROM outcome") == rows(path, "SELECT count(*) FROM state") == [(0,)]


async def test_when_two_race_only_the_later_one_goes_on(path: Path) -> None:
    async def writer(turns: int) -> int:
        done = 0
        for _ in range(turns):
            async with Journal.open(path, run="a", version="1", take_over=True) as journal:
                outcomes = await fan_out(journal.wrap(double), range(30), limit=3)
                done += sum(isinstance(outcome, Done) for outcome in outcomes) - journal.restored
                for outcome in outcomes:
                    assert isinstance(outcome, Done) or isinstance(outcome.error, JournalFenced)
        return done

    done = await asyncio.gather(writer(5), writer(5), writer(5))
    tokens = [token for (token,) in rows(path, "SELECT token FROM outcome ORDER BY number")]
    assert tokens == sorted(tokens)
    assert len(tokens) == sum(done) == 30
    assert rows(path, "SELECT count(DISTINCT path) FROM outcome") == [(30,)]


async def test_the_fence_stands_in_the_file_itself(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as journal:
        await journal.wrap(double)(1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE run SET token = 9")
        with pytest.raises(sqlite3.IntegrityError, match="fenced"):
            connection.execute(
                "INSERT INTO outcome SELECT run_id, 2, function, path, 2, version, item_hash, state_hash, value,"
                " error_type, error, traceback, started_s, elapsed_s, token FROM outcome"
            )


async def test_a_run_that_was_forgotten_is_no_longer_the_old_ones(path: Path) -> None:
    async with Journal.open(path, run="a", version="1") as first:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE run SET owner_pid = NULL")
            connection.commit()
        await Journal.forget(path, "a")
        async with Journal.open(path, run="a", version="1") as second:
            assert second.token == first.token
            with pytest.raises(JournalFenced):
                await first.wrap(double)(1)
            assert await second.wrap(double)(1) == 2


def test_processes_are_told_apart_by_boot_and_start() -> None:
    me = Owner.me()
    assert me.is_alive()
    assert not Owner(me.pid, me.process + "0").is_alive()
    assert not Owner(2**22 + 1, me.process).is_alive()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as later:
        assert not Owner(later.pid, me.process).is_alive()


async def test_forgetting_a_run_gives_its_room_back(path: Path) -> None:
    async def long(item: int, state: dict[str, int]) -> str:
        return f"{item}" * (10_000 + state["n"])

    for run in ("a", "b"):
        async with Journal.open(path, run=run, version="1") as journal:
            await fan_out(journal.wrap(long), range(50), limit=None, state={"n": 0})
            await fan_out(journal.wrap(double), range(2), limit=None)
    before = path.stat().st_size
    assert await Journal.forget(path, "a") == 52
    assert path.stat().st_size < before * 0.6
    assert [(summary.name, summary.done) for summary in await Journal.runs(path)] == [("b", 52)]
    assert rows(path, "SELECT count(*) FROM outcome") == [(52,)]
    assert rows(path, "SELECT count(*) FROM state") == [(1,)]
    with pytest.raises(JournalUnusable, match="has no run 'a'"):
        await Journal.forget(path, "a")


async def test_runs_are_told_with_their_times(path: Path) -> None:
    async with Journal.open(path, run="a", version="1"):
        pass
    async with Journal.open(path, run="a", version="2"):
        (during,) = await Journal.runs(path)
    (after,) = await Journal.runs(path)
    assert (during.is_open, after.is_open) == (True, False)
    assert during.created_s == after.created_s < during.last_used_s <= after.last_used_s
    assert (after.name, after.version, after.done, after.failed) == ("a", "2", 0, 0)


async def test_a_journal_cancelled_while_it_opens_leaves_the_run_free(path: Path) -> None:
    async def hold() -> None:
        async with Journal.open(path, run="a", version="1"):
            await asyncio.sleep(60)

    for _ in range(5):
        task = asyncio.create_task(hold())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with Journal.open(path, run="a", version="1"):
        pass


async def test_an_error_of_a_step_reaches_the_branch(path: Path) -> None:
    def on_step(step: str) -> None:
        if step == "inserted":
            raise RuntimeError("this test says so")

    async with Journal.open(path, run="a", version="1", on_step=on_step) as journal:
        with pytest.raises(JournalError, match="this test says so"):
            await journal.wrap(double)(1)
    assert rows(path, "SELECT count(*) FROM outcome") == [(0,)]
