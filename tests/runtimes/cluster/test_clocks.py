"""Workers whose clocks are off: what is said of time is as the coordinator's clock has it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fanfold.engine import Journal
from fanfold.runtimes import Cluster

HERE = Path(__file__).parent
HOUR_S = 3600.0


@pytest.fixture
def skewed() -> Iterator[str]:
    """Address of a cluster whose worker's clock is ahead by an hour."""
    argv = [sys.executable, str(HERE / "skewed_worker.py"), str(HOUR_S), str(HERE)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


async def test_journal_has_the_times_of_its_own_clock(skewed: str, far: ModuleType, begin: Any, tmp_path: Path) -> None:
    began_s = time.time()
    async with Journal.open(tmp_path / "journal.db", run="one", version="1") as journal:
        await far.nesting.run(begin("a"), runtime=Cluster(skewed), journal=journal)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as file:
        rows = list(file.execute("SELECT started_s, elapsed_s FROM outcome"))
    assert len(rows) == 4
    assert all(began_s <= started_s <= time.time() for started_s, _ in rows)
    assert all(0 <= elapsed_s < HOUR_S / 2 for _, elapsed_s in rows)
