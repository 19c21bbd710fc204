"""Many leases, many processes, and processes that are killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fanfold.git import Repository, ResultBranch, Workspace, WorkspacePool, clean
from fanfold.git.pool import WorkspaceKind
from fanfold.testing.fingerprint import contents, fingerprint
from fanfold.testing.repositories import TemporaryRepository

Base = dict[str, str | bytes]
pytestmark = pytest.mark.usefixtures("untouched")


async def test_eight_leases_at_once_are_apart_and_all_land(
    user: TemporaryRepository, pool: WorkspacePool, base: Base
) -> None:
    met = asyncio.Barrier(8)
    async with ResultBranch(pool.repository, pool.repository.head, "fanfold/run") as branch:

        async def work(n: int) -> Path:
            async with pool.lease(pool.repository.head) as workspace:
                await met.wait()
                (workspace.root / f"new{n}.py").write_text(f"{n}\n")
                (workspace.root / "a.py").write_text(str(n))
                await met.wait()
                assert contents(workspace.root) == {**base, f"new{n}.py": f"{n}\n".encode(), "a.py": str(n).encode()}
                (workspace.root / "a.py").write_bytes(bytes(base["a.py"]) if isinstance(base["a.py"], bytes) else b"")
                await branch.land(await workspace.capture(), f"fix {n}")
                return workspace.root

        roots = await asyncio.gather(*(work(n) for n in range(8)))
    assert len(set(roots)) == 8
    names = user.git("diff-tree", "-r", "--name-only", pool.repository.head, "fanfold/run").split()
    assert names == [f"new{n}.py" for n in range(8)]


async def test_leases_over_and_over_use_few_slots(pool: WorkspacePool, base: Base) -> None:
    roots: set[Path] = set()

    async def work(n: int) -> None:
        for _ in range(3):
            async with pool.lease(pool.repository.head) as workspace:
                roots.add(workspace.root)
                assert contents(workspace.root) == base
                (workspace.root / f"left{n}").write_text("x")

    await asyncio.gather(*(work(n) for n in range(4)))
    assert len(roots) == 4


WORKER = """
import asyncio, sys
from pathlib import Path
from fanfold.git import Repository, ResultBranch, WorkspacePool
from fanfold.git.overlay.namespace import enter
from fanfold.testing.fingerprint import contents

async def main():
    me, home, kind = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    repository = await Repository.open(Path.cwd())
    async with (WorkspacePool(repository, home=home, kind=kind) as pool,
                ResultBranch(repository, repository.head, f"fanfold/{me}") as branch):
        async def work(n):
            async with pool.lease(repository.head) as workspace:
                assert (await workspace.capture()).empty
                (workspace.root / f"{me}{n}.py").write_text(me)
                await asyncio.sleep(0.01)
                found = [name for name in contents(workspace.root) if name.endswith(f"{n}.py")]
                assert found == [f"{me}{n}.py"], found
                await branch.land(await workspace.capture(), "fix")
        for start in range(0, 12, 3):
            await asyncio.gather(*(work(n) for n in range(start, start + 3)))

if sys.argv[3] == "overlay":
    enter()
asyncio.run(main())
"""


def test_two_processes_share_a_home_and_a_repository(
    user: TemporaryRepository, tmp_path: Path, kind: WorkspaceKind
) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, me, str(tmp_path / "home"), kind], cwd=user.root, stderr=subprocess.PIPE
        )
        for me in ("left", "right")
    ]
    for worker in workers:
        _, error = worker.communicate()
        assert worker.returncode == 0, error.decode()
    for me in ("left", "right"):
        added = user.git("diff-tree", "-r", "--name-only", "HEAD", f"fanfold/{me}").split()
        assert added == sorted(f"{me}{n}.py" for n in range(12))
    assert user.git("fsck", "--strict", "--no-dangling") == ""


VICTIM = """
import asyncio, itertools, sys
from pathlib import Path
from fanfold.git import Repository, ResultBranch, WorkspacePool
from fanfold.git.overlay.namespace import enter

async def main():
    repository = await Repository.open(Path.cwd())
    async with (WorkspacePool(repository, home=Path(sys.argv[1]), kind=sys.argv[3]) as pool,
                ResultBranch(repository, repository.head, f"fanfold/{sys.argv[2]}") as branch):
        print("go", flush=True)
        for n in itertools.count():
            async with pool.lease(branch.tip) as workspace:
                (workspace.root / "a.py").write_text(f"{n}")
                (workspace.root / f"new{n}.py").write_text("x")
                (workspace.root / "b.py").unlink(missing_ok=True)
                await branch.land(await workspace.capture(), "fix")

if sys.argv[3] == "overlay":
    enter()
asyncio.run(main())
"""


async def test_a_process_killed_at_any_moment_spoils_nothing(
    user: TemporaryRepository, tmp_path: Path, base: Base, kind: WorkspaceKind
) -> None:
    before = fingerprint(user.root)
    chance = random.Random(7)
    home = tmp_path / "home"
    for attempt in range(8):
        victim = subprocess.Popen(
            [sys.executable, "-c", VICTIM, str(home), str(attempt), kind], cwd=user.root, stdout=subprocess.PIPE
        )
        assert victim.stdout is not None
        victim.stdout.readline()
        await asyncio.sleep(chance.uniform(0, 0.3))
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
        assert fingerprint(user.root) == before
        repository = await Repository.open(user.root)
        assert str(home) not in Path("/proc/mounts").read_text()
        async with WorkspacePool(repository, home=home, kind=kind) as pool, pool.lease(repository.head) as workspace:
            assert workspace.root.parent.name == ("slot-0" if kind == "plain" else "overlay-0")
            assert contents(workspace.root) == base
            assert (await workspace.capture()).empty
        assert user.git("fsck", "--strict", "--no-dangling") == ""


async def test_clean_waits_for_no_one_and_breaks_no_one(
    user: TemporaryRepository, tmp_path: Path, kind: WorkspaceKind
) -> None:
    home = tmp_path / "home"
    repository = await Repository.open(user.root)
    over = asyncio.Event()

    async def cleaner() -> None:
        while not over.is_set():
            await clean(home)
            await asyncio.sleep(0)

    async def worker() -> None:
        for _ in range(6):
            async with (
                WorkspacePool(repository, home=home, kind=kind) as pool,
                pool.lease(repository.head) as workspace,
            ):
                await _edit(workspace)

    cleaning = asyncio.create_task(cleaner())
    await asyncio.gather(worker(), worker())
    over.set()
    await cleaning


async def _edit(workspace: Workspace) -> None:
    (workspace.root / "a.py").write_text("x")
    assert [path.path for path in (await workspace.capture()).paths] == ["a.py"]


async def test_no_process_outlives_the_pool_and_the_branch(
    user: TemporaryRepository, tmp_path: Path, kind: WorkspaceKind
) -> None:
    def children() -> set[str]:
        return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())

    before = children()
    repository = await Repository.open(user.root)
    async with (
        WorkspacePool(repository, home=tmp_path / "home", kind=kind) as pool,
        ResultBranch(repository, repository.head, "fanfold/run") as branch,
        pool.lease(repository.head) as workspace,
    ):
        (workspace.root / "a.py").write_text("x")
        await branch.land(await workspace.capture(), "fix")
        assert children() > before
    assert children() <= before


async def test_a_git_process_that_dies_is_started_again(user: TemporaryRepository, pool: WorkspacePool) -> None:
    async with ResultBranch(pool.repository, pool.repository.head, "fanfold/run") as branch:
        for n in range(3):
            async with pool.lease(branch.tip) as workspace:
                (workspace.root / f"new{n}").write_text("x")
                change = await workspace.capture()
            if n == 1:
                for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                    if b"git" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]:
                        os.kill(int(child), signal.SIGKILL)
            await branch.land(change, "fix")
    assert len(user.git("rev-list", "HEAD..fanfold/run").split()) == 3
