"""Changes land whole, on the tip as it is, in the user's name, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from fanfold.git import (
    BranchMoved,
    Change,
    LandConflict,
    Landed,
    LandError,
    Repository,
    ResultBranch,
    Workspace,
    WorkspacePool,
)
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository

Lease = Callable[..., AbstractAsyncContextManager[Workspace]]
pytestmark = pytest.mark.usefixtures("untouched")
NAME = "fanfold/run"


@pytest.fixture
async def branch(pool: WorkspacePool) -> AsyncIterator[ResultBranch]:
    async with ResultBranch(pool.repository, pool.repository.head, NAME) as branch:
        yield branch


async def changed(
    pool: WorkspacePool, files: dict[str, str | None], base: str | None = None, mode: int | None = None
) -> Change:
    """A change that writes files (None = deletes them) on a base, the repository's HEAD by default."""
    async with pool.lease(base or pool.repository.head) as workspace:
        for name, text in files.items():
            path = workspace.root / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if mode:
                path.chmod(mode)
        return await workspace.capture()


def lines(**edits: str) -> str:
    """pkg/mod.py with some lines replaced."""
    text = [f"line{n} = {n}\n" for n in range(30)]
    for name, line in edits.items():
        text[int(name.removeprefix("at"))] = line + "\n"
    return "".join(text)


def at_tip(user: TemporaryRepository, path: str) -> str:
    return user.git("show", f"refs/heads/{NAME}:{path}")


async def test_there_is_no_ref_before_the_first_landing(user: TemporaryRepository, branch: ResultBranch) -> None:
    assert branch.tip == branch.base
    assert user.git("for-each-ref", "refs/heads/fanfold") == ""


async def test_a_change_becomes_one_commit_on_the_tip(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    change = await changed(pool, {"a.py": "one\n", "new/deep/x.py": "x\n", "b.py": None})
    commit = await branch.land(change, "fix(quality): one\n\n# not a comment\nTrailer: yes\n")
    assert user.git("rev-parse", NAME).strip() == commit == branch.tip
    assert user.git("rev-parse", f"{NAME}^").strip() == branch.base
    assert user.git("rev-parse", f"{NAME}^{{tree}}").strip() == change.tree
    assert user.git("log", "-1", "--format=%B", NAME) == "fix(quality): one\n\n# not a comment\nTrailer: yes\n\n"
    assert user.git("log", "-1", "--format=%an <%ae> %cn <%ce>", NAME).strip() == (
        "Ada <ada@example.com> Ada <ada@example.com>"
    )
    assert "fanfold" in user.git("reflog", "show", NAME)
    assert [landed.change for landed in branch.commits] == [change]
    assert user.git("fsck", "--strict", "--no-dangling") == ""


async def test_files_side_by_side_land_on_one_another(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    files = {"a.py": "one\n", "b.py": "two\n", "pkg/__init__.py": "three\n", "pkg/deep/er/more.py": "four\n"}
    changes = [await changed(pool, {name: text}) for name, text in files.items()]
    for change in changes:
        await branch.land(change, "fix")
    assert {name: at_tip(user, name) for name in files} == files
    assert at_tip(user, "pkg/mod.py") == lines()
    assert len(user.git("rev-list", f"{branch.base}..{NAME}").split()) == 4


async def test_separate_lines_of_one_file_are_merged(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    first = await changed(pool, {"pkg/mod.py": lines(at2="two")})
    second = await changed(pool, {"pkg/mod.py": lines(at25="twentyfive")})
    await branch.land(first, "fix")
    await branch.land(second, "fix")
    assert at_tip(user, "pkg/mod.py") == lines(at2="two", at25="twentyfive")


async def test_the_same_lines_conflict_and_leave_the_branch(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    name = "pkg/mod.py"
    first = await changed(pool, {name: lines(at2="mine")})
    second = await changed(pool, {name: lines(at2="yours"), "a.py": "x\n"})
    tip = await branch.land(first, "fix")
    with pytest.raises(LandConflict) as conflict:
        await branch.land(second, "fix")
    assert conflict.value.paths == (name,)
    assert user.git("rev-parse", NAME).strip() == tip == branch.tip
    assert len(branch.commits) == 1


CLASHES: dict[str, tuple[dict[str, str | None], dict[str, str | None]]] = {
    "edited and deleted": ({"a.py": None}, {"a.py": "x\n"}),
    "both added": ({"new.py": "1\n"}, {"new.py": "2\n"}),
    "file where a folder is made": ({"new": "1\n"}, {"new/x": "2\n"}),
    "folder where a file is made": ({"new/x": "1\n"}, {"new": "2\n"}),
}


@pytest.mark.parametrize(("first", "second"), CLASHES.values(), ids=CLASHES)
async def test_clashing_changes_never_overwrite(
    pool: WorkspacePool, branch: ResultBranch, first: dict[str, str | None], second: dict[str, str | None]
) -> None:
    changes = [await changed(pool, files) for files in (first, second)]
    tip = await branch.land(changes[0], "first")
    with pytest.raises(LandConflict) as conflict:
        await branch.land(changes[1], "second")
    assert conflict.value.paths
    assert branch.tip == tip


async def test_a_file_becomes_a_folder_and_a_folder_a_file(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    async with pool.lease(branch.base) as workspace:
        (workspace.root / "a.py").unlink()
        (workspace.root / "a.py").mkdir()
        (workspace.root / "a.py/x").write_text("x")
        (workspace.root / "pkg/deep/er/leaf.py").unlink()
        (workspace.root / "pkg/deep/er").rmdir()
        (workspace.root / "pkg/deep").rmdir()
        (workspace.root / "pkg/deep").write_text("deep")
        change = await workspace.capture()
    await branch.land(await changed(pool, {"b.py": "b\n"}), "before")
    await branch.land(change, "fix")
    assert (at_tip(user, "a.py/x"), at_tip(user, "pkg/deep"), at_tip(user, "b.py")) == ("x", "deep", "b\n")
    assert user.git("fsck", "--strict", "--no-dangling") == ""


async def test_a_folder_emptied_by_changes_is_gone(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    await branch.land(await changed(pool, {"pkg/deep/er/leaf.py": None}), "fix")
    assert user.git("ls-tree", "--name-only", NAME, "pkg/").split() == ["pkg/__init__.py", "pkg/mod.py"]


async def test_modes_and_links_land(user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch) -> None:
    async with pool.lease(branch.base) as workspace:
        (workspace.root / "a.py").chmod(0o755)
        (workspace.root / "link").symlink_to("a.py")
        change = await workspace.capture()
    await branch.land(change, "fix")
    tree = user.git("ls-tree", NAME)
    assert "100755 blob" in tree
    assert "120000 blob" in tree


async def test_a_rename_on_the_tip_is_not_guessed(pool: WorkspacePool, branch: ResultBranch) -> None:
    edit = await changed(pool, {"pkg/mod.py": lines(at2="two")})
    await branch.land(await changed(pool, {"pkg/mod.py": None, "pkg/moved.py": lines()}), "move")
    with pytest.raises(LandConflict):
        await branch.land(edit, "edit")


async def test_nothing_and_what_is_there_already_do_not_land(pool: WorkspacePool, branch: ResultBranch) -> None:
    with pytest.raises(LandError, match="nothing"):
        await branch.land(await changed(pool, {}), "fix")
    change = await changed(pool, {"a.py": "x\n"})
    await branch.land(change, "fix")
    with pytest.raises(LandError, match="already"):
        await branch.land(change, "fix")
    assert len(branch.commits) == 1


async def test_a_repository_inside_never_lands(pool: WorkspacePool, branch: ResultBranch) -> None:
    async with pool.lease(branch.base) as workspace:
        (workspace.root / "sub/.git").mkdir(parents=True)
        for name, text in {"HEAD": "ref: refs/heads/main\n", "config": "[core]\n"}.items():
            (workspace.root / "sub/.git" / name).write_text(text)
        for name in ("objects", "refs"):
            (workspace.root / "sub/.git" / name).mkdir()
        (workspace.root / "a.py").write_text("x\n")
        change = await workspace.capture()
    assert "160000" in {path.new_mode for path in change.paths}
    with pytest.raises(LandError, match="sub"):
        await branch.land(change, "fix")
    assert not branch.commits


async def test_a_branch_that_somebody_moved_is_left_to_them(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    change = await changed(pool, {"a.py": "x\n"})
    user.git("branch", NAME)
    with pytest.raises(BranchMoved):
        await branch.land(change, "fix")
    user.git("branch", "-D", NAME)
    await branch.land(change, "fix")
    other = user.git("commit-tree", "-m", "other", "HEAD^{tree}").strip()
    user.git("branch", "-f", NAME, other)
    tip = branch.tip
    with pytest.raises(BranchMoved) as moved:
        await branch.land(await changed(pool, {"b.py": "x\n"}), "fix")
    assert tip in (moved.value.hint or "")
    assert user.git("rev-parse", NAME).strip() == other
    assert branch.tip == tip


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("fanfold/run", "fanfold/run"),
        ("fanfold/run", "fanfold"),
        ("fanfold/run", "fanfold/run/x"),
        ("a..b", "x"),
        ("-x", "x"),
    ],
)
async def test_a_name_that_cannot_be_is_told_at_once(user: TemporaryRepository, name: str, taken: str) -> None:
    user.git("branch", taken)
    with pytest.raises(LandError) as error:
        async with ResultBranch(await Repository.open(user.root), user.git("rev-parse", "HEAD").strip(), name):
            pass
    assert error.value.hint
    user.git("branch", "-D", taken)
    for log in ("logs/refs/heads/fanfold", "logs/refs/heads/x"):  # git itself leaves the folders
        folder = user.root / ".git" / log
        if folder.is_dir():
            folder.rmdir()


async def test_changes_published_together_are_commits_of_their_own_and_one_move_of_the_branch(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    first = await branch.land(await changed(pool, {"b.py": "0\n"}), "zero\n")
    changes = [await changed(pool, {name: f"{name}\n"}) for name in ("a.py", "pkg/__init__.py", "new/x.py")]
    landed = await branch.publish([(change, f"{number}\n") for number, change in enumerate(changes)])
    assert [each.change for each in landed] == changes
    assert branch.commits[1:] == landed
    assert user.git("log", "--reverse", "--format=%H %s", f"{first}..{NAME}").split("\n")[:-1] == [
        f"{each.commit} {number}" for number, each in enumerate(landed)
    ]
    moves = user.git("reflog", "show", "--format=%H", NAME).split()
    assert moves == [branch.tip, first]
    assert user.git("fsck", "--strict", "--no-dangling") == ""


async def test_one_change_in_conflict_keeps_all_that_it_was_to_be_published_with(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    changes = [await changed(pool, {"a.py": text}) for text in ("one\n", "two\n")]
    with pytest.raises(LandConflict):
        await branch.publish([(change, "fix") for change in changes])
    assert (branch.tip, branch.commits) == (branch.base, ())
    assert user.git("for-each-ref", "refs/heads/fanfold") == ""


async def test_another_tree_than_was_verified_is_not_published(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    one, other = await changed(pool, {"a.py": "x\n"}), await changed(pool, {"b.py": "x\n"})
    with pytest.raises(LandError, match="verified"):
        await branch.publish([(one, "fix")], tree=other.tree)
    assert user.git("for-each-ref", "refs/heads/fanfold") == ""
    [landed] = await branch.publish([(one, "fix")], tree=one.tree)
    assert branch.tip == landed.commit


async def test_what_is_intended_is_told_before_the_branch_moves(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    told: list[tuple[str, str]] = []

    async def intend(landed: Sequence[Landed]) -> None:
        told.append((user.git("for-each-ref", "refs/heads/fanfold"), landed[-1].commit))
        user.git("cat-file", "-e", landed[-1].commit)

    async def refuse(_: Sequence[Landed]) -> None:
        raise OSError("the disk is full")

    change = await changed(pool, {"a.py": "x\n"})
    with pytest.raises(OSError, match="full"):
        await branch.publish([(change, "fix")], intend=refuse)
    assert branch.tip == branch.base
    await branch.publish([(change, "fix")], intend=intend)
    assert told == [("", branch.tip)]


async def test_compose_comes_to_a_tree_and_moves_nothing(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    await branch.land(await changed(pool, {"a.py": "a\n"}), "fix")
    change = await changed(pool, {"b.py": "b\n"})
    tree = await branch.compose([change])
    assert user.git("diff", "--name-only", branch.tip, tree).split() == ["b.py"]
    assert await branch.compose([]) == user.git("rev-parse", f"{NAME}^{{tree}}").strip()
    assert await branch.compose([change], on=branch.base) == change.tree
    with pytest.raises(LandConflict):
        await branch.compose([await changed(pool, {"a.py": "other\n"})])
    assert user.git("rev-parse", NAME).strip() == branch.tip == branch.commits[-1].commit


async def test_a_branch_that_only_shows_makes_no_ref(user: TemporaryRepository, pool: WorkspacePool) -> None:
    change, more = await changed(pool, {"a.py": "x\n"}), await changed(pool, {"b.py": "x\n"})
    async with ResultBranch(pool.repository, pool.repository.head, NAME, only_show=True) as branch:
        await branch.land(change, "fix")
        tip = await branch.land(more, "fix")
    assert user.git("diff", "--name-only", branch.base, tip).split() == ["a.py", "b.py"]
    assert user.git("for-each-ref", "refs/heads/fanfold") == ""


async def test_a_branch_is_gone_on_with_where_it_was_left(user: TemporaryRepository, pool: WorkspacePool) -> None:
    base = pool.repository.head
    change = await changed(pool, {"pkg/mod.py": lines(at2="two")})
    async with ResultBranch(pool.repository, base, NAME) as branch:
        await branch.land(change, "one\n\nof two\n")
        await branch.land(await changed(pool, {"b.py": None}), "two\n")
    left = branch.commits
    async with ResultBranch(pool.repository, base, NAME, restored=[each.commit for each in left]) as again:
        assert [(each.commit, each.change.paths, each.message) for each in again.commits] == [
            (each.commit, each.change.paths, each.message) for each in left
        ]
        await again.land(await changed(pool, {"a.py": "x\n"}), "three\n")
    assert len(user.git("rev-list", f"{base}..{NAME}").split()) == 3


async def test_a_branch_that_was_moved_meanwhile_is_not_gone_on_with(
    user: TemporaryRepository, pool: WorkspacePool
) -> None:
    base = pool.repository.head
    async with ResultBranch(pool.repository, base, NAME) as branch:
        tip = await branch.land(await changed(pool, {"a.py": "x\n"}), "one\n")
    user.git("branch", "-f", NAME, base)
    with pytest.raises(BranchMoved, match="moved"):
        async with ResultBranch(pool.repository, base, NAME, restored=[tip]):
            pass
    user.git("branch", "-D", NAME)
    with pytest.raises(BranchMoved, match="deleted"):
        async with ResultBranch(pool.repository, base, NAME, restored=[tip]):
            pass


async def test_fifty_changes_landed_at_once_are_all_there(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    names = [f"many/d{n % 7}/f{n}.py" for n in range(50)]
    async with pool.lease(branch.base) as workspace:
        changes = []
        for name in names:
            (workspace.root / name).parent.mkdir(parents=True, exist_ok=True)
            (workspace.root / name).write_text(name)
            changes.append(await workspace.capture())
            (workspace.root / name).unlink()
    commits = await asyncio.gather(*(branch.land(change, "fix") for change in changes))
    assert [landed.commit for landed in branch.commits] == commits
    assert user.git("ls-tree", "-r", "--name-only", NAME, "many/").split() == sorted(names)
    assert len(user.git("rev-list", f"{branch.base}..{NAME}").split()) == 50
    assert user.git("fsck", "--strict", "--no-dangling") == ""


async def test_a_landing_once_begun_is_not_interrupted(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    change = await changed(pool, {"a.py": "x\n"})
    landing = asyncio.create_task(branch.land(change, "fix"))
    await asyncio.sleep(0)
    landing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await landing
    assert user.git("rev-parse", NAME).strip() == branch.tip == branch.commits[0].commit


async def test_hooks_and_signing_programs_of_the_user(
    user: TemporaryRepository, pool: WorkspacePool, tmp_path: Path
) -> None:
    """Hooks never run; the signing program does when the user signs commits."""
    before = fingerprint(user.root)
    for hook in ("pre-commit", "commit-msg", "post-commit", "reference-transaction"):
        path = user.root / ".git/hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ntouch {tmp_path}/hook-ran\n")
        path.chmod(0o755)
    gpg = tmp_path / "gpg"
    gpg.write_text('#!/bin/sh\ncat > /dev/null\necho "[GNUPG:] SIG_CREATED x" >&2\necho SIGNED\n')
    gpg.chmod(0o755)
    for key, value in {"commit.gpgsign": "yes", "gpg.program": str(gpg), "user.signingkey": "x"}.items():
        user.git("config", key, value)
    async with ResultBranch(pool.repository, pool.repository.head, NAME) as branch:
        commit = await branch.land(await changed(pool, {"a.py": "x\n"}), "fix")
    assert "gpgsig SIGNED" in user.git("cat-file", "commit", commit)
    assert not (tmp_path / "hook-ran").exists()
    # What this test itself changed goes back, so that `untouched` can tell.
    for key in ("commit.gpgsign", "gpg.program", "user.signingkey"):
        user.git("config", "--unset", key)
    for hook in ("pre-commit", "commit-msg", "post-commit", "reference-transaction"):
        (user.root / ".git/hooks" / hook).unlink()
    for section in ("commit", "gpg"):
        config = user.root / ".git/config"
        config.write_text(config.read_text().replace(f"[{section}]\n", ""))
    assert fingerprint(user.root) == before


async def test_without_an_identity_nothing_lands_but_it_can_be_shown(
    user: TemporaryRepository, pool: WorkspacePool
) -> None:
    change = await changed(pool, {"a.py": "x\n"})
    config = (user.root / ".git/config").read_bytes()
    user.git("config", "--remove-section", "user")
    try:
        async with ResultBranch(pool.repository, pool.repository.head, NAME) as branch:
            with pytest.raises(LandError, match="email"):
                await branch.land(change, "fix")
            assert await branch.compose([change]) == change.tree
        async with ResultBranch(pool.repository, pool.repository.head, NAME, only_show=True) as shown:
            assert await shown.land(change, "fix")
    finally:
        (user.root / ".git/config").write_bytes(config)


async def test_a_change_whose_objects_were_pruned_is_an_error(
    user: TemporaryRepository, pool: WorkspacePool, branch: ResultBranch
) -> None:
    change = await changed(pool, {"a.py": "x\n"})
    user.git("prune", "--expire=now")
    with pytest.raises(LandError, match="no object"):
        await branch.land(change, "fix")
    await branch.land(await changed(pool, {"a.py": "x\n"}), "fix")
    assert user.git("fsck", "--strict", "--no-dangling") == ""
