"""A folder for one workspace at a time, held by a lock that ends with its process."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from fanfold.git.sweep import remove

# Stops git from looking for a repository further up, where an agent deleted the one in the tree.
_BARRIER = b"no repository is reachable from a workspace\n"


@dataclass(frozen=True)
class Slot:
    """One slot's folder, and its lock as an open file.

    `tree/` is the workspace; `index` describes what git last wrote there; `cache/` outlives the leases.
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

    def prepare(self) -> None:
        """Make what is missing, and remove the lock of a git process that was killed."""
        for folder in (self.tree, self.cache):
            folder.mkdir(exist_ok=True)
        (self.folder / ".git").write_bytes(_BARRIER)
        Path(f"{self.index}.lock").unlink(missing_ok=True)

    def wipe(self) -> None:
        """Remove the tree and its index; the next use makes them anew."""
        remove(os.fsencode(self.tree))
        self.index.unlink(missing_ok=True)

    def release(self) -> None:
        """Let others have the slot."""
        os.close(self.lock)


def hold(folder: Path) -> Slot | None:
    """Take a slot, made if need be; None = another process has it.

    Raises:
        OSError: the folder can't be made or written.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            continue  # removed since
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        if _is_still(folder / "lock", lock):
            return Slot(folder, lock)
        os.close(lock)


def _is_still(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
