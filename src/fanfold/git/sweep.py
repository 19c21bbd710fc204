"""Remove from a folder what a tree doesn't hold, whatever it is."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Collection, Mapping

from fanfold.git.trees import GITLINK, TREE, Tree

_OWN = 0o700
_DEEPEST = 100
_LONGEST = 3_000
_NOTHING: Tree = {}


def sweep(
    root: bytes, tree_id: str, trees: Mapping[str, Tree], *, keep: Collection[bytes] = (), layer: bytes = b""
) -> None:
    """Delete everything below `root` that stands where the tree holds nothing of its kind.

    Git's own `clean` passes over git directories inside tracked folders, over pipes and sockets, and over what
    lies in a submodule's folder; this doesn't. The `.git` of `root` itself stays. The content of files isn't
    looked at. A submodule's folder is left empty. Follows no symbolic link.

    Args:
        trees: holds the tree and all below it.
        keep: paths below `root` that stay though the tree doesn't hold them.
        layer: the layer of an overlay on `root` that holds all that may have to go; only that is looked through.
    """
    kept = set(keep)
    above = {path[:at] for path in kept for at in range(len(path)) if path[at] == ord("/")}
    _sweep(root, layer or root, b"", trees[tree_id], trees, kept | {b".git"}, above)


def _sweep(
    folder: bytes,
    seen: bytes,
    prefix: bytes,
    tree: Tree,
    trees: Mapping[str, Tree],
    kept: set[bytes],
    above: set[bytes],
) -> None:
    for entry in _listed(folder, seen):
        path, place = prefix + entry.name, os.path.join(folder, entry.name)  # noqa: PTH118 bytes
        node = tree.get(entry.name)
        if path in kept:
            continue
        if entry.is_dir(follow_symlinks=False):
            if node is not None and node.mode in (TREE, GITLINK):
                inner = trees[node.oid] if node.mode == TREE else _NOTHING
                _sweep(place, entry.path, path + b"/", inner, trees, kept, above)
            elif path in above:
                _sweep(place, entry.path, path + b"/", _NOTHING, trees, kept, above)
            else:
                remove(place)
        elif node is None or node.mode in (TREE, GITLINK) or not (entry.is_symlink() or entry.is_file()):
            remove(place)


def remove(path: bytes) -> None:
    """Delete a file, a link itself, or a folder with all it holds, also where its mode forbids it.

    Raises:
        OSError: it can't be deleted, or something was put there meanwhile.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        os.unlink(path)  # noqa: PTH108 bytes
        return
    deep: list[bytes] = []
    _remove_folder(path, 0, deep)
    for each in deep:  # grows meanwhile
        inner: list[bytes] = []
        _remove_folder(each, 0, inner)
        deep += inner


def _remove_folder(folder: bytes, depth: int, deep: list[bytes]) -> None:
    """Delete a folder; what is too far down for a path's or the stack's length is moved up, and added to `deep`."""
    for entry in _listed(folder):
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)  # noqa: PTH108 bytes
        elif depth < _DEEPEST and len(entry.path) < _LONGEST:
            _remove_folder(entry.path, depth + 1, deep)
        else:
            beside = folder.rsplit(b"/", depth + 1)[0]
            deep.append(beside + b"/." + secrets.token_hex(8).encode())
            os.rename(entry.path, deep[-1])  # noqa: PTH104 bytes
    os.rmdir(folder)  # noqa: PTH106 bytes


def _listed(folder: bytes, seen: bytes = b"") -> list[os.DirEntry[bytes]]:
    """The entries of a folder, or of `seen` in its place; its owner may read and change it from now on."""
    mode = os.stat(folder, follow_symlinks=False).st_mode  # noqa: PTH116 bytes
    if mode & _OWN != _OWN:
        os.chmod(folder, stat.S_IMODE(mode) | _OWN)  # noqa: PTH101 bytes
    with contextlib.closing(os.scandir(seen or folder)) as entries:
        return list(entries)
