"""What a program needs to read, by how it was installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fanfold.process import program_reach, python_reach


def script(path: Path, first: str = "#!/bin/sh") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{first}\n")
    path.chmod(0o755)
    return path


def test_a_program_in_the_home_directory_takes_nothing_of_it_along(tmp_path: Path) -> None:
    home = tmp_path / "home"
    agent = script(home / "bin/agent")
    (home / "lib").mkdir()
    reach = program_reach(agent, home=home)
    assert [one for one in reach if one.is_relative_to(tmp_path)] == [agent]
    assert Path("/bin/sh") in reach


def test_a_linked_program_is_reached_by_each_of_its_names(tmp_path: Path) -> None:
    home = tmp_path / "home"
    real = script(home / ".local/share/agent/versions/2.0")
    link = home / ".local/bin/agent"
    link.parent.mkdir(parents=True)
    link.symlink_to("../share/agent/versions/2.0")
    assert {link, real} <= set(program_reach(link, home=home))
    assert not {home, home / ".local"} & set(program_reach(link, home=home))


def test_a_program_of_node_brings_its_packages_and_its_version_of_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = tmp_path / "home/.nvm/versions/node/v22"
    (version / "lib").mkdir(parents=True)
    script(version / "bin/node")
    package = script(version / "lib/node_modules/@vendor/agent/bin/agent.js", "#!/usr/bin/env node")
    (version / "bin/agent").symlink_to("../lib/node_modules/@vendor/agent/bin/agent.js")
    monkeypatch.setenv("PATH", f"{version / 'bin'}:/usr/bin:/bin")
    reach = set(program_reach(version / "bin/agent", home=tmp_path / "home"))
    assert {version, version / "bin/agent", package, version / "lib/node_modules", version / "bin/node"} <= reach


def test_a_program_of_a_virtual_environment_brings_its_environment_and_that_of_its_python(tmp_path: Path) -> None:
    home, base = tmp_path / "home", tmp_path / "home/.pyenv/versions/3.12"
    python = script(base / "bin/python3.12")
    (base / "lib").mkdir()
    tool = home / ".local/share/pipx/venvs/agent"
    (tool / "bin").mkdir(parents=True)
    (tool / "bin/python").symlink_to(python)
    (tool / "pyvenv.cfg").write_text(f"home = {base / 'bin'}\n")
    script(tool / "bin/agent", f"#!{tool / 'bin/python'}")
    link = home / ".local/bin/agent"
    link.parent.mkdir(parents=True)
    link.symlink_to(tool / "bin/agent")
    assert {link, tool, base, python} <= set(program_reach(link, home=home))


def test_the_running_interpreter_s_installation_is_found() -> None:
    base = Path(sys.base_prefix)
    is_the_systems = base == Path("/usr")  # which every sandbox shows
    assert is_the_systems or base in python_reach(Path(sys.prefix))


def test_nothing_right_below_the_root_is_taken_for_an_installation(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\n")
    assert Path("/usr") not in python_reach(tmp_path)
    assert Path("/") not in python_reach(tmp_path)


def test_interpreters_that_name_each_other_end(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    script(one, f"#!{two}")
    script(two, f"#!{one}")
    assert {one, two} <= set(program_reach(one))
