"""Find agents by name, Fanfold's own and other packages'."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, cast

from fanfold.agents.protocol import Agent, AgentUnusable

GROUP = "fanfold.agents"


class AgentSettings(Protocol):
    """What the user set for agents; `fanfold.config.FixSettings` is one."""

    @property
    def agent_command(self) -> tuple[str, ...]:
        """The program that an agent runs, with its arguments."""

    @property
    def agent_env(self) -> tuple[str, ...]:
        """Environment variables that the agent's program may see beside the usual ones."""

    @property
    def deadline_s(self) -> float:
        """Seconds for one attempt."""


class AgentFactory(Protocol):
    """What an entry point of the group `fanfold.agents` names: usually the agent's class.

    In another package's pyproject:

        [project.entry-points."fanfold.agents"]
        mine = "mine.agent:Mine"
    """

    def make(self, settings: AgentSettings) -> Agent:
        """The agent, ready to work on any number of assignments at once.

        Raises:
            AgentUnusable: it can't work with these settings.
        """


def agent_for(name: str, settings: AgentSettings) -> Agent:
    """The agent called `name`, made for `settings`.

    Raises:
        AgentUnusable: no agent of that name is installed, with the names there are; or it can't work with these
            settings.
    """
    found = _installed()
    if name not in found:
        raise AgentUnusable(f"there is no agent {name!r}", hint=f"agents here: {', '.join(sorted(found))}")
    try:
        factory = cast("AgentFactory", found[name].load())
    except (ImportError, AttributeError) as error:
        raise AgentUnusable(f"agent {name!r} can't be loaded: {error}", hint=f"look at {found[name].value}") from error
    return factory.make(settings)


def agent_names() -> tuple[str, ...]:
    """The agents that are installed."""
    return tuple(sorted(_installed()))


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
