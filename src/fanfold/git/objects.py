"""Trees of the user's object store: read, compared, and written with a few paths replaced."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from fanfold.git.command import UNSYNCED, GitError, raw, text
from fanfold.git.coprocess import Coprocess, lines
from fanfold.git.repository import Repository
from fanfold.git.trees import GITLINK, TREE, Node, Tree, listed, parse_tree, tree_id
from fanfold.process import uninterrupted

_OID_BYTES = {"sha1": 20, "sha256": 32}
_SYNCS = 6
_AT_ONCE = 512
_REMEMBERED = 5_000
"""Entries of trees that are kept in memory besides those of trees that were loaded whole."""


class ObstructedError(GitError):
    """A path can't be put into a tree: something else stands in its way."""


class Objects:
    """Reads and writes trees through long-lived git processes; a tree that was loaded whole is read once.

    An async context manager: the processes end with it.
    """

    def __init__(self, repository: Repository) -> None:
        places = {"GIT_DIR": str(repository.git_dir)}
        self._reader = Coprocess("cat-file", "--batch-command", cwd=repository.root, places=places)
        # --missing: in a partial clone, what stays as it is need not be fetched.
        command = ("mktree", "--batch", "--missing", "-z")
        self._writer = Coprocess(*command, cwd=repository.root, places=places, settings=UNSYNCED)
        self._store = repository.common_dir / "objects"
        self._format = repository.object_format
        self._trees: dict[str, Tree] = {}
        self._passing: dict[str, int] = {}
        self._passing_entries = 0
        self._kept: set[str] = set()
        self._roots: dict[str, str] = {}
        self._whole: set[str] = set()

    async def __aenter__(self) -> Objects:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the processes; a later request would start new ones."""
        await asyncio.gather(self._reader.close(), self._writer.close())

    @property
    def trees(self) -> Mapping[str, Tree]:
        """Trees by object id: all of those that were loaded whole."""
        return self._trees

    async def root_of(self, treeish: str) -> str:
        """The id of the tree of a commit or tree, which is given by its full id.

        Raises:
            GitError: there is no such object.
        """
        if treeish not in self._roots:
            [(oid, content)] = await self._read([f"{treeish}^{{tree}}"])
            self._add(oid, parse_tree(content, _OID_BYTES[self._format]))
            self._roots[treeish] = oid
        return self._roots[treeish]

    async def require(self, oids: Iterable[str]) -> None:
        """See that these objects are in the store.

        Raises:
            GitError: one isn't.
        """
        # What a capture wrote a moment ago lies there as a file of its own.
        names = [oid for oid in oids if not self._loose(oid).exists()]
        if not names:
            return
        asked = "".join(f"info {name}\n" for name in names).encode()
        found = await self._reader.ask(asked, lambda answer: lines(answer, len(names)))
        if absent := [name for name, *rest in found if len(rest) != 2]:
            raise GitError(f"there is no object {absent[0]}")

    async def tree(self, oid: str) -> Tree:
        """The entries of one tree by name."""
        await self._fetch([oid])
        return self._trees[oid]

    async def load(self, oid: str) -> None:
        """Read a tree with all trees below it."""
        self._forget()
        level, seen = [oid], [oid]
        while level := [each for each in level if each not in self._whole]:
            self._keep(level)
            await self._fetch(level)
            seen += level
            level = [node.oid for each in level for node in self._trees[each].values() if node.mode == TREE]
        self._whole.update(seen)

    def count(self, oid: str) -> int:
        """How many files are in a tree that is loaded, those in folders included."""
        return sum(self.count(node.oid) if node.mode == TREE else 1 for node in self._trees[oid].values())

    async def find(self, root: str, path: str) -> Node | None:
        """What stands at a path below a tree; None = nothing."""
        *folders, name = raw(path).split(b"/")
        oid = root
        for folder in folders:
            node = (await self.tree(oid)).get(folder)
            if node is None or node.mode != TREE:
                return None
            oid = node.oid
        return (await self.tree(oid)).get(name)

    async def content(self, node: Node) -> bytes:
        """What is in a file, or the target of a link, as the store has it.

        Raises:
            GitError: there is no such object.
        """
        [(_, content)] = await self._read([node.oid])
        return content

    async def splice(self, root: str, edits: Mapping[str, Node | None]) -> str:
        """The tree with some paths replaced (None = removed); written, with folders made and dropped as needed.

        What is written reaches the disk with `sync`.

        Raises:
            ObstructedError: a folder of an edit is a file in the tree, or the other way around.
        """
        split = {tuple(raw(path).split(b"/")): node for path, node in edits.items()}
        self._forget()
        made: dict[str, Tree] = {}
        oid = await self._splice(root, split, made)
        if oid is None:
            oid = tree_id({}, self._format)
            made[oid] = {}
        asked = b"".join(listed(tree) for tree in made.values())
        written = await self._writer.ask(asked, lambda answer: lines(answer, len(made)))
        if written != [[each] for each in made]:
            raise GitError("git mktree wrote other trees than it was to")
        for each, tree in made.items():
            self._add(each, tree)
        return oid

    async def sync(self, oids: Iterable[str]) -> None:
        """Bring objects to the disk that were written a moment ago; ones in packs are there already."""
        await sync_files([self._loose(oid) for oid in oids])

    def _loose(self, oid: str) -> Path:
        return self._store / oid[:2] / oid[2:]

    def remember(self, commit: str, tree: str) -> None:
        """Note the tree of a commit that was just written."""
        self._roots[commit] = tree

    async def fresh(self, new: str, old: str) -> list[str]:
        """The objects below a tree that another one doesn't have at the same place, the tree itself included."""
        if new == old:
            return []
        before = await self.tree(old) if old else {}
        found = [new]
        for name, node in (await self.tree(new)).items():
            was = before.get(name)
            if node.mode == TREE:
                found += await self.fresh(node.oid, was.oid if was and was.mode == TREE else "")
            elif node != was and node.mode != GITLINK:
                found.append(node.oid)
        return found

    async def differences(self, old: str, new: str, prefix: bytes = b"") -> list[tuple[str, Node | None, Node | None]]:
        """Every path below two trees whose entry differs, in git's order of names; folders are opened."""
        if old == new:
            return []
        before, after = [await self.tree(oid) if oid else {} for oid in (old, new)]
        found: list[tuple[str, Node | None, Node | None]] = []
        for name in sorted({*before, *after}):
            a, b = before.get(name), after.get(name)
            if a == b:
                continue
            path = prefix + name
            folders = [node.oid if node and node.mode == TREE else "" for node in (a, b)]
            files = [node if node and node.mode != TREE else None for node in (a, b)]
            if files[0] or files[1]:
                found.append((text(path), files[0], files[1]))
            found += await self.differences(folders[0], folders[1], path + b"/")
        return found

    async def _splice(
        self, oid: str, edits: Mapping[tuple[bytes, ...], Node | None], made: dict[str, Tree]
    ) -> str | None:
        """The id of the tree with the edits, None where it would be empty; adds new trees to `made`."""
        tree = dict(await self.tree(oid)) if oid else {}
        inner: dict[bytes, dict[tuple[bytes, ...], Node | None]] = {}
        for (name, *rest), node in edits.items():
            if rest:
                inner.setdefault(name, {})[tuple(rest)] = node
            elif node is None:
                tree.pop(name, None)  # it may make room for a folder of its name
        for name, below in inner.items():
            await self._splice_folder(tree, name, below, made)
        for (name, *rest), node in edits.items():
            if not rest and node is not None:
                if tree.get(name, node).mode == TREE:
                    raise ObstructedError(f"a folder stands at {text(name)}")
                tree[name] = node
        if not tree:
            return None
        new = tree_id(tree, self._format)
        made[new] = tree
        return new

    async def _splice_folder(
        self,
        tree: dict[bytes, Node],
        name: bytes,
        edits: Mapping[tuple[bytes, ...], Node | None],
        made: dict[str, Tree],
    ) -> None:
        there = tree.pop(name, Node(TREE, ""))
        if there.mode != TREE:
            raise ObstructedError(f"a file stands at {text(name)}")
        if folder := await self._splice(there.oid, edits, made):
            tree[name] = Node(TREE, folder)

    async def _fetch(self, oids: Iterable[str]) -> None:
        missing = [oid for oid in dict.fromkeys(oids) if oid not in self._trees]
        for start in range(0, len(missing), _AT_ONCE):
            for oid, content in await self._read(missing[start : start + _AT_ONCE]):
                self._add(oid, parse_tree(content, _OID_BYTES[self._format]))

    def _add(self, oid: str, tree: Tree) -> None:
        if oid in self._trees:
            return
        self._trees[oid] = tree
        if oid not in self._kept:
            self._passing[oid] = len(tree)
            self._passing_entries += len(tree)

    def _keep(self, oids: Iterable[str]) -> None:
        """Never forget these."""
        self._kept.update(oids)
        for oid in oids:
            self._passing_entries -= self._passing.pop(oid, 0)

    def _forget(self) -> None:
        """Drop the trees that came first, where too many have passed by; what is needed again is read again."""
        if self._passing_entries <= _REMEMBERED:
            return
        for oid in list(self._passing):
            self._passing_entries -= self._passing.pop(oid)
            del self._trees[oid]
            if self._passing_entries <= _REMEMBERED // 2:
                return

    async def _read(self, names: list[str]) -> list[tuple[str, bytes]]:
        asked = "".join(f"contents {name}\n" for name in names).encode()
        found = await self._reader.ask(asked, lambda answer: _contents(answer, len(names)))
        if absent := [name for name, each in zip(names, found, strict=True) if each is None]:
            raise GitError(f"there is no object {absent[0]}")
        return [each for each in found if each is not None]


async def _contents(answer: asyncio.StreamReader, count: int) -> list[tuple[str, bytes] | None]:
    """Id and content of so many objects; None for one that isn't there."""
    found: list[tuple[str, bytes] | None] = []
    for _ in range(count):
        [[oid, *rest]] = await lines(answer, 1)
        content = await answer.readexactly(int(rest[1]) + 1) if len(rest) == 2 else b""
        found.append((oid, content[:-1]) if content else None)
    return found


async def sync_files(paths: Sequence[Path]) -> None:
    """Bring files to the disk; ones that aren't there are skipped.

    Side by side: the file system then has one journal entry to wait for instead of one for each.
    """
    shares = [paths[at::_SYNCS] for at in range(min(_SYNCS, len(paths)))]
    await uninterrupted(_together(asyncio.to_thread(_sync, share) for share in shares))


async def _together(work: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*work)


def _sync(paths: Sequence[Path]) -> None:
    for path in paths:
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            os.fsync(file)
        finally:
            os.close(file)
