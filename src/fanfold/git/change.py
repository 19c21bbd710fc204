"""What one branch did to its workspace, as objects of the repository."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fanfold.git.trees import LINK, Node

Status = Literal["A", "M", "D", "T"]

ABSENT = "000000"


@dataclass(frozen=True)
class PathChange:
    """One path that differs from base.

    Modes are six octal digits, "000000" where there is nothing: "100644" file, "100755" executable,
    "120000" symbolic link, "160000" repository of its own. The object ids are all zeros where there is nothing,
    and for a repository of its own that was made or moved in a workspace, since no tree takes it in.
    Status "T" is another kind at the same path.
    """

    path: str
    status: Status
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str


@dataclass(frozen=True)
class Change:
    """A workspace compared with its base: the base commit, the tree it is now, and every path that differs."""

    base: str
    tree: str
    paths: tuple[PathChange, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing differs."""
        return not self.paths


def path_changes(
    differences: Iterable[tuple[str, Node | None, Node | None]], oid_length: int
) -> tuple[PathChange, ...]:
    """Differences of two trees as values; `oid_length` in hexadecimal digits."""
    nothing = Node(ABSENT, "0" * oid_length)
    return tuple(
        PathChange(
            path,
            status(old, new),
            (old or nothing).mode,
            (new or nothing).mode,
            (old or nothing).oid,
            (new or nothing).oid,
        )
        for path, old, new in differences
    )


def status(old: Node | None, new: Node | None) -> Status:
    """How a path differs, as git's letter; at least one side is there."""
    if old is None or new is None:
        return "A" if old is None else "D"
    return "M" if _kind(old) == _kind(new) else "T"


def _kind(node: Node) -> str:
    return LINK if node.mode == LINK else node.mode[:3]
