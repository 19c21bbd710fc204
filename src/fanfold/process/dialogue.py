"""A program that is talked with, a line at a time; it ends with the block, and all that it started too."""

from __future__ import annotations

import asyncio
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from io import FileIO
from pathlib import Path
from typing import cast

from fanfold.process.start import exit_of, start
from fanfold.process.streams import Drain
from fanfold.process.tree import kill_marked, marked, signal_group

LEAVE_S = 0.5
"""How long a program may take to end once its input has, and once more after SIGTERM."""
STDERR_BYTES = 256 * 1024


class TooMuchSaid(Exception):
    """A line, or all lines together, are longer than they may be."""


class Dialogue:
    """Both ends of a running program."""

    def __init__(
        self, process: subprocess.Popen[bytes], exited: asyncio.Future[None], max_line_bytes: int, max_bytes: int
    ) -> None:
        self._process = process
        self._exited = exited
        self._left = max_bytes
        self._reader = asyncio.StreamReader(limit=max_line_bytes)
        self._errors = Drain(asyncio.get_running_loop(), cast("FileIO", process.stderr), STDERR_BYTES)
        self._output: asyncio.ReadTransport | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def line(self) -> bytes:
        """The next line that it writes, b"" at the end.

        Raises:
            TooMuchSaid: it is too long, or too much was said by now.
        """
        try:
            line = await self._reader.readline()
        except ValueError as error:
            raise TooMuchSaid("a line is too long") from error
        self._left -= len(line)
        if self._left < 0:
            raise TooMuchSaid("too much was said")
        return line

    async def say(self, line: bytes) -> None:
        """Write a line, and wait until it is on its way.

        Raises:
            OSError: it reads no more.
        """
        if self._writer is None or self._writer.is_closing():
            raise BrokenPipeError("the program reads no more")
        self._writer.write(line)
        await self._writer.drain()

    @property
    def errors(self) -> bytes:
        """What it wrote to its standard error so far, as far as it is kept."""
        return self._errors.kept

    async def ended(self, within_s: float) -> int | None:
        """Its exit code, None where it still runs after so long."""
        await asyncio.wait([self._exited], timeout=within_s)
        return self._process.poll() if self._exited.done() else None

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        self._output, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), self._process.stdout
        )
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, self._process.stdin)
        self._writer = asyncio.StreamWriter(transport, protocol, None, loop)

    async def _leave(self) -> None:
        """Its input ends, which tells it to end, and then it is asked to."""
        self._hang_up()
        if await self.ended(LEAVE_S) is None:
            signal_group(self._process.pid, signal.SIGTERM)
            await self.ended(LEAVE_S)

    def _hang_up(self) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.transport.abort()

    def _end(self, marker: str) -> None:
        """Without waiting for anything that could be cancelled: after this, nothing of the program runs."""
        signal_group(self._process.pid, signal.SIGKILL)
        kill_marked(marker)
        self._process.wait()  # it was killed just now
        self._errors.finish()
        if self._output is not None:
            self._output.close()
        self._hang_up()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


@asynccontextmanager
async def dialogue(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], max_line_bytes: int, max_bytes: int
) -> AsyncIterator[Dialogue]:
    """Start a program in a process group of its own and talk with it; it ends with the block at the latest.

    Args:
        argv: the program and its arguments; never a shell string.
        env: its whole environment.
        max_line_bytes: how long a line of it may be.
        max_bytes: how much it may write to its standard output.
    Raises:
        ProcessError: it can't be started.
    """
    marker = secrets.token_hex(12)
    process = start(tuple(argv), cwd=cwd, env=marked(env, marker), with_stdin=True)
    talk = Dialogue(process, exit_of(process, asyncio.get_running_loop()), max_line_bytes, max_bytes)
    try:
        await talk._open()
        yield talk
        await talk._leave()
    finally:
        talk._end(marker)
