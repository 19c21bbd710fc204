"""git opens some files by itself, and at a pipe it would wait for ever."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from fanfold.git import Workspace
from fanfold.git.pipes import Folder, take_pipes_away
from fanfold.testing.repositories import make_repository

Lease = Callable[..., AbstractAsyncContextManager[Workspace]]
FILES = {"a.py": "a = 1\n", "d/b.py": "b = 1\n", "d/.gitignore": "*.log\n", ".gitattributes": "*.py text\n"}
LONG_S = 60


@pytest.mark.parametrize("read", ["capture", "clean_ignored", "strangers"])
@pytest.mark.parametrize("name", [".gitignore", ".gitattributes", "d/.gitattributes", "new/.gitignore"])
async def test_a_pipe_that_git_would_read_holds_nothing_up(tmp_path: Path, lease: Lease, name: str, read: str) -> None:
    user = make_repository(tmp_path / "user", FILES)
    async with lease(user) as workspace, asyncio.timeout(LONG_S):
        pipe = workspace.root / name
        pipe.parent.mkdir(exist_ok=True)
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        (workspace.root / "d/c.py").write_text("c = 1\n")
        await getattr(workspace, read)()
        assert {path.path for path in (await workspace.capture()).paths} == {"d/c.py", *({name} & FILES.keys())}
        await workspace.reset()
        assert (await workspace.capture()).empty


@pytest.mark.parametrize("name", ["a/.gitignore", "a/b/.gitattributes", "a/new/deep/.gitignore"])
def test_a_pipe_is_found_in_a_folder_that_was_looked_through_before(tmp_path: Path, name: str) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/.gitattributes").write_text("* text\n")
    known: dict[bytes, Folder] = {}
    pipe = tmp_path / name
    for _ in range(3):
        time.sleep(0.03)
        take_pipes_away(os.fsencode(tmp_path), known=known)
        pipe.parent.mkdir(parents=True, exist_ok=True)
        times = pipe.parent.stat()
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        os.utime(pipe.parent, ns=(times.st_atime_ns, times.st_mtime_ns))
        take_pipes_away(os.fsencode(tmp_path), known=known)
        assert not pipe.exists()


def test_a_pipe_is_found_in_a_folder_that_was_looked_through_a_moment_ago(tmp_path: Path) -> None:
    known: dict[bytes, Folder] = {}
    for _ in range(300):
        take_pipes_away(os.fsencode(tmp_path), known=known)
        os.mkfifo(tmp_path / ".gitignore")
        take_pipes_away(os.fsencode(tmp_path), known=known)
        assert not (tmp_path / ".gitignore").exists()


def test_a_pipe_comes_with_a_folder_that_is_moved(tmp_path: Path) -> None:
    (tmp_path / "tree/a/b").mkdir(parents=True)
    (tmp_path / "beside/b").mkdir(parents=True)
    os.mkfifo(tmp_path / "beside/b/.gitignore")
    known: dict[bytes, Folder] = {}
    time.sleep(0.03)
    take_pipes_away(os.fsencode(tmp_path / "tree"), known=known)
    (tmp_path / "tree/a").rename(tmp_path / "away")
    (tmp_path / "beside").rename(tmp_path / "tree/a")
    take_pipes_away(os.fsencode(tmp_path / "tree"), known=known)
    assert not (tmp_path / "tree/a/b/.gitignore").exists()


def test_folders_that_have_not_changed_are_not_looked_through_again(tmp_path: Path) -> None:
    for name in ("a/b", "a/c", "d"):
        (tmp_path / name).mkdir(parents=True)
    known: dict[bytes, Folder] = {}
    time.sleep(0.03)
    take_pipes_away(os.fsencode(tmp_path), known=known)
    (tmp_path / "a/c/new.py").write_text("")
    before = dict(known)
    take_pipes_away(os.fsencode(tmp_path), known=known)
    assert {path for path in known if known[path] is not before[path]} == {os.fsencode(tmp_path / "a/c")}


def test_files_links_and_folders_of_these_names_stay_and_so_do_pipes_of_others(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / ".gitignore").write_text("x\n")
    (tmp_path / "a/.gitattributes").symlink_to("nowhere")
    (tmp_path / "a/.gitignore").mkdir()
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / ".gitattributes")
    take_pipes_away(os.fsencode(tmp_path))
    assert sorted(os.listdir(tmp_path)) == [".gitignore", "a", "pipe"]  # noqa: PTH208  links that lead nowhere, too
    assert sorted(os.listdir(tmp_path / "a")) == [".gitattributes", ".gitignore"]  # noqa: PTH208  the same
