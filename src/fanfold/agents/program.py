"""A program that an agent starts: found, kept within the bounds of its attempt, and what it said made fit to keep."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fanfold.agents.protocol import AgentError, AgentUnusable, Assignment
from fanfold.process import Completed, ProcessError, Sandbox, allowed_environment, limited, program_reach, run
from fanfold.redact import redact

MAX_OUTPUT_BYTES = 4 * 1024 * 1024
MAX_TRANSCRIPT_CHARS = 200_000
MAX_LAST_WORDS_CHARS = 500
MARGIN_CHARS = 100_000  # masked and not shown: where output is cut, a secret may be cut in two
SANDBOXED = "in the sandbox it sees only what is listed: see sandbox_read, sandbox_write, agent_network"
_TOO_LARGE = (-signal.SIGXFSZ, 128 + signal.SIGXFSZ)


@dataclass(frozen=True)
class Program:
    """What an agent starts, once for each attempt.

    Args:
        path: absolute.
        env: environment variables of the user's that it may see beside the usual ones.
        deadline_s: seconds for one attempt.
        read: files and folders that it needs to read in a sandbox, beside its installation.
    """

    path: str
    env: tuple[str, ...] = ()
    deadline_s: float = 600.0
    read: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return Path(self.path).name

    async def run(
        self,
        arguments: Sequence[str],
        assignment: Assignment,
        *,
        stdin: bytes = b"",
        given: Mapping[str, str] | None = None,
        max_bytes: int = MAX_OUTPUT_BYTES,
    ) -> Completed:
        """Run it in the workspace and wait for its end, which is a value whatever it is.

        Args:
            given: environment variables that it gets, whatever the user's are.
            max_bytes: how much of what it writes is kept.
        Raises:
            AgentError: it could not be started.
        """
        try:
            return await run(
                await self.within_bounds(arguments, assignment),
                cwd=assignment.root,
                env=self.environment(assignment, given),
                stdin=stdin,
                deadline_s=self.deadline_s,
                max_bytes=max_bytes,
            )
        except ProcessError as error:
            raise self.not_started(error) from error

    def environment(self, assignment: Assignment, given: Mapping[str, str] | None = None) -> dict[str, str]:
        """All variables that it sees."""
        return allowed_environment(self.env, {**assignment.environment, **(given or {})})

    async def within_bounds(self, arguments: Sequence[str], assignment: Assignment) -> tuple[str, ...]:
        """The command line that starts it in its sandbox, if there is one, where no file can grow without end."""
        argv: tuple[str, ...] = (self.path, *arguments)
        if (sandbox := assignment.sandbox) is not None:
            reach = await asyncio.to_thread(self._reach, argv, sandbox)
            if await asyncio.to_thread(self._is_the_users_alone, sandbox, reach):
                raise AgentError(
                    f"agent {self.name} can't run in its sandbox: it is in the project, but git doesn't track it",
                    hint="commit it, or keep it outside of the project",
                )
            argv = await asyncio.to_thread(lambda: sandbox.around(argv, assignment.root, read=reach))
        limit = assignment.max_file_bytes
        return argv if limit is None else limited(argv, limit)

    def _reach(self, argv: Sequence[str], sandbox: Sandbox) -> tuple[Path, ...]:
        """What it needs to read, with files that its arguments name: its script, say."""
        values = (value for part in argv[1:] for value in (part, part.partition("=")[2]))
        named = (Path(value) for value in values if value.startswith("/") and os.path.isfile(value))  # noqa: PTH113
        programs = (Path(self.path), *named)
        return (*self.read, *(path for one in programs for path in program_reach(one, home=sandbox.home)))

    def _is_the_users_alone(self, sandbox: Sandbox, reach: Sequence[Path]) -> bool:
        """Whether it lies where the workspace is seen in its place, which lacks it: mounted, it would be a new file."""
        path = Path(os.path.normpath(self.path))
        folders = [one for one in (*reach, *sandbox.read) if one != path and path.is_relative_to(one)]
        return not folders and any(
            path.is_relative_to(place) and not os.path.lexists(source / path.relative_to(place))
            for source, place in sandbox.seen_as
        )

    def not_started(self, error: ProcessError) -> AgentError:
        """What is told of a program that can't be started."""
        return AgentError(f"agent {self.name} could not be started: {error.message}", hint=error.hint)

    def failure(self, done: Completed, assignment: Assignment, words: str = "") -> AgentError:
        """What is told of a program that ended with an error, or at the deadline.

        Args:
            words: why, as the program itself told it; "" = its last words.
        """
        words = words or last_words(done.stderr) or last_words(done.stdout) or "it said nothing"
        if done.timed_out:
            return self.late(words)
        limit = assignment.max_file_bytes
        if limit is not None and done.returncode in _TOO_LARGE:
            return AgentError(
                f"agent {self.name} was stopped at a file of more than {limit:,} bytes: {words}",
                hint="if that is right, raise workspace_max_bytes",
            )
        where, hint = ("", None) if assignment.sandbox is None else (" in its sandbox", SANDBOXED)
        return AgentError(f"agent {self.name} ended{where} with exit code {done.returncode}: {words}", hint=hint)

    def late(self, words: str) -> AgentError:
        """What is told of a program that was ended at the deadline."""
        return AgentError(
            f"agent {self.name} did not finish within {self.deadline_s:g} s: {words}",
            hint="give it more time with --deadline",
        )


def found(program: str, *, setting: str = "agent_command", hint: str = "install it, or give its path") -> str:
    """A program's absolute path; what is relative is so to where the user is, not to a workspace.

    Args:
        setting: what names it.
    Raises:
        AgentUnusable: it isn't there.
    """
    path = shutil.which(program)
    if path is None:
        raise AgentUnusable(f"the program {program!r} of {setting} is not there or may not be executed", hint=hint)
    return str(Path(path).absolute())


def as_argument(path: str) -> str:
    """A path that no program takes for an option."""
    return f"./{path}" if path.startswith("-") else path


def last_words(output: bytes, *, lines: int = 5) -> str:
    """The end of what was written, secrets masked."""
    text = redact(output[-MARGIN_CHARS:].decode(errors="replace"))
    if len(output) > MARGIN_CHARS:
        text = text[len(text) // 2 :]
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n".join(said[-lines:])[-MAX_LAST_WORDS_CHARS:]


def transcript(done: Completed) -> str:
    """All that was written, secrets masked, up to a limit."""
    said = "\n".join(part.decode(errors="replace") for part in (done.stdout, done.stderr) if part)
    return kept(said, dropped=done.truncated)


def kept(said: str, *, dropped: bool = False) -> str:
    """A text up to a limit, secrets masked.

    Args:
        dropped: something was left out of it before.
    """
    text = redact(said[: MAX_TRANSCRIPT_CHARS + MARGIN_CHARS])
    if len(said) > MAX_TRANSCRIPT_CHARS + MARGIN_CHARS:
        text = text[:-MARGIN_CHARS]
    dropped = dropped or len(said) > MAX_TRANSCRIPT_CHARS
    return text[:MAX_TRANSCRIPT_CHARS] + ("\n(output past the limit was dropped)" if dropped else "")
