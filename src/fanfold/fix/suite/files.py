"""Whether a project has tests for pytest, read from its files."""

from __future__ import annotations

import configparser
import os
import tomllib
from pathlib import Path

NOT_SEARCHED = frozenset({"node_modules", "build", "dist", "site-packages", "__pycache__"})


def configures_pytest(root: Path) -> bool:
    """Whether the project configures pytest."""
    if (root / "pytest.ini").is_file() or (root / ".pytest.ini").is_file():
        return True
    try:
        tool = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get("tool", {})
        if isinstance(tool, dict) and "pytest" in tool:
            return True
    except (OSError, ValueError):
        pass  # none, or not TOML: the other places may still have it
    return any(
        _has_section(root / name, section) for name, section in (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest"))
    )


def _has_section(path: Path, section: str) -> bool:
    if not path.is_file():  # it may be a link to what has no end
        return False
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return False
    return parser.has_section(section)


def has_tests(root: Path) -> bool:
    """Whether there is a file that pytest would take tests from by its name."""
    for folder, folders, files in os.walk(root):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and name not in NOT_SEARCHED
            and not (Path(folder) / name / "pyvenv.cfg").exists()
        ]
        if any(name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py")) for name in files):
            return True
    return False
