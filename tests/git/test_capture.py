"""What an agent did is told truthfully, as git add would take it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from fanfold.git import Change, FileDiff, Hunk, Workspace, WorkspaceError, WorkspacePool
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository

Lease = Callable[..., AbstractAsyncContextManager[Workspace]]
NOTHING = "0" * 40


def do(workspace: Workspace, command: str) -> None:
    done = subprocess.run(command, shell=True, cwd=workspace.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def summary(change: Change) -> dict[str, str]:
    """Each changed path with its status and both modes."""
    return {path.path: f"{path.status} {path.old_mode} {path.new_mode}" for path in change.paths}


def independent(user: TemporaryRepository, workspace: Workspace) -> str:
    """The tree that plain `git add -A` makes of the workspace, with an index of its own."""
    at = f"--git-dir={user.root}/.git", f"--work-tree={workspace.root}"
    index = workspace.cache / "check-index"
    index.unlink(missing_ok=True)
    outer = {**os.environ, "GIT_INDEX_FILE": str(index)}
    for args in (["read-tree", workspace.base], ["add", "-A", "."], ["write-tree"]):
        done = subprocess.run(["git", *at, *args], cwd=workspace.root, env=outer, capture_output=True, check=True)
    return done.stdout.decode().strip()


CHANGES = {
    "edit": ("echo x >> a.py", {"a.py": "M 100644 100644"}),
    "same size, same times": ("cp -p b.py o; echo 'b = 2' > b.py; touch -r o b.py; rm o", {"b.py": "M 100644 100644"}),
    "touch": ("touch a.py; chmod 600 a.py", {}),
    "new": ("mkdir -p n/m; echo 1 > n/m/f; mkdir empty", {"n/m/f": "A 000000 100644"}),
    "delete": ("rm a.py; rm -r pkg/deep", {"a.py": "D 100644 000000", "pkg/deep/er/leaf.py": "D 100644 000000"}),
    "rename": ("mv a.py z.py", {"a.py": "D 100644 000000", "z.py": "A 000000 100644"}),
    "executable": ("chmod +x a.py", {"a.py": "M 100644 100755"}),
    "new link": ("ln -s /etc/passwd evil", {"evil": "A 000000 120000"}),
    "file to link": ("rm a.py; ln -s /etc/passwd a.py", {"a.py": "T 100644 120000"}),
    "file to folder": (
        "rm a.py; mkdir a.py; echo > a.py/x",
        {"a.py": "D 100644 000000", "a.py/x": "A 000000 100644"},
    ),
    "folder to file": (
        "rm -r pkg/deep; echo > pkg/deep",
        {"pkg/deep": "A 000000 100644", "pkg/deep/er/leaf.py": "D 100644 000000"},
    ),
    "folder to link": (
        "mv pkg/deep pkg/other; ln -s other pkg/deep",
        {
            "pkg/deep": "A 000000 120000",
            "pkg/deep/er/leaf.py": "D 100644 000000",
            "pkg/other/er/leaf.py": "A 000000 100644",
        },
    ),
    "folder to ignored link": (
        "echo /pkg/deep > .gitignore; mv pkg/deep pkg/other; ln -s other pkg/deep",
        {
            ".gitignore": "M 100644 100644",
            "pkg/deep/er/leaf.py": "D 100644 000000",
            "pkg/other/er/leaf.py": "A 000000 100644",
        },
    ),
    "ignored": ("mkdir build; echo > build/x; echo > pkg/a.pyc", {}),
    "committed by the agent": (
        "echo 1 > a.py; git add a.py; git -c user.name=a -c user.email=a@b commit -qm x",
        {"a.py": "M 100644 100644"},
    ),
    "tracked though ignored": (
        "echo 'a.py' > .gitignore; echo 1 > a.py",
        {".gitignore": "M 100644 100644", "a.py": "M 100644 100644"},
    ),
    "spaces and dashes": (
        "echo > 'a b'; echo > ./-n; echo > ' lead'; echo > ':(top)x'; echo > '*.py'",
        dict.fromkeys((" lead", "*.py", "-n", ":(top)x", "a b"), "A 000000 100644"),
    ),
    "line breaks, quotes": (
        'echo > "$(printf \'new\\nline\')"; echo > "quo\\"te"; echo > "back\\\\slash"; echo > "tab\tbed"',
        dict.fromkeys(("back\\slash", "new\nline", 'quo"te', "tab\tbed"), "A 000000 100644"),
    ),
    "not UTF-8": (
        "echo > \"$(printf 'caf\\351')\"; echo > ü",
        {"caf\udce9": "A 000000 100644", "ü": "A 000000 100644"},
    ),
}


@pytest.mark.parametrize(("command", "expected"), CHANGES.values(), ids=CHANGES)
@pytest.mark.usefixtures("untouched")
async def test_capture_says_what_git_add_would_take_and_leaves_the_tree_as_it_is(
    user: TemporaryRepository, workspace: Workspace, command: str, expected: dict[str, str]
) -> None:
    do(workspace, command)
    before = fingerprint(workspace.root)
    change = await workspace.capture()
    assert summary(change) == expected
    assert change.empty == (not expected)
    assert change.tree == independent(user, workspace)
    assert change.base == workspace.base
    again = await workspace.capture()
    assert again == change
    for path in expected:
        await workspace.hunks(path)
    assert fingerprint(workspace.root) == before


async def test_objects_of_a_change_are_readable_by_the_user(user: TemporaryRepository, workspace: Workspace) -> None:
    do(workspace, "echo new > a.py; rm b.py")
    change = await workspace.capture()
    edited, deleted = change.paths
    assert user.git("cat-file", "blob", edited.new_oid) == "new\n"
    assert user.git("rev-parse", "HEAD:a.py").strip() == edited.old_oid
    assert (deleted.new_oid, deleted.old_oid) == (NOTHING, user.git("rev-parse", "HEAD:b.py").strip())


REPOSITORIES = {
    "with a commit": "git init -q sub; cd sub; echo > f; git add f; git -c user.name=a -c user.email=a@b commit -qm x",
    "without a commit": "git init -q sub; echo > sub/f",
    "in place of a file": "mkdir sub; git init -q sub/x; rm a.py; mv sub/x a.py; rmdir sub",
}


@pytest.mark.parametrize("command", REPOSITORIES.values(), ids=REPOSITORIES)
async def test_a_repository_made_inside_is_named_and_never_in_the_tree(
    user: TemporaryRepository, workspace: Workspace, command: str
) -> None:
    do(workspace, command)
    change = await workspace.capture()
    [path] = change.paths
    assert path.new_mode == "160000"
    assert path.path in ("sub", "a.py")
    assert "160000" not in user.git("ls-tree", "-r", change.tree)


async def test_git_directory_in_a_tracked_folder_hides_no_change(workspace: Workspace) -> None:
    do(workspace, "git init -q pkg; echo 1 > pkg/mod.py; echo > pkg/new.py; rm pkg/__init__.py")
    assert summary(await workspace.capture()) == {
        "pkg/__init__.py": "D 100644 000000",
        "pkg/mod.py": "M 100644 100644",
        "pkg/new.py": "A 000000 100644",
    }


async def test_a_pipe_in_place_of_a_file_is_a_deletion(workspace: Workspace) -> None:
    do(workspace, "rm a.py; mkfifo a.py; mkfifo other")
    assert summary(await workspace.capture()) == {"a.py": "D 100644 000000"}


async def test_a_link_out_of_the_tree_is_not_followed(workspace: Workspace, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "er").mkdir(parents=True)
    (outside / "er/leaf.py").write_text("secret")
    (outside / "more.py").write_text("secret")
    do(workspace, f"rm -r pkg/deep; ln -s {outside} pkg/deep")
    assert summary(await workspace.capture()) == {
        "pkg/deep": "A 000000 120000",
        "pkg/deep/er/leaf.py": "D 100644 000000",
    }
    await workspace.reset()
    assert (outside / "er/leaf.py").read_text() == (outside / "more.py").read_text() == "secret"


async def test_a_filter_of_the_user_is_honoured_and_its_failure_told(user: TemporaryRepository, lease: Lease) -> None:
    user.git("config", "filter.shout.clean", "tr a-z A-Z")
    user.git("config", "filter.shout.smudge", "tr A-Z a-z")
    user.commit({".gitattributes": "*.txt filter=shout\n", "x.txt": "hello\n"})
    async with lease(user) as workspace:
        assert (workspace.root / "x.txt").read_text() == "hello\n"
        assert (await workspace.capture()).empty
        (workspace.root / "x.txt").write_text("world\n")
        [path] = (await workspace.capture()).paths
        assert user.git("cat-file", "blob", path.new_oid) == "WORLD\n"
        user.git("config", "filter.shout.clean", "false")
        user.git("config", "filter.shout.required", "true")
        with pytest.raises(WorkspaceError, match=r"x\.txt"):
            await workspace.capture()


async def test_a_filter_that_only_an_agent_configured_is_not(user: TemporaryRepository, workspace: Workspace) -> None:
    do(workspace, "git config filter.evil.clean 'echo pwned'; echo '* filter=evil' > .gitattributes; echo 1 > a.py")
    change = await workspace.capture()
    assert {user.git("cat-file", "blob", path.new_oid) for path in change.paths} == {"1\n", "* filter=evil\n"}


async def test_large_file_pointers_stay_pointers(user: TemporaryRepository, lease: Lease, tmp_path: Path) -> None:
    # As git-lfs is set up, with a stand-in that would fetch unless told to skip that.
    program = tmp_path / "git-lfs"
    program.write_text('#!/bin/sh\n[ "$1" = clean ] || [ "$GIT_LFS_SKIP_SMUDGE" = 1 ] || exec echo fetched\nexec cat\n')
    program.chmod(0o755)
    user.git("config", "filter.lfs.clean", f"{program} clean")
    user.git("config", "filter.lfs.smudge", f"{program} smudge")
    user.git("config", "filter.lfs.required", "true")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    user.commit({".gitattributes": "*.bin filter=lfs -text\n", "x.bin": pointer})
    async with lease(user) as workspace:
        assert (workspace.root / "x.bin").read_text() == pointer
        do(workspace, "touch x.bin; echo 1 > a.py")
        assert summary(await workspace.capture()) == {"a.py": "M 100644 100644"}


HUNKS = {
    "edit": ("sed -i 5d pkg/mod.py; sed -i 9s/.*/x/ pkg/mod.py", "pkg/mod.py", (Hunk(5, 1, 4, 0), Hunk(10, 1, 9, 1))),
    "insert": ("sed -i '1i new\\nnewer' pkg/mod.py", "pkg/mod.py", (Hunk(0, 0, 1, 2),)),
    "new": ("printf '1\\n2' > new.py", "new.py", (Hunk(0, 0, 1, 2),)),
    "deleted": ("rm a.py", "a.py", (Hunk(1, 20, 0, 0),)),
    "to link": ("rm b.py; ln -s a.py b.py", "b.py", (Hunk(1, 1, 0, 0), Hunk(0, 0, 1, 1))),
    "mode": ("chmod +x b.py", "b.py", ()),
    "strange name": ("printf '1' > \"$(printf 'n\\n\"w')\"", 'n\n"w', (Hunk(0, 0, 1, 1),)),
}


@pytest.mark.parametrize(("command", "path", "hunks"), HUNKS.values(), ids=HUNKS)
async def test_hunks_now_are_those_of_the_captured_tree(
    pool: WorkspacePool, workspace: Workspace, command: str, path: str, hunks: tuple[Hunk, ...]
) -> None:
    do(workspace, command)
    found = await workspace.hunks(path)
    assert found is not None
    assert found.hunks == hunks
    change = await workspace.capture()
    assert await pool.repository.hunks(change.base, change.tree) == {path: found}


@pytest.mark.parametrize("path", ["a.py", "absent.py", "pkg", "pkg/mod.py/x"])
async def test_no_hunks_where_nothing_changed(workspace: Workspace, path: str) -> None:
    do(workspace, "touch a.py; sleep 0")
    assert await workspace.hunks(path) is None


async def test_binary_files_have_no_lines(workspace: Workspace) -> None:
    do(workspace, "printf 'a\\0b' > a.py; printf 'a\\0b' > new.py")
    assert await workspace.hunks("a.py") == FileDiff("a.py", "M", "100644", "100644", binary=True)
    assert await workspace.hunks("new.py") == FileDiff("new.py", "A", "000000", "100644", binary=True)


async def test_windows_line_ends_stay_as_git_add_has_them(user: TemporaryRepository, lease: Lease) -> None:
    user.write({"crlf.txt": b"a\r\nb\r\n"})
    user.git("add", "crlf.txt")
    user.git("commit", "-qm", "with CRLF")
    user.git("config", "core.autocrlf", "true")
    user.git("config", "core.safecrlf", "true")
    async with lease(user) as workspace:
        assert (workspace.root / "a.py").read_bytes().startswith(b"a = 1\r\n")
        assert (await workspace.capture()).empty
        (workspace.root / "a.py").write_bytes(b"one\r\ntwo\r\n")
        (workspace.root / "crlf.txt").write_bytes(b"a\r\nc\r\n")
        (workspace.root / "new.txt").write_bytes(b"new\r\n")
        change = await workspace.capture()
        converted = {path.path: "\r" not in user.git("cat-file", "blob", path.new_oid) for path in change.paths}
        user.git("config", "core.safecrlf", "false")
        assert change.tree == independent(user, workspace)
    assert converted == {"a.py": True, "crlf.txt": False, "new.txt": True}
