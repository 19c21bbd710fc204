from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from fanfold.agents import AgentUnusable, agent_for, agent_names, registry
from fanfold.agents.autofix import Autofix
from fanfold.agents.command import Command
from fanfold.config import FixSettings
from fanfold.testing.agents import ScriptedAgent

MakeSettings = Callable[..., Any]


class Theirs:
    """What another package may offer."""

    @classmethod
    def make(cls, settings: registry.AgentSettings) -> ScriptedAgent:
        return ScriptedAgent(name=f"theirs-{settings.deadline_s:g}")


def test_agents_are_found_by_name() -> None:
    assert isinstance(agent_for("autofix", FixSettings()), Autofix)
    command = agent_for("command", FixSettings(agent_command=(sys.executable, "{file}"), deadline_s=7))
    assert isinstance(command, Command)
    assert command.deadline_s == 7
    assert {"autofix", "command"} <= set(agent_names())


def test_an_unknown_name_is_answered_with_the_known_ones(make_settings: MakeSettings) -> None:
    with pytest.raises(AgentUnusable, match="'auto'") as caught:
        agent_for("auto", make_settings())
    assert "autofix, command" in str(caught.value.hint)


def test_another_packages_agent_is_made_with_the_settings(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "theirs", sys.modules[__name__])
    offer(monkeypatch, "theirs:Theirs")
    assert agent_for("theirs", make_settings(deadline_s=5)).name == "theirs-5"


@pytest.mark.parametrize("value", ["no_such_module_here:Agent", "json:NoSuchName"])
def test_an_agent_that_can_not_be_loaded_is_said(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    offer(monkeypatch, value)
    with pytest.raises(AgentUnusable, match="'theirs' can't be loaded"):
        agent_for("theirs", make_settings())


def offer(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    point = EntryPoint("theirs", value, registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.GROUP else [])
