"""Any program as an agent: it gets the prompt, edits the file, and is killed with all its children at the deadline."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from fanfold.agents.program import Program, as_argument, found, last_words, transcript
from fanfold.agents.protocol import AgentError, AgentUnusable, Assignment, Report
from fanfold.agents.registry import AgentSettings
from fanfold.agents.spending import Spending, Terms
from fanfold.process import Completed

PLACEHOLDERS = ("file", "prompt_file", "root")
PLACEHOLDER = re.compile(r"\{(\w*)\}")


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
        spending: what an attempt costs, as the user says.
    """

    argv: tuple[str, ...]
    env: tuple[str, ...]
    deadline_s: float
    name: str = "command"
    spending: Spending = field(default_factory=Spending)
    deterministic: bool = False
    starts_programs: bool = True
    argument: ClassVar[str] = "command"

    @classmethod
    def make(cls, settings: AgentSettings) -> Command:
        """The agent, its program found and its placeholders checked.

        Raises:
            AgentUnusable: no command, no such program, or a placeholder that doesn't exist.
        """
        command, terms = command_of(settings)
        named = f"agent {settings.name!r}" if "command" in settings.options else "agent_command"
        if not command or not command[0].strip():
            missing = "agent_command is empty" if named == "agent_command" else f"{named} has no command"
            raise AgentUnusable(missing, hint="name its program, for instance: --agent 'command:my-agent {file}'")
        program, *arguments = command
        _check_placeholders(arguments, named)
        return cls(
            argv=(found(program, setting=named), *arguments),
            env=settings.agent_env,
            deadline_s=settings.deadline_s,
            name=settings.name or "command",
            spending=Spending(terms),
        )

    @property
    def tells(self) -> frozenset[str]:
        """What is known of what an attempt took: its cost if the user says it, never its tokens."""
        return frozenset() if self.spending.terms.max_cost_usd is None else frozenset({"cost"})

    @property
    def attempt_cost_usd(self) -> float | None:
        """What an attempt costs that ends without a word on it, as the user says; None = nobody knows."""
        return self.spending.terms.max_cost_usd

    async def work(self, assignment: Assignment) -> Report:
        """Run the program and wait for its end.

        Raises:
            AgentError: it could not be started, exited with an error, or took too long; with its last words.
        """
        prompt_file = assignment.scratch / "prompt.md"
        values = {"file": as_argument(assignment.path), "prompt_file": str(prompt_file), "root": str(assignment.root)}
        in_file = any("{prompt_file}" in part for part in self.argv)
        prompt = assignment.prompt.encode(errors="surrogateescape")
        if in_file:
            prompt_file.write_bytes(prompt)
        arguments = [_filled(part, values) for part in self.argv[1:]]
        program = Program(self.argv[0], self.env, self.deadline_s)
        done = await program.run(arguments, assignment, stdin=b"" if in_file else prompt)
        try:
            report = await asyncio.to_thread(_report, program, done, assignment)
        except AgentError as error:
            error.usage, error.transcript = self.spending.counted(None), transcript(done)
            raise
        return replace(report, usage=self.spending.counted(None))


def command_of(settings: AgentSettings) -> tuple[tuple[str, ...], Terms]:
    """An agent's own command line, else the one that is set for all; and what an attempt may cost.

    Raises:
        AgentUnusable: it can't be read, or there are other options.
    """
    options = dict(settings.options)
    command = options.pop("command", settings.agent_command)
    cost_usd = options.pop("max_cost_usd", None)
    for option in options:
        raise AgentUnusable(
            f"agent {settings.name!r} has no setting {option!r}", hint="there are command and max_cost_usd"
        )
    if cost_usd is not None and (isinstance(cost_usd, bool) or not isinstance(cost_usd, int | float) or cost_usd < 0):
        raise AgentUnusable(f"max_cost_usd of agent {settings.name!r} must be a number of dollars")
    try:
        words = tuple(shlex.split(command)) if isinstance(command, str) else tuple(str(part) for part in command)
    except (ValueError, TypeError) as error:
        raise AgentUnusable(f"the command of agent {settings.name!r} can't be read: {error}") from None
    return words, Terms(max_cost_usd=cost_usd)


def _report(program: Program, done: Completed, assignment: Assignment) -> Report:
    if done.timed_out or done.returncode:
        raise program.failure(done, assignment)
    return Report(summary=last_words(done.stdout, lines=1), transcript=transcript(done))


def _check_placeholders(arguments: Iterable[str], named: str) -> None:
    for name in (name for part in arguments for name in PLACEHOLDER.findall(part)):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
            raise AgentUnusable(f"{named} has an unknown placeholder {{{name}}}", hint=f"there are {known}")


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The argument; what a value holds is not filled in again."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], template)
