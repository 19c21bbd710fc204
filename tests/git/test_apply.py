"""`--apply` and `--stage-only` bring a result into a clean checkout, or leave all and say how to do it by hand."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

import pytest

from fanfold.git import LandError, Repository, brought_before, fast_forward, stage, unstage
from fanfold.git.takeback import take_back
from fanfold.testing.fingerprint import contents, fingerprint
from fanfold.testing.repositories import TemporaryRepository


def result(user: TemporaryRepository) -> str:
    """A commit on top of HEAD that edits, adds, deletes and swaps files and folders; HEAD itself stays."""
    head = user.git("rev-parse", "HEAD").strip()
    user.git("switch", "-q", "-c", "fanfold/run")
    user.git("rm", "-q", "b.py", "run.sh", "pkg/deep/er/leaf.py")
    tip = user.commit({"a.py": "fixed\n", "new/file.py": "new\n", "run.sh/x": "x\n", "pkg/deep": "deep\n"}, "fix")
    user.git("switch", "-q", "main")
    assert user.git("rev-parse", "HEAD").strip() == head
    return tip


async def test_clean_checkout_moves_with_its_branch(user: TemporaryRepository) -> None:
    tip = result(user)
    user.write({"untracked.txt": "mine", "build/ignored": "mine"})
    hook = user.root / ".git/hooks/post-merge"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch hook-ran\n")
    hook.chmod(0o755)
    await fast_forward(await Repository.open(user.root), tip)
    assert user.git("rev-parse", "main").strip() == tip
    assert user.git("symbolic-ref", "HEAD").strip() == "refs/heads/main"
    assert user.git("status", "--porcelain").strip() == "?? untracked.txt"
    found = contents(user.root)
    assert found["a.py"] == b"fixed\n"
    assert found["run.sh/x"] == b"x\n"
    assert found["untracked.txt"] == found["build/ignored"] == b"mine"
    assert "hook-ran" not in found
    assert "fanfold" in user.git("reflog", "-1")


def _conflicting_merge(user: TemporaryRepository) -> None:
    user.git("switch", "-q", "-c", "side", "HEAD~0")
    user.commit({"a.py": "side\n"})
    user.git("switch", "-q", "-")
    user.git("merge", "--no-commit", "--no-ff", "-s", "ours", "side")


def _staged(user: TemporaryRepository) -> None:
    user.write({"x.py": "mine\n"})
    user.git("add", "x.py")


def _ignored_in_the_way(user: TemporaryRepository) -> None:
    user.write({".git/info/exclude": "new\n", "new/file.py": "mine\n"})


def writes(files: dict[str, str | bytes]) -> Callable[[TemporaryRepository], None]:
    return lambda user: user.write(files)


OBSTACLES: dict[str, tuple[Callable[[TemporaryRepository], object], str]] = {
    "edited": (writes({"pkg/mod.py": "mine\n"}), "uncommitted"),
    "staged": (_staged, "uncommitted"),
    "deleted": (lambda user: (user.root / "b.py").unlink(), "uncommitted"),
    "merging": (_conflicting_merge, "merge is under way"),
    "untracked in the way": (writes({"new/file.py": "mine\n"}), r"new/file\.py"),
    "ignored in the way": (
        lambda user: user.write({".git/info/exclude": "new\n", "new/file.py": "mine\n"}),
        r"new/file\.py",
    ),
    "untracked file for a folder": (writes({"new": "mine\n"}), r"new/file\.py"),
    "untracked in a folder that goes": (writes({"pkg/deep/mine": "mine\n"}), r"pkg/deep"),
    "ignored in a folder that goes": (writes({"pkg/deep/mine.pyc": "mine\n"}), r"pkg/deep"),
    "committed since": (lambda user: user.commit({"c.py": "mine\n"}), "no longer"),
    "another branch": (lambda user: user.git("switch", "-q", "-c", "other"), "no longer"),
    "detached": (lambda user: user.git("switch", "-q", "--detach"), "no branch"),
}


@pytest.mark.parametrize("bring", [fast_forward, stage])
@pytest.mark.parametrize(("obstruct", "reason"), OBSTACLES.values(), ids=OBSTACLES)
async def test_anything_in_the_way_leaves_all_as_it_was(
    user: TemporaryRepository,
    obstruct: Callable[[TemporaryRepository], object],
    reason: str,
    bring: Callable[[Repository, str], Awaitable[None]],
) -> None:
    tip = result(user)
    repository = await Repository.open(user.root)
    obstruct(user)
    before = fingerprint(user.root)
    with pytest.raises(LandError, match="no longer" if bring is stage and reason == "no branch" else reason) as error:
        await bring(repository, tip)
    assert tip[:12] in (error.value.hint or "")
    assert fingerprint(user.root) == before


async def test_a_result_that_is_no_descendant_is_refused(user: TemporaryRepository) -> None:
    other = user.git("commit-tree", "-m", "other", "HEAD^{tree}").strip()
    repository = await Repository.open(user.root)
    before = fingerprint(user.root)
    with pytest.raises(LandError):
        await fast_forward(repository, other)
    assert fingerprint(user.root) == before


@pytest.mark.parametrize("detached", [False, True])
async def test_staging_leaves_head_and_brings_all_else(user: TemporaryRepository, detached: bool) -> None:
    tip = result(user)
    if detached:
        user.git("switch", "-q", "--detach")
    user.write({"untracked.txt": "mine", "build/ignored": "mine"})
    head, where = user.git("rev-parse", "HEAD"), (user.root / ".git/HEAD").read_text()
    repository = await Repository.open(user.root)
    await stage(repository, tip)
    assert (user.git("rev-parse", "HEAD"), (user.root / ".git/HEAD").read_text()) == (head, where)
    assert user.git("write-tree") == user.git("rev-parse", f"{tip}^{{tree}}")
    assert user.git("diff-files") == ""
    assert user.git("ls-files", "--others", "--exclude-standard").strip() == "untracked.txt"
    assert contents(user.root)["run.sh/x"] == b"x\n"
    assert contents(user.root)["build/ignored"] == b"mine"


async def test_what_was_staged_can_be_taken_back(user: TemporaryRepository) -> None:
    tip = result(user)
    repository = await Repository.open(user.root)
    before = contents(user.root)
    await stage(repository, tip)
    await unstage(repository, tip)
    assert contents(user.root) == before
    assert user.git("status", "--porcelain") == ""


@pytest.mark.parametrize("since", ["edited", "staged", "committed"])
async def test_what_the_user_did_to_staged_files_since_is_not_taken_back(user: TemporaryRepository, since: str) -> None:
    tip = _edit(user)
    repository = await Repository.open(user.root)
    await stage(repository, tip)
    user.write({"a.py": "mine\n"})
    if since != "edited":
        user.git("add", "a.py")
    if since == "committed":
        user.git("commit", "-q", "-m", "mine")
    before = fingerprint(user.root)
    with pytest.raises(LandError, match="moved" if since == "committed" else "no longer"):
        await unstage(repository, tip)
    assert fingerprint(user.root) == before


async def test_an_index_that_is_locked_leaves_files_and_index_as_they_were(user: TemporaryRepository) -> None:
    tip = _edit(user)
    (user.root / ".git/index.lock").touch()
    before = fingerprint(user.root)
    with pytest.raises(LandError, match=r"index\.lock"):
        await stage(await Repository.open(user.root), tip)
    assert fingerprint(user.root) == before


async def test_the_users_sparse_checkout_stays_sparse(user: TemporaryRepository) -> None:
    user.commit({"left/out.py": "x\n"})
    tip = result(user)
    user.git("sparse-checkout", "set", "--no-cone", "/*", "!/left")
    await fast_forward(await Repository.open(user.root), tip)
    assert not (user.root / "left").exists()
    assert user.git("rev-parse", "HEAD").strip() == tip
    assert user.git("status", "--porcelain") == ""


async def test_a_stash_setting_stashes_nothing(user: TemporaryRepository) -> None:
    tip = result(user)
    user.git("config", "merge.autoStash", "true")
    user.git("config", "branch.main.mergeOptions", "--no-ff --autostash")
    await fast_forward(await Repository.open(user.root), tip)
    assert user.git("rev-parse", "HEAD").strip() == tip
    assert user.git("stash", "list") == ""


def _edit(user: TemporaryRepository) -> str:
    user.git("switch", "-q", "-c", "fanfold/run")
    user.git("rm", "-q", "pkg/mod.py")
    tip = user.commit({"a.py": "fixed\n", "new/file.py": "new\n"}, "fix")
    user.git("switch", "-q", "main")
    return tip


async def test_a_branch_that_is_locked_leaves_files_and_index_as_they_were(user: TemporaryRepository) -> None:
    tip = _edit(user)
    before = contents(user.root)
    (user.root / ".git/refs/heads/main.lock").touch()
    with pytest.raises(LandError, match="cannot lock ref"):
        await fast_forward(await Repository.open(user.root), tip)
    assert contents(user.root) == before
    assert user.git("status", "--porcelain") == ""


async def test_taking_back_mends_what_was_cut_off_and_keeps_what_the_user_wrote(user: TemporaryRepository) -> None:
    tip = _edit(user)
    repository = await Repository.open(user.root)
    before = contents(user.root)
    user.write({"a.py": "fix", "new/file.py": "new\n"})
    (user.root / "pkg/mod.py").unlink()
    await take_back(repository, tip)
    assert contents(user.root) == before
    user.write({"a.py": "mine\n"})
    await take_back(repository, tip)
    assert contents(user.root)["a.py"] == b"mine\n"


async def test_taking_back_leaves_a_sparse_checkout_sparse(user: TemporaryRepository) -> None:
    tip = _edit(user)
    user.git("sparse-checkout", "set", "--no-cone", "/*", "!/a.py")
    before = contents(user.root)
    assert "a.py" not in before
    await take_back(await Repository.open(user.root), tip)
    assert contents(user.root) == before


@pytest.mark.parametrize("bring", [fast_forward, stage])
async def test_a_file_that_only_looks_new_is_in_nobodys_way(
    user: TemporaryRepository, bring: Callable[[Repository, str], Awaitable[None]]
) -> None:
    tip = _edit(user)
    os.utime(user.root / "a.py", (1, 1))
    repository = await Repository.open(user.root)
    await bring(repository, tip)
    assert contents(user.root)["a.py"] == b"fixed\n"
    if bring is stage:
        os.utime(user.root / "a.py", (1, 1))
        await unstage(repository, tip)
        assert contents(user.root)["a.py"] != b"fixed\n"


@pytest.mark.parametrize("bring", [fast_forward, stage])
async def test_what_was_brought_to_its_end_is_told_from_what_was_cut_off(
    user: TemporaryRepository, bring: Callable[[Repository, str], Awaitable[None]]
) -> None:
    tip = _edit(user)
    repository = await Repository.open(user.root)
    before = contents(user.root)
    user.write({"a.py": "fix", "new/file.py": "new\n"})
    (user.root / "pkg/mod.py").unlink()
    assert not await brought_before(repository, tip)
    assert contents(user.root) == before
    await bring(repository, tip)
    assert await brought_before(repository, tip)
    assert contents(user.root)["a.py"] == b"fixed\n"
