"""What has landed is handed over as it was asked for, or stays on its branch with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.config import load_settings
from fanfold.errors import FanfoldError
from fanfold.fix import Report, Request, run
from fanfold.testing.fingerprint import contents, fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

UNUSED = "import os\nimport sys\n\nprint(sys.argv)\n"
FIXED = "import sys\n\nprint(sys.argv)\n"


@pytest.fixture
def repository(tmp_path: Path) -> TemporaryRepository:
    """Two files of the same name, each with one finding, and a clean one."""
    return make_repository(tmp_path / "r", {"a.py": UNUSED, "pkg/a.py": UNUSED, "clean.py": "X = 1\n"})


async def fix(repository: TemporaryRepository, *, stage_only: bool = False, apply: bool = False, per: str) -> Report:
    home = repository.root.parent / "home"
    settings = load_settings(repository.root, {"workspaces": home, "tests": "none", "per": per})
    return await run(Request(repository.root, settings, stage_only=stage_only, apply=apply))


def branches(repository: TemporaryRepository) -> list[str]:
    return repository.git("for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()


async def test_each_file_has_a_branch_with_its_change_alone(repository: TemporaryRepository) -> None:
    before = fingerprint(repository.root)
    report = await fix(repository, per="file")
    assert fingerprint(repository.root) == before
    by_file = {task.path: task.branch for task in report.tasks}
    assert by_file == {path: f"fanfold/{report.run_id}/{path}" for path in ("a.py", "pkg/a.py")}
    assert report.branch == f"fanfold/{report.run_id}/all"
    assert set(branches(repository)) == {"main", report.branch, *by_file.values()}
    for path, branch in by_file.items():
        assert repository.git("diff", "--name-only", "main", str(branch)).split() == [path]
        assert repository.git("show", f"{branch}:{path}") == FIXED
        assert repository.git("log", "--format=%s", f"main..{branch}").strip() == f"fix(quality): 1 finding in {path}"
    assert repository.git("diff", "--name-only", "main", report.branch).split() == ["a.py", "pkg/a.py"]


async def test_one_branch_for_all_is_the_default(repository: TemporaryRepository) -> None:
    report = await fix(repository, per="run")
    assert branches(repository) == [f"fanfold/{report.run_id}", "main"]
    assert {task.branch for task in report.tasks} == {None}


async def test_staged_result_is_in_the_index_and_nowhere_committed_on_the_users_branch(
    repository: TemporaryRepository,
) -> None:
    report = await fix(repository, stage_only=True, per="run")
    assert report.staged
    assert not report.applied
    assert report.exit_code == 0
    assert repository.git("rev-parse", "main") == repository.git("rev-parse", "HEAD")
    assert repository.git("rev-parse", "main").strip() == report.base
    assert repository.git("diff", "--cached", "--name-only").split() == ["a.py", "pkg/a.py"]
    assert repository.git("diff", "--name-only") == ""
    assert contents(repository.root)["a.py"] == FIXED.encode()


async def test_a_checkout_that_is_not_clean_is_left_alone(repository: TemporaryRepository) -> None:
    repository.write({"clean.py": "X = 2\n"})
    before = fingerprint(repository.root)
    report = await fix(repository, stage_only=True, per="run")
    assert fingerprint(repository.root) == before
    assert not report.staged
    assert "git read-tree -m -u HEAD" in str(report.not_applied)
    assert report.exit_code == 1
    assert repository.git("show", f"{report.branch}:a.py") == FIXED


def test_staging_and_applying_contradict_each_other(repository: TemporaryRepository) -> None:
    settings = load_settings(repository.root, {})
    with pytest.raises(FanfoldError, match="--stage-only"):
        Request(repository.root, settings, stage_only=True, apply=True)
