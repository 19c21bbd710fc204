"""Put changes on a result branch, one commit after another, without a checkout or an index."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias

from fanfold.git.change import ABSENT, Change, PathChange, path_changes
from fanfold.git.command import UNSYNCED, GitError, git, records, text
from fanfold.git.commits import Commits
from fanfold.git.coprocess import Coprocess, lines
from fanfold.git.objects import Objects, ObstructedError, sync_files
from fanfold.git.repository import Repository
from fanfold.git.trees import FILES, Node
from fanfold.process import Completed, uninterrupted


class LandError(GitError):
    """A change can't be put on the result branch, or the result not into the checkout."""


class LandRefused(LandError):
    """A change can't be on the branch as it is; another one in its place may."""


class LandConflict(LandRefused):
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


Intend: TypeAlias = Callable[[Sequence[Landed]], Awaitable[None]]


class ResultBranch:
    """A branch that changes land on in the order in which they come, each as one commit.

    The ref is made by the first landing and moves only from the commit that this object put there. An async
    context manager: entering checks that the branch can be made, leaving ends its processes.

    Args:
        base: id of the commit that the branch starts at.
        name: the branch's name without `refs/heads/`.
        only_show: make commits by nobody, and never a ref.
        restored: ids of the commits from base on that an earlier process put on the branch.
    """

    def __init__(
        self, repository: Repository, base: str, name: str, *, only_show: bool = False, restored: Sequence[str] = ()
    ) -> None:
        self.repository = repository
        self.base = base
        self.name = name
        self.only_show = only_show
        self.restored = tuple(restored)
        self._ref = f"refs/heads/{name}"
        self._landed: tuple[Landed, ...] = ()
        self._turn = asyncio.Lock()
        self._objects = Objects(repository)
        self._commits = Commits(repository)
        command = ("update-ref", "--stdin", "--no-deref", "--create-reflog", "-m", "fanfold: land")
        places = {"GIT_DIR": str(repository.git_dir)}
        self._refs = Coprocess(*command, cwd=repository.root, places=places, settings=UNSYNCED)

    async def __aenter__(self) -> ResultBranch:
        if self.restored:
            await self._restore()
        else:
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

    async def compose(self, changes: Sequence[Change], *, on: str | None = None) -> str:
        """The tree that these changes come to, one after another; the branch stays where it is.

        Args:
            on: the tree that they are made on, None = the tip's.
        Raises:
            LandConflict: the texts of one can't be merged.
            LandRefused: one is empty or there already, or holds what no commit should.
        """
        async with self._turn, _as_land_error():
            tree = await self._objects.root_of(on or self.tip)
            for change in changes:
                tree = await self._with(tree, change)
            return tree

    async def land(self, change: Change, message: str) -> str:
        """Commit one change on the tip and move the branch there, as `publish` does; the commit's id."""
        [landed] = await self.publish([(change, message)])
        return landed.commit

    async def publish(
        self, changes: Sequence[tuple[Change, str]], *, tree: str | None = None, intend: Intend | None = None
    ) -> tuple[Landed, ...]:
        """Commit changes, each with its message, on the tip, and move the branch to the last of them in one step.

        One after another, also when called together. A path that is at the tip as it was at the change's base is
        replaced; otherwise the texts are merged. Once begun it isn't interrupted by a cancellation.

        Args:
            tree: what all of it must come to: the tree that was verified.
            intend: awaited when the commits are there and durable, before the branch moves.
        Raises:
            LandConflict: the texts of one can't be merged.
            BranchMoved: the branch isn't where this object put it.
            LandRefused: a change is empty or on the branch already, or holds what no commit should.
            LandError: they come to another tree.
            What `intend` raises; the branch stays where it is.
        """
        return await uninterrupted(self._publish_in_turn(changes, tree, intend))

    async def alone(self, change: Change, message: str) -> str:
        """A commit of this one change on base, whatever has landed; no ref names it yet.

        Raises:
            LandConflict: it doesn't work without what landed before it.
        """
        async with self._turn, _as_land_error():
            [landed] = await self._committed(self.base, [(change, message)])
            await self._sync(await self._objects.root_of(self.base), [landed])
            return landed.commit

    async def _restore(self) -> None:
        """Take the branch up where it was left."""
        async with self._turn, _as_land_error():
            found = await self._found()
            if found != self.restored[-1]:
                raise BranchMoved(
                    f"branch {self.name} was {'deleted' if found == self._nothing else 'moved'} by somebody else",
                    hint=f"git log {self.restored[-1]} shows what had landed",
                )
            parent = self.base
            for commit in self.restored:
                self._landed = (*self._landed, await self._read(parent, commit))
                parent = commit

    async def _read(self, parent: str, commit: str) -> Landed:
        old, new = await self._objects.root_of(parent), await self._objects.root_of(commit)
        paths = path_changes(await self._objects.differences(old, new), len(commit))
        content = text((await self._git("cat-file", "commit", commit)).stdout)
        return Landed(commit, Change(parent, new, paths), content.partition("\n\n")[2])

    async def _publish_in_turn(
        self, changes: Sequence[tuple[Change, str]], tree: str | None, intend: Intend | None
    ) -> tuple[Landed, ...]:
        async with self._turn, _as_land_error():
            start = await self._objects.root_of(self.tip)
            landed = await self._committed(self.tip, changes)
            if tree is not None and tree != (came_to := await self._objects.root_of(landed[-1].commit)):
                raise LandError(f"what was to land is tree {came_to[:12]}, and {tree[:12]} was verified")
            if not self.only_show:
                await self._sync(start, landed)
            if intend is not None:
                await intend(landed)
            await self._move((*self._landed, *landed))
            return landed

    async def _committed(self, tip: str, changes: Sequence[tuple[Change, str]]) -> tuple[Landed, ...]:
        write = self._commits.draft if self.only_show else self._commits.write
        landed: list[Landed] = []
        for change, message in changes:
            tree = await self._with(await self._objects.root_of(tip), change)
            tip = await write(tree, tip, message)
            self._objects.remember(tip, tree)
            landed.append(Landed(tip, change, message))
        return tuple(landed)

    async def _sync(self, start: str, landed: Sequence[Landed]) -> None:
        """Bring to the disk what these commits, each on the one before, have that `start`, a tree, has not."""
        fresh: list[str] = []
        for each in landed:
            tree = await self._objects.root_of(each.commit)
            fresh += [*await self._objects.fresh(tree, start), each.commit]
            start = tree
        await self._objects.sync(fresh)

    async def _with(self, tree: str, change: Change) -> str:
        """The tree with the change made."""
        _refuse(change)
        try:
            await self._objects.require(path.new_oid for path in change.paths if path.new_mode != ABSENT)
        except GitError as error:  # somebody has pruned what nothing named yet
            raise LandRefused(f"its content is gone: {error.message}", hint="attempt it again") from error
        new = await self._combined(tree, change)
        if new == tree:
            raise LandRefused("all of this is on the branch already")
        return new

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
        """Move the ref, if it is still where it was put, to the last of `landed`."""
        expected = self._landed[-1].commit if self._landed else self._nothing
        wanted = landed[-1].commit
        if not self.only_show:
            command = f"start\nupdate {self._ref} {wanted} {expected}\ncommit\n"
            try:
                await self._refs.ask(command.encode(), lambda answer: lines(answer, 2))
            except GitError as error:
                await self._explain(error, expected, wanted)
        self._landed = landed

    async def _explain(self, error: GitError, expected: str, wanted: str) -> None:
        found = await self._found()
        if found == wanted:
            return  # done, and only the answer was lost
        if found != expected:
            raise BranchMoved(
                f"branch {self.name} was {'deleted' if found == self._nothing else 'moved'} by somebody else",
                hint=f"git log {self.tip} shows what had landed",
            ) from error
        raise LandError(f"can't move branch {self.name}: {error.message}") from error

    async def _found(self) -> str:
        """Where the ref is."""
        done = await self._git("rev-parse", "--quiet", "--verify", self._ref, ok=(0, 1, 128))
        return text(done.stdout).strip() or self._nothing

    @property
    def _nothing(self) -> str:
        return "0" * len(self.base)

    async def _close(self) -> None:
        await asyncio.gather(self._objects.close(), self._commits.close(), self._refs.close())
        if not self.only_show:
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
        raise LandRefused("there is nothing to land")
    for path in change.paths:
        if path.new_mode not in {ABSENT, *FILES}:
            raise LandRefused(f"{path.path} is a repository of its own, which can't be landed")


def _old(path: PathChange) -> Node | None:
    return None if path.old_mode == ABSENT else Node(path.old_mode, path.old_oid)


def _new(path: PathChange) -> Node | None:
    return None if path.new_mode == ABSENT else Node(path.new_mode, path.new_oid)
