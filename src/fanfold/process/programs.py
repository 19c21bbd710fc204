"""Where a program that Fanfold runs is found."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def find_program(name: str, *, environment: Path | None = None) -> Path | None:
    """The program `name`, or None where it isn't installed.

    Args:
        name: a program's name; with a folder in it, a path that is only checked.
        environment: root of the project's virtual environment, which knows its tools' right versions best.
    Returns:
        Absolute path of an executable file: from `environment`, else beside the running interpreter,
        else from PATH. Symbolic links stay as they are: a virtual environment's programs need that.
    """
    if os.sep in name:
        return _executable(Path(name))
    homes = [Path(sys.executable).parent] if sys.executable else []
    if environment is not None:
        homes.insert(0, environment / "bin")
    for home in homes:
        if found := _executable(home / name):
            return found
    on_path = shutil.which(name)
    return Path(on_path).absolute() if on_path else None


def _executable(path: Path) -> Path | None:
    return path.absolute() if path.is_file() and os.access(path, os.X_OK) else None
