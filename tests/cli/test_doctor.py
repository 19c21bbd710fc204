from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import pytest

from fanfold import __version__
from fanfold.cli import doctor
from fanfold.cli.doctor import TOOLS, Tool, examine
from fanfold.testing.repositories import make_repository

PACKAGES_OF_AGENTS = {"pydantic-ai-slim": "llm", "agent-client-protocol": "acp"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_repository(tmp_path / "project", {"a.py": "x = 1\n"})
    return tmp_path / "project"


def told(root: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = examine(root)
    return code, capsys.readouterr().out


def row(told: str, name: str) -> str:
    return next(line for line in told.splitlines() if line.startswith(f"  {name} "))


def test_healthy_project_is_well(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = told(root, capsys)
    assert code == 0
    assert text.startswith(f"Fanfold {__version__}, Python ")
    assert f"root: {root}" in text
    assert "branch: main at" in text
    assert "git version 2." in row(text, "git")
    assert "ruff " in row(text, "ruff")
    assert row(text, "coverage").split()[1:3] == ["coverage", metadata.version("coverage")]
    assert "interpreter: /" in text
    checkers = text.partition("\nCheckers:\n")[2].partition("\n\n")[0].splitlines()
    versions = {line.split()[0]: line.split()[1:] for line in checkers[1:]}
    assert versions["ruff"][1:2] == ["yes"]
    assert versions["mypy"][0][0].isdigit()
    assert versions["pyright"] == ["missing"]
    assert versions["pytest"][0] == pytest.__version__
    for package in PACKAGES_OF_AGENTS:
        assert row(text, package).split()[:3] == [package, package, metadata.version(package)]
    assert "autofix" in text


def test_a_sandbox_that_works_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "bubblewrap works: agents' programs write in their workspace only" in told(root, capsys)[1]


def test_a_sandbox_that_is_forbidden_is_named_with_its_own_words(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "bwrap"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    code, text = told(root, capsys)
    assert "none: bubblewrap does not work here (bwrap: setting up uid map: Permission denied)" in text
    assert code == 0


def test_every_setting_is_shown_with_its_origin(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "fanfold.toml").write_text('[fix]\njobs = 7\nselect = ["F", "E"]\n')
    monkeypatch.setenv("FANFOLD_FIX_MAX_FILES", "3")
    _, text = told(root, capsys)
    assert row(text, "jobs").split() == ["jobs", "7", "fanfold.toml"]
    assert row(text, "select").split() == ["select", "F", "E", "fanfold.toml"]
    assert row(text, "max_files").split() == ["max_files", "3", "environment", "(FANFOLD_FIX_MAX_FILES)"]
    assert row(text, "max_attempts").split() == ["max_attempts", "3", "default"]


@pytest.mark.parametrize("kind", ["auto", "overlay", "plain"])
@pytest.mark.parametrize("reason", ["", "the kernel said no"])
def test_the_kind_of_workspaces_is_named_with_the_reason(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str, reason: str
) -> None:
    async def tried(_: Path) -> str:
        return reason

    monkeypatch.setattr("fanfold.cli.doctor.why_no_overlays", tried)
    monkeypatch.setenv("FANFOLD_FIX_WORKSPACE_KIND", kind)
    said = row(told(root, capsys)[1], "kind:").strip()
    used = kind if kind != "auto" else "plain" if reason else "overlay"
    why = ", since overlays can't be used: the kernel said no" if reason and kind != "plain" else ""
    assert said == f"kind: {used}{why}"


def test_uncommitted_text_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "a.py").write_text("x = 2\n")
    (root / "b.py").write_text("x = 2\n")
    assert "files with uncommitted text: 2" in told(root, capsys)[1]


def test_missing_tool_says_what_that_means(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "TOOLS", (*TOOLS, Tool("no-such-tool", "nothing is lost")))
    code, text = told(root, capsys)
    assert code == 0
    assert row(text, "no-such-tool").split() == ["no-such-tool", "missing"]
    assert "no-such-tool: nothing is lost" in text


def test_packages_of_agents_that_are_missing_say_how_to_install_them(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name in PACKAGES_OF_AGENTS:
            raise metadata.PackageNotFoundError(name)
        return metadata.version(name)

    monkeypatch.setattr(doctor, "version", version)
    text = told(root, capsys)[1]
    for package, agent in PACKAGES_OF_AGENTS.items():
        assert row(text, package).split() == [package, "missing"]
        assert f"\n  {package}: the agent {agent} needs it: pip install 'fanfold[{agent}]'\n" in text


@pytest.mark.parametrize("there", [True, False])
def test_coverage_is_looked_for_where_the_project_runs(
    root: Path, capsys: pytest.CaptureFixture[str], there: bool
) -> None:
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\n[ "$2" = coverage ] || exit 1\n{"echo Coverage.py 0.0.9" if there else "exit 1"}\n')
    python.chmod(0o755)
    text = told(root, capsys)[1]
    assert row(text, "coverage").split()[1:3] == (["Coverage.py", "0.0.9"] if there else ["missing"])
    assert ("\n  coverage: no report says which changed lines tests run" in text) is not there


def test_tool_that_is_needed_and_missing_is_not_well(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "TOOLS", (*TOOLS, Tool("no-such-tool", "nothing works", needed=True)))
    assert told(root, capsys)[0] == 1


def test_outside_a_repository_it_says_so_and_shows_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = told(tmp_path, capsys)
    assert code == 1
    assert "Repository: can't be used" in text
    assert "hint: " in text
    assert "git version" in text


def test_broken_configuration_is_told_with_its_hint(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "fanfold.toml").write_text("[fix]\njob = 7\n")
    code, text = told(root, capsys)
    assert code == 1
    assert "Unknown key 'job' in fanfold.toml" in text
    assert "hint: did you mean jobs?" in text


def test_program_of_the_project_environment_comes_first(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = root / ".venv" / "bin"
    own.mkdir(parents=True)
    (own / "python").symlink_to("/usr/bin/env")
    (own / "mypy").write_text("#!/bin/sh\necho mypy 0.0.7\n")
    (own / "mypy").chmod(0o755)
    _, text = told(root, capsys)
    assert row(text, "mypy").split() == ["mypy", "mypy", "0.0.7", str(own / "mypy")]
    assert f"environment: {root / '.venv'}" in text


def test_secret_in_a_setting_is_not_shown(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = "ghp_" + "a1B2" * 9
    (root / "fanfold.toml").write_text(f'[fix]\ntest_command = "run --token {token}"\n')
    assert token not in told(root, capsys)[1]


def test_runtime_that_runs_branches_is_named(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FANFOLD_FIX_RUNTIME")
    assert row(told(root, capsys)[1], "runtime").split()[1:] == ["auto,", "which", "is", "langgraph", "here", "default"]
    (root / "fanfold.toml").write_text("[fix]\nruntime = 'native'\n")
    _, text = told(root, capsys)
    assert row(text, "runtime").split() == ["runtime", "native", "fanfold.toml"]
    assert row(text, "langgraph").split()[1] == "langgraph"
