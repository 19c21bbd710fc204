"""A workspace that is a layer over a snapshot: what it costs follows what is changed, not what there is."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from fanfold.git.capture import mode_at, untracked, without
from fanfold.git.change import Change, path_changes
from fanfold.git.command import GitError, raw, records, text
from fanfold.git.diff import FileDiff, parse_diff
from fanfold.git.objects import Objects
from fanfold.git.overlay import kernel
from fanfold.git.overlay.blobs import Blobs, Habits
from fanfold.git.overlay.layers import Layers, Way
from fanfold.git.overlay.snapshots import Difference, Snapshot, Snapshots
from fanfold.git.overlay.upper import Layer, Lookup, Sorted, read_layer, sort_out
from fanfold.git.pipes import take_pipes_away
from fanfold.git.repository import Repository
from fanfold.git.slot import Slot
from fanfold.git.sweep import remove, sweep
from fanfold.git.throwaway import Throwaway
from fanfold.git.treediff import HUNKS, TreeDiff
from fanfold.git.trees import GITLINK, TREE, Node
from fanfold.git.workspace import Workspace, WorkspaceError, new_file

_MANY = 500


class Below:
    """What the workspaces of one pool have in common: snapshots, and the processes that read what lies over one."""

    def __init__(self, home: Path, repository: Repository, objects: Objects, way: Way, habits: Habits) -> None:
        self.snapshots = Snapshots(home, repository, objects)
        self.way = way
        self._repository = repository
        self._objects = objects
        self._habits = habits
        self._blobs: dict[Snapshot, Blobs] = {}
        self._diffs: dict[Snapshot, TreeDiff] = {}

    def workspace(self, slot: Slot, throwaway: Throwaway) -> Workspace:
        """A workspace in a slot of its own."""
        return OverlayWorkspace(slot, self._repository, self._objects, throwaway, self)

    def blobs(self, snapshot: Snapshot) -> Blobs:
        """What writes files of layers over a snapshot."""
        if snapshot not in self._blobs:
            self._blobs[snapshot] = Blobs(self._repository, snapshot, self._habits)
        return self._blobs[snapshot]

    async def lines(self, snapshot: Snapshot, old: str, new: str) -> dict[str, FileDiff]:
        """Which lines differ between two trees, by path; attributes are the snapshot's."""
        if snapshot not in self._diffs:
            tree = snapshot.slot.tree
            places = {
                "GIT_DIR": str(self._repository.git_dir),
                "GIT_WORK_TREE": str(tree),
                "GIT_INDEX_FILE": str(snapshot.slot.index),
            }
            self._diffs[snapshot] = TreeDiff(HUNKS, cwd=tree, places=places)
        return parse_diff(await self._diffs[snapshot].between(old, new))

    async def close(self) -> None:
        """End the processes, and let others have the snapshots."""
        await asyncio.gather(*(each.close() for each in self._blobs.values()))
        await asyncio.gather(*(each.close() for each in self._diffs.values()))
        await self.snapshots.close()


class OverlayWorkspace(Workspace):
    """A workspace whose tree is a layer over a snapshot that many share.

    Where only git itself can tell what a layer comes to, such as with attributes that changed, it is read as a
    plain workspace is.
    """

    def __init__(
        self, slot: Slot, repository: Repository, objects: Objects, throwaway: Throwaway, below: Below
    ) -> None:
        super().__init__(slot, repository, objects, throwaway)
        self._below = below
        self._layers = Layers(slot.tree, slot.folder / "layers", below.way)
        self._snapshot: Snapshot | None = None
        self._differing: tuple[bytes, ...] = ()
        self._fresh_index = ""
        self._git_over: tuple[Snapshot, str] | None = None

    async def tidy(self) -> None:
        """Leave nothing mounted; the next lease starts from nothing anyway."""
        await self._in_thread(self._drop)

    async def capture(self) -> Change:
        """What the tree is now, compared with base; read from the layer alone where that tells."""
        try:
            await self._unblock()
            found = await self._sorted()
            nodes = None if found is None else await self._nodes(found)
            if nodes is None:
                await self._index()
                return await super().capture()
            return await self._change(nodes)
        except (GitError, OSError) as error:
            if isinstance(error, WorkspaceError):
                raise
            reason = error.message if isinstance(error, GitError) else str(error)
            raise WorkspaceError(f"can't read what changed: {reason}") from error

    async def hunks(self, path: str) -> FileDiff | None:
        """Which lines of one file differ from base now; None = none do."""
        name, was = raw(path), await self._objects.find(self._base_tree, path)
        if was is None or was.mode in (TREE, GITLINK):
            return await self._in_thread(lambda: new_file(self.root / path, path))
        found, now = await self._sorted(), was
        nodes: dict[bytes, Node] | None = {}
        if found is not None and name in found.tracked:
            nodes = await self._at_snapshot[1].write(self._git, {name: found.tracked[name]})
        if found is None or nodes is None:
            await self._index()
            return await super().hunks(path)
        if name not in found.removed and nodes.get(name, was) == now:
            return None
        tree = await self._objects.splice(self._base_tree, {path: nodes.get(name)})
        return (await self._below.lines(self._at_snapshot[0], self._base_tree, tree)).get(path)

    async def clean_ignored(self) -> None:
        """Remove files that git ignores or can't hold, so that what is checked is what would land."""
        try:
            await self._in_thread(self._slot.prepare)
            await self._unblock()
            found = await self._sorted()
            if found is None:
                await self._index()
                keep = await untracked(self._git)
            else:
                keep = await self._untracked(found)
            keep += self._slot.kept
            upper = os.fsencode(self._layers.upper)
            trees = self._objects.trees
            await self._in_thread(lambda: sweep(self._bytes, self._base_tree, trees, keep=keep, layer=upper))
        except (GitError, OSError) as error:
            raise WorkspaceError(f"can't remove ignored files: {error}") from error

    @property
    def _at_snapshot(self) -> tuple[Snapshot, Blobs]:
        if self._snapshot is None:
            raise WorkspaceError("the workspace has not been reset to anything")
        return self._snapshot, self._below.blobs(self._snapshot)

    async def _restore(self, wanted: str, tree: str) -> None:
        head = self._head if wanted == tree else wanted
        await self._in_thread(self._leave)
        snapshot, differences = await self._below.snapshots.nearest(tree)
        self._snapshot = snapshot
        await self._in_thread(lambda: self._mount(snapshot, head, fresh=not differences))
        if differences:
            await self._apply(snapshot, tree, head)
        self._differing = tuple(raw(path) for path, _, _ in differences)
        self._fresh_index = tree if differences else ""
        self.base, self._base_tree, self._head = wanted, tree, head

    def _leave(self) -> None:
        self._layers.drop()
        if self._snapshot is not None:
            self._below.snapshots.leave(self._snapshot)
            self._snapshot = None

    def _drop(self) -> None:
        self._leave()
        self._forget_git()

    def _forget_git(self) -> None:
        while kernel.unmount(self._slot.folder / "git"):
            pass
        self._git_over = None

    def _wipe(self) -> None:
        self._layers.drop()
        self._forget_git()
        self._slot.wipe()

    def _mount(self, snapshot: Snapshot, head: str, *, fresh: bool) -> None:
        """The layer, over a git directory that is made once for many leases, over the snapshot."""
        self._slot.prepare()
        over = self._slot.folder / "git"
        if self._git_over is None or self._git_over[0] is not snapshot or (fresh and self._git_over[1] != head):
            self._forget_git()
            remove(os.fsencode(over))
            self._throwaway.make(over / ".git", head=head, index=snapshot.slot.index)
            _protected(over)
            self._git_over = snapshot, head
        made = self._slot.folder / "made"
        self._layers.mount((over, *([made] if made.exists() else []), snapshot.slot.tree))

    def _keep(self, paths: Iterable[bytes]) -> None:
        """Move what is kept into a layer of its own, which each lease's layer lies over from now on."""
        names = list(paths)
        made = os.fsencode(self._slot.folder / "made.new")
        remove(made)
        os.mkdir(made)  # noqa: PTH102 bytes
        for name in names:
            _copied(self._bytes, made, name)
        self._layers.drop()
        remove(os.fsencode(self._slot.folder / "made"))
        (self._slot.folder / "made.new").rename(self._slot.folder / "made")
        super()._keep(names)

    async def strangers(self) -> tuple[str, ...]:
        """As in a plain workspace, with an index that describes base."""
        await self._index()
        return await super().strangers()

    async def _apply(self, snapshot: Snapshot, tree: str, head: str) -> None:
        """Write into the layer what the tree has otherwise than the snapshot, as a checkout does."""
        await self._in_thread(lambda: shutil.copy2(snapshot.slot.index, self._slot.index))
        await self._git.run("read-tree", "--reset", "-u", snapshot.tree, tree)
        await self._in_thread(lambda: self._tell_git(head))

    def _tell_git(self, head: str) -> None:
        git_dir = self.root / ".git"
        (git_dir / "HEAD").write_text(f"{head}\n")
        shutil.copy2(self._slot.index, git_dir / "index")

    async def _index(self) -> None:
        """See that the slot's own index describes base, for what is read as in a plain workspace."""
        if self._fresh_index != self._base_tree:
            snapshot = self._at_snapshot[0]
            await self._in_thread(lambda: shutil.copy2(snapshot.slot.index, self._slot.index))
            self._fresh_index = self._base_tree

    async def _sorted(self) -> Sorted | None:
        try:
            layer = await self._layer()
        except PermissionError:
            return None
        return sort_out(layer, self._tree, self._differing)

    async def _unblock(self) -> None:
        """As in a plain workspace; only the layer can have such a thing."""
        upper = os.fsencode(self._layers.upper)
        await self._in_thread(lambda: take_pipes_away(self._bytes, layer=upper))

    async def _layer(self) -> Layer:
        return await self._in_thread(lambda: read_layer(os.fsencode(self._layers.upper), self._below.way))

    @property
    def _tree(self) -> Lookup:
        return Lookup(self._objects.trees, self._base_tree)

    async def _untracked(self, found: Sorted) -> list[bytes]:
        """Those of the new files that git doesn't ignore."""
        if not found.new:
            return []
        index = self._slot.index if self._differing else self._at_snapshot[0].slot.index
        tops = sorted(found.tops) if len(found.tops) <= _MANY else []
        asked = ("ls-files", "-z", "-o", "--exclude-standard", "--", *(text(top) for top in tops))
        done = await self._git.run(*asked, index=index)
        return without((name for name in records(done.stdout) if name in found.new), self._slot.kept)

    async def _nodes(self, found: Sorted) -> dict[str, Node | None] | None:
        """What the layer makes of base, by path; None where only an index can tell."""
        new = await self._untracked(found)
        files = {**found.tracked, **{path: found.new[path] for path in new}}
        nodes = await self._at_snapshot[1].write(self._git, files)
        if nodes is None:
            return None
        edits: dict[str, Node | None] = {text(path): None for path in found.removed}
        edits.update((text(path), node) for path, node in nodes.items() if node != self._tree.at(path))
        return edits

    async def _change(self, edits: dict[str, Node | None]) -> Change:
        if not edits:
            return Change(self.base, self._base_tree, ())
        tree = await self._objects.splice(self._base_tree, edits)
        differences: Iterable[Difference] = await self._objects.differences(self._base_tree, tree)
        ordered = sorted(differences, key=lambda one: raw(one[0]))
        return Change(self.base, tree, path_changes(ordered, len(self.base)))


def _copied(source: bytes, target: bytes, name: bytes) -> None:
    """Copy what stands at a path below one folder to the same path below another; links stay links."""
    *folders, last = name.split(b"/")
    for folder in folders:
        source, target = os.path.join(source, folder), os.path.join(target, folder)  # noqa: PTH118 bytes
        if not os.path.isdir(target):  # noqa: PTH112 bytes
            os.mkdir(target)  # noqa: PTH102 bytes
            shutil.copystat(source, target)
    source, target = os.path.join(source, last), os.path.join(target, last)  # noqa: PTH118 bytes
    if stat.S_ISDIR(mode_at(source)):
        shutil.copytree(os.fsdecode(source), os.fsdecode(target), symlinks=True)
    elif mode_at(source):
        shutil.copy2(source, target, follow_symlinks=False)


def _protected(folder: Path) -> None:
    try:
        kernel.protect(folder)
    except OSError:
        while kernel.unmount(folder):
            pass  # it is a safeguard against writing there by accident, no more
