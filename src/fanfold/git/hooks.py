"""The user's own pre-commit hook, and never one that a working copy brings along."""

from __future__ import annotations

import os
from pathlib import Path

from fanfold.git.command import git, text
from fanfold.git.repository import Repository

NAME = "pre-commit"


async def pre_commit_hook(repository: Repository) -> Path | None:
    """The program that `git commit` would run first in the user's checkout, as an absolute path; None = there is none.

    It is looked for where `core.hooksPath` says, else in the repository's own git directory.
    """
    folder = await _configured(repository)
    place = (repository.root / folder if folder else repository.common_dir / "hooks") / NAME
    return place if place.is_file() and os.access(place, os.X_OK) else None


async def _configured(repository: Repository) -> str | None:
    asked = ("config", "--show-scope", "-z", "--type=path", "--get-all", "core.hooksPath")
    done = await git(*asked, cwd=repository.root, ok=(0, 1))
    fields = text(done.stdout).split("\0")
    # Fanfold's own commands run no hooks: that is the last one, of the scope "command".
    values = [value for scope, value in zip(fields[::2], fields[1::2], strict=False) if scope != "command"]
    return values[-1] if values else None
