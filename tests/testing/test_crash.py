from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from fanfold.testing import crash

PROGRAM = """
import asyncio
from fanfold.engine import fan_out
from fanfold.testing import crash

async def branch(item: int) -> int:
    print(item, flush=True)
    return item

asyncio.run(fan_out(crash.after(2)(branch), range(5), limit=1))
"""


def test_a_process_dies_after_as_many_branches_as_it_was_told() -> None:
    died = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL
    assert died.stdout == "0\n1\n"


def test_steps_before_the_one_to_die_at_are_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    deaths: list[str] = []
    monkeypatch.setattr(crash, "die", lambda: deaths.append("died"))
    on_step = crash.at_step("committed", time=2)
    for step in ("taken", "received", "committed", "received"):
        on_step(step)
    assert not deaths
    on_step("committed")
    assert deaths


def test_a_step_that_no_journal_has_is_refused() -> None:
    with pytest.raises(ValueError, match="'comitted' is no step of a journal: taken, received"):
        crash.at_step("comitted")
