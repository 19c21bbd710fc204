from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
from fanfold.cli.interrupt import run_until_interrupted
from fanfold.process import run

stubborn = sys.argv[1] == "stubborn"
started = Path(sys.argv[2])

CHILD = "import os, sys, time, pathlib; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(600)"

async def child():
    await run([sys.executable, "-c", CHILD, started])

async def work():
    running = asyncio.create_task(child())
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        if sys.argv[1] == "echoed":
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        if stubborn:
            while True:
                try:
                    await asyncio.sleep(600)
                except asyncio.CancelledError:
                    pass
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        if sys.argv[1] == "raising":
            raise
    return 7

try:
    value = run_until_interrupted(
        work, on_stop=lambda: print("stopping", flush=True), on_kill=lambda: print("killing", flush=True)
    )
except KeyboardInterrupt:
    sys.exit(99)
sys.exit(value)
"""


class Running:
    """A program under `run_until_interrupted`, with one child process that sleeps."""

    def __init__(self, manner: str, directory: Path, *before: str) -> None:
        started = directory / "started"
        self.process = subprocess.Popen(
            [*before, sys.executable, "-c", PROGRAM, manner, str(started)], stdout=subprocess.PIPE, text=True
        )
        while not (started.exists() and started.read_text()):
            assert self.process.poll() is None
            time.sleep(0.01)
        self.child = int(started.read_text())

    def said(self) -> str:
        """The next line that the program wrote."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def child_is_gone(self) -> bool:
        """Whether the child ends; it would sleep for ten minutes."""
        for _ in range(500):
            try:
                os.kill(self.child, 0)
                state = Path(f"/proc/{self.child}/stat")
                if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
                    return True
            except (ProcessLookupError, FileNotFoundError):
                return True
            time.sleep(0.01)
        return False


@pytest.fixture
def running(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    program = Running(request.param, tmp_path)
    yield program
    program.process.kill()
    program.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("running", ["tidy"], indirect=True)
def test_first_signal_lets_the_work_return_what_it_has(running: Running, number: signal.Signals) -> None:
    running.process.send_signal(number)
    assert [running.said(), running.said()] == ["stopping", "cancelled"]
    assert running.process.wait() == 7
    assert running.child_is_gone()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the signal mask from /proc")
def test_signal_that_the_caller_ignores_stays_ignored(tmp_path: Path) -> None:
    running = Running("tidy", tmp_path, "sh", "-c", "trap '' HUP; exec \"$@\"", "sh")
    (line,) = re.findall(r"SigIgn:\s*([0-9a-f]+)", Path(f"/proc/{running.process.pid}/status").read_text())
    running.process.send_signal(signal.SIGTERM)
    running.process.communicate()
    assert int(line, 16) & 1 << (signal.SIGHUP - 1)


@pytest.mark.parametrize("running", ["raising"], indirect=True)
def test_work_that_returns_nothing_is_a_keyboard_interrupt(running: Running) -> None:
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait() == 99


@pytest.mark.parametrize("running", ["echoed"], indirect=True)
def test_echo_of_a_signal_is_no_second_signal(running: Running) -> None:
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait() == 7


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")
@pytest.mark.parametrize("running", ["stubborn"], indirect=True)
def test_second_signal_ends_everything_at_once(running: Running) -> None:
    running.process.send_signal(signal.SIGINT)
    assert [running.said(), running.said()] == ["stopping", "cancelled"]
    while running.process.poll() is None:
        running.process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert running.said() == "killing"
    assert running.process.wait() == 130
    assert running.child_is_gone()
