"""`.ci/environment`, which every `make` target stands on: what it says when something is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TOOLS = ("sh", "cmp", "cp", "dirname", "sed", "touch")
Made = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def make(checkout: Path, tmp_path: Path) -> Made:
    """Run the script in a project of its own, on a machine with the given programs and no network."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(checkout / ".ci" / "environment", tmp_path / ".ci")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "nothing"\n')
    programs = tmp_path / "programs"
    programs.mkdir()

    def run(*, scripts: dict[str, str], **variables: str) -> subprocess.CompletedProcess[str]:
        for name in TOOLS:
            where = shutil.which(name)
            assert where
            if not (programs / name).exists():
                (programs / name).symlink_to(where)
        for name, text in scripts.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        offline = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
        environment = {"PATH": str(programs), "HOME": str(tmp_path), **offline, **variables}
        argv = ["sh", str(tmp_path / ".ci" / "environment")]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)

    return run


GIT = {"git": "echo git version 2.39.5"}
PYTHON = {"python3": f'exec "{sys.executable}" "$@"'}
OLD_PYTHON = {"python3": "exit 1"}


def test_missing_git_is_named(make: Made) -> None:
    done = make(scripts=PYTHON)
    assert done.returncode == 2
    assert "error: git is not installed" in done.stderr
    assert "hint: " in done.stderr


def test_old_git_is_named(make: Made) -> None:
    done = make(scripts=PYTHON | {"git": "echo git version 2.30.2"})
    assert done.returncode == 2
    assert "error: git 2.30 is too old" in done.stderr


def test_missing_python_is_named(make: Made) -> None:
    done = make(scripts=GIT | OLD_PYTHON)
    assert done.returncode == 2
    assert "error: no Python 3.11 or newer found" in done.stderr
    assert "hint: " in done.stderr


def test_python_without_venv_is_named(make: Made) -> None:
    done = make(scripts=GIT | {"python3": f'case "$2" in *ensurepip*) exit 1;; esac; exec "{sys.executable}" "$@"'})
    assert done.returncode == 2
    assert "can't make a virtual environment" in done.stderr
    assert "python3-venv" in done.stderr


def test_without_network_what_is_missing_is_said_and_no_stamp_is_left(make: Made, tmp_path: Path) -> None:
    stamp = tmp_path / ".venv" / ".fanfold-pyproject.toml"
    first = make(scripts=GIT | PYTHON)
    assert first.returncode == 2
    assert "could not be installed" in first.stderr
    assert "PIP_INDEX_URL" in first.stderr
    assert not stamp.exists()

    program = tmp_path / ".venv" / "bin" / "fanfold"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    stamp.write_text("before there was a new dependency")
    later = make(scripts=GIT | PYTHON)
    assert later.returncode == 2
    assert "could not be installed" in later.stderr
    assert stamp.read_text() == "before there was a new dependency"


def test_second_time_needs_no_network(make: Made, tmp_path: Path) -> None:
    made = tmp_path / ".venv" / "bin"
    made.mkdir(parents=True)
    (made / "fanfold").write_text("#!/bin/sh\n")
    (made / "fanfold").chmod(0o755)
    shutil.copy(tmp_path / "pyproject.toml", tmp_path / ".venv" / ".fanfold-pyproject.toml")
    done = make(scripts=GIT | OLD_PYTHON)
    assert done.returncode == 0, done.stderr
