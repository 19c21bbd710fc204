"""A sandbox of real bubblewrap over folders of a test's own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fanfold.process import Completed, Sandbox, allowed_environment, program_reach, run, unusable


@dataclass(frozen=True)
class Inside:
    """Runs Python code in a sandbox; `root` is writable, `home` is the user's."""

    sandbox: Sandbox
    root: Path
    home: Path

    async def python(self, code: str, *, deadline_s: float = 60, **changes: Any) -> Completed:
        sandbox = replace(self.sandbox, **changes)
        program = Path(sys.executable)
        argv = sandbox.around([str(program), "-c", code], self.root, read=program_reach(program))
        env = allowed_environment(overrides={"HOME": str(self.home)})
        return await run(argv, env=env, deadline_s=deadline_s)

    async def says(self, code: str, **changes: Any) -> str:
        """What the code prints."""
        done = await self.python(code, **changes)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()


@pytest.fixture
async def bubblewrap() -> Path:
    """The program, where it works."""
    found = shutil.which("bwrap")
    if found is None:
        pytest.skip("bubblewrap is not installed")
    if words := await unusable(Path(found)):
        pytest.skip(f"bubblewrap does not work here: {words}")
    return Path(found)


@pytest.fixture
def inside(bubblewrap: Path, tmp_path: Path) -> Inside:
    root, home, scratch = (tmp_path / name for name in ("workspace", "home", "scratch"))
    for folder in (root, home, scratch):
        folder.mkdir()
    return Inside(Sandbox(bubblewrap, scratch, write=(root,), home=home), root, home)


Says = Callable[..., Awaitable[str]]
