from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fanfold.process import find_program


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "own/bin/python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path


def test_projects_environment_comes_before_own_before_path(homes: Path) -> None:
    on_path = program(homes / "path/tool")
    assert find_program("tool", environment=homes / "venv") == on_path
    own = program(homes / "own/bin/tool")
    assert find_program("tool", environment=homes / "venv") == own
    projects = program(homes / "venv/bin/tool")
    assert find_program("tool", environment=homes / "venv") == projects
    assert find_program("tool") == own


def test_missing_program_is_none(homes: Path) -> None:
    (homes / "own/bin").mkdir(parents=True)
    (homes / "own/bin/tool").write_text("not executable")
    assert find_program("tool", environment=homes / "venv") is None


def test_symbolic_links_stay(homes: Path) -> None:
    real = program(homes / "real/tool")
    link = homes / "own/bin/tool"
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    assert find_program("tool") == link


def test_path_is_only_checked(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(homes)
    tool = program(homes / "here/tool")
    assert find_program("here/tool") == tool
    assert find_program(str(homes / "nowhere/tool")) is None


@pytest.mark.usefixtures("homes")
def test_interpreter_that_does_not_know_itself_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    assert find_program("tool") is None
