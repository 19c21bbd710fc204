"""Stand-ins for the programs of presets, on PATH."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents import Agent
from fanfold.agents.presets import PRESETS, Preset

STANDINS = Path(__file__).parent / "standins"
PRESET = {preset.name: preset for preset in PRESETS}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH with a stand-in for each program; users have none of their keys in tests."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for preset in PRESETS:
        script = folder / preset.command
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STANDINS / _module(preset)}" "$@"\n')
        script.chmod(0o755)
        for name in preset.variables:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.fixture
def hire(programs: Path, make_settings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Agent]:
    """The agent of a preset, whose program behaves in some way."""

    def make(name: str, behaviour: str = "fixes", *, deadline_s: float = 60.0, **options: Any) -> Agent:
        assert programs.is_dir()
        monkeypatch.setenv("STANDIN", behaviour)
        settings = make_settings(name=name, agent_env=("STANDIN",), deadline_s=deadline_s, options=options)
        return PRESET[name].make(settings)

    return make


def _module(preset: Preset) -> str:
    return f"{preset.command.replace('-', '_')}.py"
