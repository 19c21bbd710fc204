"""Holding the line as a user does it: write a baseline once, fix what is new from then on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fanfold.testing.repositories import TemporaryRepository, make_repository

Typed = Callable[..., subprocess.CompletedProcess[str]]
Fix = Callable[..., subprocess.CompletedProcess[str]]

LEGACY = "import os\nimport sys\n"
GROWN = "import os\nimport re\nimport sys\n"


@pytest.fixture
def repository(tmp_path: Path) -> TemporaryRepository:
    return make_repository(tmp_path / "project", {"a.py": LEGACY, "sub/b.py": LEGACY})


@pytest.fixture
def fix(repository: TemporaryRepository, typed: Typed) -> Fix:
    def run(*arguments: str, below: str = ".") -> subprocess.CompletedProcess[str]:
        home = repository.root.parent / "copies"
        return typed(repository.root / below, "fix", "--workspaces", str(home), "--tests", "none", *arguments)

    return run


def result(repository: TemporaryRepository, path: str) -> str:
    (branch,) = repository.git("for-each-ref", "--format=%(refname)", "refs/heads/fanfold").split()
    return repository.git("show", f"{branch}:{path}")


def test_a_baseline_is_written_once_and_what_is_new_is_fixed_from_then_on(
    repository: TemporaryRepository, fix: Fix
) -> None:
    written = fix("--write-baseline", "known.json")
    assert (written.returncode, written.stdout) == (0, "known.json: 4 findings in 2 files\n")
    assert fix("--baseline", "known.json").returncode == 0
    repository.commit({"a.py": GROWN})
    done = fix("--baseline", "../known.json", below="sub")
    assert done.returncode == 0, done.stderr
    assert "4 findings in 2 files: in the baseline" in done.stdout
    assert result(repository, "a.py") == LEGACY
    assert result(repository, "sub/b.py") == LEGACY


def test_writing_takes_in_what_an_older_baseline_and_limits_would_leave_out(fix: Fix) -> None:
    assert fix("--write-baseline", "known.json", "--max-findings", "1", "sub").stdout.endswith("2 findings in 1 file\n")
    again = fix("--write-baseline", "known.json", "--baseline", "known.json", "--only-new=HEAD")
    assert again.stdout == "known.json: 4 findings in 2 files\n", again.stderr


def test_no_baseline_is_written_where_something_could_not_be_checked(repository: TemporaryRepository, fix: Fix) -> None:
    repository.commit({"mypy.ini": "[mypy]\nplugins = nowhere\n"})
    done = fix("--write-baseline", "known.json", "--check", "ruff", "--check", "mypy")
    assert done.returncode == 2
    assert "no baseline was written" in done.stderr
    assert not (repository.root / "known.json").exists()


@pytest.mark.parametrize("option", ["--apply", "--stage-only", "--diff", "--resume"])
def test_writing_a_baseline_goes_with_nothing_that_needs_fixes(fix: Fix, option: str) -> None:
    done = fix("--write-baseline", "known.json", option)
    assert done.returncode == 2
    assert f"--write-baseline and {option} contradict each other" in done.stderr


def test_only_what_the_branch_brought_is_fixed(repository: TemporaryRepository, fix: Fix) -> None:
    repository.git("checkout", "-q", "-b", "feature")
    repository.commit({"a.py": GROWN, "sub/b.py": GROWN})
    done = fix("--only-new", "sub")
    assert done.returncode == 0, done.stderr
    assert "not new since main" in done.stdout
    assert result(repository, "sub/b.py") == LEGACY
    assert result(repository, "a.py") == GROWN


def test_a_broken_baseline_is_the_users_mistake(repository: TemporaryRepository, fix: Fix) -> None:
    (repository.root / "known.json").write_text("{}")
    done = fix("--baseline", "known.json")
    assert done.returncode == 2
    assert "hint: it may be what --write-baseline writes" in done.stderr
