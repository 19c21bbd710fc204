"""Isolation and landing beside what git itself offers for them.

Isolation: lease a workspace, edit one file, capture, return; beside `git worktree add --detach`, the same edit,
`git diff`, `git worktree remove --force`. Landing: one-file changes onto a result branch; beside `git apply --index`
and `git commit` in a checkout. The sides alternate within one run, on the disk that this checkout is on, over a
generated repository; both land the same tree. Fanfold's side is durable (objects are synced before the ref moves),
git's own default is not.

Prints medians and their ratios, keeps every single time in `benchmarks/results/git.json`, and exits 1 where a ratio
on 5,000 files or more is below 4.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from fanfold.git import Change, Entry, PathChange, Repository, ResultBranch, WorkspacePool
from fanfold.git.objects import Objects
from fanfold.git.trees import Node

T = TypeVar("T")

HERE = Path(__file__).parent
AT_LEAST = 4.0
COUNTS_FROM = 5_000
CHUNK = 50


@dataclass(frozen=True)
class Comparison:
    """Seconds of each single run of both sides."""

    name: str
    files: int
    git_s: list[float]
    fanfold_s: list[float]

    @property
    def ratio(self) -> float:
        """How many times longer git takes, of the medians."""
        return statistics.median(self.git_s) / statistics.median(self.fanfold_s)

    def show(self) -> None:
        """Print one line of the table."""
        git_ms, fanfold_ms = (statistics.median(side) * 1000 for side in (self.git_s, self.fanfold_s))
        runs = f"{len(self.git_s)} and {len(self.fanfold_s)}"
        print(f"{self.name:<10} {self.files:>7,} {git_ms:>10.1f} {fanfold_ms:>12.1f} {self.ratio:>8.1f}   {runs}")


def main() -> int:
    """Measure, print, keep the numbers; 1 where Fanfold is less than four times faster."""
    options = _options()
    found: list[Comparison] = []
    print(f"{'what':<10} {'files':>7} {'git, ms':>10} {'Fanfold, ms':>12} {'ratio':>8}   runs")
    (HERE / ".cache").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HERE / ".cache", prefix="git-") as name, asyncio.Runner() as runner:
        for files in options.files:
            root = generate(Path(name) / f"{files}", files)
            found.append(isolation(runner, root, options.leases))
            found[-1].show()
            if files == max(options.files):
                found.append(landing(runner, root, options.landings))
                found[-1].show()
    _keep(found)
    missed = [each for each in found if each.files >= COUNTS_FROM and each.ratio < AT_LEAST]
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="measure isolation and landing beside git's own means")
    parser.add_argument("--files", type=int, nargs="+", default=[130, 5_000], help="sizes of the repository")
    parser.add_argument("--leases", type=int, default=12, help="workspaces per size and side")
    parser.add_argument("--landings", type=int, default=1_000, help="changes to land per side")
    return parser.parse_args()


def generate(root: Path, files: int) -> Path:
    """A repository of Python files of 20 to 200 lines, 25 to a folder, in one commit."""
    chance = random.Random(files)
    for number in range(files):
        folder = root / f"pkg{number // 500}" / f"sub{number // 25 % 20}"
        folder.mkdir(parents=True, exist_ok=True)
        lines = (f"value_{n} = {chance.random()}\n" for n in range(chance.randint(20, 200)))
        (folder / f"module{number}.py").write_text("".join(lines))
    git(root, "init", "-q", "-b", "main")
    for key, value in {"user.name": "Ada", "user.email": "ada@example.com", "gc.auto": "0"}.items():
        git(root, "config", key, value)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "base")
    return root


def isolation(runner: asyncio.Runner, root: Path, count: int) -> Comparison:
    """Both ways to a private copy, one file edited in each, alternating."""
    repository = runner.run(Repository.open(root))
    paths = _spread(runner.run(repository.tree(repository.head)), count)
    pool = WorkspacePool(repository, home=root.parent / f"{root.name}-home")
    runner.run(pool.__aenter__())
    first_s, _ = _timed(lambda: _leased_by(runner, pool, paths[0]))
    print(f"{'':<10} {'':>7} {'':>10} {first_s * 1000:>12.1f}            (the first lease, which checks out)")
    git_s, fanfold_s = [], []
    for path in paths:
        took_s, diff = _timed(functools.partial(_worktree, root, path))
        git_s.append(took_s)
        took_s, change = _timed(functools.partial(_leased_by, runner, pool, path))
        fanfold_s.append(took_s)
        assert [each.path for each in change.paths] == [path]
        assert path in diff
    runner.run(pool.__aexit__(None, None, None))
    return Comparison("isolation", len(runner.run(repository.tree(repository.head))), git_s, fanfold_s)


def _worktree(root: Path, path: str) -> str:
    tree = root.parent / "worktree"
    git(root, "worktree", "add", "-q", "--detach", str(tree))
    _edit(tree / path)
    diff = git(tree, "diff", "HEAD")
    git(root, "worktree", "remove", "--force", str(tree))
    return diff


def _leased_by(runner: asyncio.Runner, pool: WorkspacePool, path: str) -> Change:
    return runner.run(_leased(pool, path))


async def _leased(pool: WorkspacePool, path: str) -> Change:
    async with pool.lease(pool.repository.head) as workspace:
        await asyncio.to_thread(_edit, workspace.root / path)
        return await workspace.capture()


def _edit(path: Path) -> None:
    path.write_text(path.read_text() + "edited = True\n")


def landing(runner: asyncio.Runner, root: Path, count: int) -> Comparison:
    """Both ways to commit one-file changes, alternating by chunks; each on a copy of the repository of its own."""
    checkout = root.parent / "checkout"
    shutil.copytree(root, checkout, symlinks=True)
    git(checkout, "status")  # the copies' times go into its index before anything is measured
    repository = runner.run(Repository.open(root))
    changes = runner.run(_changes(repository, count))
    patches = [runner.run(repository.patch(change.base, change.tree)) for change in changes]
    branch = ResultBranch(repository, repository.head, "fanfold/benchmark")
    runner.run(branch.__aenter__())
    git_s, fanfold_s = [], []
    for start in range(0, len(changes), CHUNK):
        chunk = slice(start, start + CHUNK)
        git_s += [_timed(functools.partial(_applied, checkout, patch))[0] for patch in patches[chunk]]
        fanfold_s += [_timed(functools.partial(_landed_by, runner, branch, change))[0] for change in changes[chunk]]
    runner.run(branch.__aexit__(None, None, None))
    trees = git(checkout, "rev-parse", "HEAD^{tree}"), git(root, "rev-parse", f"{branch.tip}^{{tree}}")
    assert trees[0] == trees[1], "the two sides landed different trees"
    return Comparison("landing", len(runner.run(repository.tree(repository.head))), git_s, fanfold_s)


def _applied(checkout: Path, patch: bytes) -> None:
    git(checkout, "apply", "--index", "-", stdin=patch)
    git(checkout, "commit", "-q", "-m", "fix")


def _landed_by(runner: asyncio.Runner, branch: ResultBranch, change: Change) -> str:
    return runner.run(branch.land(change, "fix"))


async def _changes(repository: Repository, count: int) -> list[Change]:
    """Changes of one file each, all made on HEAD, written as a capture would write them."""
    entries = {entry.path: entry for entry in await repository.tree(repository.head)}
    paths = _spread(entries.values(), count)
    blobs = _blobs(repository.root, paths)
    changes = []
    async with Objects(repository) as objects:
        base = await objects.root_of(repository.head)
        for path, blob in zip(paths, blobs, strict=True):
            tree = await objects.splice(base, {path: Node("100644", blob)})
            edit = PathChange(path, "M", "100644", "100644", entries[path].oid, blob)
            changes.append(Change(repository.head, tree, (edit,)))
    return changes


def _blobs(root: Path, paths: list[str]) -> list[str]:
    with tempfile.TemporaryDirectory() as name:
        for number, path in enumerate(paths):
            (Path(name) / str(number)).write_text((root / path).read_text() + "edited = True\n")
        listed = "".join(f"{name}/{number}\n" for number in range(len(paths)))
        return git(root, "hash-object", "-w", "--no-filters", "--stdin-paths", stdin=listed.encode()).split()


def _spread(entries: Iterable[Entry], count: int) -> list[str]:
    """Paths from all over the repository."""
    paths = sorted(entry.path for entry in entries)
    return random.Random(0).sample(paths, min(count, len(paths)))


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def git(root: Path, *args: str, stdin: bytes = b"") -> str:
    """Run git as a user would, without the user's configuration."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *args], cwd=root, input=stdin, env=env, capture_output=True, check=True)
    return done.stdout.decode()


def _keep(found: list[Comparison]) -> None:
    (HERE / "results").mkdir(exist_ok=True)
    results = [{**asdict(each), "ratio": each.ratio} for each in found]
    (HERE / "results" / "git.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
