"""What a workspace keeps through resets and leases without it ever being a change."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from fanfold.git import Workspace
from fanfold.testing.repositories import TemporaryRepository

pytestmark = pytest.mark.usefixtures("untouched")
Lease = Callable[..., AbstractAsyncContextManager[Workspace]]


def make(workspace: Workspace, **files: str) -> None:
    for name, text in files.items():
        path = workspace.root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


async def test_what_base_does_not_hold_is_named_once_for_each_folder(workspace: Workspace) -> None:
    make(workspace, build__deep__out="x", modules__a__b="x", pkg__own="x", a="x")
    (workspace.root / "pkg" / "mod.py").write_text("changed\n")
    assert sorted(await workspace.strangers()) == ["a", "build", "modules", "pkg/own"]


async def test_what_is_kept_outlives_resets_and_is_no_change(workspace: Workspace) -> None:
    make(workspace, build__deep__out="1", modules__a="2", pkg__own="3", other="4")
    (workspace.root / "pkg" / "mod.py").write_text("changed\n")
    await workspace.keep(["build", "modules", "pkg/own"])
    for _ in range(2):
        assert (workspace.root / "build/deep/out").read_text() == "1"
        assert (workspace.root / "modules/a").read_text() == "2"
        assert (workspace.root / "pkg/own").read_text() == "3"
        assert not (workspace.root / "other").exists()
        assert (workspace.root / "pkg/mod.py").read_text().startswith("line0")
        assert (await workspace.capture()).empty
        assert await workspace.strangers() == ()
        await workspace.clean_ignored()
        await workspace.reset()


async def test_changes_beside_what_is_kept_are_seen(workspace: Workspace) -> None:
    make(workspace, modules__a="1")
    await workspace.keep(["modules"])
    make(workspace, modulesx="2", pkg__mod="3")
    (workspace.root / "a.py").write_text("changed\n")
    assert [one.path for one in (await workspace.capture()).paths] == ["a.py", "modulesx", "pkg/mod"]


async def test_what_is_kept_is_there_in_the_next_lease_and_the_next_process(
    lease: Lease, user: TemporaryRepository
) -> None:
    for turn in range(3):
        async with lease(user) as workspace:
            if not turn:
                make(workspace, modules__a="1")
                await workspace.keep(["modules"])
            assert workspace.kept == ("modules",)
            assert (workspace.root / "modules/a").read_text() == "1"


async def test_what_was_kept_goes_when_something_else_is(workspace: Workspace) -> None:
    make(workspace, old__a="1", new__a="2")
    await workspace.keep(["old", "new"])
    await workspace.keep(["new"])
    assert not (workspace.root / "old").exists()
    assert (workspace.root / "new/a").read_text() == "2"
    await workspace.keep([])
    assert not (workspace.root / "new").exists()


@pytest.mark.parametrize("name", ["../beside", "/tmp/x", "a/../../b", ""])
async def test_a_path_that_leads_out_is_not_kept(workspace: Workspace, name: str) -> None:
    await workspace.keep(["a"])
    workspace._slot.keep([name.encode()])
    assert workspace.kept == ()
