"""Deleting what doesn't belong, whatever it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fanfold.git.sweep import remove, sweep
from fanfold.git.trees import Node
from fanfold.testing.fingerprint import contents


@pytest.mark.parametrize(("name", "levels"), [("d", 1_200), ("folder" * 40, 60)])
def test_folders_deeper_than_any_path_are_removed(tmp_path: Path, name: str, levels: int) -> None:
    top = tmp_path / "top"
    top.mkdir()
    (top / "file").touch()
    here = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    remove(os.fsencode(top))
    assert list(tmp_path.iterdir()) == []


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (tmp_path / "top").mkdir()
    (tmp_path / "top/link").symlink_to(outside)
    (tmp_path / "top/dangling").symlink_to(tmp_path / "absent")
    remove(os.fsencode(tmp_path / "top"))
    (tmp_path / "link").symlink_to(outside)
    remove(os.fsencode(tmp_path / "link"))
    remove(os.fsencode(tmp_path / "absent"))
    assert contents(tmp_path) == {"outside/kept": b""}


def test_what_the_tree_holds_and_what_is_kept_stays(tmp_path: Path) -> None:
    trees = {
        "root": {b"file": Node("100644", "0"), b"folder": Node("040000", "inner"), b"sub": Node("160000", "0")},
        "inner": {b"link": Node("120000", "0"), b"missing": Node("100644", "0")},
    }
    for name in ("file", "stray", ".git/config", "folder/stray", "folder/.git/config", "sub/x", "new/a/b", "new/a/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "folder/link").symlink_to("nowhere")
    sweep(os.fsencode(tmp_path), "root", trees, keep=[b"new/a/b"])
    assert contents(tmp_path) == {
        "file": b"file", "folder/link": "link to nowhere", "sub": "empty folder", "new/a/b": b"new/a/b",
    }  # fmt: skip
    assert (tmp_path / ".git/config").exists()
