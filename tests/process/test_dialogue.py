from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from fanfold.process import ProgramNotFound
from fanfold.process.dialogue import Dialogue, TooMuchSaid, dialogue

ECHO = "import sys\nfor line in sys.stdin: print(line.strip()[::-1], flush=True)"


def talk(
    script: str, *, max_line_bytes: int = 10_000, max_bytes: int = 100_000
) -> AbstractAsyncContextManager[Dialogue]:
    return dialogue(
        (sys.executable, "-c", script),
        cwd=Path.cwd(),
        env=dict(os.environ),
        max_line_bytes=max_line_bytes,
        max_bytes=max_bytes,
    )


async def ends(pid: int) -> bool:
    """Whether a process that was killed is gone, or merely waits to be counted out."""
    state = Path(f"/proc/{pid}/stat")
    for _ in range(100):
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] in {"Z", "X"}:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_lines_go_both_ways() -> None:
    async with talk(ECHO) as program:
        for word in (b"abc", b"xyz"):
            await program.say(word + b"\n")
            assert await program.line() == word[::-1] + b"\n"


async def test_the_end_of_what_it_says_is_an_empty_line_and_its_errors_are_kept() -> None:
    async with talk("import sys; print('why', file=sys.stderr); sys.exit(3)") as program:
        assert await program.line() == b""
        assert await program.ended(5) == 3
        await asyncio.sleep(0.05)
        assert program.errors == b"why\n"


@pytest.mark.parametrize("script", ["print('x' * 50_000)", "while True: print('x' * 1000)"])
async def test_more_than_may_be_said_is_an_error(script: str) -> None:
    async with talk(script) as program:
        with pytest.raises(TooMuchSaid):  # noqa: PT012 what is before it may be said
            while await program.line():
                pass


async def test_nothing_of_it_runs_after_the_block() -> None:
    child = "import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    async with talk(f"{child}; print(c.pid, flush=True); import time; time.sleep(60)") as program:
        pid = int(await program.line())
    assert await ends(pid)


async def test_an_error_in_the_block_ends_it_too() -> None:
    with pytest.raises(ValueError, match="ours"):  # noqa: PT012
        async with talk("import time; time.sleep(60)") as program:
            assert await program.ended(0) is None
            raise ValueError("ours")
    assert await program.ended(5) is not None


async def test_one_that_is_gone_reads_nothing() -> None:
    async with talk("pass") as program:
        await program.ended(5)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):  # noqa: PT012 the pipe may take the first lines
            for _ in range(100):
                await program.say(b"x" * 100_000 + b"\n")


async def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ProgramNotFound):
        async with dialogue(("no-such-program-here",), cwd=Path.cwd(), env={}, max_line_bytes=10, max_bytes=10):
            pass
