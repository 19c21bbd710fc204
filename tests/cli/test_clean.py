from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fanfold.cli.clean import remove_leftovers, size
from fanfold.git import Repository, WorkspacePool
from fanfold.testing.repositories import TemporaryRepository, make_repository


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TemporaryRepository:
    repository = make_repository(tmp_path / "project", {"a.py": "x = 1\n" * 10_000})
    monkeypatch.chdir(repository.root)
    monkeypatch.setenv("FANFOLD_FIX_STATE", str(tmp_path / "state"))
    return repository


async def leave_a_workspace(project: TemporaryRepository, home: Path) -> None:
    repository = await Repository.open(project.root)
    async with WorkspacePool(repository, home=home) as pool, pool.lease(repository.head):
        pass


def test_leftovers_are_removed_and_counted(
    project: TemporaryRepository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    asyncio.run(leave_a_workspace(project, home))
    assert remove_leftovers(home) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"Removed 1 working copy from {home}; ")
    assert " freed\n" in told
    assert told.endswith(": 1 working copy\n")
    assert not list(home.rglob("a.py"))
    assert (project.root / "a.py").exists()


async def test_what_is_in_use_is_kept_and_named(
    project: TemporaryRepository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    repository = await Repository.open(project.root)
    async with WorkspacePool(repository, home=home) as pool, pool.lease(repository.head) as workspace:
        assert await asyncio.to_thread(remove_leftovers, home) == 0
        assert (workspace.root / "a.py").exists()
    told = capsys.readouterr().out
    assert told.startswith(f"Nothing to remove in {home}\n")
    assert f"Kept, in use by a run:\n  {home}" in told


def test_nothing_there_is_no_error(
    project: TemporaryRepository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del project
    assert remove_leftovers(tmp_path / "nowhere") == 0
    assert capsys.readouterr().out == f"Nothing to remove in {tmp_path / 'nowhere'}\n"


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB"), (5 << 50, "5120.0 TiB")],
)
def test_sizes_are_told_as_people_say_them(count: int, told: str) -> None:
    assert size(count) == told
