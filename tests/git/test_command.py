"""How git is called: nothing of the caller's surroundings leaks in, nothing runs by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.git.command import GitError, environment, git, words


def test_places_of_the_caller_are_dropped_and_configuration_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_AUTHOR_DATE", "GIT_TRACE", "GIT_EDITOR"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/somewhere")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ada")
    env = environment({}, {"GIT_DIR": "/ours"})
    assert env["GIT_DIR"] == "/ours"
    assert env["GIT_CONFIG_GLOBAL"] == "/somewhere"
    assert env["GIT_AUTHOR_NAME"] == "Ada"
    assert not {"GIT_WORK_TREE", "GIT_AUTHOR_DATE", "GIT_TRACE", "GIT_EDITOR"} & set(env)


def test_in_a_hook_the_identity_of_the_commit_under_way_is_not_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_INDEX_FILE", "x")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Else")
    assert "GIT_AUTHOR_NAME" not in environment({}, {})


async def test_settings_from_the_environment_hold_unless_ours_differ(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    theirs = {"fanfold.test": "theirs", "core.hooksPath": "/theirs"}
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(theirs)))
    for n, (key, value) in enumerate(theirs.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{n}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{n}", value)
    assert (await git("config", "fanfold.test", cwd=tmp_path)).stdout == b"theirs\n"
    assert (await git("config", "core.hooksPath", cwd=tmp_path)).stdout == b"/dev/null\n"


async def test_a_failure_is_told_in_gits_words(tmp_path: Path) -> None:
    with pytest.raises(GitError, match=r"git rev-parse failed: not a git repository"):
        await git("rev-parse", "HEAD", cwd=tmp_path)
    assert (await git("rev-parse", "HEAD", cwd=tmp_path, ok=(128,))).returncode == 128
    assert words(b"error: one\nfatal: two\n\n") == "one; two"
