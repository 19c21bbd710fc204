"""Put changes on a result branch, one commit after another, without a checkout or an index."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType

from fanfold.git.change import ABSENT, Change, PathChange
from fanfold.git.command import UNSYNCED, GitError, git, records, text, uninterrupted
from fanfold.git.commits import Commits
from fanfold.git.coprocess import Coprocess, lines
from fanfold.git.objects import Objects, ObstructedError, sync_files
from fanfold.git.repository import Repository
from fanfold.git.trees import FILES, Node
from fanfold.process import Completed


class LandError(GitError):
    """A change can't be put on the result branch, or the result not into the checkout."""


class LandConflict(LandError):
    """A change and what landed before it touch the same lines; `paths` says where."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(f"conflicts with what has landed: {', '.join(paths)}", hint="attempt it again on the new tip")
        self.paths = tuple(paths)


class BranchMoved(LandError):
    """Somebody else made or moved the result branch; nothing was changed."""


@dataclass(frozen=True)
class Landed:
    """One change on the result branch."""

    commit: str
    change: Change
    message: str


class ResultBranch:
    """A branch that changes land on in the order in which they come, each as one commit.

    The ref is made by the first landing and moves only from the commit that this object put there. An async
    context manager: entering checks that the branch can be made, leaving ends its processes.

    Args:
        base: id of the commit that the branch starts at.
        name: the branch's name without `refs/heads/`.
    """

    def __init__(self, repository: Repository, base: str, name: str) -> None:
        self.repository = repository
        self.base = base
        self.name = name
        self._ref = f"refs/heads/{name}"
        self._landed: tuple[Landed, ...] = ()
        self._turn = asyncio.Lock()
        self._objects = Objects(repository)
        self._commits = Commits(repository)
        command = ("update-ref", "--stdin", "--no-deref", "--create-reflog", "-m", "fanfold: land")
        places = {"GIT_DIR": str(repository.git_dir)}
        self._refs = Coprocess(*command, cwd=repository.root, places=places, settings=UNSYNCED)

    async def __aenter__(self) -> ResultBranch:
        await self.check()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await uninterrupted(self._close())

    @property
    def tip(self) -> str:
        """The last landed commit; base before the first landing."""
        return self._landed[-1].commit if self._landed else self.base

    @property
    def commits(self) -> tuple[Landed, ...]:
        """What has landed, in order."""
        return self._landed

    async def check(self) -> None:
        """See that the branch can be made.

        Raises:
            LandError: the name is none for a branch, is taken, or another branch is in its way.
        """
        if (await self._git("check-ref-format", "--branch", self.name, ok=(0, 1, 128))).returncode:
            raise LandError(f"{self.name} is no name for a branch", hint="choose another name")
        heads = [name for name in await self.repository.refs() if name.startswith("refs/heads/")]
        for head in heads:
            if f"{self._ref}/".startswith(f"{head}/") or head.startswith(f"{self._ref}/"):
                branch = head.removeprefix("refs/heads/")
                raise LandError(
                    f"branch {branch} is in the way of {self.name}", hint=f"git branch -m {branch} another-name"
                )

    async def land(self, change: Change, message: str) -> str:
        """Commit `change` on the tip and move the branch there; the commit's id.

        One after another, also when called together. A path that is at the tip as it was at the change's base is
        replaced; otherwise the texts are merged. Once begun it isn't interrupted by a cancellation.

        Raises:
            LandConflict: the texts can't be merged.
            BranchMoved: the branch isn't where this object put it.
            LandError: the change is empty or on the branch already, or holds what no commit should.
        """
        return await uninterrupted(self._land_in_turn(change, message))

    async def rebuild(self, keep: Sequence[Landed]) -> str:
        """Make the branch anew from base with only these changes, in this order; the new tip.

        Commits stay the same up to the first one left out. When it fails the branch stays as it was.

        Raises:
            LandConflict: a change doesn't work without one that was left out.
            BranchMoved: the branch isn't where this object put it.
        """
        return await uninterrupted(self._rebuild_in_turn(keep))

    async def compose(self, keep: Sequence[Landed]) -> str:
        """The commit that `rebuild` would come to; the branch stays where it is.

        Raises:
            LandConflict: a change doesn't work without one that was left out.
        """
        async with self._turn, _as_land_error():
            landed = await self._composed(keep, draft=True)
        return landed[-1].commit if landed else self.base

    async def alone(self, change: Change, message: str) -> str:
        """A commit of this one change on base, whatever has landed; no ref names it yet.

        Raises:
            LandConflict: it doesn't work without what landed before it.
        """
        async with self._turn, _as_land_error():
            return (await self._committed(self.base, change, message)).commit

    async def drop(self) -> None:
        """Delete the branch: nothing on it is good.

        Raises:
            BranchMoved: the branch isn't where this object put it.
        """
        await uninterrupted(self._rebuild_in_turn(()))

    async def _land_in_turn(self, change: Change, message: str) -> str:
        async with self._turn, _as_land_error():
            landed = await self._committed(self.tip, change, message)
            await self._move((*self._landed, landed))
            return landed.commit

    async def _rebuild_in_turn(self, keep: Sequence[Landed]) -> str:
        async with self._turn, _as_land_error():
            await self._move(await self._composed(keep))
            return self.tip

    async def _composed(self, keep: Sequence[Landed], *, draft: bool = False) -> tuple[Landed, ...]:
        landed: list[Landed] = []
        tip, same = self.base, True
        for number, each in enumerate(keep):
            same = same and self._landed[number : number + 1] == (each,)
            landed.append(each if same else await self._committed(tip, each.change, each.message, draft=draft))
            tip = landed[-1].commit
        return tuple(landed)

    async def _committed(self, tip: str, change: Change, message: str, *, draft: bool = False) -> Landed:
        _refuse(change)
        # The user may have pruned what nothing named yet.
        await self._objects.require(path.new_oid for path in change.paths if path.new_mode != ABSENT)
        old = await self._objects.root_of(tip)
        new = await self._combined(old, change)
        if new == old:
            raise LandError("all of this is on the branch already")
        write = self._commits.draft if draft else self._commits.write
        commit = await write(new, tip, message)
        if not draft:
            await self._objects.sync([*await self._objects.fresh(new, old), commit])
        self._objects.remember(commit, new)
        return Landed(commit, change, message)

    async def _combined(self, tree: str, change: Change) -> str:
        """The tree with the change made: by replacing whole files where they are as the change found them."""
        there = [await self._objects.find(tree, path.path) for path in change.paths]
        if all(node == _old(path) for node, path in zip(there, change.paths, strict=True)):
            try:
                return await self._objects.splice(tree, {path.path: _new(path) for path in change.paths})
            except ObstructedError as error:
                raise LandConflict([path.path for path in change.paths]) from error
        return await self._merged(tree, change)

    async def _merged(self, tree: str, change: Change) -> str:
        """The three-way merge, over commits made for it: git 2.38 can't be told a merge base."""
        base = await self._commits.draft(await self._objects.root_of(change.base), None, "base")
        ours = await self._commits.draft(tree, base, "ours")
        theirs = await self._commits.draft(change.tree, base, "theirs")
        done = await self._git(
            "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs, ok=(0, 1)
        )
        merged, *conflicts = records(done.stdout)
        if done.returncode:
            raise LandConflict([text(name) for name in dict.fromkeys(conflicts) if name])
        await self._see_only(change, tree, text(merged))
        return text(merged)

    async def _see_only(self, change: Change, old: str, new: str) -> None:
        """Git may carry an edit over to where it believes the file went; nobody has verified that."""
        own = {path.path for path in change.paths}
        if any(path not in own for path, _, _ in await self._objects.differences(old, new)):
            raise LandConflict(sorted(own))

    async def _move(self, landed: tuple[Landed, ...]) -> None:
        """Move the ref, if it is still where it was put, to the last of `landed`; delete it where there is none."""
        expected = self._landed[-1].commit if self._landed else self._nothing
        wanted = landed[-1].commit if landed else self._nothing
        if wanted != expected:
            what = f"update {self._ref} {wanted} {expected}" if landed else f"delete {self._ref} {expected}"
            try:
                await self._refs.ask(f"start\n{what}\ncommit\n".encode(), lambda answer: lines(answer, 2))
            except GitError as error:
                await self._explain(error, expected, wanted)
        self._landed = landed

    async def _explain(self, error: GitError, expected: str, wanted: str) -> None:
        done = await self._git("rev-parse", "--quiet", "--verify", self._ref, ok=(0, 1, 128))
        found = text(done.stdout).strip() or self._nothing
        if found == wanted:
            return  # done, and only the answer was lost
        if found != expected:
            raise BranchMoved(
                f"branch {self.name} was {'deleted' if found == self._nothing else 'moved'} by somebody else",
                hint=f"git log {self.tip} shows what had landed",
            ) from error
        raise LandError(f"can't move branch {self.name}: {error.message}") from error

    @property
    def _nothing(self) -> str:
        return "0" * len(self.base)

    async def _close(self) -> None:
        await asyncio.gather(self._objects.close(), self._commits.close(), self._refs.close())
        # Objects are on the disk before each landing; where the ref is, once the run is over is soon enough.
        await sync_files([self.repository.common_dir / self._ref])

    async def _git(self, *args: str, ok: tuple[int, ...] = (0,)) -> Completed:
        places = {"GIT_DIR": str(self.repository.git_dir)}
        return await git(*args, cwd=self.repository.root, places=places, ok=ok)


@contextlib.asynccontextmanager
async def _as_land_error() -> AsyncIterator[None]:
    try:
        yield
    except LandError:
        raise
    except GitError as error:
        raise LandError(f"can't land: {error.message}", hint=error.hint) from error


def _refuse(change: Change) -> None:
    """Say no to what a tree can't hold, whatever was verified before."""
    if change.empty:
        raise LandError("there is nothing to land")
    for path in change.paths:
        if path.new_mode not in {ABSENT, *FILES}:
            raise LandError(f"{path.path} is a repository of its own, which can't be landed")


def _old(path: PathChange) -> Node | None:
    return None if path.old_mode == ABSENT else Node(path.old_mode, path.old_oid)


def _new(path: PathChange) -> Node | None:
    return None if path.new_mode == ABSENT else Node(path.new_mode, path.new_oid)
