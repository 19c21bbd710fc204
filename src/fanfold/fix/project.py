"""The user's project: where it is and which interpreter it runs on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Project:
    """A project and its environment.

    `environment` is the virtual environment's directory, None where there is none; `python` is the interpreter
    that the project's tests and type checker run on.
    """

    root: Path
    python: Path
    environment: Path | None = None
