"""Run the user's pre-commit hook on what is to become the tip, in a workspace, as if it were about to be committed."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fanfold.fix.project import Project, workspace_environment
from fanfold.git import Workspace, WorkspacePool
from fanfold.process import ProcessError, ProgramNotFound, run
from fanfold.redact import redact

DEADLINE_S = 600.0
MAX_OUTPUT_BYTES = 1024 * 1024
MAX_WORDS = 400
_MAGIC = (b"#!", b"\x7fELF")


@dataclass
class Hook:
    """The hook, and what is known of it.

    Args:
        path: the program, outside of all workspaces.
        tracked: paths that git knows, for the environment that the project's programs run in.
        usable: whether it passes where nothing is staged, None = not tried yet.
        runs: how often it ran.
    """

    path: Path
    project: Project
    pool: WorkspacePool
    tracked: tuple[str, ...]
    deadline_s: float = DEADLINE_S
    usable: bool | None = None
    runs: int = 0

    async def refuses(self, tip: str, tree: str) -> str | None:
        """Why the hook is against a tree whose difference from the commit `tip` is staged; None = it isn't.

        The first time that it is, it is tried without any change. If it fails then, too, it is of no use, and says
        nothing from then on.
        """
        if self.usable is False:
            return None
        reason = await self._run(tip, tree)
        if reason is not None and self.usable is None:
            self.usable = await self._run(tip, tip) is None
        return reason if self.usable or reason is None else None

    async def _run(self, tip: str, tree: str) -> str | None:
        self.runs += 1
        async with self.pool.lease(tip) as workspace:
            if tree != tip:
                await workspace.reset(tree)  # HEAD stays at the tip, so that all of the difference is staged
            said = await self._words(workspace)
            touched = [path.path for path in (await workspace.capture()).paths]
        if touched and said is None:
            return f"changes {', '.join(touched[:3])}"
        return said

    async def _words(self, workspace: Workspace) -> str | None:
        """What it says when it fails."""
        workspace.cache.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="hook-", dir=workspace.cache.resolve()))
        try:
            environment = workspace_environment(self.project, workspace.root, self.tracked, folder)
            done = await run(
                await asyncio.to_thread(_argv, self.path),
                cwd=workspace.root,
                env={**environment, "GIT_EDITOR": ":"},
                deadline_s=self.deadline_s,
                max_bytes=MAX_OUTPUT_BYTES,
            )
        except (ProgramNotFound, ProcessError) as error:
            return error.message
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        if done.timed_out:
            return f"did not end within {self.deadline_s:g} s"
        if done.returncode == 0:
            return None
        said = " / ".join(
            line.strip()
            for stream in (done.stdout, done.stderr)
            for line in stream.decode(errors="replace").splitlines()
            if line.strip()
        )
        return redact(said[-MAX_WORDS:]) or f"exit code {done.returncode}"


def _argv(path: Path) -> tuple[str, ...]:
    """As git calls it: a script that doesn't name its interpreter is one for the shell."""
    with path.open("rb") as file:
        return (str(path),) if file.read(4).startswith(_MAGIC) else ("sh", str(path))
