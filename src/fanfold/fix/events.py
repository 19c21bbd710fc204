"""What a run tells about its own progress, beside the engine's events about branches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """The run has entered a new part of its way.

    `name` is a verb in the present, as a reader sees it ("checking", "fixing", "testing"); `detail` says over what
    ("ruff, mypy") and may be empty. `files` = how many branches will be queued in it, though not all at once.
    """

    name: str
    detail: str = ""
    files: int = 0
