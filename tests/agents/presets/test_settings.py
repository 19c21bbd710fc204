"""No program sees what a repository would have it run, or where it would have it send keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents import Agent, AgentError, Assignment
from fanfold.agents.acp import Acp
from fanfold.agents.presets import PRESETS

HOSTILE = {
    "aider": (".aider.conf.yml", ".aider.model.settings.yml", ".env"),
    "claude": (".claude/settings.json", ".claude/settings.local.json", ".mcp.json"),
    "codex": (".codex/config.toml",),
    "cursor-agent": (".cursor/mcp.json", ".cursor/hooks.json"),
    "gemini": (".gemini/settings.json", ".gemini/.env", ".env"),
    "mini": (),
    "opencode": ("opencode.json", "opencode.jsonc", ".opencode/plugin/evil.js"),
}
ALL = tuple(sorted({file for files in HOSTILE.values() for file in files}))


@pytest.fixture
def assignment(make_bench: Callable[..., Any]) -> Assignment:
    made: Assignment = make_bench(b"import os\nx = 1\n").assignment(prompt="Work in the file 'module.py'.")
    for file in ALL:
        (made.root / file).parent.mkdir(parents=True, exist_ok=True)
        (made.root / file).write_text("settings")
    return made


def look(program: Path, seen: Path) -> None:
    program.write_text(f"#!/bin/sh\nfind . -type f >{seen}\nexit 3\n")
    program.chmod(0o755)


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", list(HOSTILE))
async def test_a_program_sees_no_settings_of_the_repository(
    programs: Path, hire: Callable[..., Agent], assignment: Assignment, name: str, tmp_path: Path
) -> None:
    look(programs / name, tmp_path / "seen")
    before = files(assignment.root)
    with pytest.raises(AgentError, match="exit code 3"):
        await hire(name).work(assignment)
    seen = {line.removeprefix("./") for line in (tmp_path / "seen").read_text().splitlines()}
    assert "module.py" in seen
    assert not seen & set(HOSTILE[name])
    assert files(assignment.root) == before


def test_every_preset_is_among_these() -> None:
    assert set(HOSTILE) == {preset.name for preset in PRESETS}


async def test_an_agent_of_the_protocol_sees_none_of_any_of_them(
    programs: Path, make_settings: Callable[..., Any], assignment: Assignment, tmp_path: Path
) -> None:
    look(programs / "speaks", tmp_path / "seen")
    before = files(assignment.root)
    with pytest.raises(AgentError, match="exit code 3"):
        await Acp.make(make_settings(options={"command": str(programs / "speaks")})).work(assignment)
    seen = {line.removeprefix("./") for line in (tmp_path / "seen").read_text().splitlines()}
    assert "module.py" in seen
    assert not seen & set(ALL)
    assert files(assignment.root) == before


@pytest.mark.parametrize("key", ["sk-none", ""])
async def test_claude_reads_the_user_s_settings_alone_with_a_key_and_without(
    programs: Path,
    hire: Callable[..., Agent],
    assignment: Assignment,
    key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    (programs / "claude").write_text(f'#!/bin/sh\nfor one; do echo "$one"; done >{tmp_path / "asked"}\nexit 3\n')
    with pytest.raises(AgentError):
        await hire("claude").work(assignment)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[asked.index("--setting-sources") + 1] == "user"
    assert ("--bare" in asked) is bool(key)


def test_what_is_kept_from_programs_is_named_as_it_is_compared() -> None:
    patterns = [pattern for preset in PRESETS for pattern in preset.settings]
    assert json.dumps(patterns) == json.dumps(patterns).casefold()
