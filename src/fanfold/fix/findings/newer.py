"""Files that only a newer Python than Fanfold's can read: no gate can judge a change of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from fanfold.fix import gates
from fanfold.process import ProcessError, ProgramNotFound, run

OURS = sys.version_info[:2]
NEWER = (
    f"Fanfold runs on Python {OURS[0]}.{OURS[1]}, which can't read it, so that no gate can judge a change: "
    "run Fanfold with the project's Python"
)
IS_NEWER = f"import sys; sys.exit(sys.version_info[:2] <= {OURS})"
COMPILE = "import sys; compile(sys.stdin.buffer.read(), '<change>', 'exec')"


async def newer_than_ours(
    paths: Iterable[str], read: Callable[[str], Awaitable[bytes | None]], python: Path
) -> frozenset[str]:
    """Those files that a project's interpreter takes for Python, and the one that Fanfold runs on doesn't.

    Args:
        read: gives the text of a file, None where there is none.
        python: the project's interpreter.
    """
    paths = [path for path in paths if gates.is_python(path)]
    if not paths or not await _succeeds(python, IS_NEWER):
        return frozenset()
    return frozenset([path for path in paths if await is_newer(await read(path) or b"", python)])


async def is_newer(text: bytes, python: Path) -> bool:
    """Whether a project's interpreter takes a text for Python, and the one that Fanfold runs on doesn't."""
    return not await asyncio.to_thread(gates.can_be_read, text) and await compiles(text, python)


async def compiles(text: bytes, python: Path) -> bool:
    """Whether an interpreter takes a text for Python."""
    return await _succeeds(python, COMPILE, text)


async def _succeeds(python: Path, script: str, stdin: bytes = b"") -> bool:
    try:
        done = await run([python, "-I", "-S", "-W", "ignore", "-c", script], stdin=stdin, deadline_s=60)
    except (ProgramNotFound, ProcessError):
        return False
    return done.returncode == 0
