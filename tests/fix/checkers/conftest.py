"""A tree to check, and programs that play a checker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fanfold.fix.checkers.protocol import Scope
from fanfold.fix.project import Project


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Scope]:
    """Makes a tree with the given files and a scope that checks all of it."""

    def make(files: Mapping[str, str | bytes], root: Path | None = None) -> Scope:
        root = root or tmp_path / "tree"
        root.mkdir(exist_ok=True)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        (tmp_path / "cache").mkdir(exist_ok=True)
        return Scope(root, Project(root, Path(sys.executable)), tmp_path / "cache")

    return make


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., Path]:
    """Makes a project's environment in which a program of the given name is the given Python script."""

    def make(name: str, script: str) -> Path:
        folder = tmp_path / "environment" / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / name
        program.write_text(f"#!{sys.executable}\n{script}\n")
        program.chmod(0o755)
        return folder.parent

    return make


@pytest.fixture
def names_below() -> Callable[[Path], set[str]]:
    """Lists all files and folders of a tree."""

    def names(root: Path) -> set[str]:
        return {path.relative_to(root).as_posix() for path in root.rglob("*")}

    return names
