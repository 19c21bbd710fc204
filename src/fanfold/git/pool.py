"""Slots for workspaces: any number leased at once, kept in folders that outlive the process."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType

from fanfold.git.command import uninterrupted
from fanfold.git.objects import Objects
from fanfold.git.repository import Repository
from fanfold.git.slot import Slot, hold
from fanfold.git.throwaway import Throwaway
from fanfold.git.workspace import Workspace, WorkspaceError


class WorkspacePool:
    """Workspaces of one repository: any number leased at once, kept in folders that outlive the process.

    A slot holds a tree that git last wrote and an index that knows what was written, so a lease costs one walk
    over the tree instead of a checkout. Every lease restores its commit exactly, whatever the one before left
    there, so that a process may be killed at any moment. A slot stays locked until the pool is closed.

    Args:
        home: where the slots are; outside of the repository.
    Raises:
        WorkspaceError: on entering, when `home` is inside the checkout.
    """

    def __init__(self, repository: Repository, *, home: Path) -> None:
        self.repository = repository
        self.home = home / slot_home(repository)
        self._objects = Objects(repository)
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
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await asyncio.gather(*(workspace.tidy() for workspace in self._free))
        finally:
            for slot in self._slots:
                slot.release()
            self._slots, self._free = [], []
            await uninterrupted(self._objects.close())

    @contextlib.asynccontextmanager
    async def lease(self, commit: str) -> AsyncIterator[Workspace]:
        """A workspace that is exactly `commit`, for as long as the context lasts.

        Raises:
            WorkspaceError: no workspace can be made, with the reason.
        """
        workspace = self._free.pop() if self._free else await asyncio.to_thread(self._grow)
        try:
            await workspace.reset(commit)
            yield workspace
        finally:
            if workspace.usable:
                self._free.append(workspace)

    def _grow(self) -> Workspace:
        if self._throwaway is None:
            raise WorkspaceError("the pool is not open", hint="async with pool: ...")
        held = {slot.folder for slot in self._slots}
        number = 0
        try:
            while True:
                folder = self.home / f"slot-{number}"
                slot = hold(folder) if folder not in held else None
                if slot is not None:
                    self._slots.append(slot)
                    return Workspace(slot, self.repository, self._objects, self._throwaway)
                number += 1
        except OSError as error:
            raise WorkspaceError(
                f"can't make a workspace: {error}", hint="set another folder for workspaces"
            ) from error


def slot_home(repository: Repository) -> str:
    """The name of the folder for a repository's slots; linked worktrees have one each."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", repository.root.name)[:40]
    return f"{plain}-{hashlib.sha256(os.fsencode(repository.git_dir)).hexdigest()[:12]}"
