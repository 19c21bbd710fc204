"""Real processes, really killed: nothing lost, nothing wrong, nothing finished is run again."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fanfold.engine.journal import STEPS

WORKER = Path(__file__).parent / "worker.py"
OUTER, INNER, DOOMED = 8, 12, 5
KILLED = -9
# Of one run at random: on a slow machine, none of its processes might get to the end otherwise.
MOST_DEATHS = 12
ONCE = ("taken", "closing")


@dataclass
class Crashes:
    """Runs of the worker until one is done, with everything checked after each death."""

    tell: Callable[[dict[str, Any]], int]
    folder: Path
    synchronous: str = "NORMAL"
    kills: int = 0
    runs: int = field(default=0, init=False)

    def finish(self, *deaths: dict[str, Any], then: Callable[[], dict[str, Any]] = dict) -> None:
        """One run: a process for each death, others that die as `then` says, and at last one that may live."""
        self.runs += 1
        run = f"run-{self.runs}"
        waiting = [*deaths, *(then() for _ in range(MOST_DEATHS))]
        seen = 0
        while True:
            committed = self.committed(run)
            status = self.tell(self._order(run) | (waiting.pop(0) if waiting else {}))
            ran = self._effects(run)[seen:]
            seen += len(ran)
            again = committed & set(ran)
            assert not again, f"run again, though committed: {again}"
            assert committed <= self.committed(run), "lost"
            assert len(set(ran)) == len(ran), "run twice by one process"
            if status == 0:
                break
            assert status == KILLED, status
            self.kills += 1
        assert self.committed(run) == every_branch() - {f"{DOOMED}"}
        assert set(self._effects(run)) == every_branch()

    def committed(self, run: str) -> set[str]:
        """Which branches have a value in the journal; each one, and each row, is right."""
        path = self.folder / "journal.db"
        if not path.exists() or not path.stat().st_size:
            return set()
        with closing(sqlite3.connect(path)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'outcome'").fetchone():
                return set()
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            query = "SELECT path, value, error_type FROM outcome JOIN run USING (run_id) WHERE name = ? ORDER BY number"
            rows = [(tuple(json.loads(path)), *rest) for path, *rest in connection.execute(query, (run,))]
        for path_of_keys, value, error_type in rows:
            if error_type is not None:
                assert (path_of_keys, error_type) == ((f"{DOOMED}",), "builtins.RuntimeError")
            else:
                assert json.loads(value) == expected(*map(int, path_of_keys))
        done = ["/".join(path_of_keys) for path_of_keys, value, _ in rows if value is not None]
        assert len(set(done)) == len(done), "committed twice"
        return set(done)

    def _effects(self, run: str) -> list[str]:
        path = self.folder / run
        return path.read_text().splitlines() if path.exists() else []

    def _order(self, run: str) -> dict[str, Any]:
        return {
            "outer": OUTER,
            "inner": INNER,
            "doomed": DOOMED,
            "journal": str(self.folder / "journal.db"),
            "run": run,
            "effects": str(self.folder / run),
            "synchronous": self.synchronous,
            "step": None,
            "after": None,
            "kill_after_s": None,
            "kill_when_open": False,
        }


def expected(outer: int, inner: int | None = None) -> object:
    if inner is None:
        return outer * sum(range(INNER))
    return {"product": outer * inner, "offset": 1000}


def every_branch() -> set[str]:
    return {f"{outer}" for outer in range(OUTER)} | {f"{o}/{i}" for o in range(OUTER) for i in range(INNER)}


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


@pytest.mark.parametrize(
    ("step", "time"),
    [(step, time) for step in STEPS for time in (1, 3) if time == 1 or step not in ("taken", "closing")],
)
def test_a_run_killed_at_any_step_of_its_journal_goes_on(
    tell: Callable[[dict[str, Any]], int], tmp_path: Path, step: str, time: int
) -> None:
    crashes = Crashes(tell, tmp_path)
    crashes.finish({"step": (step, time)}, {"step": (step, time)})
    assert crashes.kills == 2


def test_a_run_killed_after_every_branch_goes_on(tell: Callable[[dict[str, Any]], int], tmp_path: Path) -> None:
    crashes = Crashes(tell, tmp_path)
    crashes.finish(*[{"after": number} for number in (1, 2, 5, 20, 30)])
    assert crashes.kills == 5


def kill_at_random(crashes: Crashes, kills: int) -> None:
    seed = random.randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)
    while crashes.kills < kills:
        crashes.finish(then=lambda: random_death(chance))


def random_death(chance: random.Random) -> dict[str, Any]:
    """Mostly while branches run, now and then while the journal opens."""
    if chance.random() < 0.2:
        return {"kill_after_s": chance.uniform(0, 0.05)}
    return {"kill_after_s": chance.uniform(0, 0.04), "kill_when_open": True}


@pytest.mark.parametrize("synchronous", ["NORMAL", "FULL"])
def test_runs_killed_at_random_lose_nothing_and_repeat_nothing(
    tell: Callable[[dict[str, Any]], int], tmp_path: Path, synchronous: str
) -> None:
    crashes = Crashes(tell, tmp_path, synchronous)
    kill_at_random(crashes, 8)


@pytest.mark.soak
def test_a_thousand_random_kills_lose_nothing_and_repeat_nothing(
    tell: Callable[[dict[str, Any]], int], tmp_path: Path
) -> None:
    crashes = Crashes(tell, tmp_path)
    kill_at_random(crashes, 1_000)
