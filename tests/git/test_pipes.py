"""git opens some files by itself, and at a pipe it would wait for ever."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from fanfold.git import Workspace
from fanfold.git.pipes import take_pipes_away
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
