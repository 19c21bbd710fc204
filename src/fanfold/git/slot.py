"""A folder for one workspace at a time, held by a lock that ends with its process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fanfold.git.sweep import remove

_OWN = frozenset({"tree", "index", "cache", "lock", ".git", "layers", "git", "holds", "kept", "made"})
SLOT = re.compile(r"(slot|overlay|snapshot)-\d+(\.removed)?")

_TRIES = 100
"""How often a slot may be removed by others while it is being taken."""

# Stops git from looking for a repository further up, where an agent deleted the one in the tree.
_BARRIER = b"no repository is reachable from a workspace\n"


@dataclass(frozen=True)
class Slot:
    """One slot's folder, and its lock as an open file.

    `tree/` is the workspace; `index` describes what git last wrote there; `cache/` outlives the leases. In an
    overlay's slot `tree/` is where `layers/` and `git/` are mounted, over another slot; `holds` names its tree.
    """

    folder: Path
    lock: int

    @property
    def tree(self) -> Path:
        """The working tree."""
        return self.folder / "tree"

    @property
    def index(self) -> Path:
        """The private index."""
        return self.folder / "index"

    @property
    def cache(self) -> Path:
        """Where tools may keep what speeds them up."""
        return self.folder / "cache"

    @property
    def kept(self) -> tuple[bytes, ...]:
        """Paths below the tree that outlive the leases and are no change of any."""
        try:
            names = (self.folder / "kept").read_bytes().split(b"\0")
        except OSError:
            return ()
        return tuple(name for name in names if name and not {b"", b".", b".."} & set(name.split(b"/")))

    def keep(self, paths: Iterable[bytes]) -> None:
        """Say which paths these are from now on."""
        (self.folder / "kept").write_bytes(b"\0".join(paths))

    @property
    def held(self) -> bool:
        """Whether the slot is still this process's own, and not deleted by somebody with its lock."""
        try:
            return is_still(self.folder / "lock", self.lock)
        except OSError:
            return False

    def prepare(self) -> None:
        """Make what is missing, and remove what a killed git process or an agent left beside the tree.

        Checkers look for their configuration in the folders above, too: a planted one must not sway them.
        """
        for stranger in self._strangers():
            with contextlib.suppress(FileNotFoundError):  # other processes remove them, too
                remove(os.fsencode(stranger))
        for folder in (self.tree, self.cache):
            folder.mkdir(exist_ok=True)
        (self.folder / ".git").write_bytes(_BARRIER)

    def _strangers(self) -> Iterator[Path]:
        """What neither this class nor a pool made, in the slot and among the slots."""
        yield from (path for path in self.folder.iterdir() if path.name not in _OWN)
        yield from (path for path in self.folder.parent.iterdir() if not SLOT.fullmatch(path.name))

    def wipe(self) -> None:
        """Remove all but the lock, whatever stands there; the next use makes it anew."""
        self.folder.chmod(0o700)
        for path in self.folder.iterdir():
            if path.name != "lock":
                remove(os.fsencode(path))

    def release(self) -> None:
        """Let others have the slot."""
        os.close(self.lock)


def hold(folder: Path) -> Slot | None:
    """Take a slot, made if need be; None = another process has it, or it can't be locked.

    Raises:
        OSError: the folder can't be made or written.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, FileNotFoundError):
            if not tries_left or (os.path.lexists(folder) and not folder.is_dir()):
                raise
            continue  # it, or the folder above, was removed in between
        with contextlib.suppress(OSError):  # an agent may have locked us out
            folder.chmod(0o700)
            (folder / "lock").chmod(0o600)
        try:
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            continue  # removed since
        except (IsADirectoryError, PermissionError):
            return None  # an agent put something else there
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        if is_still(folder / "lock", lock):
            return Slot(folder, lock)
        os.close(lock)
    return None


def is_still(path: Path, file: int) -> bool:
    """Whether a path is still the open file, and wasn't removed or replaced since."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
