"""`clean` removes what nobody uses and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.git import Repository, WorkspacePool, clean
from fanfold.git.pool import WorkspaceKind
from fanfold.git.slot import hold
from fanfold.testing.repositories import TemporaryRepository


async def test_unused_workspaces_go_and_used_ones_stay(
    user: TemporaryRepository, tmp_path: Path, kind: WorkspaceKind
) -> None:
    home = tmp_path / "home"
    repository = await Repository.open(user.root)
    async with (
        WorkspacePool(repository, home=home, kind=kind) as pool,
        pool.lease(repository.head) as first,
        pool.lease(repository.head) as second,
    ):
        slots = {first.root.parent, second.root.parent}
    async with WorkspacePool(repository, home=home, kind=kind) as pool, pool.lease(repository.head) as workspace:
        used = workspace.root.parent
        cleaned = await clean(home)
        assert set(cleaned.removed) == slots - {used}
        shared = () if kind == "plain" else (used.with_name("snapshot-0"),)
        assert cleaned.in_use == (used, *shared)
        assert cleaned.freed_bytes > 0
        assert (workspace.root / "a.py").exists()
        assert (await workspace.capture()).empty
    cleaned = await clean(home)
    assert cleaned.removed == (used, *shared)
    assert list(home.iterdir()) == []
    async with WorkspacePool(repository, home=home, kind=kind) as pool, pool.lease(repository.head) as workspace:
        assert (workspace.root / "a.py").exists()


async def test_what_is_not_a_workspace_stays(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("project/slot-1/file", "project/lock", "a/b/lock", "slot-0/lock", "a/slot-0/tree/x"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    (home / "a/slot-7").symlink_to(home / "project")
    before = sorted(home.rglob("*"))
    assert (await clean(home)).removed == ()
    assert sorted(home.rglob("*")) == before


async def test_nothing_to_clean(tmp_path: Path) -> None:
    cleaned = await clean(tmp_path / "absent")
    assert (cleaned.removed, cleaned.in_use, cleaned.freed_bytes) == ((), (), 0)


def test_slot_below_a_link_to_nowhere_is_an_error_and_no_endless_search(tmp_path: Path) -> None:
    (tmp_path / "home").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match="exists"):
        hold(tmp_path / "home" / "slot-0")
