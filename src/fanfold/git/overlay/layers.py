"""Mount a workspace: its own layer over what all leases share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fanfold.git.overlay import kernel
from fanfold.git.sweep import remove

_PLAIN = {"index": "off", "metacopy": "off"}


@dataclass(frozen=True)
class Way:
    """How overlays are mounted here: options of the mount, and where the kernel notes what a layer hides.

    Nothing is synced: what is in a layer is worth nothing after a crash. Folders can be renamed only where the
    kernel follows them, which it does for root alone; elsewhere programs copy them instead, as between two disks.
    """

    options: Mapping[str, str]
    attributes: str


_TRUSTED = "trusted.overlay."
_USER = "user.overlay."
_EVERYBODY = ["0", "0", "4294967295"]
"""The users of the system's own namespace, where alone attributes of the first kind can be written."""

WAYS = (
    Way({**_PLAIN, "redirect_dir": "on", "volatile": ""}, _TRUSTED),
    Way({"userxattr": "", **_PLAIN, "volatile": ""}, _USER),
    Way({"userxattr": "", "volatile": ""}, _USER),
    Way({**_PLAIN}, _TRUSTED),
    Way({"userxattr": ""}, _USER),
)


class Layers:
    """The own layer of one workspace: mounted at `target`, kept in `folder`, one after another.

    Each has a folder of its own: programs that an agent left running may still write to an earlier one.
    """

    def __init__(self, target: Path, folder: Path, way: Way) -> None:
        self._target = target
        self._folder = folder
        self._way = way
        self._number = 0

    @property
    def upper(self) -> Path:
        """What is changed in the layer that is mounted."""
        return self._folder / f"{self._number}" / "upper"

    def mount(self, lower: tuple[Path, ...]) -> None:
        """Put an empty layer over `lower`.

        Raises:
            OSError: the kernel says no, or the folders can't be made.
        """
        self._number += 1
        work = self.upper.with_name("work")
        for folder in (self._folder, self.upper.parent, self.upper, work):
            folder.mkdir(exist_ok=folder == self._folder)
        shutil.copymode(lower[-1], self.upper)  # the top folder's mode is the layer's
        kernel.mount_overlay(self._target, lower, self.upper, work, self._way.options)

    def drop(self) -> None:
        """Unmount, and remove what any layer holds; more than one where a process was killed."""
        while kernel.unmount(self._target):
            pass
        remove(os.fsencode(self._folder))


def possible(folder: Path) -> tuple[Way | None, str]:
    """How overlays can be mounted in `folder` by this process, which has entered, tried there; else None, and why.

    Raises:
        OSError: the folder can't be written.
    """
    reason = ""
    privileged = Path("/proc/self/uid_map").read_text().split() == _EVERYBODY
    for way in WAYS if privileged else [way for way in WAYS if way.attributes == _USER]:
        try:
            if _works(folder, way):
                return way, ""
            reason = reason or "the file system can't keep what an overlay notes"
        except OSError as error:
            reason = reason or str(error.strerror or error)
    return None, reason


def reason_against(home: Path) -> str:
    """Why there can be no overlays below `home`, tried by this process, which has entered; nothing if they can."""
    trial = home / f"overlay-{os.getpid()}.trial"
    try:
        home.mkdir(parents=True, exist_ok=True)
        trial.mkdir()
        return possible(trial)[1]
    except OSError as error:
        return str(error.strerror or error)
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def _works(folder: Path, way: Way) -> bool:
    """Whether a folder that was removed and made again hides what lay below, and a change stays in its layer."""
    lower, target, layers = (folder / f"trial-{name}" for name in ("lower", "tree", "layers"))
    own = Layers(target, layers, way)
    try:
        (lower / "folder").mkdir(parents=True)
        (lower / "folder" / "file").touch()
        target.mkdir()
        own.mount((lower,))
        (target / "folder" / "file").unlink()
        (target / "folder").rmdir()
        (target / "folder").mkdir()
        hidden = not list((target / "folder").iterdir()) and (lower / "folder" / "file").exists()
        return hidden and opaque(os.fsencode(own.upper / "folder"), way)
    finally:
        own.drop()
        for each in (lower, target):
            remove(os.fsencode(each))


def opaque(folder: bytes, way: Way) -> bool:
    """Whether a folder of a layer hides what the layers below have at its place."""
    return _attribute(folder, f"{way.attributes}opaque") == b"y"


def redirected(folder: bytes, way: Way) -> bool:
    """Whether a folder of a layer is one of the layers below under another name."""
    return bool(_attribute(folder, f"{way.attributes}redirect"))


def _attribute(path: bytes, name: str) -> bytes:
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError:
        return b""
