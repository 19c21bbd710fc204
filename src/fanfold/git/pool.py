"""Slots for workspaces: any number leased at once, kept in folders that outlive the process."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from fanfold.git.objects import Objects
from fanfold.git.overlay.namespace import entered, reason_not_entered
from fanfold.git.repository import Repository
from fanfold.git.slot import Slot, hold
from fanfold.git.throwaway import Throwaway
from fanfold.git.treediff import PATCH, TreeDiff
from fanfold.git.workspace import Workspace, WorkspaceError
from fanfold.process import uninterrupted

if TYPE_CHECKING:
    from fanfold.git.overlay.workspace import Below

WorkspaceKind = Literal["auto", "overlay", "plain"]


class WorkspacePool:
    """Workspaces of one repository: any number leased at once, kept in folders that outlive the process.

    A slot holds a tree that git last wrote and an index that knows what was written, so a lease costs one walk
    over the tree instead of a checkout. Every lease restores its commit exactly, whatever the one before left
    there, so that a process may be killed at any moment. A slot stays locked until the pool is closed.

    Args:
        home: where the slots are; outside of the repository.
        kind: "overlay" = each workspace is a layer over one checkout, which takes a kernel that lets this process
            mount (see `overlay.namespace.enter`); "plain" = each is a checkout of its own; "auto" = overlays where
            that is possible.
        prepare: makes a workspace ready each time that it is leased, once it is what the commit holds.
    Raises:
        WorkspaceError: on entering, when `home` is inside the checkout, or overlays were asked for and can't be.
    """

    def __init__(
        self,
        repository: Repository,
        *,
        home: Path,
        kind: WorkspaceKind = "auto",
        prepare: Callable[[Workspace], Awaitable[None]] | None = None,
    ) -> None:
        self.repository = repository
        self.home = home / slot_home(repository)
        self.kind: WorkspaceKind = kind
        self.why_plain = ""
        self.prepare = prepare
        self._below: Below | None = None
        self._objects = Objects(repository)
        self._patches = TreeDiff(PATCH, cwd=repository.root)
        self._throwaway: Throwaway | None = None
        self._free: list[Workspace] = []
        self._slots: list[Slot] = []

    async def __aenter__(self) -> WorkspacePool:
        if self.home.resolve().is_relative_to(self.repository.root.resolve()):
            raise WorkspaceError(
                f"workspaces would lie inside the repository, in {self.home}",
                hint="choose a folder outside of it",
            )
        self._throwaway = await Throwaway.over(self.repository)
        if self.kind != "plain":
            await self._try_overlay()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None or self._below is not None:  # what is mounted stays mounted as long as the process lives
                await asyncio.gather(*(workspace.tidy() for workspace in self._free))
            if self._below is not None:
                await uninterrupted(self._below.close())
        finally:
            for slot in self._slots:
                slot.release()
            self._slots, self._free = [], []
            await uninterrupted(self._close())

    @contextlib.asynccontextmanager
    async def lease(self, commit: str) -> AsyncIterator[Workspace]:
        """A workspace that is exactly `commit`, for as long as the context lasts.

        Raises:
            WorkspaceError: no workspace can be made, with the reason.
            FanfoldError: it can't be made ready.
        """
        workspace = self._free.pop() if self._free else await asyncio.to_thread(self._grow)
        try:
            await workspace.reset(commit)
            if self.prepare is not None:
                await self.prepare(workspace)
            yield workspace
        finally:
            if workspace.usable:
                self._free.append(workspace)

    async def patch(self, old: str, new: str) -> bytes:
        """What differs between two trees, each given by its full id, as `Repository.patch` has it.

        Raises:
            GitError: there is no such tree.
        """
        trees = [await self._objects.root_of(each) for each in (old, new)]
        return await self._patches.between(*trees)

    async def _close(self) -> None:
        await asyncio.gather(self._objects.close(), self._patches.close())

    async def _try_overlay(self) -> None:
        """Become a pool of overlays, if that is possible here; tried in the first slot, once."""
        asked, self.kind = self.kind, "plain"
        self.why_plain = reason_not_entered()
        if entered():
            try:
                await self._enter_overlay()
            except OSError as error:
                self.why_plain = f"can't write to {self.home}: {error.strerror or error}"
        if self._below is not None:
            self.kind = "overlay"
        elif asked == "overlay":
            raise WorkspaceError(
                f"overlay workspaces can't be used here: {self.why_plain}", hint="choose the kind auto or plain"
            )

    async def _enter_overlay(self) -> None:
        from fanfold.git.overlay.blobs import Habits  # noqa: PLC0415  Linux alone has what these call
        from fanfold.git.overlay.layers import possible  # noqa: PLC0415
        from fanfold.git.overlay.workspace import Below  # noqa: PLC0415

        slot = await asyncio.to_thread(self._slot, "overlay")
        try:
            way, self.why_plain = await asyncio.to_thread(possible, slot.folder)
        finally:
            slot.release()
        if way is not None:
            habits = await Habits.of(self.repository)
            self._below = Below(self.home, self.repository, self._objects, way, habits)

    def _grow(self) -> Workspace:
        if self._throwaway is None:
            raise WorkspaceError("the pool is not open", hint="async with pool: ...")
        try:
            slot = self._slot("slot" if self._below is None else "overlay")
        except OSError as error:
            raise WorkspaceError(
                f"can't make a workspace: {error}", hint="set another folder for workspaces"
            ) from error
        self._slots.append(slot)
        if self._below is None:
            return Workspace(slot, self.repository, self._objects, self._throwaway)
        return self._below.workspace(slot, self._throwaway)

    def _slot(self, name: str) -> Slot:
        """The first slot of that name that nobody holds."""
        held = {slot.folder for slot in self._slots}
        for number in itertools.count():
            folder = self.home / f"{name}-{number}"
            if folder not in held and (slot := hold(folder)) is not None:
                return slot
        raise AssertionError("unreachable")


def slot_home(repository: Repository) -> str:
    """The name of the folder for a repository's slots; linked worktrees have one each."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", repository.root.name)[:40]
    return f"{plain}-{hashlib.sha256(os.fsencode(repository.git_dir)).hexdigest()[:12]}"
