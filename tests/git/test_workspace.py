"""Leases: exactly the commit, whatever the one before did."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from fanfold.git import Change, Repository, Workspace, WorkspaceError, WorkspacePool
from fanfold.git.pool import WorkspaceKind
from fanfold.testing.fingerprint import contents, fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

pytestmark = pytest.mark.usefixtures("untouched")
Base = dict[str, str | bytes]
Lease = Callable[..., AbstractAsyncContextManager[Workspace]]


def summary(change: Change) -> dict[str, str]:
    """Each changed path with its status and new mode."""
    return {path.path: f"{path.status} {path.new_mode}" for path in change.paths}


def agent(workspace: Workspace, command: str) -> str:
    """Run a shell command as an agent would: in the tree, with the caller's environment."""
    identity = {f"GIT_{role}_{part}": "agent@x" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    done = subprocess.run(
        command,
        shell=True,
        cwd=workspace.root,
        env={**os.environ, **identity},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_lease_is_exactly_the_commit(workspace: Workspace, base: Base) -> None:
    assert contents(workspace.root) == base
    assert agent(workspace, "git status --porcelain") == ""
    assert agent(workspace, "git rev-parse HEAD").strip() == workspace.base


WRECKS = {
    "edited": "echo x >> a.py; echo y > pkg/mod.py",
    "edited to the same size and time": "cp -p b.py old; printf 'b = 2\\n' > b.py; touch -r old b.py; rm old",
    "deleted": "rm a.py; rm -r pkg",
    "added": "echo > new.py; mkdir -p x/y; echo > x/y/z; mkdir -p empty/er",
    "ignored": "mkdir build; echo > build/out; echo > pkg/mod.pyc",
    "mode": "chmod +x a.py; chmod 600 b.py",
    "read-only folders": "mkdir -p locked/in; echo > locked/in/f; chmod 500 locked/in locked; chmod 500 pkg",
    # Git compares times in seconds; within one it finds an unreadable file only where it may not read it.
    "read-only files": "sleep 1.1; chmod 000 a.py; echo > ro; chmod 400 ro",
    "nested repository": "git init -q sub; cd sub; echo > f; git add f; git commit -qm x",
    "repository in a tracked folder": "git init -q pkg",
    "pipe": "mkfifo pipe; rm a.py; mkfifo a.py; mkdir build; mkfifo build/p",
    "folder for file": "rm a.py; mkdir a.py; echo > a.py/x",
    "file for folder": "rm -r pkg; echo > pkg",
    "link for folder": "cp -r pkg /tmp/$$; rm -r pkg; mkdir elsewhere; ln -s elsewhere pkg",
    "link out for folder": "rm -r pkg; ln -s / pkg",
    "link for file": "rm a.py; ln -s b.py a.py",
    "commits": "echo z > a.py; git commit -qam agent; git rm -q b.py; git commit -qm more",
    "no git directory": "rm -rf .git; echo > new",
    "git directory as a file": "rm -rf .git; echo gitdir: /nowhere > .git",
    "strange names": "echo > 'a b'; echo > \"$(printf 'new\\nline')\"; echo > -dash; echo > \"$(printf '\\377')\"",
    "hard link": "ln a.py other; echo x >> other",
    "many levels": "mkdir -p $(printf 'd/%.0s' $(seq 300)); echo > $(printf 'd/%.0s' $(seq 300))f",
}


@pytest.mark.parametrize("wreck", WRECKS.values(), ids=WRECKS)
async def test_nothing_of_a_lease_is_left_for_the_next_or_after_a_reset(
    pool: WorkspacePool, wreck: str, base: Base
) -> None:
    async with pool.lease(pool.repository.head) as workspace:
        agent(workspace, wreck)
        await workspace.reset()
        assert contents(workspace.root) == base
        assert (await workspace.capture()).empty
        agent(workspace, wreck)
        slot = workspace.root
    async with pool.lease(pool.repository.head) as workspace:
        assert workspace.root == slot
        assert contents(workspace.root) == base
        assert agent(workspace, "git status --porcelain --ignored") == ""
        assert agent(workspace, "git log --oneline | wc -l").strip() == "1"
        assert (workspace.root / "a.py").stat().st_mode & 0o777 == (
            pool.repository.root / "a.py"
        ).stat().st_mode & 0o777
        assert (await workspace.capture()).empty


REACHES = {
    "commit": "echo 1 > a.py; git add -A; git commit -qm x",
    "reset": "echo 1 > a.py; git add -A; git reset -q --hard",
    "stash": "echo 1 > a.py; git stash -q; git stash clear",
    "refs": "git update-ref refs/heads/main $(git commit-tree -m x HEAD^{tree}); git branch o; git tag t",
    "config": "git config core.fsmonitor 'touch /tmp/never'; git config user.name Mallory",
    "gc": "git gc -q --prune=now --aggressive; git repack -adq; git prune",
    "worktree": "git worktree add -q ../elsewhere",
    "hooks": "printf '#!/bin/sh\\n' > .git/hooks/pre-commit",
    "deleted": "rm -rf .git",
}


@pytest.mark.parametrize("command", REACHES.values(), ids=REACHES)
async def test_no_git_command_of_an_agent_reaches_the_user(
    user: TemporaryRepository, workspace: Workspace, command: str
) -> None:
    objects = sorted(user.git("cat-file", "--batch-all-objects", "--batch-check").splitlines())
    before = fingerprint(user.root)
    agent(workspace, command)
    assert fingerprint(user.root) == before
    assert sorted(user.git("cat-file", "--batch-all-objects", "--batch-check").splitlines()) == objects


async def test_git_without_a_git_directory_finds_no_repository_further_up(workspace: Workspace, tmp_path: Path) -> None:
    make_repository(tmp_path)
    agent(workspace, "rm -rf .git")
    assert agent(workspace, "git add -A 2> /dev/null || echo failed") == "failed\n"


async def test_programs_that_an_agent_configures_never_run_for_us(workspace: Workspace, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    for key in ("core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "diff.external", "core.pager"):
        agent(workspace, f"git config {key} 'touch {trap}; cat'")
    agent(workspace, "echo '*.py filter=evil' > .gitattributes; echo 1 > a.py")
    hook = workspace.root / ".git/hooks/post-index-change"
    hook.write_text(f"#!/bin/sh\ntouch {trap}\n")
    hook.chmod(0o755)
    await workspace.hunks("a.py")
    assert "a.py" in summary(await workspace.capture())
    await workspace.clean_ignored()
    await workspace.reset()
    assert not trap.exists()


async def test_an_agents_repository_inside_the_tree_runs_nothing(workspace: Workspace, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    agent(
        workspace,
        f"git init -q sub; cd sub; echo > f; git add f; git commit -qm x; git config core.fsmonitor 'touch {trap}'",
    )
    await workspace.capture()
    await workspace.hunks("sub")
    await workspace.reset()
    assert not trap.exists()


async def test_the_users_hooks_do_not_run(user: TemporaryRepository, lease: Lease, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "post-checkout", "reference-transaction", "pre-commit"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (hooks / name).chmod(0o755)
    user.git("config", "core.hooksPath", str(hooks))
    async with lease(user) as workspace:
        agent(workspace, "echo 1 > a.py")
        await workspace.capture()
    assert not (tmp_path / "ran").exists()
    user.git("config", "--unset", "core.hooksPath")


async def test_cache_outlives_a_lease(pool: WorkspacePool) -> None:
    async with pool.lease(pool.repository.head) as workspace:
        (workspace.cache / "kept").write_text("x")
    async with pool.lease(pool.repository.head) as workspace:
        assert (workspace.cache / "kept").read_text() == "x"


async def test_a_lease_moves_to_another_commit(user: TemporaryRepository, pool: WorkspacePool, base: Base) -> None:
    tree = user.git("rev-parse", "HEAD^{tree}").strip()
    other = user.git("commit-tree", "-m", "empty", user.git("mktree").strip()).strip()
    for commit in (pool.repository.head, other, pool.repository.head):
        async with pool.lease(commit) as workspace:
            assert contents(workspace.root) == ({} if commit == other else base)
            assert agent(workspace, "git rev-parse HEAD").strip() == commit
            assert (await workspace.capture()).base == commit
    async with pool.lease(other) as workspace:
        await workspace.reset(tree)
        assert contents(workspace.root) == base
        assert (await workspace.capture()).empty


async def test_ignored_and_hidden_files_go_and_work_stays(workspace: Workspace, base: Base) -> None:
    agent(
        workspace,
        "mkdir build new; echo > build/x; echo > pkg/mod.pyc; echo > new/file.py; echo 1 > a.py; rm b.py;"
        "mkfifo pipe; git init -q pkg; mkdir hidden; echo '*' > hidden/.gitignore; echo > hidden/evil.py; mkdir -p e/f",
    )
    await workspace.clean_ignored()
    found = contents(workspace.root)
    assert sorted(found) == sorted({*base, "new/file.py"} - {"b.py"})
    assert found["a.py"] == b"1\n"
    assert summary(await workspace.capture()) == {"a.py": "M 100644", "b.py": "D 000000", "new/file.py": "A 100644"}


async def test_a_broken_slot_is_made_anew(pool: WorkspacePool, base: Base) -> None:
    async with pool.lease(pool.repository.head) as workspace:
        slot = workspace.root.parent
        (slot / "index").write_bytes(b"nonsense")
        (slot / "index.lock").touch()
    async with pool.lease(pool.repository.head) as workspace:
        assert workspace.root.parent == slot
        assert contents(workspace.root) == base
    (slot / "index").unlink()
    async with pool.lease(pool.repository.head) as workspace:
        assert contents(workspace.root) == base
        assert (await workspace.capture()).empty


async def test_a_deleted_slot_fails_its_own_lease_only(pool: WorkspacePool, base: Base) -> None:
    async with pool.lease(pool.repository.head) as workspace:
        subprocess.run(["rm", "-rf", workspace.root.parent], check=False)  # what is mounted there stays
        with pytest.raises(WorkspaceError):
            await workspace.clean_ignored()
    for _ in range(2):
        async with pool.lease(pool.repository.head) as workspace:
            assert contents(workspace.root) == base


@pytest.mark.parametrize(
    "wreck",
    [
        "rm -r ../cache; touch ../cache",
        "rm ../index; mkdir -p ../index/x",
        "rm ../.git; mkdir ../.git",
        "cd ..; rm -r tree; touch tree",
        "rm ../lock; mkdir ../lock",
        "chmod 000 ../cache ../lock ..",
    ],
)
async def test_a_wrecked_slot_does_not_stop_later_runs(
    user: TemporaryRepository, lease: Lease, base: Base, wreck: str
) -> None:
    async with lease(user) as workspace:
        agent(workspace, wreck)
    async with lease(user) as workspace:
        assert contents(workspace.root) == base


async def test_a_slot_that_can_not_be_entered_is_opened_again(
    user: TemporaryRepository, lease: Lease, base: Base
) -> None:
    async with lease(user) as workspace:
        slot = workspace.root.parent
        (slot / "lock").chmod(0)
        slot.chmod(0)
    async with lease(user) as workspace:
        assert contents(workspace.root) == base
        assert workspace.root.parent == slot


async def test_what_is_put_beside_the_tree_goes(pool: WorkspacePool) -> None:
    async with pool.lease(pool.repository.head) as workspace:
        for folder in workspace.root.parents[:2]:
            (folder / "ruff.toml").write_text("lint.ignore = ['ALL']\n")
        await workspace.clean_ignored()
        assert not list(workspace.root.parents[1].rglob("ruff.toml"))


async def test_a_slot_left_by_another_process_is_clean(user: TemporaryRepository, lease: Lease, base: Base) -> None:
    async with lease(user) as workspace:
        first = workspace.root
        agent(workspace, "echo 1 > a.py; rm b.py; echo > new")
        # Leaving without a clean end: a cancelled or killed run.
        with pytest.raises(KeyError):
            async with lease(user):
                raise KeyError
    async with lease(user) as workspace:
        assert workspace.root == first
        assert contents(workspace.root) == base


async def test_a_closed_pool_leaves_clean_trees_or_none(
    user: TemporaryRepository, lease: Lease, base: Base, kind: WorkspaceKind
) -> None:
    async with lease(user) as workspace:
        agent(workspace, "echo 1 > a.py; mkdir build; echo > build/big")
    if kind == "plain":
        assert contents(workspace.root) == base
    else:
        assert contents(workspace.root) == {}
        assert not (workspace.root.parent / "layers").exists()


async def test_home_inside_the_repository_is_refused(user: TemporaryRepository) -> None:
    pool = WorkspacePool(await Repository.open(user.root), home=user.root / "build")
    with pytest.raises(WorkspaceError, match="inside the repository"):
        async with pool:
            pass


async def test_home_that_cannot_be_written_is_an_error_with_a_hint(user: TemporaryRepository, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with WorkspacePool(await Repository.open(user.root), home=tmp_path / "file") as pool:
        with pytest.raises(WorkspaceError, match="can't make a workspace") as error:
            async with pool.lease(pool.repository.head):
                pass
    assert error.value.hint


@pytest.mark.parametrize("commit", ["0" * 40, "HEAD", "--help", "abc"])
async def test_what_is_no_commit_is_an_error(pool: WorkspacePool, commit: str, base: Base) -> None:
    with pytest.raises(WorkspaceError, match=commit):
        async with pool.lease(commit):
            pass
    async with pool.lease(pool.repository.head) as workspace:
        assert contents(workspace.root) == base


async def test_a_lease_cancelled_while_it_is_made_leaves_the_slot_usable(pool: WorkspacePool, base: Base) -> None:
    async def hold() -> None:
        async with pool.lease(pool.repository.head):
            await asyncio.sleep(3600)

    for passes in range(0, 60, 3):
        task = asyncio.create_task(hold())
        for _ in range(passes):
            await asyncio.sleep(0.0005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with pool.lease(pool.repository.head) as workspace:
        assert contents(workspace.root) == base
        assert (await workspace.capture()).empty
