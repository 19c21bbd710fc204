"""What is special about overlays: what they need, what they share, what they cost."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from fanfold.git import Repository, Workspace, WorkspaceError, WorkspacePool, why_no_overlays
from fanfold.git.overlay import namespace
from fanfold.testing.fingerprint import contents
from fanfold.testing.repositories import TemporaryRepository, make_repository

Base = dict[str, str | bytes]
overlays = pytest.mark.usefixtures("may_mount")


async def opened(user: TemporaryRepository, home: Path) -> WorkspacePool:
    return WorkspacePool(await Repository.open(user.root), home=home, kind="overlay")


async def test_a_program_that_did_not_ask_for_it_gets_plain_workspaces_and_the_reason(
    user: TemporaryRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespace, "_entered", "")
    monkeypatch.setattr(namespace, "_reason", "nobody asked")
    async with WorkspacePool(await Repository.open(user.root), home=tmp_path / "home") as pool:
        assert (pool.kind, pool.why_plain) == ("plain", "nobody asked")
    with pytest.raises(WorkspaceError, match="nobody asked") as error:
        async with await opened(user, tmp_path / "home"):
            pass
    assert error.value.hint


@overlays
async def test_a_file_system_that_can_not_hold_layers_is_found_out_before_the_first_lease(
    user: TemporaryRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fanfold.git.overlay import layers

    monkeypatch.setattr(layers, "WAYS", (layers.Way({"nonsense": ""}, "user.overlay."),))
    async with WorkspacePool(await Repository.open(user.root), home=tmp_path / "home") as pool:
        assert pool.kind == "plain"
        assert "Invalid argument" in pool.why_plain
        async with pool.lease(pool.repository.head) as workspace:
            assert workspace.root.parent.name == "slot-0"


@overlays
@pytest.mark.parametrize("name", ["a:b", "a,b", "a\\b", "a\\:b,c d", 'quo"te', "new\nline", "ü"])
async def test_no_letter_of_a_path_means_anything_to_the_kernel(
    user: TemporaryRepository, tmp_path: Path, base: Base, name: str
) -> None:
    async with await opened(user, tmp_path / name) as pool, pool.lease(pool.repository.head) as workspace:
        assert contents(workspace.root) == base
        (workspace.root / "a.py").write_text("1\n")
        (workspace.root / "new").write_text("1\n")
        assert [path.path for path in (await workspace.capture()).paths] == ["a.py", "new"]


@overlays
async def test_nobody_writes_to_the_snapshot(user: TemporaryRepository, tmp_path: Path, base: Base) -> None:
    async with await opened(user, tmp_path / "home") as pool, pool.lease(pool.repository.head) as workspace:
        [snapshot] = pool.home.glob("snapshot-*")
        with pytest.raises(OSError, match="Read-only"):
            (snapshot / "tree/a.py").write_text("evil")
        with pytest.raises(OSError, match="Read-only"):
            (workspace.root.parent / "git/.git/config").write_text("evil")
        assert contents(workspace.root) == base


@overlays
async def test_a_snapshot_that_was_tampered_with_between_runs_is_put_right(
    user: TemporaryRepository, tmp_path: Path, base: Base
) -> None:
    async with await opened(user, tmp_path / "home") as pool, pool.lease(pool.repository.head):
        tree = next(pool.home.glob("snapshot-*")) / "tree"
    (tree / "a.py").write_text("evil")
    (tree / "pkg/mod.py").unlink()
    (tree / "planted.py").write_text("evil")
    (tree / ".git").mkdir()
    async with await opened(user, tmp_path / "home") as pool, pool.lease(pool.repository.head) as workspace:
        assert contents(workspace.root) == base
        assert (await workspace.capture()).empty


@overlays
async def test_two_pools_of_one_commit_share_a_snapshot_and_of_two_commits_have_one_each(
    user: TemporaryRepository, tmp_path: Path, base: Base
) -> None:
    first = user.git("rev-parse", "HEAD").strip()
    second = user.commit({"a.py": "second\n"})
    async with contextlib.AsyncExitStack() as stack:
        for commit in (first, first, second):
            pool = await stack.enter_async_context(await opened(user, tmp_path / "home"))
            workspace = await stack.enter_async_context(pool.lease(commit))
            assert (workspace.root / "a.py").read_bytes() == (b"second\n" if commit == second else base["a.py"])
        assert sorted(path.name for path in pool.home.glob("snapshot-*")) == ["snapshot-0", "snapshot-1"]


@overlays
async def test_another_commit_is_laid_over_the_snapshot_and_checked_out_where_too_much_differs(
    user: TemporaryRepository, tmp_path: Path
) -> None:
    near = user.commit({"a.py": "near\n", "x/y": "new\n"})
    user.git("rm", "-q", "b.py")
    near = user.commit()
    far = user.commit({f"many/{n}": f"{n}\n" for n in range(300)})
    base = user.git("rev-parse", "HEAD~3").strip()
    async with await opened(user, tmp_path / "home") as pool:
        for commit, snapshots in ((base, 1), (near, 1), (far, 2), (near, 2), (base, 2)):
            async with pool.lease(commit) as workspace:
                files = user.git("ls-tree", "-r", "--name-only", commit).splitlines()
                assert sorted(contents(workspace.root)) == sorted(files)
                git = ("git", "-C", workspace.root)
                assert subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip() == commit
                assert subprocess.check_output([*git, "status", "--porcelain"]) == b""
                assert (await workspace.capture()).empty
                (workspace.root / "pkg/mod.py").unlink()
                assert [path.path for path in (await workspace.capture()).paths] == ["pkg/mod.py"]
            assert len(list(pool.home.glob("snapshot-*"))) == snapshots


@overlays
async def test_a_program_that_is_left_running_writes_to_no_later_lease(
    user: TemporaryRepository, tmp_path: Path, base: Base
) -> None:
    async with await opened(user, tmp_path / "home") as pool:
        async with pool.lease(pool.repository.head) as workspace:
            left = subprocess.Popen(["sh", "-c", "read go; echo evil > a.py; echo evil > late"], cwd=workspace.root,
                                    stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip
        async with pool.lease(pool.repository.head) as workspace:
            left.communicate(b"go\n")
            assert contents(workspace.root) == base
            assert (await workspace.capture()).empty


@overlays
async def test_nothing_stays_mounted_when_a_pool_is_closed(user: TemporaryRepository, tmp_path: Path) -> None:
    with contextlib.suppress(KeyError):
        async with await opened(user, tmp_path / "home") as pool:
            async with pool.lease(pool.repository.head), pool.lease(pool.repository.head):
                assert str(tmp_path) in Path("/proc/self/mounts").read_text()
            raise KeyError
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


@overlays
async def test_a_lease_looks_at_nothing_that_it_does_not_change(
    user: TemporaryRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No program is started, no index is copied, for a file that is edited in the usual way."""
    async with await opened(user, tmp_path / "home") as pool:
        for _ in range(2):
            async with pool.lease(pool.repository.head) as workspace:
                await _edited(workspace)
        started: list[object] = []
        monkeypatch.setattr(subprocess.Popen, "__init__", lambda _, argv, *__, **___: started.append(argv))
        async with pool.lease(pool.repository.head) as workspace:
            await _edited(workspace)
            assert not (workspace.root.parent / "index").exists()
    assert started == []


async def _edited(workspace: Workspace) -> None:
    (workspace.root / "a.py").write_text("1\n")
    await workspace.clean_ignored()
    assert await workspace.hunks("a.py") is not None
    assert [path.path for path in (await workspace.capture()).paths] == ["a.py"]


async def test_whether_overlays_work_can_be_asked_without_entering_anything(tmp_path: Path) -> None:
    before = Path("/proc/self/ns/mnt").readlink()
    await why_no_overlays(tmp_path / "home")
    assert Path("/proc/self/ns/mnt").readlink() == before
    assert list((tmp_path / "home").iterdir()) == []


# As somebody who may mount only in a namespace of users: root without that one right, or anybody else.
UNPRIVILEGED = """
import asyncio, ctypes, os, sys
from pathlib import Path

SYS_ADMIN = 21
ctypes.CDLL(None).prctl(24, SYS_ADMIN, 0, 0, 0)  # drop it from what programs may have at all
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1], *sys.argv[2:]]) if len(sys.argv) > 3 else None
"""
INSIDE = """
import asyncio, os, subprocess, sys
from pathlib import Path
from fanfold.git import Repository, WorkspacePool, allow_overlays
from fanfold.git.overlay.namespace import entered
from fanfold.testing.fingerprint import contents

async def main():
    repository = await Repository.open(Path(sys.argv[1]))
    async with WorkspacePool(repository, home=Path(sys.argv[2])) as pool:
        print(pool.kind, pool.why_plain)
        for _ in range(2):
            async with pool.lease(repository.head) as workspace:
                assert sorted(contents(workspace.root))[0] == ".gitignore"
                run = lambda command: subprocess.run(command, shell=True, cwd=workspace.root, check=True)
                run("rm -r pkg; mkdir pkg; echo 1 > pkg/mod.py; echo 2 > a.py; rm b.py")
                run("git -c user.name=a -c user.email=a@b commit -qam agent; git status --porcelain")
                change = await workspace.capture()
                print(*(path.status + path.path for path in change.paths))
        if sys.argv[3:]:
            await asyncio.to_thread(subprocess.run, sys.argv[3:], cwd=workspace.root, check=True)

who = os.getuid(), os.getgid(), Path(sys.argv[1]).stat().st_uid
print(allow_overlays(Path(sys.argv[2])), entered())
assert who == (os.getuid(), os.getgid(), Path(sys.argv[1]).stat().st_uid)
asyncio.run(main())
"""


@pytest.fixture
def unprivileged(user: TemporaryRepository, tmp_path: Path) -> list[str]:
    """How a program is started that may mount in a namespace of users only; skipped where it may not even that."""
    command = [sys.executable, "-c", UNPRIVILEGED]
    tried = subprocess.run(
        [*command, "import os; os.execvp('unshare', ['unshare', '--user', '--mount', 'true'])", "x", "y"], check=False
    )
    if tried.returncode:
        pytest.skip("no namespaces of users here")
    return [*command, INSIDE, str(user.root), str(tmp_path / "home")]


CHANGED = "Ma.py Db.py Dpkg/__init__.py Dpkg/deep/er/leaf.py Mpkg/mod.py"


def test_without_privileges_a_namespace_of_users_does_it(unprivileged: list[str]) -> None:
    done = subprocess.run(unprivileged, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [" users", "overlay ", CHANGED, CHANGED]


def test_a_sandbox_works_inside_the_namespace(unprivileged: list[str]) -> None:
    inner = "test -e a.py && echo x > inside && ! echo x > /outside"
    try:
        subprocess.run(["bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no bubblewrap here")
    sandbox = f'bwrap --ro-bind / / --bind "$PWD" "$PWD" --unshare-all sh -c "{inner}" && test -e inside'
    done = subprocess.run([*unprivileged, "sh", "-c", sandbox], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_where_the_check_fails_no_namespace_is_entered(unprivileged: list[str], tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    inside = INSIDE.partition("asyncio.run(main")[0].replace(
        "print(allow", "before = os.readlink('/proc/self/ns/user')\nprint(allow"
    )
    command = [*unprivileged[:3], inside + "assert before == os.readlink('/proc/self/ns/user')", *unprivileged[4:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "File exists \n"


@overlays
async def test_a_snapshot_is_checked_out_once_for_leases_that_begin_together(
    user: TemporaryRepository, tmp_path: Path
) -> None:
    async with await opened(user, tmp_path / "home") as pool:
        met = asyncio.Barrier(4)

        async def lease() -> Path:
            async with pool.lease(pool.repository.head) as workspace:
                await met.wait()
                return workspace.root

        assert len({*await asyncio.gather(*(lease() for _ in range(4)))}) == 4
        assert len(list(pool.home.glob("snapshot-*"))) == 1


@overlays
async def test_a_repository_without_files_can_be_leased(tmp_path: Path) -> None:
    user = make_repository(tmp_path / "user", {})
    async with await opened(user, tmp_path / "home") as pool, pool.lease(pool.repository.head) as workspace:
        assert contents(workspace.root) == {}
        (workspace.root / "new").write_text("x")
        assert [path.path for path in (await workspace.capture()).paths] == ["new"]


@pytest.mark.parametrize(
    ("thread", "told"),
    [
        ("_thread.start_new_thread(time.sleep, (0.05,))", False),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", True),
    ],
)
def test_a_thread_that_is_about_to_end_is_waited_for_and_no_other(thread: str, told: bool) -> None:
    # What Python's `threading` doesn't count is like a thread that it has joined and the kernel still has.
    imported = "import _thread, threading, time; from fanfold.git.overlay.namespace import enter"
    script = f"{imported}; {thread}; print(enter())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ("other threads are running already" in done.stdout) is told
