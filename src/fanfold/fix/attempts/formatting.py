"""Whether a project keeps its files formatted, so that fixes keep them so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from fanfold.git import Workspace
from fanfold.process import run

HOOKS = re.compile(r"^\s*-\s*id:\s*['\"]?(black|ruff-format)\b", re.MULTILINE)


def formats(root: Path) -> bool:
    """Whether the project is set up for ruff's formatter or black, in its configuration or its commit hooks."""
    try:
        tools = tomllib.loads((root / "pyproject.toml").read_text("utf-8")).get("tool", {})
    except (OSError, ValueError):
        tools = {}
    if "black" in tools or "format" in tools.get("ruff", {}):
        return True
    try:
        return bool(HOOKS.search((root / ".pre-commit-config.yaml").read_text("utf-8", "replace")))
    except OSError:
        return False


async def is_formatted(ruff: str, workspace: Workspace, path: str) -> bool:
    """Whether a file stands as the formatter would leave it."""
    done = await run([ruff, "format", "--check", "--no-cache", "--force-exclude", "--", path], cwd=workspace.root)
    return done.returncode == 0
