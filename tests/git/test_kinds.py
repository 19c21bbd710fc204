"""The whole way, from lease to landing, over every kind of repository that git knows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fanfold.git import Repository, ResultBranch, WorkspacePool
from fanfold.git.pool import WorkspaceKind
from fanfold.testing.fingerprint import contents, fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

FILES = {"a.py": "a = 1\n", "pkg/b.py": "b = 1\n", "pkg/c d.py": "c = 1\n", "left/out.py": "x\n"}

Setup = Callable[[Path], TemporaryRepository]


def plain(where: Path) -> TemporaryRepository:
    return make_repository(where / "user", dict(FILES))


def configured(**settings: str) -> Setup:
    def make(where: Path) -> TemporaryRepository:
        user = plain(where)
        for key, value in settings.items():
            user.git("config", key.replace("_", "."), value)
        return user

    return make


def index_version_4(where: Path) -> TemporaryRepository:
    user = configured(index_version="4", feature_manyFiles="true")(where)
    user.git("update-index", "--index-version", "4")
    return user


def split_index(where: Path) -> TemporaryRepository:
    user = configured(core_splitIndex="true", splitIndex_maxPercentChange="0")(where)
    user.git("update-index", "--split-index")
    return user


def sha256(where: Path) -> TemporaryRepository:
    root = where / "user"
    root.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main", "--object-format=sha256", str(root)], check=True)
    return make_repository(root, dict(FILES))


def sparse(where: Path) -> TemporaryRepository:
    user = plain(where)
    user.git("sparse-checkout", "set", "--no-cone", "/*", "!/left")
    return user


def sparse_index(where: Path) -> TemporaryRepository:
    user = plain(where)
    user.git("sparse-checkout", "set", "--cone", "--sparse-index", "pkg")
    return user


def clone_of(*options: str) -> Setup:
    def make(where: Path) -> TemporaryRepository:
        origin = plain(where / "origin")
        origin.commit({"a.py": "a = 1\n# second\n"})
        origin.git("config", "uploadpack.allowFilter", "true")
        origin.git("clone", "-q", *options, f"file://{origin.root}", str(where / "user"))
        user = TemporaryRepository(where / "user")
        user.git("config", "user.name", "Ada")
        user.git("config", "user.email", "ada@example.com")
        return user

    return make


def with_alternates(where: Path) -> TemporaryRepository:
    origin = plain(where / "origin")
    origin.git("clone", "-q", "--shared", str(origin.root), str(where / "middle"))
    origin.git("clone", "-q", "--shared", str(where / "middle"), str(where / "user"))
    user = TemporaryRepository(where / "user")
    (user.root / ".git/objects/info/alternates").write_text("../../../middle/.git/objects\n")
    user.git("config", "user.name", "Ada")
    user.git("config", "user.email", "ada@example.com")
    return user


def linked_worktree(where: Path) -> TemporaryRepository:
    user = plain(where)
    user.git("worktree", "add", "-q", "-b", "side", str(where / "linked"))
    return TemporaryRepository(where / "linked")


def submodule(where: Path) -> TemporaryRepository:
    inner = plain(where)
    outer = make_repository(where / "outer", {"top.py": "x\n"})
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.root), "inner")
    outer.commit(message="with a submodule")
    user = TemporaryRepository(outer.root / "inner")
    user.git("config", "user.name", "Ada")
    user.git("config", "user.email", "ada@example.com")
    return user


def with_submodule(where: Path) -> TemporaryRepository:
    submodule(where)
    user = TemporaryRepository(where / "outer")
    user.commit({name: text for name, text in FILES.items() if not name.startswith("inner")})
    return user


def core_worktree(where: Path) -> TemporaryRepository:
    user = plain(where)
    elsewhere = where / "elsewhere"
    (user.root / ".git").rename(where / "repo.git")
    user.root.rename(elsewhere)
    (elsewhere / ".git").write_text(f"gitdir: {where / 'repo.git'}\n")
    moved = TemporaryRepository(elsewhere)
    moved.git("config", "core.worktree", str(elsewhere))
    return moved


def strange_path(where: Path) -> TemporaryRepository:
    return plain(where / 'a "strange" pläce; with $(things)\nin it')


def mid_merge(where: Path) -> TemporaryRepository:
    user = plain(where)
    user.git("switch", "-q", "-c", "side")
    user.commit({"a.py": "side\n"})
    user.git("switch", "-q", "main")
    user.commit({"a.py": "main\n"})
    user.git("merge", "side", check=False)
    assert "UU a.py" in user.git("status", "--porcelain")
    return user


def dirty(where: Path) -> TemporaryRepository:
    user = plain(where)
    user.write({"a.py": "stashed\n"})
    user.git("stash", "-q")
    user.write({"a.py": "staged\n", "new.py": "staged\n"})
    user.git("add", "a.py", "new.py")
    user.git("rm", "-q", "left/out.py")
    user.write({"a.py": "edited\n", "untracked.py": "x\n", "pkg/b.py": "edited\n"})
    return user


def detached(where: Path) -> TemporaryRepository:
    user = plain(where)
    user.commit({"a.py": "two\n"})
    user.git("switch", "-q", "--detach", "HEAD^")
    return user


def replaced(where: Path) -> TemporaryRepository:
    user = plain(where)
    new = user.commit({"a.py": "two\n"})
    user.git("replace", "--graft", new)
    return user


KINDS: dict[str, Setup] = {
    "plain": plain,
    "index version 4": index_version_4,
    "split index": split_index,
    "sha256": sha256,
    "diff.noprefix": configured(diff_noprefix="true", diff_mnemonicPrefix="true", diff_renames="copies"),
    "diff.external": configured(diff_external="false"),
    "autocrlf": configured(core_autocrlf="true", core_safecrlf="true"),
    "eol": configured(core_eol="crlf"),
    "no file modes": configured(core_fileMode="false"),
    "stat ignored": configured(core_ignoreStat="true", core_checkStat="minimal", core_trustctime="false"),
    "fsmonitor": configured(core_fsmonitor="false; touch ran"),
    "untracked cache": configured(core_untrackedCache="true", status_showUntrackedFiles="no"),
    "colours and columns": configured(color_ui="always", column_ui="always", core_quotePath="false"),
    "sparse": sparse,
    "sparse index": sparse_index,
    "shallow": clone_of("--depth=1"),
    "partial": clone_of("--filter=blob:none"),
    "partial without trees": clone_of("--filter=tree:0"),
    "alternates": with_alternates,
    "linked worktree": linked_worktree,
    "submodule": submodule,
    "with a submodule": with_submodule,
    "core.worktree": core_worktree,
    "strange path": strange_path,
    "mid-merge": mid_merge,
    "dirty": dirty,
    "detached": detached,
    "replaced": replaced,
}


@pytest.mark.parametrize("setup", KINDS.values(), ids=KINDS)
async def test_lease_capture_and_landing_leave_the_user_alone(
    tmp_path: Path, setup: Setup, kind: WorkspaceKind
) -> None:
    where = tmp_path / "where"
    where.mkdir()
    user = setup(where)
    before = fingerprint(user.root)
    repository = await Repository.open(user.root)
    assert repository.head == user.git("rev-parse", "HEAD").strip()
    assert repository.root.resolve() == user.root.resolve()
    tip = await _way_through(repository, tmp_path / "home", kind)
    assert fingerprint(user.root) == before
    changed = user.git("diff-tree", "-r", "--name-status", repository.head, tip)
    assert changed.splitlines() == ["M\ta.py", "A\tnew/n.py", "D\tpkg/b.py"]
    assert user.git("show", f"{tip}:a.py") == "fixed\n"
    user.git("fsck", "--no-dangling", "--connectivity-only")


async def _way_through(repository: Repository, home: Path, kind: WorkspaceKind) -> str:
    """Two leases and two landings, with an agent that uses git."""
    async with (
        WorkspacePool(repository, home=home, kind=kind) as pool,
        ResultBranch(repository, repository.head, "fanfold/run") as branch,
    ):
        for step in (1, 2):
            async with pool.lease(branch.tip) as workspace:
                assert (await workspace.capture()).empty
                assert _agent(workspace.root, "status", "--porcelain") == ""
                _agent(workspace.root, "log", "--oneline")
                if step == 1:
                    (workspace.root / "a.py").write_text("fixed\n")
                else:
                    (workspace.root / "new").mkdir()
                    (workspace.root / "new/n.py").write_text("new\n")
                    (workspace.root / "pkg/b.py").unlink()
                    assert await workspace.hunks("pkg/b.py")
                await workspace.clean_ignored()
                _agent(workspace.root, "add", "-A")
                change = await workspace.capture()
            await branch.land(change, "fix")
        async with pool.lease(branch.tip) as workspace:
            assert "left/out.py" in contents(workspace.root)
        return branch.tip


def _agent(root: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_submodules_folder_is_empty_and_no_change(tmp_path: Path, kind: WorkspaceKind) -> None:
    user = with_submodule(tmp_path)
    repository = await Repository.open(user.root)
    assert repository.submodules == ("inner",)
    async with (
        WorkspacePool(repository, home=tmp_path / "home", kind=kind) as pool,
        pool.lease(repository.head) as workspace,
    ):
        inner = workspace.root / "inner"
        assert list(inner.iterdir()) == []
        inner.rmdir()
        assert (await workspace.capture()).empty
        await workspace.reset()
        (inner / "deep").mkdir()
        (inner / "deep/file").write_text("x")
        assert (await workspace.capture()).empty
        await workspace.clean_ignored()
        assert list(inner.iterdir()) == []
        _agent(workspace.root, "clone", "-q", str(tmp_path / "user"), "inner")
        assert (await workspace.capture()).empty
        await workspace.reset()
        assert list(inner.iterdir()) == []
        _agent(workspace.root, "init", "-q", "inner")
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        _agent(inner, *identity, "commit", "-q", "--allow-empty", "-m", "moved")
        [path] = (await workspace.capture()).paths
        assert (path.path, path.status, path.old_mode, path.new_mode) == ("inner", "M", "160000", "160000")
        await workspace.reset()
        inner.rmdir()
        inner.write_text("now a file")
        [path] = (await workspace.capture()).paths
        assert (path.path, path.status, path.new_mode) == ("inner", "T", "100644")


SCRIPT = """
import asyncio, sys
from pathlib import Path
from fanfold.git import Repository, ResultBranch, WorkspacePool

async def main():
    repository = await Repository.open(Path.cwd())
    async with (WorkspacePool(repository, home=Path(sys.argv[1])) as pool,
                ResultBranch(repository, repository.head, "fanfold/hook") as branch):
        async with pool.lease(repository.head) as workspace:
            (workspace.root / "a.py").write_text("fixed")
            change = await workspace.capture()
        await branch.land(change, "fix")
        print((await repository.working_state()).staged)

asyncio.run(main())
"""


def test_run_from_a_hook_of_the_users_commit(tmp_path: Path) -> None:
    user = plain(tmp_path)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    hook = user.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec {sys.executable} {script} {tmp_path}/home > {tmp_path}/out\n")
    hook.chmod(0o755)
    user.write({"pkg/b.py": "staged\n", "a.py": "edited, not staged\n"})
    user.git("add", "pkg/b.py")
    user.git("commit", "-qm", "mine", "--author=Else <else@example.com>")
    assert (tmp_path / "out").read_text() == "('pkg/b.py',)\n"
    assert user.git("diff-tree", "-r", "--name-only", "HEAD^", "HEAD").split() == ["pkg/b.py"]
    assert user.git("diff-tree", "-r", "--name-only", "HEAD^", "fanfold/hook").split() == ["a.py"]
    assert user.git("log", "-1", "--format=%an", "fanfold/hook").strip() == "Ada"
    assert (user.root / "a.py").read_text() == "edited, not staged\n"


async def test_another_repository_in_the_callers_environment_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = plain(tmp_path)
    other = make_repository(tmp_path / "other", {"other.py": "x\n"})
    before = fingerprint(other.root)
    for name, value in {
        "GIT_DIR": f"{other.root}/.git",
        "GIT_INDEX_FILE": f"{other.root}/.git/index",
        "GIT_WORK_TREE": str(other.root),
        "GIT_OBJECT_DIRECTORY": f"{other.root}/.git/objects",
        "GIT_PREFIX": "pkg/",
        "GIT_CONFIG_PARAMETERS": "'core.bare=true'",
    }.items():
        monkeypatch.setenv(name, value)
    repository = await Repository.open(user.root)
    assert repository.root == user.root
    async with WorkspacePool(repository, home=tmp_path / "home") as pool, pool.lease(repository.head) as workspace:
        (workspace.root / "a.py").write_text("x\n")
        change = await workspace.capture()
    assert [path.path for path in change.paths] == ["a.py"]
    assert os.environ["GIT_DIR"]
    assert fingerprint(other.root) == before
