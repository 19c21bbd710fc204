from __future__ import annotations

import shlex
import sys
from importlib.metadata import EntryPoint, entry_points

import pytest

from fanfold.agents import AgentUnusable, agent_for, agent_names, registry
from fanfold.agents.autofix import Autofix
from fanfold.agents.command import Command
from fanfold.config import FixSettings
from fanfold.testing.agents import ScriptedAgent


class Theirs:
    """What another package may offer."""

    @classmethod
    def make(cls, settings: registry.AgentSettings) -> ScriptedAgent:
        return ScriptedAgent(name=f"{settings.name}-{settings.deadline_s:g}-{settings.options.get('size')}")


class Sized(Theirs):
    argument = "size"


def test_agents_are_found_by_name() -> None:
    assert isinstance(agent_for("autofix", FixSettings()), Autofix)
    command = agent_for("command", FixSettings(agent_command=(sys.executable, "{file}"), deadline_s=7))
    assert isinstance(command, Command)
    assert command.deadline_s == 7
    assert {"autofix", "command"} <= set(agent_names())


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(AgentUnusable, match="'auto'") as caught:
        agent_for("auto", FixSettings(agents={"mine": {"use": "command"}}))
    meant, _, names = str(caught.value.hint).partition("agents here: ")
    assert meant == "did you mean autofix? "
    assert {"autofix", "command", "mine"} <= set(names.split(", "))
    with pytest.raises(AgentUnusable) as caught:
        agent_for("qqq", FixSettings())
    assert str(caught.value.hint).startswith("agents here: ")


@pytest.mark.parametrize("line", ["my-agent {file}", "./my-agent", "python -m mine:fix {file}"])
def test_a_command_in_place_of_a_name_is_told_how_commands_are_named(line: str) -> None:
    with pytest.raises(AgentUnusable, match="there is no agent") as caught:
        agent_for(line, FixSettings())
    told = shlex.split(str(caught.value.hint))
    assert told[told.index("--agent") + 1] == f"command:{line},"
    assert told[told.index("--agent-command") + 1] == line


def test_a_table_that_does_not_say_what_kind_of_agent_it_makes_is_told() -> None:
    with pytest.raises(AgentUnusable, match="table of agent 'cheap' doesn't say what kind") as caught:
        agent_for("cheap", FixSettings(agents={"cheap": {"model": "small"}}))
    assert 'use = "llm"' in str(caught.value.hint)


def test_another_packages_agent_is_made_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "theirs:Theirs")
    assert agent_for("theirs", FixSettings(deadline_s=5)).name == "theirs-5-None"


def test_a_table_gives_an_agent_settings_of_its_own_and_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "theirs:Theirs")
    settings = FixSettings(deadline_s=5, agents={"cheap": {"use": "theirs", "size": 1}, "theirs": {"size": 2}})
    assert agent_for("cheap", settings).name == "cheap-5-1"
    assert agent_for("theirs", settings).name == "theirs-5-2"


def test_what_stands_after_a_colon_is_the_agents_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "theirs:Sized")
    assert agent_for("theirs:a:b", FixSettings(deadline_s=5)).name == "theirs:a:b-5-a:b"
    with pytest.raises(AgentUnusable, match="'autofix' takes nothing after a colon"):
        agent_for("autofix:fast", FixSettings())


def test_an_agent_without_settings_of_its_own_refuses_some() -> None:
    with pytest.raises(AgentUnusable, match="'autofix' has no setting 'size'"):
        agent_for("autofix", FixSettings(agents={"autofix": {"size": 1}}))


@pytest.mark.parametrize("value", ["no_such_module_here:Agent", "json:NoSuchName"])
def test_an_agent_that_can_not_be_loaded_is_said(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    offer(monkeypatch, value)
    with pytest.raises(AgentUnusable, match="'theirs' can't be loaded"):
        agent_for("theirs", FixSettings())


def offer(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Have one more agent installed."""
    monkeypatch.setitem(sys.modules, "theirs", sys.modules[__name__])
    mine = EntryPoint("theirs", value, registry.GROUP)
    there = tuple(entry_points(group=registry.GROUP))
    monkeypatch.setattr(registry, "entry_points", lambda group: [*there, mine] if group == registry.GROUP else [])
