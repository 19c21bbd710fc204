"""Read a layer: which paths it changes, removes or covers."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from fanfold.git.overlay.layers import Way, opaque, redirected
from fanfold.git.trees import GITLINK, TREE, Node, Tree

_PLAIN_NAMES = frozenset({b".gitignore", b".github", b".gitkeep", b".gitlab", b".gitlab-ci.yml"})


@dataclass
class Layer:
    """What a layer holds besides the `.git` at its top; `odd` where only git itself can tell what that comes to.

    Args:
        files: regular files and symbolic links by path.
        gone: paths where a file or folder of the layers below was removed.
        folders: each with whether it hides all that is below it in the lower layers.
        others: pipes, sockets, devices.
    """

    files: dict[bytes, os.stat_result] = field(default_factory=dict)
    gone: list[bytes] = field(default_factory=list)
    folders: dict[bytes, bool] = field(default_factory=dict)
    others: list[bytes] = field(default_factory=list)
    odd: bool = False


@dataclass(frozen=True)
class Sorted:
    """What a layer makes of a tree: paths that are gone, tracked files that may differ, and files that are new.

    `tops` are the new ones, or the uppermost folder that is new of those in one.
    """

    removed: frozenset[bytes]
    tracked: Mapping[bytes, os.stat_result]
    new: Mapping[bytes, os.stat_result]
    tops: frozenset[bytes]


def read_layer(upper: bytes, way: Way) -> Layer:
    """What is in a layer.

    Raises:
        OSError: a folder can't be read.
    """
    found = Layer()
    _read(upper, b"", way, found)
    return found


def _read(folder: bytes, prefix: bytes, way: Way, found: Layer) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if path == b".git":
                continue
            found.odd = found.odd or _odd_name(entry.name)
            at = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(at.st_mode):
                found.odd = found.odd or redirected(entry.path, way)
                found.folders[path] = opaque(entry.path, way)
                _read(entry.path, path + b"/", way, found)
            elif stat.S_ISREG(at.st_mode) or stat.S_ISLNK(at.st_mode):
                found.files[path] = at
            elif is_whiteout(at):
                found.gone.append(path)
            else:
                found.others.append(path)


def is_whiteout(at: os.stat_result) -> bool:
    """Whether an entry of a layer says that there is nothing."""
    return stat.S_ISCHR(at.st_mode) and at.st_rdev == 0


def _odd_name(name: bytes) -> bool:
    """Names that git treats in a way of its own: its directories, attributes, and what could pass for one of these."""
    lower = name.lower()
    return (lower.startswith(b".git") and name not in _PLAIN_NAMES) or b"git~" in lower or b"\\" in name or b":" in name


@dataclass(frozen=True)
class Lookup:
    """A tree that is loaded, with all trees below it."""

    trees: Mapping[str, Tree]
    root: str

    def at(self, path: bytes) -> Node | None:
        """What stands at a path; None = nothing."""
        node: Node | None = Node(TREE, self.root)
        for part in path.split(b"/"):
            if node is None or node.mode != TREE:
                return None
            node = self.trees[node.oid].get(part)
        return node

    def kind(self, path: bytes) -> str:
        """What kind of thing stands at a path."""
        node = self.at(path)
        return "" if node is None else node.mode if node.mode in (TREE, GITLINK) else "file"

    def below(self, path: bytes) -> set[bytes]:
        """The paths of all files in the folder at a path; none where no folder is."""
        node = self.at(path)
        return set(self._below(node.oid, path + b"/")) if node is not None and node.mode == TREE else set()

    def _below(self, oid: str, prefix: bytes) -> Iterator[bytes]:
        for name, node in self.trees[oid].items():
            if node.mode == TREE:
                yield from self._below(node.oid, prefix + name + b"/")
            else:
                yield prefix + name


def sort_out(layer: Layer, tree: Lookup, differing: Iterable[bytes]) -> Sorted | None:
    """What a layer makes of a tree; None where only git itself can tell.

    Args:
        differing: paths at which the tree differs from the layers below: their state is in the layer alone.
    """
    gone = {path for path in (*differing, *layer.gone, *layer.others, *layer.folders) if tree.kind(path) == "file"}
    covered = (*layer.gone, *layer.others, *layer.files, *(path for path, hides in layer.folders.items() if hides))
    gone.update(*(tree.below(path) for path in covered))
    gone -= layer.files.keys()
    touched = (*gone, *layer.others, *layer.files, *layer.folders)
    if layer.odd or any(tree.kind(path) == GITLINK for path in touched):
        return None
    tracked = {path: found for path, found in layer.files.items() if tree.kind(path) == "file"}
    new = {path: found for path, found in layer.files.items() if path not in tracked}
    return Sorted(frozenset(gone), tracked, new, frozenset(_top(path, tree) for path in new))


def _top(path: bytes, tree: Lookup) -> bytes:
    """The uppermost part of a path that is no folder of the tree."""
    parts = path.split(b"/")
    above = (b"/".join(parts[:count]) for count in range(1, len(parts)))
    return next((each for each in above if tree.kind(each) != TREE), path)
