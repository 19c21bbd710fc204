"""A change that was made on another machine, as data: written there, taken into the user's object store here.

Files travel with their content, not as objects of git: what arrives is made into objects here, so that nothing that
git would have to be careful with comes from another machine.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from types import TracebackType
from typing import Any, TypeAlias

from fanfold.git.change import ABSENT, Change, PathChange, path_changes
from fanfold.git.command import UNSYNCED, GitError, git, raw, text
from fanfold.git.objects import Objects
from fanfold.git.repository import Repository
from fanfold.git.trees import Node, blob_id

MAX_BYTES = 64 << 20
MAX_PATH_BYTES = 4096
_MAX_FACTS_BYTES = 6 * MAX_PATH_BYTES + 200

_MAGIC = "fanfold-change-1:"
_MODES = frozenset({"100644", "100755", ABSENT})
# What file systems take for `.git`: letters of either case, NTFS's short name, its streams, dots and spaces at the end.
_GIT = re.compile(r"\.git|git~\d+", re.IGNORECASE)
# Code points that HFS+ leaves out of names when it compares them.
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


class ParcelError(GitError):
    """A change can't travel, or what arrived is none that can be taken in."""


async def pack_change(repository: Repository, change: Change, *, max_bytes: int = MAX_BYTES) -> str:
    """A change as text that any JSON takes: its base, and each path with its mode and its content.

    Args:
        max_bytes: of all contents together.
    Raises:
        ParcelError: a path is no regular file now, or there is more than `max_bytes`.
    """
    files: list[tuple[str, str, int]] = []
    contents: list[bytes] = []
    for path in change.paths:
        _refuse(path.path, path.new_mode)
        content = await repository.read(change.tree, path.path) if path.new_mode != ABSENT else b""
        if content is None:
            raise ParcelError(f"the change has no content for {path.path!r}")
        contents.append(content)
        files.append((path.path, path.new_mode, len(content)))
        if sum(map(len, contents)) > max_bytes:
            raise ParcelError(f"the change holds more than {max_bytes} bytes", hint="make smaller changes")
    facts = {"base": change.base, "tree": change.tree, "files": files}
    packed = zlib.compress(b"\n".join((json.dumps(facts).encode(), b"".join(contents))), 1)
    return _MAGIC + base64.b64encode(packed).decode("ascii")


class Inbox:
    """Takes changes that were made elsewhere into the user's object store; no ref names what it writes.

    An async context manager: the processes of git that it needs end with it.
    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._objects = Objects(repository)

    async def __aenter__(self) -> Inbox:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._objects.close()

    async def take(self, parcel: str, *, base: str, only: Collection[str], max_bytes: int = MAX_BYTES) -> Change:
        """The change that `pack_change` made `parcel` of, as objects here.

        Nothing that was said elsewhere of the change is believed: paths, modes and sizes are checked before anything
        is written, and the tree is the base's with these files put in.

        Args:
            base: the commit that it must be made on.
            only: the paths that it may touch.
            max_bytes: of all contents together.
        Raises:
            ParcelError: it isn't such a change.
        """
        claimed, files = _read(parcel, base, only, max_bytes)
        root = await self._objects.root_of(base)
        edits = {path: await self._written(mode, content) for path, (mode, content) in files.items()}
        try:
            tree = await self._objects.splice(root, edits)
        except GitError as error:
            raise ParcelError(f"the change doesn't fit into its base: {error.message}") from error
        change = Change(base, tree, await self._paths(root, tree))
        if change.empty or tree != claimed or {path.path for path in change.paths} != files.keys():
            raise ParcelError("the change that arrived is not the one that was made: its files make another tree")
        return change

    async def _written(self, mode: str, content: bytes) -> Node | None:
        if mode == ABSENT:
            return None
        oid = blob_id(content, self.repository.object_format)
        places = {"GIT_DIR": str(self.repository.git_dir)}
        command = ("hash-object", "-w", "-t", "blob", "--no-filters", "--stdin")
        done = await git(*command, cwd=self.repository.root, places=places, settings=UNSYNCED, stdin=content)
        if text(done.stdout).strip() != oid:
            raise ParcelError("git wrote another object than it was to")
        return Node(mode, oid)

    async def _paths(self, old: str, new: str) -> tuple[PathChange, ...]:
        differences = await self._objects.differences(old, new)
        ordered = sorted(differences, key=lambda each: raw(each[0]))
        return path_changes(ordered, len(old))


Files: TypeAlias = Mapping[str, tuple[str, bytes]]


def _read(parcel: str, base: str, only: Collection[str], max_bytes: int) -> tuple[str, Files]:
    """The tree that was claimed, and the mode and content of each path; all of it within its bounds."""
    most = max_bytes + _MAX_FACTS_BYTES * (len(only) + 1)
    if len(parcel) > 2 * most:
        raise ParcelError(f"the change holds more than {max_bytes} bytes")
    try:
        head, _, contents = _inflated(parcel, most).partition(b"\n")
        facts = json.loads(head)
        claimed, found = str(facts["tree"]), str(facts["base"])
        files = _files(facts["files"], contents)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ParcelError(f"this is no change: {error}") from error
    if found != base:
        raise ParcelError(f"the change was made on {found[:64]!r}, not on {base}")
    if len(contents) > max_bytes:
        raise ParcelError(f"the change holds more than {max_bytes} bytes")
    for path in files:
        if path not in only:
            raise ParcelError(f"the change touches {path[:200]!r}, which it may not")
    return claimed, files


def _files(listed: Iterable[tuple[str, str, int]], contents: bytes) -> Files:
    files: dict[str, tuple[str, bytes]] = {}
    at = 0
    for path, mode, size in listed:
        _refuse(path, mode)
        if path in files:
            raise ParcelError(f"the change names {path!r} twice")
        content = contents[at : at + size]
        if size < 0 or len(content) != size:
            raise ValueError("a file is cut off")
        files[path] = (mode, content)
        at += size
    if at != len(contents):
        raise ValueError("it holds more than its files")
    return files


def _refuse(path: Any, mode: Any) -> None:
    """Say no to names that lead elsewhere and to all that is no regular file."""
    if not isinstance(path, str) or not isinstance(mode, str):
        raise ParcelError("a name or a mode of the change is no text")
    if mode not in _MODES:
        raise ParcelError(f"{path[:200]!r} would be no regular file, which a change from elsewhere may not hold")
    parts = path.split("/")
    if len(raw(path)) > MAX_PATH_BYTES or "\0" in path or any(_leads_elsewhere(part) for part in parts):
        raise ParcelError(f"{path[:200]!r} is no name for a file of a repository")


def _leads_elsewhere(part: str) -> bool:
    plain = _IGNORED.sub("", part).split(":")[0].rstrip(". ")
    return part in ("", ".", "..") or "\\" in part or _GIT.fullmatch(plain) is not None


def _inflated(parcel: str, max_bytes: int) -> bytes:
    if not parcel.startswith(_MAGIC):
        raise ValueError("it doesn't begin as one")
    packed = base64.b64decode(parcel.removeprefix(_MAGIC).encode("ascii"), validate=True)
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(packed, max_bytes)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not inflate.eof:
        raise ValueError("it is too large, or cut off")
    return content
