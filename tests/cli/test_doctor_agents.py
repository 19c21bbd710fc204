from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.agents.presets import PRESETS
from fanfold.cli.doctor import examine
from fanfold.testing.repositories import make_repository


def test_programs_of_agents_are_listed_with_version_or_how_to_install_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_repository(tmp_path / "project", {"a.py": "x = 1\n"})
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in (("claude", "echo '2.1.197 (Claude Code)'"), ("mini", "exit 2")):
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("COLUMNS", "200")
    assert examine(tmp_path / "project") in {0, 1}
    section = capsys.readouterr().out.partition("\nAgents' programs:\n")[2].partition("\n\n")[0]
    rows = {line.split()[0]: line for line in section.splitlines()[1:]}
    assert set(rows) == {preset.name for preset in PRESETS}
    assert "2.1.197 (Claude Code)" in rows["claude"]
    assert str(programs / "claude") in rows["claude"]
    assert "names no version" in rows["mini"]
    assert "missing" in rows["codex"]
    assert "npm install -g @openai/codex" in rows["codex"]
