"""A git command that stays and answers one request after another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar, cast

from fanfold.git.command import SAFE, GitError, environment, words
from fanfold.process import uninterrupted

T = TypeVar("T")


class Coprocess:
    """One long-lived git process, started at the first request and again after a failed one.

    A request takes about 0.1 ms, where starting git takes more than 1 ms.
    """

    def __init__(
        self, *args: str, cwd: Path, places: Mapping[str, str], settings: Mapping[str, str] | None = None
    ) -> None:
        self._args = args
        self._cwd = cwd
        self._env = environment({**SAFE, **(settings or {})}, places)
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def ask(self, request: bytes, read: Callable[[asyncio.StreamReader], Awaitable[T]]) -> T:
        """Send `request` and return what `read` makes of the answer; one request after another.

        Where git ends instead of answering, somebody killed it maybe, another one is asked once. An exception in
        `read`, a cancellation too, leaves an answer half read: then the next request gets a new process.

        Raises:
            GitError: git ended twice; with its own words.
        """
        async with self._turn:
            try:
                return await self._asked(request, read)
            except GitError:
                return await self._asked(request, read)

    async def _asked(self, request: bytes, read: Callable[[asyncio.StreamReader], Awaitable[T]]) -> T:
        process = await uninterrupted(self._start()) if self._process is None else self._process
        try:
            cast("asyncio.StreamWriter", process.stdin).write(request)
            return await read(cast("asyncio.StreamReader", process.stdout))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            said = await uninterrupted(self._end())
            raise GitError(f"git {self._args[0]} ended: {said or 'it said nothing'}") from error
        except BaseException:
            await uninterrupted(self._end())
            raise

    async def close(self) -> None:
        """End the process after the exchange under way; the next exchange would start another one."""
        async with self._turn:
            await uninterrupted(self._end())

    async def _start(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            "git",
            *self._args,
            cwd=self._cwd,
            env=self._env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in a terminal is for Fanfold to handle
        )
        return self._process

    async def _end(self) -> str:
        """Kill the process; what it said on stderr. It holds no state that would need a clean exit.

        Neither this nor the start may be broken off, or asyncio leaves the pipes open.
        """
        process, self._process = self._process, None
        if process is None:
            return ""
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        _, stderr = await process.communicate()
        return words(stderr)


async def lines(answer: asyncio.StreamReader, count: int) -> list[list[str]]:
    """The words of so many lines of an answer."""
    return [(await answer.readuntil(b"\n")).decode().split() for _ in range(count)]
