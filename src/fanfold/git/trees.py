"""Git's trees as values: read from their raw form, identified, and listed for git to write."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

TREE = "040000"
LINK = "120000"
GITLINK = "160000"
FILES = frozenset({"100644", "100755", LINK})

_KINDS = {TREE: "tree", GITLINK: "commit"}


class Node(NamedTuple):
    """An entry of a tree: its mode as six octal digits, and its object."""

    mode: str
    oid: str


Tree = Mapping[bytes, Node]


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
        yield sys.intern(mode.decode().rjust(6, "0")), name, content[end + 1 : at].hex()


def tree_id(tree: Tree, object_format: str) -> str:
    """The object id that git gives a tree.

    Source:
        git's tree format: as `parse_tree` reads, without leading zeros, in order of names; a folder's as if it ended
        in a slash.
    """
    ordered = sorted(tree.items(), key=lambda item: item[0] + b"/" if item[1].mode == TREE else item[0])
    content = b"".join(
        node.mode.lstrip("0").encode() + b" " + name + b"\0" + bytes.fromhex(node.oid) for name, node in ordered
    )
    return hashlib.new(object_format, b"tree %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def blob_id(content: bytes, object_format: str) -> str:
    """The object id that git gives the content of a file."""
    return hashlib.new(object_format, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def listed(tree: Tree) -> bytes:
    """A tree as `git mktree --batch -z` reads it."""
    entries = (
        f"{node.mode} {_KINDS.get(node.mode, 'blob')} {node.oid}\t".encode() + name + b"\0"
        for name, node in tree.items()
    )
    return b"".join(entries) + b"\0"
