"""Paths as the repository has them, whatever a tool printed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

UNDECODABLE = "\ufffd"

MAX_ARGUMENT_BYTES = 100_000
"""What the paths of one call may take: well below what a system allows for arguments and environment together."""


class OutsideTree(Exception):
    """A tool spoke of a file that isn't in the tree that it was to check."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True)
class Tree:
    """A working tree that tools name the files of: absolutely, relatively, through symbolic links."""

    root: Path

    @cached_property
    def _roots(self) -> tuple[str, ...]:
        as_given = os.path.abspath(self.root)  # noqa: PTH100 -- links in it must stay
        return tuple(dict.fromkeys((as_given, os.path.realpath(as_given))))

    def relative(self, name: str) -> str:
        """The path of `name` relative to the root, with `/` separators; the name of a link stays the link's.

        Raises:
            OutsideTree: with the absolute path.
        """
        path = os.path.normpath(os.path.join(self._roots[0], name))  # noqa: PTH118 -- any bytes a tool may print
        for candidate in self._spellings(path):
            for root in self._roots:
                if candidate.startswith(root + os.sep):
                    return self._recovered(candidate[len(root) + 1 :]).replace(os.sep, "/")
        raise OutsideTree(path)

    def _spellings(self, path: str) -> Iterator[str]:
        """A path as it was given and, only if that leads nowhere, with the links of its folder resolved."""
        yield path
        folder, last = os.path.split(path)
        yield os.path.join(os.path.realpath(folder), last)  # noqa: PTH118

    def _recovered(self, relative: str) -> str:
        """The true name where a tool put replacement characters for bytes that are no UTF-8."""
        if UNDECODABLE not in relative or os.path.lexists(self.root / relative):
            return relative
        found = Path()
        for part in Path(relative).parts:
            found /= self._named(found, part) if UNDECODABLE in part else part
        return str(found)

    def _named(self, folder: Path, shown: str) -> str:
        try:
            names = os.listdir(self.root / folder)  # noqa: PTH208
        except OSError:
            return shown
        same = [name for name in names if os.fsencode(name).decode(errors="replace") == shown]
        return same[0] if len(same) == 1 else shown


def wrong_code(paths: Iterable[str], project: Path, environment: Path | None) -> str | None:
    """The first of the absolute `paths` outside the tree that shows that a tool looked at the wrong code.

    That is a file of the user's own checkout, or one that doesn't exist: then nothing that the tool says can be
    placed. Installed packages are nobody's wrong code, also where the environment lies in the checkout.
    """
    checkout = os.path.realpath(project) + os.sep
    installed = os.path.realpath(environment) + os.sep if environment is not None else None
    for path in paths:
        real = os.path.realpath(path)
        if (installed and real.startswith(installed)) or "site-packages" in Path(real).parts:
            continue
        if real.startswith(checkout) or not os.path.lexists(path):
            return path
    return None


def arguments(paths: Iterable[str]) -> list[str]:
    """Paths that no program takes for an option or for a file of arguments (`-x.py`, `@x.py`)."""
    return [f"./{path}" for path in paths]


def chunks(paths: Sequence[str], *, max_bytes: int = MAX_ARGUMENT_BYTES) -> Iterator[list[str]]:
    """`paths` in order, in as few groups as fit into the arguments of one call each."""
    chunk: list[str] = []
    size = 0
    for path in paths:
        needed = len(os.fsencode(path)) + 1
        if chunk and size + needed > max_bytes:
            yield chunk
            chunk, size = [], 0
        chunk.append(path)
        size += needed
    if chunk:
        yield chunk
