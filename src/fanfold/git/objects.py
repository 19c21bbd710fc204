"""Trees of the user's object store: read, compared, and written with a few paths replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from fanfold.git.command import GitError, raw, text
from fanfold.git.coprocess import Coprocess

TREE = "040000"
LINK = "120000"
GITLINK = "160000"
FILES = frozenset({"100644", "100755", LINK})

_AT_ONCE = 512
_KINDS = {TREE: "tree", GITLINK: "commit"}


class Node(NamedTuple):
    """An entry of a tree: its mode as six octal digits, and its object."""

    mode: str
    oid: str


Tree = Mapping[bytes, Node]


class ObstructedError(GitError):
    """A path can't be put into a tree: something else stands in its way."""


class Objects:
    """Reads and writes trees through long-lived git processes; every tree is read once.

    An async context manager: the processes end with it.
    """

    def __init__(self, root: Path, git_dir: Path, object_format: str) -> None:
        places = {"GIT_DIR": str(git_dir)}
        self._reader = Coprocess("cat-file", "--batch-command", cwd=root, places=places)
        # --missing: in a partial clone, what stays as it is need not be fetched.
        self._writer = Coprocess("mktree", "--batch", "--missing", "-z", cwd=root, places=places)
        self._oid_bytes = {"sha1": 20, "sha256": 32}[object_format]
        self._trees: dict[str, Tree] = {}
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
        """All trees read so far by object id."""
        return self._trees

    async def root_of(self, treeish: str) -> str:
        """The id of the tree of a commit or tree.

        Raises:
            GitError: there is no such object.
        """
        [(oid, content)] = await self._read([f"{treeish}^{{tree}}"])
        if oid not in self._trees:
            self._trees[oid] = parse_tree(content, self._oid_bytes)
        return oid

    async def require(self, oids: Iterable[str]) -> None:
        """See that these objects are in the store.

        Raises:
            GitError: one isn't.
        """
        names = list(oids)
        asked = "".join(f"info {name}\n" for name in names).encode()
        lines = await self._reader.ask(asked, lambda answer: _lines(answer, len(names)))
        if absent := [name for name, *rest in lines if len(rest) != 2]:
            raise GitError(f"there is no object {absent[0]}")

    async def tree(self, oid: str) -> Tree:
        """The entries of one tree by name."""
        await self._fetch([oid])
        return self._trees[oid]

    async def load(self, oid: str) -> None:
        """Read a tree with all trees below it."""
        level, seen = [oid], [oid]
        while level := [each for each in level if each not in self._whole]:
            await self._fetch(level)
            seen += level
            level = [node.oid for each in level for node in self._trees[each].values() if node.mode == TREE]
        self._whole.update(seen)

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

    async def splice(self, root: str, edits: Mapping[str, Node | None]) -> str:
        """The tree with some paths replaced (None = removed); written, with folders made and dropped as needed.

        Raises:
            ObstructedError: a folder of an edit is a file in the tree, or the other way around.
        """
        split = {tuple(raw(path).split(b"/")): node for path, node in edits.items()}
        return await self._splice(root, split) or await self._write({})

    async def differences(self, old: str, new: str, prefix: bytes = b"") -> list[tuple[str, Node | None, Node | None]]:
        """Every path below two trees whose entry differs, in git's order of names; folders are opened."""
        if old == new:
            return []
        await self._fetch([oid for oid in (old, new) if oid])
        before, after = (self._trees[oid] if oid else {} for oid in (old, new))
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

    async def _splice(self, oid: str, edits: Mapping[tuple[bytes, ...], Node | None]) -> str | None:
        tree = dict(await self.tree(oid)) if oid else {}
        inner: dict[bytes, dict[tuple[bytes, ...], Node | None]] = {}
        # Removals first: a folder may make room for a file of its name, and the other way around.
        for (name, *rest), node in sorted(edits.items(), key=lambda edit: edit[1] is not None):
            if rest:
                inner.setdefault(name, {})[tuple(rest)] = node
            elif node is None:
                tree.pop(name, None)
        for name, below in inner.items():
            await self._splice_folder(tree, name, below)
        for (name, *rest), node in edits.items():
            if not rest and node is not None:
                if tree.get(name, node).mode == TREE:
                    raise ObstructedError(f"a folder stands at {text(name)}")
                tree[name] = node
        return await self._write(tree) if tree else None

    async def _splice_folder(
        self, tree: dict[bytes, Node], name: bytes, edits: Mapping[tuple[bytes, ...], Node | None]
    ) -> None:
        there = tree.get(name)
        if there is not None and there.mode != TREE:
            raise ObstructedError(f"a file stands at {text(name)}")
        folder = await self._splice(there.oid if there else "", edits)
        if folder:
            tree[name] = Node(TREE, folder)
        else:
            tree.pop(name, None)

    async def _write(self, tree: Tree) -> str:
        lines = (
            f"{node.mode} {_KINDS.get(node.mode, 'blob')} {node.oid}\t".encode() + name + b"\0"
            for name, node in tree.items()
        )
        [[oid]] = await self._writer.ask(b"".join(lines) + b"\0", lambda answer: _lines(answer, 1))
        self._trees[oid] = dict(tree)
        return oid

    async def _fetch(self, oids: Iterable[str]) -> None:
        missing = [oid for oid in dict.fromkeys(oids) if oid not in self._trees]
        for start in range(0, len(missing), _AT_ONCE):
            for oid, content in await self._read(missing[start : start + _AT_ONCE]):
                self._trees[oid] = parse_tree(content, self._oid_bytes)

    async def _read(self, names: list[str]) -> list[tuple[str, bytes]]:
        asked = "".join(f"contents {name}\n" for name in names).encode()
        found = await self._reader.ask(asked, lambda answer: _contents(answer, len(names)))
        if absent := [name for name, each in zip(names, found, strict=True) if each is None]:
            raise GitError(f"there is no object {absent[0]}")
        return [each for each in found if each is not None]


async def _lines(answer: asyncio.StreamReader, count: int) -> list[list[str]]:
    """The words of so many lines."""
    return [(await answer.readuntil(b"\n")).decode().split() for _ in range(count)]


async def _contents(answer: asyncio.StreamReader, count: int) -> list[tuple[str, bytes] | None]:
    """Id and content of so many objects; None for one that isn't there."""
    found: list[tuple[str, bytes] | None] = []
    for _ in range(count):
        [[oid, *rest]] = await _lines(answer, 1)
        content = await answer.readexactly(int(rest[1]) + 1) if len(rest) == 2 else b""
        found.append((oid, content[:-1]) if content else None)
    return found


def parse_tree(content: bytes, oid_bytes: int) -> dict[bytes, Node]:
    """The entries of a raw tree object by name.

    Source:
        git's tree format: octal mode, space, name, NUL, binary object id.
    """
    return {name: Node(mode, oid) for mode, name, oid in _entries(content, oid_bytes)}


def _entries(content: bytes, oid_bytes: int) -> Iterator[tuple[str, bytes, str]]:
    at = 0
    while at < len(content):
        end = content.index(b"\0", at)
        mode, _, name = content[at:end].partition(b" ")
        at = end + 1 + oid_bytes
        yield mode.decode().rjust(6, "0"), name, content[end + 1 : at].hex()
