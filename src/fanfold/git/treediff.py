"""Compare trees through one long-lived git process."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path

from fanfold.git.coprocess import Coprocess
from fanfold.git.diff import LINES, PLAIN

PATCH = ("-p", "--binary", *PLAIN)
"""What `git apply` takes."""
HUNKS = LINES
"""What `parse_diff` reads."""


class TreeDiff:
    """Says how two trees differ, in the form that was asked for when it was made."""

    def __init__(self, form: tuple[str, ...], *, cwd: Path, places: Mapping[str, str] | None = None) -> None:
        self._git = Coprocess("diff-tree", "--stdin", "-r", *form, cwd=cwd, places=places or {})

    async def close(self) -> None:
        """End the process; a later request would start another one."""
        await self._git.close()

    async def between(self, old: str, new: str) -> bytes:
        """What differs from the tree `old` to the tree `new`, as git prints it.

        Raises:
            GitError: there is no such tree.
        """
        end = f"end {secrets.token_hex(8)}\n".encode()  # git repeats a line that names no object

        async def read(answer: asyncio.StreamReader) -> bytes:
            found: list[bytes] = []
            while (line := await _line(answer)) != end:
                found.append(line)
            return b"".join(found[1:])  # the first line repeats what was asked

        return await self._git.ask(f"{old} {new}\n".encode() + end, read)


async def _line(answer: asyncio.StreamReader) -> bytes:
    """The next line, however long it is."""
    parts: list[bytes] = []
    while True:
        try:
            parts.append(await answer.readuntil(b"\n"))
        except asyncio.LimitOverrunError as error:
            parts.append(await answer.readexactly(error.consumed))
        else:
            return b"".join(parts)
