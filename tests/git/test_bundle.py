"""A commit travels as bytes, and becomes on another machine a repository that workspaces can be made of."""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from fanfold.git import Bundle, BundleError, Repository, Workspace, WorkspacePool, clean, unpacked, write_bundle
from fanfold.git.bases import evict
from fanfold.testing.fingerprint import contents
from fanfold.testing.repositories import TemporaryRepository, make_repository

HOUR_S = 3600.0
FILES: dict[str, str | bytes] = {
    "a.py": "a = 1\n",
    "crlf.py": b"x = 1\r\ny = 2\r\n",
    "pkg/a.py": "a = 2\n",
    "data.bin": bytes(range(256)) * 40,
    "empty": b"",
}


async def bundled(user: TemporaryRepository, **options: int) -> bytes:
    repository = await Repository.open(user.root)
    with io.BytesIO() as file:
        await write_bundle(repository, repository.head, file, **options)
        return file.getvalue()


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The folder of the workspaces on the other machine."""
    return tmp_path / "there"


def at(there: Path, data: bytes, **options: float) -> AbstractAsyncContextManager[Repository]:
    return unpacked(Bundle.read(data), home=there, **options)  # type: ignore[arg-type]


@contextmanager
def removing(folder: Path) -> Iterator[None]:
    """Holds a base as one does who is about to remove it."""
    with (folder / "lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@asynccontextmanager
async def workspace_of(data: bytes, there: Path) -> AsyncIterator[Workspace]:
    """A workspace of a bundle's commit."""
    async with (
        at(there, data) as repository,
        WorkspacePool(repository, home=there) as pool,
        pool.lease(repository.head) as workspace,
    ):
        yield workspace


async def leased(data: bytes, there: Path) -> dict[str, str | bytes]:
    """What such a workspace holds."""
    async with workspace_of(data, there) as workspace:
        return contents(workspace.root)


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
async def test_workspace_elsewhere_holds_the_same_files(tmp_path: Path, there: Path, object_format: str) -> None:
    user = TemporaryRepository(tmp_path / "user")
    user.root.mkdir()
    user.git("init", "-q", "-b", "main", f"--object-format={object_format}")
    user.write(FILES)
    (user.root / "link").symlink_to("a.py")
    (user.root / "run.sh").write_text("#!/bin/sh\n")
    (user.root / "run.sh").chmod(0o755)
    commit = user.commit()
    data = await bundled(user)
    async with at(there, data) as repository, WorkspacePool(repository, home=there) as pool:
        assert (repository.head, repository.object_format) == (commit, object_format)
        async with pool.lease(commit) as workspace:
            assert contents(workspace.root) == contents(user.root)
            assert os.access(workspace.root / "run.sh", os.X_OK)
            assert (await workspace.capture()).empty
        assert await repository.read(commit, "data.bin") == FILES["data.bin"]


async def test_nothing_travels_but_the_files_of_the_commit(user: TemporaryRepository, there: Path) -> None:
    old = user.commit({"secret.py": "password = 'hunter2'\n"}, "with a secret")
    user.git("rm", "-q", "secret.py")
    user.commit(message="without it")
    user.git("remote", "add", "origin", "https://user:token@example.com/r.git")
    user.git("config", "http.extraHeader", "Authorization: token")
    user.git("branch", "other")
    user.write({"untracked.py": "untracked = 1\n", "a.py": "uncommitted = 1\n"})
    user.write({".git/hooks/post-checkout": "#!/bin/sh\ntouch hooked\n"})
    (user.root / ".git/hooks/post-checkout").chmod(0o755)
    data = await bundled(user)
    async with at(there, data) as repository:
        assert list(await repository.refs()) == []
        git = TemporaryRepository(repository.root).git
        assert git("cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split().count("commit") == 1
        assert git("cat-file", "-t", f"{old}", check=False) == ""
        assert git("log", "--format=%s").split("\n") == ["without it", ""]
        assert git("status", "--porcelain") == ""
        config = (repository.git_dir / "config").read_text()
        assert "token" not in config
        assert "origin" not in config
        assert not (repository.root / "hooked").exists()
        assert not list((repository.git_dir / "hooks").glob("*"))
        assert not (repository.root / "untracked.py").exists()
    assert b"hunter2" not in b"".join(path.read_bytes() for path in there.rglob("*") if path.is_file())


@pytest.mark.usefixtures("untouched")
async def test_packing_leaves_the_users_repository_alone(user: TemporaryRepository) -> None:
    objects = set((user.root / ".git/objects").rglob("*"))
    await bundled(user)
    assert set((user.root / ".git/objects").rglob("*")) == objects


async def test_line_endings_are_converted_as_the_user_has_it(user: TemporaryRepository, there: Path) -> None:
    user.git("config", "core.autocrlf", "true")
    found = await leased(await bundled(user), there)
    assert found["a.py"] == b"a = 1\r\n" * 20


async def test_worker_s_own_configuration_converts_nothing(
    user: TemporaryRepository, there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.commit({".gitattributes": "*.txt filter=shout\n", "b.txt": "quiet\n"})
    data = await bundled(user)
    own = tmp_path / "gitconfig"
    own.write_text(
        "[core]\n\tautocrlf = true\n\teol = crlf\n"
        '[filter "shout"]\n\tsmudge = tr a-z A-Z\n\tclean = tr A-Z a-z\n\trequired = true\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(own))
    found = await leased(data, there)
    assert found["a.py"] == b"a = 1\n" * 20
    assert found["b.txt"] == b"quiet\n"


async def test_filter_that_only_the_user_has_is_refused(user: TemporaryRepository) -> None:
    user.commit({"pkg/.gitattributes": "*.txt filter=shout text\n", "pkg/b.txt": "quiet\n"})
    await bundled(user)
    user.git("config", "filter.shout.smudge", "tr a-z A-Z")
    with pytest.raises(BundleError, match="filter shout"):
        await bundled(user)


async def test_filter_that_no_file_goes_through_is_no_reason_to_refuse(user: TemporaryRepository) -> None:
    user.git("config", "filter.shout.smudge", "tr a-z A-Z")
    await bundled(user)


async def test_pointers_to_large_files_stay_pointers(user: TemporaryRepository, there: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    user.commit({".gitattributes": "*.psd filter=lfs diff=lfs merge=lfs -text\n", "a.psd": pointer})
    user.git("config", "filter.lfs.process", "git-lfs filter-process")
    user.git("config", "filter.lfs.smudge", "git-lfs smudge -- %f")
    found = await leased(await bundled(user), there)
    assert found["a.psd"] == pointer.encode()


async def test_submodule_stays_an_empty_folder(user: TemporaryRepository, there: Path, tmp_path: Path) -> None:
    inner = make_repository(tmp_path / "inner", {"inner.py": "inner = 1\n"})
    user.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.root), "sub")
    user.commit()
    data = await bundled(user)
    async with at(there, data) as repository:
        assert repository.submodules == ("sub",)
    assert (await leased(data, there))["sub"] == "empty folder"


async def test_what_the_user_ignores_is_ignored_elsewhere(
    user: TemporaryRepository, there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.write({".git/info/exclude": "# private remark\n*.one\n"})
    (tmp_path / "config/git").mkdir(parents=True)
    (tmp_path / "config/git/ignore").write_text("*.two\n")
    with monkeypatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        data = await bundled(user)
    assert b"private remark" not in data
    async with workspace_of(data, there) as workspace:
        for name in ("a.one", "a.two", "a.three"):
            (workspace.root / name).write_text("x\n")
        assert [path.path for path in (await workspace.capture()).paths] == ["a.three"]


async def test_partial_clone_fetches_what_it_lacks(user: TemporaryRepository, there: Path, tmp_path: Path) -> None:
    user.git("config", "uploadpack.allowFilter", "true")
    clone = TemporaryRepository(tmp_path / "clone")
    user.git("clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{user.root}", str(clone.root))
    data = await bundled(clone)
    assert await leased(data, there) == contents(user.root)


async def test_shallow_clone_and_linked_worktree(user: TemporaryRepository, there: Path, tmp_path: Path) -> None:
    user.commit({"a.py": "a = 2\n"})
    clone = TemporaryRepository(tmp_path / "clone")
    user.git("clone", "-q", "--depth=1", f"file://{user.root}", str(clone.root))
    assert await leased(await bundled(clone), there) == contents(user.root)
    user.git("worktree", "add", "-q", str(tmp_path / "linked"))
    assert await leased(await bundled(TemporaryRepository(tmp_path / "linked")), there) == contents(user.root)


async def test_names_that_are_no_text_survive(user: TemporaryRepository, there: Path) -> None:
    (user.root / os.fsdecode(b"caf\xe9 \n\t.py")).write_text("x = 1\n")
    (user.root / "grün.py").write_text("x = 1\n")
    user.commit()
    assert await leased(await bundled(user), there) == contents(user.root)


async def test_same_commit_is_unpacked_once(user: TemporaryRepository, there: Path) -> None:
    data = await bundled(user)
    async with at(there, data) as first:
        made = (first.git_dir / "HEAD").stat()
    async with at(there, data) as again:
        assert again.git_dir == first.git_dir
        assert (again.git_dir / "HEAD").stat() == made


async def test_workers_that_start_together_share_one(user: TemporaryRepository, there: Path) -> None:
    data = await bundled(user)
    together = asyncio.Barrier(6)

    async def work() -> Path:
        async with at(there, data) as repository:
            await together.wait()
            return repository.git_dir

    assert len(set(await asyncio.gather(*(work() for _ in range(6))))) == 1
    assert len(list((there / "bases").iterdir())) == 1


async def test_unpacking_that_was_killed_is_done_again(user: TemporaryRepository, there: Path) -> None:
    data = await bundled(user)
    async with at(there, data) as repository:
        folder = repository.root.parent
    (folder / "complete").unlink()
    (repository.git_dir / "objects/pack/pack-base.idx").unlink()
    (repository.git_dir / "index.lock").touch()
    assert await leased(data, there) == contents(user.root)


async def test_damaged_pack_is_refused_and_leaves_nothing_that_counts(user: TemporaryRepository, there: Path) -> None:
    data = bytearray(await bundled(user))
    data[-40] ^= 0xFF
    with pytest.raises(BundleError, match="can't unpack"):
        async with at(there, bytes(data)):
            pass
    assert await leased(await bundled(user), there) == contents(user.root)


async def test_pack_that_lacks_a_file_is_refused(user: TemporaryRepository, there: Path, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other", {"z.py": "z = 1\n"})
    mine, theirs = await bundled(user), await bundled(other)
    head, pack = mine[: mine.index(b"PACK")], theirs[theirs.index(b"PACK") :]
    with pytest.raises(BundleError, match="can't unpack"):
        async with at(there, head + pack):
            pass


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PACK",
        b"fanfold bundle 1 ",
        b"fanfold bundle 1 2\n{}",
        b"fanfold bundle 1 9999999999\n{}",
        b'fanfold bundle 1 61\n{"commit": "../../x", "object_format": "sha1", "rules": {}}   ',
        b'fanfold bundle 1 53\n{"commit": 1, "object_format": "sha1", "rules": {}}    ',
    ],
)
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="no bundle"):
        Bundle.read(data)


async def test_too_large_a_commit_is_refused_with_its_size(user: TemporaryRepository) -> None:
    user.commit({"big.bin": os.urandom(50_000)})
    with pytest.raises(BundleError, match="at most 1000"):
        await bundled(user, max_bytes=1_000)


async def test_longest_unused_bases_go_first_and_their_workspaces_with_them(
    user: TemporaryRepository, there: Path
) -> None:
    homes = []
    for number in range(3):
        user.commit({"a.py": f"a = {number}\n"})
        async with workspace_of(await bundled(user), there) as workspace:
            base = max((there / "bases").iterdir(), key=lambda folder: (folder / "lock").stat().st_mtime)
            homes.append((base, workspace.root.parent.parent))
        used_s = time.time() - (3 - number) * HOUR_S
        os.utime(base / "lock", (used_s, used_s))
    assert evict(there, max_bytes=1 << 40, max_age_s=9 * HOUR_S) == 0
    assert evict(there, max_bytes=1 << 40, max_age_s=2.5 * HOUR_S) > 0
    assert [[path.exists() for path in pair] for pair in homes] == [[False, False], [True, True], [True, True]]
    assert evict(there, max_bytes=1, max_age_s=9 * HOUR_S) > 0
    assert not any(path.exists() for pair in homes for path in pair)


async def test_base_in_use_is_kept(user: TemporaryRepository, there: Path) -> None:
    async with at(there, await bundled(user)) as repository:
        assert evict(there, max_bytes=0, max_age_s=0.0) == 0
        assert await repository.read(repository.head, "b.py") == b"b = 1\n"
    assert evict(there, max_bytes=0, max_age_s=0.0) > 0
    assert list((there / "bases").iterdir()) == []


async def test_base_that_is_removed_while_a_worker_waits_for_it_is_made_again(
    user: TemporaryRepository, there: Path
) -> None:
    data = await bundled(user)
    async with at(there, data) as repository:
        folder = repository.root.parent
    with removing(folder):
        waiting = asyncio.create_task(leased(data, there))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        folder.rename(folder.with_suffix(".removed"))
    assert await waiting == contents(user.root)


async def test_clean_removes_what_nobody_uses(user: TemporaryRepository, there: Path) -> None:
    data = await bundled(user)
    await leased(data, there)
    cleaned = await clean(there)
    assert len(cleaned.removed) == 1
    assert cleaned.freed_bytes > 0
    assert list((there / "bases").iterdir()) == []


async def test_bounds_hold_at_the_end_of_each_use(user: TemporaryRepository, there: Path) -> None:
    first = await bundled(user)
    await leased(first, there)
    user.commit({"a.py": "a = 2\n"})
    async with at(there, await bundled(user), max_kept_bytes=1):
        assert len(list((there / "bases").iterdir())) == 2
    assert list((there / "bases").iterdir()) == []
