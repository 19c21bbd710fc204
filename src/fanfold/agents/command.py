"""Any program as an agent: it gets the prompt, edits the file, and is killed with all its children at the deadline."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from fanfold.agents.protocol import AgentError, AgentUnusable, Assignment, Report
from fanfold.agents.registry import AgentSettings, refuse_options
from fanfold.process import Completed, ProcessError, allowed_environment, limited, program_reach, run
from fanfold.redact import redact

PLACEHOLDERS = ("file", "prompt_file", "root")
PLACEHOLDER = re.compile(r"\{(\w*)\}")
MAX_OUTPUT_BYTES = 4 * 1024 * 1024
MAX_TRANSCRIPT_CHARS = 200_000
MAX_LAST_WORDS_CHARS = 500
MARGIN_CHARS = 100_000  # masked and not shown: where output is cut, a secret may be cut in two
SANDBOXED = "in the sandbox it sees only what is listed: see sandbox_read, sandbox_write, agent_network"
_TOO_LARGE = (-signal.SIGXFSZ, 128 + signal.SIGXFSZ)


@dataclass(frozen=True)
class Command:
    """Runs `argv` in the workspace, once for each attempt.

    In the arguments `{file}` is the file to fix, relative to the workspace, `{prompt_file}` a file that holds the
    prompt, `{root}` the workspace. Without `{prompt_file}` the prompt goes to standard input. There is no shell: an
    argument stays one argument, whatever a file is called.

    Args:
        argv: the program, absolute, and the templates of its arguments.
        env: environment variables that it may see beside the usual ones.
        deadline_s: seconds for one attempt.
    """

    argv: tuple[str, ...]
    env: tuple[str, ...]
    deadline_s: float
    name: str = "command"
    deterministic: bool = False
    starts_programs: bool = True
    argument: ClassVar[str] = "command"

    @classmethod
    def make(cls, settings: AgentSettings) -> Command:
        """The agent, its program found and its placeholders checked.

        Raises:
            AgentUnusable: no command, no such program, or a placeholder that doesn't exist.
        """
        command = _command(settings)
        if not command or not command[0].strip():
            raise AgentUnusable("agent_command is empty", hint="set it, for instance to my-agent {file}")
        program, *arguments = command
        _check_placeholders(arguments)
        return cls((_found(program), *arguments), settings.agent_env, settings.deadline_s, settings.name or "command")

    async def work(self, assignment: Assignment) -> Report:
        """Run the program and wait for its end.

        Raises:
            AgentError: it could not be started, exited with an error, or took too long; with its last words.
        """
        prompt_file = assignment.scratch / "prompt.md"
        values = {"file": _as_argument(assignment.path), "prompt_file": str(prompt_file), "root": str(assignment.root)}
        in_file = any("{prompt_file}" in part for part in self.argv)
        prompt = assignment.prompt.encode(errors="surrogateescape")
        if in_file:
            prompt_file.write_bytes(prompt)
        argv = (self.argv[0], *(_filled(part, values) for part in self.argv[1:]))
        try:
            done = await run(
                await self._kept_in(argv, assignment),
                cwd=assignment.root,
                env=allowed_environment(self.env, assignment.environment),
                stdin=b"" if in_file else prompt,
                deadline_s=self.deadline_s,
                max_bytes=MAX_OUTPUT_BYTES,
            )
        except ProcessError as error:
            raise AgentError(f"agent {self._program} could not be started: {error.message}", hint=error.hint) from error
        return await asyncio.to_thread(self._report, done, assignment)

    def _report(self, done: Completed, assignment: Assignment) -> Report:
        if done.timed_out or done.returncode:
            raise self._failure(done, assignment)
        return Report(summary=_last_words(done.stdout, lines=1), transcript=_transcript(done))

    async def _kept_in(self, argv: tuple[str, ...], assignment: Assignment) -> tuple[str, ...]:
        """The command line that starts the program within its bounds."""
        if (sandbox := assignment.sandbox) is not None:
            reach = await asyncio.to_thread(lambda: self._reach(sandbox.home))
            argv = await asyncio.to_thread(lambda: sandbox.around(argv, assignment.root, read=reach))
        limit = assignment.max_file_bytes
        return argv if limit is None else limited(argv, limit)

    def _reach(self, home: Path | None) -> tuple[Path, ...]:
        """What the program needs to read, with files that its arguments name: its script, say."""
        values = (value for part in self.argv[1:] for value in (part, part.partition("=")[2]))
        named = (Path(value) for value in values if value.startswith("/") and os.path.isfile(value))  # noqa: PTH113
        return tuple(path for one in (Path(self.argv[0]), *named) for path in program_reach(one, home=home))

    @property
    def _program(self) -> str:
        return Path(self.argv[0]).name

    def _failure(self, done: Completed, assignment: Assignment) -> AgentError:
        words = _last_words(done.stderr) or _last_words(done.stdout) or "it said nothing"
        if done.timed_out:
            return AgentError(
                f"agent {self._program} did not finish within {self.deadline_s:g} s: {words}",
                hint="give it more time with --deadline",
            )
        limit = assignment.max_file_bytes
        if limit is not None and done.returncode in _TOO_LARGE:
            return AgentError(
                f"agent {self._program} was stopped at a file of more than {limit:,} bytes: {words}",
                hint="if that is right, raise workspace_max_bytes",
            )
        where, hint = ("", None) if assignment.sandbox is None else (" in its sandbox", SANDBOXED)
        return AgentError(f"agent {self._program} ended{where} with exit code {done.returncode}: {words}", hint=hint)


def _command(settings: AgentSettings) -> tuple[str, ...]:
    """The agent's own command line; else the one that is set for all."""
    options = dict(settings.options)
    command = options.pop("command", settings.agent_command)
    refuse_options(replace(settings, options=options))
    try:
        return tuple(shlex.split(command)) if isinstance(command, str) else tuple(str(part) for part in command)
    except (ValueError, TypeError) as error:
        raise AgentUnusable(f"the command of agent {settings.name!r} can't be read: {error}") from None


def _check_placeholders(arguments: Iterable[str]) -> None:
    for name in (name for part in arguments for name in PLACEHOLDER.findall(part)):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
            raise AgentUnusable(f"agent_command has an unknown placeholder {{{name}}}", hint=f"there are {known}")


def _found(program: str) -> str:
    """The program's absolute path; what is relative is so to where the user is, not to a workspace."""
    found = shutil.which(program)
    if found is None:
        raise AgentUnusable(
            f"the program {program!r} of agent_command is not there or may not be executed",
            hint="install it, or give its path",
        )
    return str(Path(found).absolute())


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The argument; what a value holds is not filled in again."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], template)


def _as_argument(path: str) -> str:
    """A path that no program takes for an option."""
    return f"./{path}" if path.startswith("-") else path


def _last_words(output: bytes, *, lines: int = 5) -> str:
    text = redact(output[-MARGIN_CHARS:].decode(errors="replace"))
    if len(output) > MARGIN_CHARS:
        text = text[len(text) // 2 :]
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n".join(said[-lines:])[-MAX_LAST_WORDS_CHARS:]


def _transcript(done: Completed) -> str:
    said = "\n".join(part.decode(errors="replace") for part in (done.stdout, done.stderr) if part)
    text = redact(said[: MAX_TRANSCRIPT_CHARS + MARGIN_CHARS])
    if len(said) > MAX_TRANSCRIPT_CHARS + MARGIN_CHARS:
        text = text[:-MARGIN_CHARS]
    dropped = done.truncated or len(said) > MAX_TRANSCRIPT_CHARS
    return text[:MAX_TRANSCRIPT_CHARS] + ("\n(output past the limit was dropped)" if dropped else "")
