"""Whatever is done to a workspace, an overlay tells of it what a plain workspace tells."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fanfold.git import Change, Repository, Workspace, WorkspaceError, WorkspacePool
from fanfold.git.diff import FileDiff
from fanfold.testing.fingerprint import contents
from fanfold.testing.repositories import make_repository

pytestmark = pytest.mark.usefixtures("may_mount")

FILES: dict[str, str | bytes] = {
    "a": "one\ntwo\nthree\n",
    "d/a": "inner\n",
    "d/e/f": "deep\n",
    "d/e/g": b"bin\0ary",
    "x.py": "x = 1\n",
    "crlf": b"one\r\ntwo\r\n",
    ".gitignore": "*.log\nbuild\n",
    ".gitattributes": "*.txt text=auto\n*.id ident\n*.up filter=up\n",
    "t.txt": "text\n",
    "i.id": "$Id$\n",
    "s.up": "shout\n",
}
# Few names, so that files, folders and links often meet; some are ignored, some converted, some git's own.
NAMES = st.sampled_from(
    """a b d d/a d/b d/e d/e/f d/e/g n n/a n/m/a x.py x.py/a crlf t.txt i.id s.up new.txt y.log build build/a .gitignore
    d/.gitignore .gitattributes git~1 b:c d/.git n/.git .git/config""".split()  # noqa: SIM905  so many, and read at a glance
)
LINES = ["", "one\ntwo\nthree\n", "one\n2\nthree\nfour\n", "a\r\nb\r\n", "x\0y", "$Id: 12$\n", "shout\n", "inner\n"]
RULES = ["*\n", "!y.log\n", "* -text\n", "* text\n", "* filter=up\n"]
CONTENTS = st.sampled_from([*LINES, *RULES])


def _git(root: Path, *args: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *args], cwd=root, capture_output=True, check=True
    )


def _remove(root: Path, name: str) -> None:
    path = root / name
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _commit(root: Path, _: str) -> None:
    _git(root, "add", "-A")
    _git(root, "commit", "-qm", "x")


def _copy(root: Path, name: str, to: str) -> None:
    copy = shutil.copytree if (root / name).is_dir() else shutil.copy2
    copy(root / name, root / to)


ONE: dict[str, Callable[[Path, str], object]] = {
    "remove": _remove,
    "folder": lambda root, name: (root / name).mkdir(parents=True),
    "touch": lambda root, name: os.utime(root / name, (1, 1)),
    "plus x": lambda root, name: (root / name).chmod(0o755),
    "minus x": lambda root, name: (root / name).chmod(0o600),
    "pipe": lambda root, name: os.mkfifo(root / name),
    "init": lambda root, name: _git(root, "init", "-q", name),
    "commit": _commit,
}
TWO: dict[str, Callable[[Path, str, str], object]] = {
    "write": lambda root, name, lines: (root / name).write_bytes(lines.encode()),
    "move": lambda root, name, to: shutil.move(root / name, root / to),
    "copy": _copy,
    "link": lambda root, name, to: (root / to).symlink_to(os.path.relpath(root / name, (root / to).parent)),
    "hard link": lambda root, name, to: os.link(root / name, root / to),
}


def do(root: Path, verb: str, *names: str) -> None:
    """One thing that an agent may do; what can't be done isn't, in either workspace."""
    with contextlib.suppress(OSError, shutil.Error, subprocess.CalledProcessError):
        for name in names[:1] if verb == "write" else names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
        (ONE | TWO)[verb](root, *names)


DONE = st.one_of(
    st.tuples(st.just("write"), NAMES, CONTENTS),
    st.tuples(st.sampled_from(sorted(ONE)), NAMES),
    st.tuples(st.sampled_from(sorted(TWO.keys() - {"write"})), NAMES, NAMES),
)
Told = tuple[Change | None, dict[str, FileDiff | None], dict[str, str | bytes], Change | None]


class Both:
    """A pool of each kind over one repository, which has a second commit."""

    def __init__(self, root: Path, habits: Mapping[str, str] | None = None) -> None:
        self.user = make_repository(root / "user", {})
        self.user.git("config", "filter.up.clean", "tr a-z A-Z")
        self.user.git("config", "filter.up.smudge", "tr A-Z a-z")
        self.first = self.user.commit(FILES)
        self.user.git("rm", "-rq", "d/e")
        self.second = self.user.commit({"a": "one\n2\nthree\n", "d/e": "a file\n", "n/m/a": "new\n", "x.py": "x = 2\n"})
        for key, value in (habits or {}).items():
            self.user.git("config", key, value)
        self.runner = asyncio.Runner()
        self.pools = self.runner.run(self._opened(root))

    async def _opened(self, root: Path) -> tuple[WorkspacePool, ...]:
        repository = await Repository.open(self.user.root)
        pools = tuple(WorkspacePool(repository, home=root / kind, kind=kind) for kind in ("plain", "overlay"))
        for pool in pools:
            await pool.__aenter__()
            async with pool.lease(self.first):
                pass
        return pools

    async def _closed(self) -> None:
        for pool in self.pools:
            await pool.__aexit__(None, None, None)

    def close(self) -> None:
        self.runner.run(self._closed())
        self.runner.close()

    async def told(self, pool: WorkspacePool, commit: str, steps: list[tuple[str, ...]]) -> Told:
        async with pool.lease(commit) as workspace:
            for step in steps:
                await asyncio.to_thread(do, workspace.root, *step)
            if any(".gitattributes" in step for step in steps):
                # Of files that nobody touched, git looks again at those only that are as new as the index.
                await asyncio.to_thread(_touch_all, workspace.root)
            change = await _captured(workspace)
            names = [path.path for path in change.paths] if change else []
            hunks = {name: await workspace.hunks(name) for name in [*names, "a", "d/a", "b"]}
            await workspace.clean_ignored()
            return change, hunks, contents(workspace.root), await _captured(workspace)

    def compare(self, commit: str, steps: list[tuple[str, ...]]) -> None:
        plain, overlay = (self.runner.run(self.told(pool, commit, steps)) for pool in self.pools)
        assert overlay == plain


def _touch_all(root: Path) -> None:
    for above, _, names in os.walk(root):
        for name in names:
            os.utime(Path(above, name), (2, 2), follow_symlinks=False)


async def _captured(workspace: Workspace) -> Change | None:
    try:
        return await workspace.capture()
    except WorkspaceError:
        return None  # what git can't take it can't take in either


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    both = Both(tmp_path)
    yield both
    both.close()


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(tip=st.booleans(), steps=st.lists(DONE, min_size=1, max_size=7))
@example(tip=False, steps=[("remove", "d"), ("write", "d/a", "inner\n")])
@example(tip=False, steps=[("remove", "d/e"), ("folder", "d/e"), ("write", "d/e/h", "x")])
@example(tip=False, steps=[("move", "d", "n")])
@example(tip=False, steps=[("write", ".gitattributes", "* -text\n"), ("write", "s.up", "shout\n")])
@example(tip=True, steps=[("remove", "n"), ("remove", "d/e"), ("folder", "d/e"), ("write", "d/e/f", "deep\n")])
@example(tip=True, steps=[("write", "x.py", "x = 1\n"), ("write", "a", "one\ntwo\nthree\n")])
def test_what_an_overlay_tells_is_what_a_plain_workspace_tells(
    both: Both, tip: bool, steps: list[tuple[str, ...]]
) -> None:
    both.compare(both.second if tip else both.first, steps)


@pytest.mark.parametrize(
    ("key", "value"),
    [("core.fileMode", "false"), ("core.autocrlf", "true"), ("core.autocrlf", "input"), ("core.symlinks", "false")],
)
def test_unusual_habits_are_kept(tmp_path: Path, key: str, value: str) -> None:
    both = Both(tmp_path, {key: value})
    steps: list[tuple[str, ...]] = [
        ("write", "a", "a\r\nb\r\n"),
        ("write", "crlf", "a\nb\r\n"),
        ("plus x", "d/a"),
        ("link", "d/a", "n/a"),
    ]
    both.compare(both.first, steps)
    both.close()


@pytest.mark.soak
@settings(
    max_examples=3_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(tip=st.booleans(), steps=st.lists(DONE, min_size=1, max_size=12))
def test_what_an_overlay_tells_is_what_a_plain_workspace_tells_at_length(
    both: Both, tip: bool, steps: list[tuple[str, ...]]
) -> None:
    both.compare(both.second if tip else both.first, steps)
