"""A change made elsewhere arrives as it was made, or is refused with nothing written."""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.git import (
    Bundle,
    Change,
    Inbox,
    ParcelError,
    Repository,
    ResultBranch,
    Workspace,
    WorkspacePool,
    pack_change,
    unpacked,
    write_bundle,
)
from fanfold.git.parcel import MAX_BYTES
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

FILES: dict[str, str | bytes] = {
    "a.py": "a = 1\n",
    "pkg/a.py": "a = 2\n",
    "pkg/deep/b.py": "b = 1\n",
    "data.bin": bytes(range(256)),
    "run.sh": "#!/bin/sh\n",
}


@pytest.fixture
def user(tmp_path: Path) -> TemporaryRepository:
    return make_repository(tmp_path / "user", FILES)


@pytest.fixture
async def elsewhere(user: TemporaryRepository, tmp_path: Path) -> AsyncIterator[Workspace]:
    """A workspace of the same commit on another machine."""
    repository = await Repository.open(user.root)
    bundle = tmp_path / "bundle"
    with bundle.open("wb") as file:
        await write_bundle(repository, repository.head, file)
    async with (
        unpacked(Bundle.read(bundle.read_bytes()), home=tmp_path / "there") as there,
        WorkspacePool(there, home=tmp_path / "there") as pool,
        pool.lease(there.head) as workspace,
    ):
        yield workspace


@pytest.fixture
async def inbox(user: TemporaryRepository) -> AsyncIterator[Inbox]:
    async with Inbox(await Repository.open(user.root)) as inbox:
        yield inbox


async def parcel_of(workspace: Workspace) -> tuple[Change, str]:
    change = await workspace.capture()
    return change, await pack_change(await Repository.open(workspace.root), change)


async def take(inbox: Inbox, parcel: str, *only: str, **options: Any) -> Change:
    return await inbox.take(parcel, base=inbox.repository.head, only=set(only), **options)


def binary(root: Path) -> None:
    (root / "data.bin").write_bytes(bytes(reversed(range(256))) * 5000)


def line_ends(root: Path) -> None:
    (root / "a.py").write_bytes(b"a = 1\r\nb = 2\rc = 3\n\x0c no line end")


def empty(root: Path) -> None:
    (root / "a.py").write_bytes(b"")


def mode(root: Path) -> None:
    (root / "run.sh").chmod(0o755)


def deleted(root: Path) -> None:
    (root / "pkg/deep/b.py").unlink()


def renamed(root: Path) -> None:
    (root / "a.py").rename(root / "pkg/b.py")


def same_stems(root: Path) -> None:
    (root / "a.py").write_text("a = 3\n")
    (root / "pkg/a.py").write_text("a = 4\n")


def added(root: Path) -> None:
    (root / "new/folder").mkdir(parents=True)
    (root / "new/folder/é\n.py").write_text("x = 1\n")
    (root / "new" / os.fsdecode(b"\xff.py")).write_text("x = 1\n")


def folder_for_a_file(root: Path) -> None:
    (root / "a.py").unlink()
    (root / "a.py").mkdir()
    (root / "a.py/a.py").write_text("x = 1\n")


def all_gone(root: Path) -> None:
    for name in FILES:
        (root / name).unlink()


DOINGS = [binary, line_ends, empty, mode, deleted, renamed, same_stems, added, folder_for_a_file, all_gone]


@pytest.mark.parametrize("doing", DOINGS)
async def test_change_arrives_as_it_was_made_and_lands(
    user: TemporaryRepository, elsewhere: Workspace, inbox: Inbox, doing: Callable[[Path], None]
) -> None:
    doing(elsewhere.root)
    made, parcel = await parcel_of(elsewhere)
    parcel = json.loads(json.dumps(parcel))
    arrived = await take(inbox, parcel, *(path.path for path in made.paths))
    assert arrived == made
    async with ResultBranch(inbox.repository, made.base, "fanfold/x") as branch:
        tip = await branch.land(arrived, "change\n")
    assert user.git("rev-parse", f"{tip}^{{tree}}").strip() == made.tree
    assert user.git("fsck", "--strict", "--full") == ""


async def test_sha256_arrives_too(tmp_path: Path) -> None:
    user = TemporaryRepository(tmp_path / "user")
    user.root.mkdir()
    user.git("init", "-q", "-b", "main", "--object-format=sha256")
    base = user.commit(FILES)
    clone = TemporaryRepository(tmp_path / "clone")
    user.git("clone", "-q", str(user.root), str(clone.root))
    there = await Repository.open(clone.root)
    async with WorkspacePool(there, home=tmp_path / "there") as pool, pool.lease(base) as workspace:
        (workspace.root / "a.py").write_text("a = 5\n")
        made, parcel = await parcel_of(workspace)
    async with Inbox(await Repository.open(user.root)) as inbox:
        assert await take(inbox, parcel, "a.py") == made
    assert user.git("show", f"{made.tree}:a.py") == "a = 5\n"


async def test_same_change_may_come_twice(elsewhere: Workspace, inbox: Inbox) -> None:
    line_ends(elsewhere.root)
    _, parcel = await parcel_of(elsewhere)
    assert await take(inbox, parcel, "a.py") == await take(inbox, parcel, "a.py")


async def test_nothing_but_objects_is_written(user: TemporaryRepository, elsewhere: Workspace, inbox: Inbox) -> None:
    before = fingerprint(user.root)
    same_stems(elsewhere.root)
    _, parcel = await parcel_of(elsewhere)
    await take(inbox, parcel, "a.py", "pkg/a.py")
    assert fingerprint(user.root) == before


async def test_link_does_not_leave(elsewhere: Workspace) -> None:
    (elsewhere.root / "a.py").unlink()
    (elsewhere.root / "a.py").symlink_to("/etc/passwd")
    with pytest.raises(ParcelError, match="no regular file"):
        await parcel_of(elsewhere)


async def test_repository_inside_does_not_leave(elsewhere: Workspace) -> None:
    make_repository(elsewhere.root / "inner", {"x.py": "x = 1\n"})
    with pytest.raises(ParcelError, match="no regular file"):
        await parcel_of(elsewhere)


async def test_too_much_does_not_leave(elsewhere: Workspace) -> None:
    binary(elsewhere.root)
    change = await elsewhere.capture()
    with pytest.raises(ParcelError, match="more than 1000 bytes"):
        await pack_change(await Repository.open(elsewhere.root), change, max_bytes=1000)


def forged(base: str, files: list[Any], contents: bytes = b"", *, tree: str = "0" * 40, **others: Any) -> str:
    facts = {"base": base, "tree": tree, "files": files, **others}
    return sealed(json.dumps(facts).encode() + b"\n" + contents)


def sealed(content: bytes) -> str:
    return "fanfold-change-1:" + base64.b64encode(zlib.compress(content)).decode()


def objects(user: TemporaryRepository) -> set[Path]:
    return {path for path in (user.root / ".git/objects").rglob("*") if path.is_file()}


BAD_PATHS = [
    *("../a.py", "/etc/passwd", "pkg/../../a.py", "./a.py", "pkg//a.py", "", "pkg/", ".", "..", "a\0.py"),
    *(".git/config", ".GIT/hooks/post-checkout", "pkg/.git/config", "pkg/.Git", "git~1/config", "GIT~2"),
    *(
        ".git./config",
        ".git /config",
        ".git::$INDEX_ALLOCATION/config",
        ".g\u200cit/config",
        "..\\a.py",
        ".git\\config",
    ),
    "x" * 5000,
]


@pytest.mark.parametrize("path", BAD_PATHS)
async def test_path_that_leads_elsewhere_is_refused_though_it_is_allowed(
    user: TemporaryRepository, inbox: Inbox, path: str
) -> None:
    before = objects(user)
    with pytest.raises(ParcelError, match="no name for a file"):
        await take(inbox, forged(inbox.repository.head, [[path, "100644", 1]], b"x"), path)
    assert objects(user) == before


@pytest.mark.parametrize("wrong", ["120000", "160000", "040000", "100664", "", "644", 100644, None])
async def test_mode_of_no_regular_file_is_refused(user: TemporaryRepository, inbox: Inbox, wrong: object) -> None:
    before = objects(user)
    with pytest.raises(ParcelError):
        await take(inbox, forged(inbox.repository.head, [["a.py", wrong, 1]], b"x"), "a.py")
    assert objects(user) == before


async def test_path_that_is_not_its_own_is_refused(
    user: TemporaryRepository, elsewhere: Workspace, inbox: Inbox
) -> None:
    before = objects(user)
    same_stems(elsewhere.root)
    _, parcel = await parcel_of(elsewhere)
    with pytest.raises(ParcelError, match=r"'pkg/a\.py', which it may not"):
        await take(inbox, parcel, "a.py")
    assert objects(user) == before


async def test_claimed_tree_that_the_files_do_not_make_is_refused(inbox: Inbox) -> None:
    lie = forged(inbox.repository.head, [["a.py", "100644", 1]], b"x")
    with pytest.raises(ParcelError, match="make another tree"):
        await take(inbox, lie, "a.py")


async def test_other_base_is_refused(inbox: Inbox) -> None:
    with pytest.raises(ParcelError, match="was made on"):
        await take(inbox, forged("f" * 40, [["a.py", "100644", 1]], b"x"), "a.py")


async def test_file_below_a_file_or_a_link_is_refused(user: TemporaryRepository) -> None:
    (user.root / "out").symlink_to("/tmp")
    user.commit()
    async with Inbox(await Repository.open(user.root)) as inbox:
        for path in ("a.py/x.py", "out/x.py", "pkg"):
            with pytest.raises(ParcelError, match="doesn't fit"):
                await take(inbox, forged(inbox.repository.head, [[path, "100644", 1]], b"x"), path)


async def test_named_twice_is_refused(inbox: Inbox) -> None:
    files = [["a.py", "100644", 1], ["a.py", "100644", 1]]
    with pytest.raises(ParcelError, match="twice"):
        await take(inbox, forged(inbox.repository.head, files, b"xy"), "a.py")


async def test_too_much_is_refused_before_it_is_inflated(inbox: Inbox) -> None:
    bomb = sealed(b"\0" * (200 << 20))
    assert len(bomb) < 1 << 20
    with pytest.raises(ParcelError, match="too large"):
        await take(inbox, bomb, "a.py")
    with pytest.raises(ParcelError, match="more than 10 bytes"):
        await take(inbox, forged(inbox.repository.head, [["a.py", "100644", 11]], b"x" * 11), "a.py", max_bytes=10)
    with pytest.raises(ParcelError, match="more than"):
        await take(inbox, "fanfold-change-1:" + "A" * (3 * MAX_BYTES), "a.py")


@pytest.mark.parametrize(
    "parcel",
    [
        "",
        "fanfold-change-1:",
        "fanfold-change-1:é",
        "fanfold-change-1:AAAA",
        sealed(b""),
        sealed(b"[]\n"),
        sealed(b"null\n"),
        sealed(b"[" * 100_000),
        sealed(b'{"base": "x", "tree": "y", "files": [["a.py", "100644", 5]]}\nx'),
        sealed(b'{"base": "x", "tree": "y", "files": [["a.py", "100644", -1]]}\nx'),
        sealed(b'{"base": "x", "tree": "y", "files": [["a.py", "100644", "1"]]}\nx'),
        sealed(b'{"base": "x", "tree": "y", "files": [["a.py", "100644", true]]}\nx'),
        sealed(b'{"base": "x", "tree": "y", "files": []}\nx'),
        sealed(b'{"base": "x", "tree": "y", "files": 1}\n'),
        sealed(b'{"base": "x", "tree": "y", "files": [{}]}\n'),
        sealed(b"{}\n") + "AAAA",
    ],
)
async def test_what_is_no_change_is_refused(inbox: Inbox, parcel: str) -> None:
    with pytest.raises(ParcelError):
        await take(inbox, parcel, "a.py")


async def test_change_of_nothing_is_refused(inbox: Inbox) -> None:
    tree = TemporaryRepository(inbox.repository.root).git("rev-parse", "HEAD^{tree}").strip()
    for files, contents in (([], b""), ([["a.py", "100644", 6]], b"a = 1\n")):
        with pytest.raises(ParcelError):
            await take(inbox, forged(inbox.repository.head, files, contents, tree=tree), "a.py")


@given(noise=st.binary(max_size=200), head=st.booleans())
async def test_noise_is_refused(noise: bytes, head: bool, checkout: Path) -> None:
    async with Inbox(await Repository.open(checkout)) as inbox:
        with pytest.raises(ParcelError):
            await take(inbox, sealed(b'{"base":' + noise if head else noise), "a.py")
