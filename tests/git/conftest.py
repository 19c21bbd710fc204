"""A small repository of real files, and the steps that most tests of git take."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from fanfold.git import Repository, Workspace, WorkspacePool
from fanfold.git.overlay import namespace
from fanfold.git.pool import WorkspaceKind
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import FIXED, TemporaryRepository, make_repository

FILES = {
    "a.py": "a = 1\n" * 20,
    "b.py": "b = 1\n",
    "pkg/__init__.py": "",
    "pkg/mod.py": "".join(f"line{n} = {n}\n" for n in range(30)),
    "pkg/deep/er/leaf.py": "leaf = 1\n",
    "run.sh": "#!/bin/sh\n",
    ".gitignore": "*.pyc\nbuild/\n.cache/\n",
}

Lease = Callable[..., AbstractAsyncContextManager[Workspace]]


@pytest.fixture(autouse=True)
def _fixed_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own configuration; dates don't reach Fanfold's git, so they are not among these."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"):
        monkeypatch.setenv(name, FIXED[name])


@pytest.fixture
def user(tmp_path: Path) -> TemporaryRepository:
    """The user's repository: seven files, one commit on branch main."""
    return make_repository(tmp_path / "user", FILES)


@pytest.fixture
def base() -> dict[str, str | bytes]:
    """What the user's commit holds, as `contents` has it."""
    return {name: text.encode() for name, text in FILES.items()}


@pytest.fixture
def untouched(user: TemporaryRepository) -> Iterator[None]:
    """After the test, all of the user's repository is what it was when the test began."""
    before = fingerprint(user.root)
    yield
    assert fingerprint(user.root) == before


@pytest.fixture(scope="session")
def _entered() -> tuple[str, str]:
    """What this process has entered so that it may mount, and why it could not; once, for all tests."""
    reason = namespace.enter(other_threads=True)
    entered = namespace.entered()
    namespace._entered = ""  # what isn't about overlays is not to depend on which tests ran before
    return entered, reason


@pytest.fixture
def may_mount(_entered: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Overlays can be mounted in this test; it is skipped where the kernel says no."""
    entered, reason = _entered
    if not entered:
        pytest.skip(f"no overlays here: {reason}")
    monkeypatch.setattr(namespace, "_entered", entered)


@pytest.fixture(params=["plain", "overlay"])
def kind(request: pytest.FixtureRequest) -> WorkspaceKind:
    """Each kind of workspace, one after the other."""
    wanted: WorkspaceKind = request.param
    if wanted == "overlay":
        request.getfixturevalue("may_mount")
    return wanted


@pytest.fixture
async def pool(user: TemporaryRepository, tmp_path: Path, kind: WorkspaceKind) -> AsyncIterator[WorkspacePool]:
    """A pool over the user's repository as it is when the test begins."""
    async with WorkspacePool(await Repository.open(user.root), home=tmp_path / "home", kind=kind) as pool:
        assert pool.kind == kind
        yield pool


@pytest.fixture
async def workspace(pool: WorkspacePool) -> AsyncIterator[Workspace]:
    """A workspace at the user's HEAD."""
    async with pool.lease(pool.repository.head) as workspace:
        yield workspace


@pytest.fixture
def lease(tmp_path: Path, kind: WorkspaceKind) -> Lease:
    """A workspace at the HEAD of any repository."""

    @asynccontextmanager
    async def at_head(user: TemporaryRepository) -> AsyncIterator[Workspace]:
        repository = await Repository.open(user.root)
        async with (
            WorkspacePool(repository, home=tmp_path / "home", kind=kind) as pool,
            pool.lease(repository.head) as workspace,
        ):
            yield workspace

    return at_head
