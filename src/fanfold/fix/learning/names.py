"""What projects and agents are called in what was learned: nothing that tells where somebody keeps their files."""

from __future__ import annotations

import os
import re
from pathlib import Path

from fanfold.git import Repository

_FOLDERS = re.compile(r"""(^|[\s:=,'"])(?:~[^\s/]*|\.{1,2})?/(?:[^\s/'"]*/)*""")


def place_of(repository: Repository) -> str:
    """Where a project is, the same for all its linked worktrees; never exported."""
    return os.fsencode(Path(repository.common_dir).resolve()).decode("utf-8", "backslashreplace")


def known_as(agent: str) -> str:
    """An agent's name without the folders that a command in it may name: "command:fixer {file}"."""
    return encodable(_FOLDERS.sub(r"\1", agent))


def encodable(text: str) -> str:
    """A text that can be written down, whatever bytes it came from."""
    return text.encode("utf-8", "backslashreplace").decode()
