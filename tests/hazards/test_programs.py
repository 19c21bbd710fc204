"""Programs that the user has set up for git to run by itself: hooks, monitors, and what goes with an applied result."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.testing.repositories import TemporaryRepository

from .harness import BROKEN, FIXED, Scene, make_scene

HOOKS = (
    "applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-applypatch", "post-checkout", "post-commit",
    "post-index-change", "post-merge", "post-rewrite", "post-update", "pre-auto-gc", "pre-commit", "pre-merge-commit",
    "pre-push", "pre-rebase", "pre-receive", "prepare-commit-msg", "proc-receive", "push-to-checkout",
    "reference-transaction", "update",
)  # fmt: skip


def hook(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def noting(scene: Scene, folder: Path, noted: Path) -> None:
    for name in HOOKS:
        hook(folder, name, f"echo {name} >> '{noted}'")
    hook(folder, "monitor", f"echo monitor >> '{noted}'; exit 1")
    scene.user.git("config", "core.fsmonitor", str(folder / "monitor"))


@pytest.mark.parametrize(
    ("where", "option", "ran_it"), [("hooks", "--no-hooks", ""), ("configured", "--hooks", "pre-commit")]
)
def test_no_program_of_the_user_s_runs_but_the_pre_commit_hook(
    tmp_path: Path, where: str, option: str, ran_it: str
) -> None:
    scene = make_scene(tmp_path, {"a.py": BROKEN, "b.py": BROKEN})
    noted = tmp_path / "noted"
    folder = scene.user.root / ".git/hooks" if where == "hooks" else tmp_path / "hooks"
    noting(scene, folder, noted)
    if where == "configured":
        scene.user.git("config", "core.hooksPath", str(folder))
    noted.write_text("")
    ran = scene.fix("--apply", option, "--sandbox", "none", touching=applied)
    assert (ran.code, ran.report["applied"]) == (0, True), ran.told
    assert set(noted.read_text().split()) == set(ran_it.split())


def applied(name: str) -> bool:
    """What a fast-forward changes."""
    return name in {
        "file a.py", "file b.py", "git index", "git ORIG_HEAD", "git logs/HEAD", "git logs/refs/heads/main",
        "git refs/heads/main",
    }  # fmt: skip


def test_pre_commit_hook_that_says_no_keeps_a_change_out_and_its_words_are_told(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, {"a.py": BROKEN, "b.py": BROKEN})
    refuse_b = 'git diff --cached --name-only | grep -q b.py && { echo "b is holy" >&2; exit 1; }; exit 0'
    hook(scene.user.root / ".git/hooks", "pre-commit", refuse_b)
    ran = scene.fix()
    assert (ran.code, scene.changed(ran)) == (1, {"a.py": "100644"}), ran.told
    assert "b is holy" in ran.reasons("b.py")


def test_hook_that_a_commit_or_an_agent_brings_never_runs(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    planted = f"#!/bin/sh\ntouch '{noted}'\n"
    scene = make_scene(tmp_path, {"a.py": BROKEN, "hooks/pre-commit": planted, ".githooks/post-checkout": planted})
    for name in ("hooks/pre-commit", ".githooks/post-checkout"):
        (scene.user.root / name).chmod(0o755)
    scene.user.commit()
    # Relative to wherever git stands: in a workspace that would be the workspace's own.
    scene.user.git("config", "core.hooksPath", ".githooks")
    scene.acts["a.py"] = (
        "fix()\nfor name in ('pre-commit', 'post-checkout', 'post-commit', 'post-index-change'):\n"
        "    hook = pathlib.Path('.git/hooks', name)\n"
        f"    hook.write_text({planted!r}); hook.chmod(0o755)\n"
        "    pathlib.Path('.githooks').mkdir(exist_ok=True)\n"
        "git('config', 'core.hooksPath', '.git/hooks')"
    )
    ran = scene.fix("--sandbox", "none")
    assert (ran.code, scene.changed(ran)) == (0, {"a.py": "100644"}), ran.told
    assert not noted.exists()


def test_submodules_stash_settings_and_merge_habits_don_t_get_in_the_way_of_applying(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, {"a.py": BROKEN, "b.py": BROKEN, ".gitignore": "ignored\n"})
    user = scene.user
    settings = {
        "merge.ff": "false", "pull.rebase": "true", "merge.autoStash": "true", "branch.main.mergeOptions": "--no-ff",
        "merge.verifySignatures": "true", "core.editor": "false", "submodule.recurse": "true", "merge.renames": "true",
        "status.showUntrackedFiles": "no", "core.checkStat": "minimal", "core.preloadIndex": "false",
    }  # fmt: skip
    for name, value in settings.items():
        user.git("config", name, value)
    user.write({"ignored": "mine\n", "untracked": "mine\n"})
    ran = scene.fix("--apply", touching=applied)
    assert (ran.code, ran.report["applied"]) == (0, True), ran.told
    assert user.git("rev-parse", "main") == user.git("rev-parse", f"{ran.branch}")
    assert (user.root / "a.py").read_text() == FIXED
    assert user.git("stash", "list") == ""


def assume_unchanged(user: TemporaryRepository) -> None:
    user.git("update-index", "--assume-unchanged", "a.py")
    user.write({"a.py": BROKEN + "mine = 1\n"})


def skip_worktree(user: TemporaryRepository) -> None:
    user.git("update-index", "--skip-worktree", "a.py")
    user.write({"a.py": BROKEN + "mine = 1\n"})


@pytest.mark.parametrize("hide", [assume_unchanged, skip_worktree])
def test_edit_that_the_user_hid_from_git_is_not_written_over(tmp_path: Path, hide: object) -> None:
    scene = make_scene(tmp_path, {"a.py": BROKEN, "b.py": BROKEN})
    assert callable(hide)
    hide(scene.user)
    ran = scene.fix("--apply")
    assert (ran.code, ran.report["applied"]) == (1, False), ran.told
    assert set(scene.changed(ran)) == {"a.py", "b.py"}
