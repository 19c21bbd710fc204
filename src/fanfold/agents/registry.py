"""Find agents by name, Fanfold's own and other packages'."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, cast

from fanfold.agents.protocol import Agent, AgentUnusable

GROUP = "fanfold.agents"
COMMAND = re.compile(r"[\s/{]")
"""What no agent's name has, and a command line may."""


class UserSettings(Protocol):
    """What the user set for all agents; `fanfold.config.FixSettings` is one."""

    @property
    def agent_command(self) -> tuple[str, ...]:
        """The program that an agent runs, with its arguments."""

    @property
    def agent_env(self) -> tuple[str, ...]:
        """Environment variables that an agent's program may see beside the usual ones."""

    @property
    def deadline_s(self) -> float:
        """Seconds for one attempt."""

    @property
    def agents(self) -> Mapping[str, Mapping[str, Any]]:
        """Settings of single agents, by name."""


@dataclass(frozen=True, kw_only=True)
class AgentSettings:
    """What one agent is made of.

    Args:
        name: what the user calls it; it stands in reports.
        agent_command: the program that it runs, with its arguments.
        agent_env: environment variables that its program may see beside the usual ones.
        deadline_s: seconds for one attempt.
        options: the agent's own settings, not checked yet.
    """

    name: str = ""
    agent_command: tuple[str, ...] = ()
    agent_env: tuple[str, ...] = ()
    deadline_s: float = 600.0
    options: Mapping[str, Any] = field(default_factory=dict)


class AgentFactory(Protocol):
    """What an entry point of the group `fanfold.agents` names: usually the agent's class.

    In another package's pyproject:

        [project.entry-points."fanfold.agents"]
        mine = "mine.agent:Mine"

    An attribute `argument = "model"` makes `--agent mine:large` set the option `model` to `large`.
    """

    def make(self, settings: AgentSettings) -> Agent:
        """The agent, ready to work on any number of assignments at once.

        Raises:
            AgentUnusable: it can't work with these settings.
        """


def agent_for(name: str, settings: UserSettings) -> Agent:
    """The agent that the user calls `name`, made for `settings`.

    A name is that of an installed agent; or of a table of `agents`, whose `use` names an installed one where the table
    isn't called like it; either with an argument after a colon.

    Raises:
        AgentUnusable: no agent of that name is installed, with the names there are; or it can't work with these
            settings.
    """
    called, colon, argument = name.partition(":")
    options = dict(settings.agents.get(called, {}))
    factory = _factory(str(options.pop("use", called)), settings, said=name)
    if colon:
        options[_argument_of(factory, called)] = argument
    mine = AgentSettings(
        name=name,
        agent_command=settings.agent_command,
        agent_env=settings.agent_env,
        deadline_s=settings.deadline_s,
        options=options,
    )
    return factory.make(mine)


def agent_names() -> tuple[str, ...]:
    """The agents that are installed."""
    return tuple(sorted(_installed()))


def refuse_options(settings: AgentSettings) -> None:
    """For agents that have no settings of their own.

    Raises:
        AgentUnusable: some were given.
    """
    if settings.options:
        raise AgentUnusable(
            f"agent {settings.name!r} has no setting {min(settings.options)!r}",
            hint="remove it: there are none",
        )


def _factory(name: str, settings: UserSettings, *, said: str) -> AgentFactory:
    found = _installed()
    if name not in found and name in settings.agents:
        raise AgentUnusable(
            f"the table of agent {name!r} doesn't say what kind of agent it is",
            hint=f'add to it, for instance: use = "llm"; kinds here: {", ".join(sorted(found))}',
        )
    if name not in found:
        names = sorted({*found, *settings.agents})
        near = difflib.get_close_matches(name, names, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        hint = _for_a_command(said) if COMMAND.search(name) else f"{meant}agents here: {', '.join(names)}"
        raise AgentUnusable(f"there is no agent {name!r}", hint=hint)
    try:
        return cast("AgentFactory", found[name].load())
    except (ImportError, AttributeError) as error:
        raise AgentUnusable(f"agent {name!r} can't be loaded: {error}", hint=f"look at {found[name].value}") from error


def _for_a_command(line: str) -> str:
    how = shlex.quote(f"command:{line}")
    return f"a program with its arguments is named as --agent {how}, or as --agent-command {shlex.quote(line)}"


def _argument_of(factory: AgentFactory, called: str) -> str:
    argument = getattr(factory, "argument", None)
    if argument is None:
        raise AgentUnusable(f"agent {called!r} takes nothing after a colon", hint=f"name it {called}")
    return str(argument)


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
