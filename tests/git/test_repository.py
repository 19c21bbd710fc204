"""What is read from the user's repository, and what is said where it can't be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fanfold.git import Entry, FileDiff, GitError, Hunk, Identity, Repository, RepositoryError, WorkingState
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository


async def opened(user: TemporaryRepository) -> Repository:
    return await Repository.open(user.root)


async def test_open_from_anywhere_inside(user: TemporaryRepository) -> None:
    repository = await Repository.open(user.root / "pkg/deep")
    assert repository == await opened(user)
    assert (repository.root, repository.git_dir) == (user.root, user.root / ".git")
    assert (repository.branch, repository.object_format) == ("main", "sha1")
    assert repository.head == user.git("rev-parse", "HEAD").strip()
    user.git("switch", "-q", "--detach")
    assert (await opened(user)).branch is None


async def test_a_path_may_hold_a_line_break(tmp_path: Path) -> None:
    user = make_repository(tmp_path / "two\nlines", {"a.py": "a = 1\n"})
    repository = await opened(user)
    assert (repository.root, repository.git_dir, repository.common_dir) == (user.root, *[user.root / ".git"] * 2)


async def test_places_without_a_usable_repository_say_so_with_a_hint(tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    user = make_repository(tmp_path / "user")
    user.git("init", "-q", "--bare", str(bare))
    (tmp_path / "empty").mkdir()
    for place, words in {
        tmp_path / "empty": "not in a git repository",
        tmp_path / "absent": "not a folder",
        bare: "bare",
        user.root / ".git": "inside a git directory",
        user.root: "no commit yet",
    }.items():
        with pytest.raises(RepositoryError, match=words) as error:
            await Repository.open(place)
        assert error.value.hint


async def test_a_repository_of_another_user_is_not_trusted(
    user: TemporaryRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.which("git")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {real} "$@"\n')
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with pytest.raises(RepositoryError, match="another user") as error:
        await opened(user)
    assert "safe.directory" in (error.value.hint or "")


async def test_git_that_is_missing_or_old_is_named(
    user: TemporaryRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(Exception, match="git") as missing:
        await opened(user)
    assert "2.38" in str(getattr(missing.value, "hint", ""))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text("#!/bin/sh\necho git version 2.30.1\n")
    (tmp_path / "bin/git").chmod(0o755)
    with pytest.raises(RepositoryError, match=r"2\.30\.1 is too old"):
        await opened(user)


async def test_revisions_are_resolved_to_commits(user: TemporaryRepository) -> None:
    repository = await opened(user)
    user.git("tag", "-a", "-m", "v1", "v1")
    for rev in ("HEAD", "main", "v1", repository.head[:10]):
        assert await repository.resolve(rev) == repository.head
    for rev in ("absent", "--help", "HEAD^", "", "HEAD:a.py", "a b"):
        with pytest.raises(RepositoryError) as error:
            await repository.resolve(rev)
        assert error.value.hint


async def test_files_of_a_commit(user: TemporaryRepository) -> None:
    strange = "new\nline \udce9 ü"
    (user.root / os.fsencode(strange).decode(errors="surrogateescape")).write_text("x")
    (user.root / "link").symlink_to("a.py")
    user.commit()
    repository = await opened(user)
    entries = await repository.tree(repository.head)
    assert Entry("link", "120000", user.git("rev-parse", "HEAD:link").strip()) in entries
    assert strange in {entry.path for entry in entries}
    assert await repository.read(repository.head, strange) == b"x"
    assert await repository.read(repository.head, "b.py") == b"b = 1\n"
    for path in ("absent", "pkg", "pkg/", "*.py", ":/a.py", "../a.py"):
        assert await repository.read(repository.head, path) is None
    with pytest.raises(GitError, match="no commit"):
        await repository.read("0" * 40, "a.py")


async def test_working_state_tells_apart_and_writes_nothing(user: TemporaryRepository) -> None:
    user.write({"a.py": "edited\n", "b.py": "staged\n", "x y\nz.py": "new\n", "sub/u.py": "u\n", "build/i": "i\n"})
    user.git("add", "b.py", "x y\nz.py")
    user.git("mv", "run.sh", "moved here.sh")
    (user.root / "pkg/__init__.py").touch()
    before = fingerprint(user.root)
    state = await (await opened(user)).working_state()
    assert state == WorkingState(
        staged=("b.py", "moved here.sh", "run.sh", "x y\nz.py"), unstaged=("a.py",), untracked=("sub/u.py",)
    )
    assert not state.clean
    assert fingerprint(user.root) == before


async def test_conflicts_count_as_staged_and_unstaged(user: TemporaryRepository) -> None:
    user.git("switch", "-q", "-c", "side")
    user.commit({"a b.py": "side\n"})
    user.git("switch", "-q", "main")
    user.commit({"a b.py": "main\n"})
    user.git("merge", "side", check=False)
    assert await (await opened(user)).working_state() == WorkingState(("a b.py",), ("a b.py",), ())


async def test_changed_since_compares_with_where_history_parted(user: TemporaryRepository) -> None:
    user.git("switch", "-q", "-c", "feature")
    user.git("mv", "run.sh", "walk.sh")
    user.git("rm", "-q", "b.py")
    user.commit({"a.py": "feature\n"})
    user.git("switch", "-q", "main")
    user.commit({"pkg/mod.py": "main moved on\n"})
    user.git("switch", "-q", "feature")
    repository = await opened(user)
    assert await repository.changed_since("main") == {"a.py", "walk.sh"}
    with pytest.raises(RepositoryError, match="absent"):
        await repository.changed_since("absent")
    orphan = user.git("commit-tree", "-m", "x", "HEAD^{tree}").strip()
    with pytest.raises(RepositoryError, match="in common"):
        await repository.changed_since(orphan)


async def test_identity_is_the_users_or_an_error(user: TemporaryRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    user.git("config", "user.name", "Åda <of> Lovelace")
    identity = await (await opened(user)).identity()
    assert identity == Identity("Åda of Lovelace", "ada@example.com")
    user.git("config", "--unset", "user.email")
    with pytest.raises(RepositoryError) as error:
        await (await opened(user)).identity()
    assert "user.email" in (error.value.hint or "")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "env@example.com")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "env@example.com")
    assert (await (await opened(user)).identity()).email == "env@example.com"


async def test_patch_can_be_applied_whatever_the_user_configured(user: TemporaryRepository) -> None:
    old = user.git("rev-parse", "HEAD").strip()
    new = user.commit({"a.py": "1\n", "bin": b"\0\1", "sp ace": "x", "pkg/mod.py": "no newline"})
    for key, value in {"diff.noprefix": "true", "diff.external": "false", "color.ui": "always"}.items():
        user.git("config", key, value)
    patch = await (await opened(user)).patch(old, new)
    user.git("reset", "-q", "--hard", old)
    user.git("apply", "--index", "-", stdin=patch)
    assert user.git("write-tree").strip() == user.git("rev-parse", f"{new}^{{tree}}").strip()


async def test_hunks_of_every_kind_of_change(user: TemporaryRepository) -> None:
    old = user.git("rev-parse", "HEAD").strip()
    (user.root / "b.py").unlink()
    (user.root / "b.py").symlink_to("a.py")
    (user.root / "run.sh").chmod(0o755)
    header = "diff --git a/evil b/evil\n--- a/evil\n+++ b/evil\n@@ -1 +1 @@\n:100644 100644 a b M\tevil\n"
    name = 'we"ird\n\\ \udce9'
    (user.root / name).write_text(header)
    user.git("rm", "-q", "pkg/__init__.py", "pkg/deep/er/leaf.py")
    new = user.commit({"a.py": "a = 1\n" * 9 + "a = 2\n" + "a = 1\n" * 10, "x.bin": b"\0"})
    assert await (await opened(user)).hunks(old, new) == {
        "a.py": FileDiff("a.py", "M", "100644", "100644", hunks=(Hunk(10, 1, 10, 1),)),
        "b.py": FileDiff("b.py", "T", "100644", "120000", hunks=(Hunk(1, 1, 0, 0), Hunk(0, 0, 1, 1))),
        "pkg/__init__.py": FileDiff("pkg/__init__.py", "D", "100644", "000000"),
        "pkg/deep/er/leaf.py": FileDiff("pkg/deep/er/leaf.py", "D", "100644", "000000", hunks=(Hunk(1, 1, 0, 0),)),
        "run.sh": FileDiff("run.sh", "M", "100644", "100755"),
        name: FileDiff(name, "A", "000000", "100644", hunks=(Hunk(0, 0, 1, 5),)),
        "x.bin": FileDiff("x.bin", "A", "000000", "100644", binary=True),
    }


async def test_refs_by_full_name(user: TemporaryRepository) -> None:
    user.git("tag", "v1")
    repository = await opened(user)
    assert await repository.refs() == {"refs/heads/main": repository.head, "refs/tags/v1": repository.head}
