"""What is seen of a checkout that somebody changes, and what isn't."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import fanfold.git.footprint
from fanfold.git import GitError, Repository
from fanfold.git.footprint import footprint, touched
from fanfold.testing.repositories import TemporaryRepository


def sh(root: Path, command: str) -> None:
    identity = {f"GIT_{role}_{part}": "x@y" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    subprocess.run(command, shell=True, cwd=root, check=True, capture_output=True, env={**os.environ, **identity})


async def seen(user: TemporaryRepository, change: Callable[[Path], object] | str, *, first: str = "") -> set[str]:
    """Paths that differ after a change."""
    sh(user.root, first or "true")
    repository = await Repository.open(user.root)
    before = await footprint(repository)
    if isinstance(change, str):
        sh(user.root, change)
    else:
        change(user.root)
    return {one.path for one in touched(before, await footprint(repository, before))}


FILES = {
    "edited": ("echo x >> a.py", {"a.py"}),
    "same size and time": ("cp -p b.py /tmp/old.$$; printf 'b = 2\\n' > b.py; touch -r /tmp/old.$$ b.py", {"b.py"}),
    "deleted": ("rm pkg/mod.py", {"pkg/mod.py"}),
    "made executable": ("chmod +x a.py", {"a.py"}),
    "new": ("echo x > new.py; mkdir -p deep/er; echo x > deep/er/new", {"new.py", "deep/er/new"}),
    "link": ("rm a.py; ln -s /etc/passwd a.py", {"a.py"}),
    "renamed": ("mv a.py c.py", {"a.py", "c.py"}),
}


@pytest.mark.parametrize(("command", "paths"), FILES.values(), ids=FILES)
async def test_changes_of_files_are_seen(user: TemporaryRepository, command: str, paths: set[str]) -> None:
    assert await seen(user, command) == paths


async def test_a_file_that_differed_before_is_seen_when_it_changes_again(user: TemporaryRepository) -> None:
    first = "echo x >> a.py; echo x > new; rm b.py; echo x > other"
    assert await seen(user, "echo y >> a.py; echo y >> new; echo b > b.py; rm other", first=first) == {
        "a.py",
        "b.py",
        "new",
        "other",
    }


KEPT = {
    "config": ("git config core.fsmonitor ./planted", ".git/config"),
    "hook": ("echo x > .git/hooks/pre-commit", ".git/hooks/pre-commit"),
    "exclude": ("echo x >> .git/info/exclude", ".git/info/exclude"),
    "attributes": ("echo x >> .git/info/attributes", ".git/info/attributes"),
    "commit": ("git commit -q --allow-empty -m x", ".git/refs/heads/main"),
    "branch": ("git branch other", ".git/refs/heads/other"),
    "packed": (
        "git tag t; git pack-refs --all; git update-ref refs/tags/t HEAD~0; git tag -d t; git tag u",
        ".git/refs/tags/u",
    ),
    "switched": ("git switch -q -c other", ".git/HEAD"),
    "staged": ("echo x > a.py; git add a.py", ".git/index"),
    "assumed unchanged": ("git update-index --assume-unchanged a.py", ".git/index"),
    "reflog": ("git reflog expire --expire=now --all", ".git/logs/HEAD"),
    "stash": ("echo x > a.py; git stash -q", ".git/refs/stash"),
    "worktree": ("git worktree add -q --detach ../planted-worktree", ".git/worktrees/planted-worktree"),
    "alternate": ("echo /elsewhere > .git/objects/info/alternates", ".git/objects/info/alternates"),
}


@pytest.mark.parametrize(("command", "name"), KEPT.values(), ids=KEPT)
async def test_changes_of_what_git_keeps_are_seen(user: TemporaryRepository, command: str, name: str) -> None:
    assert name in await seen(user, command)


NOTHING = {
    "nothing": "true",
    "a look": "git status; git log; git diff",
    "times of the index": "touch a.py; git status",
    "ignored": "mkdir -p build; echo x > build/out; echo x > a.pyc",
    "a result branch": "git update-ref -m x --create-reflog refs/heads/fanfold/run HEAD",
    "a pin": "git update-ref refs/fanfold/run HEAD",
    "a fetch": "git update-ref --create-reflog refs/remotes/origin/main HEAD; echo x > .git/FETCH_HEAD",
    "objects": "echo x | git hash-object -w --stdin",
    "read": "cat a.py",
}


@pytest.mark.parametrize("command", NOTHING.values(), ids=NOTHING)
async def test_what_is_nobody_s_harm_is_not_seen(user: TemporaryRepository, command: str) -> None:
    found = await seen(user, command)
    assert found <= ({"a.py"} if "touch a.py" in command else set())


async def test_only_the_index_s_change_is_seen_where_files_stay_as_they_are(user: TemporaryRepository) -> None:
    time.sleep(0.1)
    assert await seen(user, "git rm -q --cached a.py") == {".git/index"}


async def test_a_commit_of_what_was_edited_before_names_no_file(user: TemporaryRepository) -> None:
    found = await seen(user, "git commit -qam x", first="echo x >> a.py; sleep 0.1")
    assert found == {".git/index", ".git/refs/heads/main", ".git/logs/HEAD", ".git/logs/refs/heads/main"}


async def test_the_time_of_a_change_is_that_of_the_file_system(user: TemporaryRepository) -> None:
    repository = await Repository.open(user.root)
    before = await footprint(repository)
    (user.root / "a.py").write_text("changed\n")
    os.utime(user.root / "a.py", (0, 0))  # forged
    (found,) = touched(before, await footprint(repository, before))
    assert found.at_ns is not None
    assert before.began_ns <= found.at_ns <= time.time_ns()


async def test_a_look_changes_nothing(user: TemporaryRepository) -> None:
    (user.root / "a.py").touch()
    index = user.root / ".git/index"
    before = index.stat().st_mtime_ns, index.read_bytes()
    await footprint(await Repository.open(user.root))
    assert (index.stat().st_mtime_ns, index.read_bytes()) == before


async def test_a_checkout_at_which_git_waits_is_told(
    user: TemporaryRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanfold.git.footprint, "LONGEST_S", 1.0)
    (user.root / ".gitignore").unlink()
    os.mkfifo(user.root / ".gitignore")
    with pytest.raises(GitError, match="couldn't tell within 1 s") as caught:
        await footprint(await Repository.open(user.root))
    assert "pipes" in str(caught.value.hint)
