"""What a repository says to agents' programs is out of their way while one works, and in its place afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents import AgentError, Assignment, aside
from fanfold.agents.aside import put_aside
from fanfold.process import Sandbox

PATTERNS = (".aider*", ".env", ".tool")


@pytest.fixture
def assignment(make_bench: Callable[..., Any]) -> Assignment:
    made: Assignment = make_bench(b"import os\n").assignment()
    (made.root / ".tool").mkdir()
    (made.root / ".tool" / "settings.json").write_text("{}")
    (made.root / ".Env").write_text("KEY=1\n")
    (made.root / ".aider.conf.yml").symlink_to("/etc/passwd")
    (made.root / "pkg").mkdir()
    (made.root / "pkg" / ".env").write_text("KEY=2\n")
    return made


def names(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


async def test_what_is_called_so_at_the_top_is_gone_meanwhile_and_back_as_it_was(assignment: Assignment) -> None:
    root, before = assignment.root, names(assignment.root)
    async with put_aside(assignment, PATTERNS):
        assert names(root) == before - {".tool", ".Env", ".aider.conf.yml"}
        assert (root / "pkg" / ".env").exists()
    assert names(root) == before
    assert (root / ".tool" / "settings.json").read_text() == "{}"
    assert os.readlink(root / ".aider.conf.yml") == "/etc/passwd"  # noqa: PTH115 as it is


async def test_it_is_back_whatever_a_program_put_in_its_place_and_however_it_ended(assignment: Assignment) -> None:
    root, before = assignment.root, names(assignment.root)

    async def work() -> None:
        async with put_aside(assignment, PATTERNS):
            (root / ".tool").symlink_to(root / "pkg")
            (root / ".Env").mkdir()
            (root / ".Env" / "file").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await work()
    assert names(root) == before
    assert (root / ".tool" / "settings.json").read_text() == "{}"
    assert (root / ".Env").read_text() == "KEY=1\n"
    assert (root / "pkg" / ".env").read_text() == "KEY=2\n"


async def test_what_a_program_does_away_with_is_seen_as_deleted(assignment: Assignment) -> None:
    async with put_aside(assignment, PATTERNS):
        for folder in assignment.scratch.glob("aside-*"):
            shutil.rmtree(folder)
    assert not (assignment.root / ".tool").exists()


async def test_what_setup_made_or_the_user_copied_stays(assignment: Assignment) -> None:
    root = assignment.root
    kept = (root / ".Env", root / ".tool" / "settings.json")
    sandbox = Sandbox(bubblewrap=Path("/usr/bin/bwrap"), scratch=assignment.scratch, write=(root,), kept=kept)
    async with put_aside(replace(assignment, sandbox=sandbox), PATTERNS):
        assert {".Env", ".tool"} <= names(root)
        assert ".aider.conf.yml" not in names(root)


async def test_what_the_repository_has_beside_a_copy_of_the_user_s_is_put_aside(assignment: Assignment) -> None:
    root = assignment.root
    copied, tracked = root / ".tool" / "local.json", root / ".tool" / "settings.json"
    copied.write_text("mine")
    sandbox = Sandbox(bubblewrap=Path("/usr/bin/bwrap"), scratch=assignment.scratch, write=(root,), kept=(copied,))
    async with put_aside(replace(assignment, sandbox=sandbox), PATTERNS):
        assert copied.read_text() == "mine"
        assert not tracked.exists()
        assert not (root / ".Env").exists()
    assert tracked.read_text() == "{}"


async def test_who_is_stopped_while_it_is_put_aside_leaves_all_in_its_place(
    assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, before = threading.Event(), threading.Event(), names(assignment.root)

    def slow(*given: Any) -> None:
        begun.set()
        go_on.wait(10)
        put(*given)

    put = aside._put
    monkeypatch.setattr(aside, "_put", slow)
    task = asyncio.create_task(aside.put_aside(assignment, PATTERNS).__aenter__())
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(assignment.root) == before


@pytest.mark.parametrize("where", ["path", "others"])
async def test_a_file_that_is_put_aside_can_t_be_worked_on(assignment: Assignment, where: str) -> None:
    file = ".TOOL/module.py"
    asked = replace(assignment, path=file) if where == "path" else replace(assignment, others=(file,))
    with pytest.raises(AgentError, match=r"\.TOOL/module\.py is kept from programs"):
        async with put_aside(asked, PATTERNS):
            raise AssertionError
