"""A git command that stays and answers one request after another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import cast

from fanfold.git.command import SAFE, GitError, environment, words


class Coprocess:
    """One long-lived git process, started at the first request and again after a failed one.

    A request takes about 0.1 ms, where starting git takes more than 1 ms.
    """

    def __init__(self, *args: str, cwd: Path, places: Mapping[str, str]) -> None:
        self._args = args
        self._cwd = cwd
        self._places = places
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    @contextlib.asynccontextmanager
    async def exchange(self, request: bytes) -> AsyncIterator[asyncio.StreamReader]:
        """Send `request` and hand out the stream that the answer is read from, to one caller at a time.

        An exception inside, a cancellation too, leaves an answer half read: the process is ended, and the next
        exchange has a new one.

        Raises:
            GitError: git ended instead of answering; with its own words.
        """
        async with self._turn:
            process = self._process or await self._start()
            try:
                cast("asyncio.StreamWriter", process.stdin).write(request)
                yield cast("asyncio.StreamReader", process.stdout)
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                said = await self._end()
                raise GitError(f"git {self._args[0]} ended: {said or 'it said nothing'}") from error
            except BaseException:
                await self._end()
                raise

    async def close(self) -> None:
        """End the process after the exchange under way; the next exchange would start another one."""
        async with self._turn:
            await self._end()

    async def _start(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            "git",
            *self._args,
            cwd=self._cwd,
            env=environment(SAFE, self._places),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in a terminal is for Fanfold to handle
        )
        return self._process

    async def _end(self) -> str:
        """Kill the process; what it said on stderr. It holds no state that would need a clean exit."""
        process, self._process = self._process, None
        if process is None:
            return ""
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        _, stderr = await process.communicate()
        return words(stderr)
