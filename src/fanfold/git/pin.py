"""Keep objects from being pruned that only a record outside of the repository names."""

from __future__ import annotations

import asyncio
from types import TracebackType

from fanfold.git.command import UNSYNCED, GitError, git, text
from fanfold.git.commits import Commits
from fanfold.git.coprocess import Coprocess, lines
from fanfold.git.repository import Repository
from fanfold.process import uninterrupted

PINS = "refs/fanfold/pins/"
"""A level further down than the names of branches: of `fanfold/run`, git would take `refs/fanfold/run` first."""


class Pins:
    """One ref that reaches whatever was pinned: a chain of commits by nobody, from a base on.

    An async context manager: leaving ends its processes; the ref stays until `drop`. One object at a time has the
    ref of a name; the next one goes on from where the ref is.

    Args:
        base: id of the commit that is pinned first.
        name: of whoever pins, which is a part of the ref's name.
    """

    def __init__(self, repository: Repository, base: str, name: str) -> None:
        self.ref = f"{PINS}{name}"
        self._repository = repository
        self._base = base
        self._tip: str | None = None
        self._turn = asyncio.Lock()
        self._commits = Commits(repository)
        places = {"GIT_DIR": str(repository.git_dir)}
        self._refs = Coprocess("update-ref", "--stdin", cwd=repository.root, places=places, settings=UNSYNCED)

    async def __aenter__(self) -> Pins:
        self._tip = await _at(self._repository, self.ref)
        if self._tip is None:
            await uninterrupted(self._move(self._base))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await uninterrupted(self._close())

    async def keep(self, tree: str) -> None:
        """Pin a tree with all below it; it is when this returns.

        Raises:
            GitError: there is no such tree, or the ref can't be moved.
        """
        await uninterrupted(self._keep(tree))

    async def drop(self) -> None:
        """Delete the ref: nothing has to be kept any more."""
        await uninterrupted(self._drop())

    async def _keep(self, tree: str) -> None:
        async with self._turn:
            await self._move(await self._commits.draft(tree, self._tip, "pinned by fanfold"))

    async def _drop(self) -> None:
        async with self._turn:
            await drop_pin(self._repository, self.ref)
            self._tip = None

    async def _move(self, commit: str) -> None:
        asked = f"start\nupdate {self.ref} {commit}\ncommit\n".encode()
        await self._refs.ask(asked, lambda answer: lines(answer, 2))
        self._tip = commit

    async def _close(self) -> None:
        await asyncio.gather(self._commits.close(), self._refs.close())


async def pins(repository: Repository) -> dict[str, str]:
    """All refs of pins that the repository has, with what each names."""
    return {name: oid for name, oid in (await repository.refs()).items() if name.startswith(PINS)}


async def drop_pin(repository: Repository, ref: str) -> None:
    """Delete a ref of pins; it is no error where there is none.

    Raises:
        GitError: it can't be deleted.
    """
    if not ref.startswith(PINS):
        raise GitError(f"{ref} is no ref of Fanfold's")
    await git("update-ref", "--no-deref", "-d", ref, cwd=repository.root, places=_places(repository))


async def _at(repository: Repository, ref: str) -> str | None:
    done = await git(
        "rev-parse", "--quiet", "--verify", f"{ref}^{{commit}}",
        cwd=repository.root, places=_places(repository), ok=(0, 1, 128),
    )  # fmt: skip
    return text(done.stdout).strip() or None


def _places(repository: Repository) -> dict[str, str]:
    return {"GIT_DIR": str(repository.git_dir)}
