"""A preset at work: the program gets the task, its output is read, and what it spent is kept within the budgets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from fanfold.agents.aside import put_aside
from fanfold.agents.presets.preset import Ask, Options, Preset, Said
from fanfold.agents.program import MAX_LAST_WORDS_CHARS, Program, as_argument, transcript
from fanfold.agents.protocol import AgentError, Assignment, Report
from fanfold.agents.spending import Spending
from fanfold.process import Completed, uninterrupted
from fanfold.redact import redact

MAX_OUTPUT_BYTES = 32 * 1024 * 1024
"""Programs tell what they took at the end of what they say."""
_LOGIN = re.compile(r"api[ _-]?key|log ?in|credential|authenticat|authoriz|\b401\b", re.IGNORECASE)


@dataclass(frozen=True)
class PresetAgent:
    """Runs a known program in the workspace, once for each attempt."""

    preset: Preset
    program: Program
    options: Options
    name: str
    spending: Spending
    deterministic: bool = False
    starts_programs: bool = True

    @property
    def unbounded(self) -> str:
        """Why it is not started without a sandbox, unless that is asked for; "" = it is."""
        return self.preset.unbounded

    @property
    def attempt_cost_usd(self) -> float | None:
        """What an attempt costs that ends without a word on it, as the user says; None = nobody knows."""
        return self.spending.terms.max_cost_usd

    async def work(self, assignment: Assignment) -> Report:
        """Run the program and wait for its end.

        Raises:
            AgentError: it could not be started, failed, or took too long; with its own words.
            BudgetExhausted: what it may take isn't left.
        """
        async with self.spending.of(assignment.purse) as bill:
            ask = await asyncio.to_thread(self._ask, assignment, bill.limit_usd)
            async with put_aside(assignment, self.preset.settings):
                done = await self._run(ask, assignment)
            said = await asyncio.to_thread(self.preset.read, done, ask)
            bill.usage = said.usage
        said = replace(said, usage=self.spending.counted(said.usage))
        if why := await asyncio.to_thread(self._failure, done, said, assignment):
            why.usage, why.transcript = said.usage, transcript(done)
            raise why
        return await asyncio.to_thread(_report, done, said)

    async def _run(self, ask: Ask, assignment: Assignment) -> Completed:
        prompt = await asyncio.to_thread(ask.prompt_file.read_bytes)
        arguments = await asyncio.to_thread(self.preset.arguments, ask)
        before = await asyncio.to_thread(lambda: set(_left(ask.root, self.preset.leaves)))
        try:
            return await self.program.run(
                arguments,
                assignment,
                stdin=prompt if self.preset.prompt == "stdin" else b"",
                given=self.preset.given(ask),
                max_bytes=MAX_OUTPUT_BYTES,
            )
        finally:
            await uninterrupted(asyncio.to_thread(_tidy, ask.root, self.preset.leaves, before))

    def _ask(self, assignment: Assignment, limit_usd: float | None) -> Ask:
        prompt_file = assignment.scratch / "prompt.md"
        prompt_file.write_bytes(assignment.prompt.encode(errors="surrogateescape"))
        notes = assignment.scratch / "notes"
        notes.mkdir(exist_ok=True)
        return Ask(
            file=as_argument(assignment.path),
            root=assignment.root,
            prompt_file=prompt_file,
            notes=notes,
            options=self.options,
            sandboxed=assignment.sandbox is not None,
            cost_usd=limit_usd,
        )

    def _failure(self, done: Completed, said: Said, assignment: Assignment) -> AgentError | None:
        words = redact(said.failed)[-MAX_LAST_WORDS_CHARS:]
        if done.timed_out or (done.returncode and not said.failed and not said.stopped):
            error = self.program.failure(done, assignment, words)
        elif said.failed:
            where = "" if assignment.sandbox is None else " in its sandbox"
            error = AgentError(f"agent {self.program.name} failed{where}: {words}")
        else:
            return None
        if hint := self._hint(str(error), assignment):
            return AgentError(error.message, hint=hint)
        return error

    def _hint(self, words: str, assignment: Assignment) -> str | None:
        if self.preset.login and _LOGIN.search(words):
            return self.preset.login
        if assignment.sandbox is not None and assignment.sandbox.network != "host" and self.preset.hosts:
            return f"{self.preset.command} needs, in agent_network: {', '.join(self.preset.hosts)}"
        return None


def _report(done: Completed, said: Said) -> Report:
    words = f"stopped: {said.stopped}" if said.stopped else said.summary
    return Report(
        summary=redact(words)[-MAX_LAST_WORDS_CHARS:],
        transcript=transcript(done),
        usage=said.usage,
        session=redact(said.session)[:MAX_LAST_WORDS_CHARS],
    )


def _left(root: Path, patterns: Iterable[str]) -> list[Path]:
    """What lies in the workspace itself that has a name of these."""
    wanted = tuple(patterns)
    if not wanted:
        return []
    return [path for path in root.iterdir() if any(fnmatch(path.name, pattern) for pattern in wanted)]


def _tidy(root: Path, patterns: Iterable[str], before: Collection[Path]) -> None:
    """What the program keeps for itself is no part of the change."""
    for path in (one for one in _left(root, patterns) if one not in before):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108 links are not followed
