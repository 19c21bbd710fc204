"""What is pinned outlives `git gc`, and leaves nothing behind when it is let go."""

from __future__ import annotations

import asyncio

import pytest

from fanfold.git import GitError, Repository, WorkspacePool
from fanfold.git.pin import Pins, drop_pin, pins
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository


async def changed(pool: WorkspacePool, number: int) -> str:
    """A tree that no ref names."""
    async with pool.lease(pool.repository.head) as workspace:
        (workspace.root / "b.py").write_text(f"b = {number}\n")
        return (await workspace.capture()).tree


def gc(user: TemporaryRepository) -> None:
    user.git("reflog", "expire", "--expire=now", "--all")
    user.git("gc", "-q", "--prune=now")


def there(user: TemporaryRepository, tree: str) -> bool:
    return user.git("cat-file", "-t", f"{tree}:b.py", check=False).strip() == "blob"


async def test_what_is_pinned_outlives_gc(user: TemporaryRepository, pool: WorkspacePool) -> None:
    trees = [await changed(pool, number) for number in range(2, 8)]
    async with Pins(pool.repository, pool.repository.head, "run") as first:
        await asyncio.gather(*(first.keep(tree) for tree in trees[:3]))
    async with Pins(pool.repository, pool.repository.head, "run") as second:
        await asyncio.gather(*(second.keep(tree) for tree in trees[3:5]))
        gc(user)
        assert [there(user, tree) for tree in trees] == [True] * 5 + [False]
        assert list(await pins(pool.repository)) == ["refs/fanfold/pins/run"]
        await second.drop()
    assert await pins(pool.repository) == {}
    gc(user)
    assert [there(user, tree) for tree in trees] == [False] * 6


async def test_base_is_pinned_from_the_beginning(user: TemporaryRepository) -> None:
    repository = await Repository.open(user.root)
    branch = user.commit({"b.py": "b = 7\n"})
    user.git("reset", "-q", "--hard", repository.head)
    async with Pins(repository, branch, "run") as pinned:
        user.git("update-ref", "-d", "ORIG_HEAD")
        gc(user)
        assert user.git("cat-file", "-t", branch).strip() == "commit"
        await pinned.drop()


async def test_nothing_is_left_of_a_pin(user: TemporaryRepository) -> None:
    user.git("config", "core.logAllRefUpdates", "always")
    repository = await Repository.open(user.root)
    before = fingerprint(user.root)
    async with Pins(repository, repository.head, "run") as pinned:
        await pinned.keep(user.git("rev-parse", "HEAD^{tree}").strip())
        await pinned.drop()
        await pinned.drop()
    assert fingerprint(user.root) == before
    assert not list((user.root / ".git").rglob("refs/fanfold/pins/*"))


async def test_pins_of_two_runs_are_apart(user: TemporaryRepository, pool: WorkspacePool) -> None:
    tree = await changed(pool, 1)
    async with (
        Pins(pool.repository, pool.repository.head, "one") as one,
        Pins(pool.repository, pool.repository.head, "two") as two,
    ):
        await asyncio.gather(one.keep(tree), two.keep(tree))
        await one.drop()
        gc(user)
        assert there(user, tree)
        await two.drop()


async def test_only_own_refs_are_dropped(user: TemporaryRepository) -> None:
    repository = await Repository.open(user.root)
    with pytest.raises(GitError, match="no ref of Fanfold"):
        await drop_pin(repository, "refs/heads/main")
    assert user.git("rev-parse", "main").strip() == repository.head
