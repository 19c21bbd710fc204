"""What the user has not committed, is in the middle of, or does while a run is under way."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fanfold.testing.repositories import TemporaryRepository

from .harness import BROKEN, FIXED, Scene, make_scene


def test_dirty_staged_intended_and_untracked_files_stay_and_are_no_part_of_the_result(tmp_path: Path) -> None:
    names = ("clean.py", "dirty.py", "staged.py", "both.py", "gone.py", "removed.py")
    scene = make_scene(tmp_path, dict.fromkeys(names, BROKEN))
    user = scene.user
    user.write({"staged.py": BROKEN + "staged = 1\n", "both.py": BROKEN + "staged = 1\n", "added.py": BROKEN})
    user.git("add", "staged.py", "both.py", "added.py")
    user.git("rm", "-q", "--cached", "removed.py")
    user.write({"dirty.py": BROKEN + "dirty = 1\n", "both.py": BROKEN + "dirty = 1\n"})
    user.write({"new.py": BROKEN, "intended.py": BROKEN, "folder/new.py": BROKEN})
    user.git("add", "--intent-to-add", "intended.py")
    (user.root / "gone.py").unlink()
    ran = scene.fix("--apply")
    assert ran.code == 1, ran.told
    assert "the checkout has uncommitted changes: added.py, both.py, dirty.py" in ran.report["not_applied"]
    assert set(scene.changed(ran)) == set(names)
    assert {scene.blob(ran, name) for name in names} == {FIXED.encode()}
    named = {finding["path"] for finding in ran.report["uncommitted"]}
    assert {"added.py", "new.py", "folder/new.py", "intended.py"} <= named


def commit_to_the_very_file(scene: Scene) -> None:
    scene.user.commit({"a.py": BROKEN + "mine = 1\n"}, "mine")


def amend(scene: Scene) -> None:
    scene.user.git("commit", "-q", "--amend", "-m", "amended")


def switch_branch(scene: Scene) -> None:
    scene.user.git("switch", "-q", "-c", "other")
    scene.user.commit({"mine.py": "mine = 1\n"}, "mine")


def edit_the_very_file(scene: Scene) -> None:
    scene.user.write({"a.py": BROKEN + "mine = 1\n"})


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (commit_to_the_very_file, "main is no longer where the run began"),
        (amend, "main is no longer where the run began"),
        (switch_branch, "other is no longer where the run began"),
        (edit_the_very_file, "the checkout has uncommitted changes: a.py"),
    ],
)
def test_what_the_user_does_meanwhile_is_left_alone_and_the_result_stands_beside_it(
    tmp_path: Path, act: Callable[[Scene], None], why: str
) -> None:
    scene = make_scene(tmp_path, {"a.py": BROKEN, "b.py": BROKEN})
    scene.acts["a.py"] = "wait(); fix()"
    base = scene.user.git("rev-parse", "HEAD").strip()
    ran = scene.fix("--apply", meanwhile=lambda: act(scene))
    assert (ran.code, ran.report["base"]) == (1, base)
    assert why in ran.report["not_applied"]
    assert set(scene.changed(ran)) == {"a.py", "b.py"}
    assert scene.user.git("merge-base", f"{ran.branch}", base).strip() == base


def test_result_branch_that_the_user_moves_meanwhile_is_left_to_the_user(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, {"a.py": BROKEN, "b.py": BROKEN})
    user = scene.user
    scene.acts["b.py"] = "wait(); fix()"

    def move() -> None:
        while not (results := scene.results()):
            time.sleep(0.01)
        (branch,) = results
        assert user.git("rev-parse", "--symbolic-full-name", branch) == f"refs/heads/{branch}\n"
        user.git("branch", "-f", branch, "main")

    ran = scene.fix("--jobs", "1", meanwhile=move, settled=False)
    assert ran.code != 0, ran.told
    assert "was moved by somebody else" in ran.told
    assert user.git("rev-parse", *scene.results()) == user.git("rev-parse", "main")


def merge(user: TemporaryRepository) -> None:
    user.git("merge", "other", check=False)


def rebase(user: TemporaryRepository) -> None:
    user.git("rebase", "other", check=False)


def cherry_pick(user: TemporaryRepository) -> None:
    user.git("cherry-pick", "other", check=False)


def bisect(user: TemporaryRepository) -> None:
    user.git("bisect", "start", "HEAD", "HEAD~2")


@pytest.mark.parametrize(
    ("begin", "why"),
    [
        (merge, "a merge is under way"),
        (rebase, "no branch is checked out"),
        (cherry_pick, "a cherry-pick is under way"),
        (bisect, "no branch is checked out"),
    ],
)
def test_operation_that_the_user_is_in_the_middle_of_can_go_on_as_if_nothing_had_been(
    tmp_path: Path, begin: Callable[[TemporaryRepository], None], why: str
) -> None:
    scene = make_scene(tmp_path, {"a.py": BROKEN, "clash.txt": "one\n"})
    user = scene.user
    user.git("branch", "other")
    user.commit({"clash.txt": "two\n"})
    user.commit({"clash.txt": "three\n"})
    user.git("switch", "-q", "other")
    user.commit({"clash.txt": "four\n"})
    user.git("switch", "-q", "main")
    begin(user)
    ran = scene.fix("--apply")
    assert ran.code == 1, ran.told
    assert why in ran.report["not_applied"]
    assert scene.changed(ran) == {"a.py": "100644"}


def test_index_lock_of_somebody_else_stops_neither_the_run_nor_is_it_removed(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    (scene.user.root / ".git/index.lock").touch()
    ran = scene.fix("--apply")
    assert (ran.code, set(scene.changed(ran))) == (1, {"a.py"})
    assert "index.lock" in ran.report["not_applied"]
