"""Where a run's record lies: a folder of its own, below one for the repository."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fanfold.config import FixSettings
from fanfold.fix.errors import FixError
from fanfold.git import Repository, slot_home

NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
_FOLDER = "runs"


@dataclass(frozen=True)
class RunFolder:
    """One run's folder: the journal, and what was said in its attempts."""

    path: Path

    @property
    def name(self) -> str:
        """The run's."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.path / "journal.sqlite"

    def trails(self, task: int | None = None) -> Path:
        """Where the trails of all tasks are, or those of the task with this number."""
        tasks = self.path / "tasks"
        return tasks if task is None else tasks / str(task)

    def size_bytes(self) -> int:
        """What it takes on the disk."""
        total = 0
        for above, _, names in os.walk(self.path):
            for name in names:
                try:
                    total += (Path(above) / name).lstat().st_blocks * 512
                except FileNotFoundError:
                    continue
        return total


def home_of(settings: FixSettings, repository: Repository) -> Path:
    """The folder of all runs in one checkout.

    Not beside its workspaces, should somebody keep both in one place: what is strange there is removed.
    """
    return settings.state / _FOLDER / slot_home(repository)


def all_homes(state: Path) -> list[Path]:
    """The folders of the runs in all checkouts."""
    above = state / _FOLDER
    return sorted(path for path in above.iterdir() if path.is_dir()) if above.is_dir() else []


def make_folder(home: Path, name: str) -> RunFolder:
    """A new run's folder, for its owner's eyes alone.

    Raises:
        FixError: there is a run of that name, or the folder can't be made.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / name).mkdir(mode=0o700)
    except FileExistsError:
        raise FixError(f"there is a run {name} already", hint="run again") from None
    except OSError as error:
        raise FixError(
            f"what has to be remembered of the run can't be kept in {home}: {error.strerror}",
            hint="set FANFOLD_FIX_STATE, or `state` in the configuration, to a folder that can be written to",
        ) from error
    return RunFolder(home / name)


def folders(home: Path) -> Iterator[RunFolder]:
    """Those of all runs, the oldest first."""
    found = sorted(home.iterdir()) if home.is_dir() else []
    return (RunFolder(path) for path in found if NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink())
