"""Real processes on LangGraph, really killed: no branch whose outcome was committed runs again."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

WORKER = Path(__file__).parent / "crash_worker.py"
ITEMS, INNER = 20, 3
KILLED = -9
MOST_DEATHS = 8
SAVERS = ["sync", "none", "async", "exit"]

NUMBERS = [number + (sum(range(INNER)) if number % 5 == 0 else 0) for number in range(ITEMS)]
ROWS = ITEMS * 2 + len(range(0, ITEMS, 5)) * INNER
FOUND = [[f"item {number}", found] for number, found in enumerate(NUMBERS)]


@dataclass
class Crashes:
    """Runs of the worker until one is done, with everything checked after each death."""

    tell: Callable[[dict[str, Any]], int]
    folder: Path
    chance: random.Random
    kills: int = 0
    in_the_middle: int = field(default=0, init=False)
    runs: int = field(default=0, init=False)

    def finish(self, saver: str, *, is_embedded: bool = False) -> None:
        """One run: processes that die at random, and at last one that may live."""
        self.runs += 1
        folder = self.folder / f"run-{self.runs}"
        folder.mkdir()
        seen, deaths = 0, 0
        order: dict[str, Any] = {"folder": str(folder), "saver": saver, "is_embedded": is_embedded}
        while not _is_over(folder):
            before = _committed(folder)
            status = self.tell({**order, **self._death(may_die=deaths < MOST_DEATHS)})
            ran = _effects(folder)[seen:]
            seen += len(ran)
            again = before & set(ran)
            assert not again, f"run again, though committed: {again}"
            assert len(set(ran)) == len(ran), "run twice by one process"
            assert before <= _committed(folder), "lost"
            assert status in (0, KILLED), status
            deaths += status == KILLED
            self.in_the_middle += bool(before) and status == KILLED and len(_committed(folder)) < ROWS
        self.kills += deaths
        final = json.loads((folder / "final.json").read_text()) if (folder / "final.json").exists() else None
        if final is not None:
            assert final["found"] == FOUND
            assert (final["total"], final["sum"]) == (sum(NUMBERS), sum(NUMBERS))
            assert "__fanfold" not in str(final)
        assert len(_committed(folder)) == ROWS

    def _death(self, *, may_die: bool) -> dict[str, Any]:
        """Mostly while branches run, now and then before or after."""
        if not may_die:
            return {"kill_after_s": None, "kill_when_branches_run": False}
        if self.chance.random() < 0.2:
            return {"kill_after_s": self.chance.uniform(0, 0.3), "kill_when_branches_run": False}
        return {"kill_after_s": self.chance.uniform(0, 0.08), "kill_when_branches_run": True}


def _is_over(folder: Path) -> bool:
    """Whether a run has finished: the next one, without a saver, would be another."""
    if (folder / "final.json").exists():
        return True
    return bool(_rows(folder, "SELECT 1 FROM outcome WHERE function = 'the graph has finished'"))


def _committed(folder: Path) -> set[str]:
    """What the journal has a value of: the path of a branch, and the function."""
    rows = _rows(folder, "SELECT path, function FROM outcome WHERE value IS NOT NULL AND function LIKE '%: %'")
    done = [f"{path} {function.partition(': ')[2]}" for path, function in rows]
    assert len(set(done)) == len(done), "committed twice"
    return set(done)


def _rows(folder: Path, query: str) -> list[Any]:
    path = folder / "journal.db"
    if not path.exists() or not path.stat().st_size:
        return []
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'outcome'").fetchone():
            return []
        return connection.execute(query).fetchall()


def _effects(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


@pytest.fixture(scope="module")
def tell() -> Iterator[Callable[[dict[str, Any]], int]]:
    with subprocess.Popen([sys.executable, WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        stdin, stdout = worker.stdin, worker.stdout

        def tell(order: dict[str, Any]) -> int:
            stdin.write(json.dumps(order) + "\n")
            stdin.flush()
            return int(stdout.readline())

        yield tell
        stdin.close()


@pytest.fixture
def crashes(tell: Callable[[dict[str, Any]], int], tmp_path: Path) -> Crashes:
    seed = random.randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    return Crashes(tell, tmp_path, random.Random(seed))


@pytest.mark.parametrize("saver", SAVERS)
def test_a_run_killed_at_random_repeats_no_branch_that_was_committed(crashes: Crashes, saver: str) -> None:
    while crashes.kills < 3:
        crashes.finish(saver)


def test_nor_does_one_in_a_graph_of_the_users_own(crashes: Crashes) -> None:
    while crashes.kills < 3:
        crashes.finish("sync", is_embedded=True)


@pytest.mark.soak
def test_two_hundred_random_kills_repeat_no_branch_that_was_committed(crashes: Crashes) -> None:
    savers = cycle(SAVERS)
    while crashes.kills < 200:
        crashes.finish(next(savers))
        crashes.finish("sync", is_embedded=True)
