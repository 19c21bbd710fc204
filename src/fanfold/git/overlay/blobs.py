"""Write changed files as objects, converted as `git add` would."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fanfold.git.capture import PrivateGit
from fanfold.git.command import UNSYNCED, git, records, text
from fanfold.git.coprocess import Coprocess, lines
from fanfold.git.overlay.snapshots import Snapshot
from fanfold.git.repository import Repository
from fanfold.git.trees import LINK, Node

_LINE_ENDS = ("text", "eol", "crlf")
_PROGRAMS = ("filter", "ident", "working-tree-encoding")
_NONE = frozenset({b"unspecified", b"unset"})
_USUAL = {
    "core.filemode": "true",
    "core.symlinks": "true",
    "core.ignorecase": "false",
    "core.precomposeunicode": "false",
}


@dataclass(frozen=True)
class Habits:
    """How the user's git reads files: in the usual way of this system, and whether it converts line ends unasked."""

    usual: bool
    converts: bool

    @classmethod
    async def of(cls, repository: Repository) -> Habits:
        """As the repository is configured now."""
        done = await git("config", "--list", "-z", cwd=repository.root, ok=(0, 1))
        found = dict(text(record).partition("\n")[::2] for record in records(done.stdout))
        usual = all(found.get(name, value).lower() == value for name, value in _USUAL.items())
        return cls(usual, found.get("core.autocrlf", "false").lower() != "false")


class Blobs:
    """Writes files of layers over one snapshot; attributes are the snapshot's.

    Files that nothing is done to are written through one process for all, others by a process each time.
    """

    def __init__(self, repository: Repository, snapshot: Snapshot, habits: Habits) -> None:
        self._repository = repository
        self._habits = habits
        places = {
            "GIT_DIR": str(repository.git_dir),
            "GIT_WORK_TREE": str(snapshot.slot.tree),
            "GIT_INDEX_FILE": str(snapshot.slot.index),
        }
        asked = ("check-attr", "--stdin", "-z", *_LINE_ENDS, *_PROGRAMS)
        self._attributes = Coprocess(*asked, cwd=snapshot.slot.tree, places=places)
        writing = ("hash-object", "-w", "--no-filters", "--stdin-paths")
        self._writer = Coprocess(*writing, cwd=snapshot.slot.tree, places=places, settings=UNSYNCED)

    async def close(self) -> None:
        """End the processes."""
        await asyncio.gather(self._attributes.close(), self._writer.close())

    async def write(self, at: PrivateGit, files: Mapping[bytes, os.stat_result]) -> dict[bytes, Node] | None:
        """An entry of a tree for each file below the working tree; None where only an index can tell.

        Raises:
            GitError: one can't be read, or a filter failed.
            OSError: as above.
        """
        if not self._habits.usual:
            return None
        links = [path for path, found in files.items() if stat.S_ISLNK(found.st_mode)]
        regular = [path for path in files if path not in set(links)]
        by_program, as_text = await self._converted(regular)
        tree = os.fsencode(at.tree) + b"/"
        if await asyncio.to_thread(_with_carriage_return, [tree + path for path in as_text]):
            return None
        plain = [path for path in regular if path not in by_program]
        found = dict(zip(plain, await self._raw([tree + path for path in plain]), strict=True))
        found.update(await _filtered(at, sorted(by_program)))
        nodes = {path: Node(_mode(files[path]), oid) for path, oid in found.items()}
        for path in links:
            nodes[path] = Node(LINK, await self._link(tree + path))
        return nodes

    async def _converted(self, paths: Sequence[bytes]) -> tuple[set[bytes], list[bytes]]:
        """Those that a program or a setting converts, and those whose line ends may be converted."""
        by_program: set[bytes] = set()
        as_text: list[bytes] = []
        if not paths:
            return by_program, as_text
        count = len(_LINE_ENDS) + len(_PROGRAMS)

        async def read(answer: asyncio.StreamReader) -> list[list[bytes]]:
            fields = [(await answer.readuntil(b"\0"))[:-1] for _ in range(3 * count * len(paths))]
            return [fields[start + 2 : start + 3 * count : 3] for start in range(0, len(fields), 3 * count)]

        values = await self._attributes.ask(b"".join(path + b"\0" for path in paths), read)
        for path, found in zip(paths, values, strict=True):
            if not _NONE.issuperset(found[len(_LINE_ENDS) :]):
                by_program.add(path)
            if not _NONE.issuperset(found[: len(_LINE_ENDS)]) or (self._habits.converts and found[0] != b"unset"):
                as_text.append(path)
        return by_program, as_text

    async def _raw(self, places: Sequence[bytes]) -> list[str]:
        asked = b"".join(_quoted(place) + b"\n" for place in places)
        if not places:
            return []
        return [oid for [oid] in await self._writer.ask(asked, lambda answer: lines(answer, len(places)))]

    async def _link(self, place: bytes) -> str:
        with tempfile.NamedTemporaryFile(prefix="fanfold-link-") as file:
            file.write(os.readlink(place))  # noqa: PTH115 bytes
            file.flush()
            [oid] = await self._raw([os.fsencode(file.name)])
        return oid


async def _filtered(at: PrivateGit, paths: Sequence[bytes]) -> dict[bytes, str]:
    if not paths:
        return {}
    asked = b"".join(_quoted(path) + b"\n" for path in paths)
    done = await at.run("hash-object", "-w", "--stdin-paths", stdin=asked)
    return dict(zip(paths, done.stdout.decode().split(), strict=True))


def _with_carriage_return(places: list[bytes]) -> list[bytes]:
    return [place for place in places if b"\r" in Path(os.fsdecode(place)).read_bytes()]


def _mode(found: os.stat_result) -> str:
    return "100755" if found.st_mode & stat.S_IXUSR else "100644"


def _quoted(path: bytes) -> bytes:
    """A path as git reads it on a line of its own."""
    if not path.startswith(b'"') and b"\n" not in path:
        return path
    return b'"' + path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
